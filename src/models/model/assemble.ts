// Assembles a model from what was read of its files, its card and the caller's options.
import { cut } from '../../graph/index.ts'
import { whiteningOf } from '../cards/whitening.ts'
import type { ModelFiles } from '../files.ts'
import type { FoundModel, ReadOptions } from '../layouts/foundModel.ts'
import { readModel } from '../layouts/readModel.ts'
import type { Card, Model, Opened, OpenOptions } from '../types.ts'
import { createModel, featuresOf } from './model.ts'
import { resolvePlace } from './places.ts'
import { createTwoTowers } from './towers.ts'
import { whitened } from './whitened.ts'

/** Options of opening that are about what is read. */
type AssembleOptions = ReadOptions & Pick<OpenOptions, 'revision'>

/** A model from its files; its card's settings take precedence over the files', and the caller's over both. */
export async function assemble(
  files: ModelFiles,
  identity: Pick<Card, 'name' | 'source'>,
  known: Card | undefined,
  options: AssembleOptions = {},
): Promise<Model> {
  const overrides = options.card ?? {}
  const whitening = await whiteningOf(known?.name)
  const read = await readModel(files, options)
  const reading = whitening ? whitened(read, whitening) : read
  const found: Card = known ?? { ...reading.card, ...identity }
  const merged: Card = { ...found, ...overrides }
  const opened = openedBy(identity.name, options)
  if (merged.modality === 'text-image') {
    return createTwoTowers({ ...reading, card: merged, opened, folder: files.folder })
  }
  const stated = overrides.dimensions ?? (overrides.tap === undefined ? found.dimensions : 0)
  const dimensions = stated > 0 ? stated : tapSize(reading, merged)
  return createModel({ ...reading, card: { ...merged, dimensions }, opened, folder: files.folder })
}

/** The options that open the model again, without those that say nothing. */
function openedBy(name: string, options: AssembleOptions): Opened {
  const { revision, card, strict, architecture, size } = options
  return {
    name,
    dtype: 'fp32',
    ...(revision !== undefined && { revision }),
    ...(card && { card }),
    ...(strict === false && { strict }),
    ...(architecture !== undefined && { architecture }),
    ...(size && { size }),
  }
}

/** Length of the vectors that the card's tap gives; 0 where its shape is not known. */
function tapSize({ graph, places }: FoundModel, card: Card): number {
  if (places?.blocked?.has(card.tap)) return 0
  const tap = resolvePlace({ graph, card, ...(places ? { places } : {}) }, card.tap)
  return featuresOf(cut(graph, tap), places) ?? 0
}
