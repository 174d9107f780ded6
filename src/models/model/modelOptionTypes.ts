// Types of the options of a model's methods, and the check of the names of layers.
import { is, type OptionTable, PipiloError, shownValue } from '../../base/index.ts'
import type { WriteOptions } from '../../graph/files/index.ts'
import { poolings } from '../cards/choices.ts'
import { embeddingOptionTypes } from '../openOptions.ts'
import type { EmbeddingOptions, SaveOptions } from '../types.ts'

const written: OptionTable<WriteOptions> = { externalData: is.either(is.flag, is.name) }

/** Types of {@link SaveOptions}. */
export const saveOptionTypes: OptionTable<SaveOptions> = {
  preprocess: is.flag,
  pool: is.oneOf(poolings),
  normalize: is.flag,
  dimensions: is.count(1),
  ...written,
}

/** Types of the options of `export`. */
export const exportOptionTypes: OptionTable<EmbeddingOptions & WriteOptions> = {
  ...embeddingOptionTypes,
  ...written,
}

/** Refuses what is no name of a layer. @throws PipiloError `LAYER_UNKNOWN` */
export function checkLayerName(layer: unknown): asserts layer is string {
  if (typeof layer === 'string') return
  throw new PipiloError('LAYER_UNKNOWN', `A layer's name is ${shownValue(layer)}; it has to be a text.`, {
    input: 'layer',
    hint: 'layers() and placeNames() list them.',
  })
}
