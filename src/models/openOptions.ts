// Types of the options that open models and read their layers, and the check of what is to be opened.
import { checkOptions, is, type OptionTable, PipiloError, shownValue } from '../base/index.ts'
import { cardOverrides } from './cards/cardOverrides.ts'
import { cardsHint } from './cards/cards.ts'
import { modalities, poolings } from './cards/choices.ts'
import { fileWords, precisions } from './model/precisions.ts'
import type { EmbeddingOptions, Model, OpenOptions } from './types.ts'

const side = is.count(1)

/** Types of {@link OpenOptions}. */
export const openOptionTypes: OptionTable<OpenOptions> = {
  revision: is.name,
  offline: is.flag,
  onProgress: is.callback,
  signal: is.abortSignal,
  card: cardOverrides,
  modality: is.oneOf(modalities),
  strict: is.flag,
  architecture: is.name,
  prefix: is.text,
  isolate: is.isolation,
  size: is.either(side, is.listOf(side, 2, 2)),
  dtype: is.oneOf([...precisions, ...fileWords]),
}

/** Those of an embedder's options that open its model. */
export function openOptionsOf(options: OpenOptions): OpenOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(openOptionTypes, name)))
}

/** @throws PipiloError `OPTION_INVALID` */
export function checkOpenOptions(options: unknown): void {
  checkOptions<OpenOptions>('open', options, openOptionTypes)
}

/** Refuses what is no name of a model. @throws PipiloError `INPUT_INVALID` */
export function checkModelName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name.trim() !== '') return
  const empty = typeof name === 'string'
  throw new PipiloError(
    'INPUT_INVALID',
    empty ? 'A model has no empty name.' : `A model's name is ${shownValue(name)}; it has to be a text.`,
    {
      input: 'model',
      hint: name instanceof URL ? 'Give the text of the URL: String(url).' : cardsHint(''),
    },
  )
}

/** Refuses what is neither the name of a model nor one that was opened. @throws PipiloError `INPUT_INVALID` */
export function checkModel(model: unknown): asserts model is string | Model {
  const isModel =
    typeof model === 'object' &&
    model !== null &&
    ['graph', 'card', 'embedding', 'opened'].every((part) => part in model)
  if (!isModel) checkModelName(model)
}

/** Types of {@link EmbeddingOptions}. */
export const embeddingOptionTypes: OptionTable<EmbeddingOptions> = {
  tap: is.either(is.name, is.listOf(is.name)),
  pool: is.oneOf(poolings),
  normalize: is.flag,
  dimensions: is.count(1),
  preprocess: is.flag,
  inputs: is.record,
}

/** Those of an embedder's options that say what is read of its model. */
export function embeddingOptionsOf(options: EmbeddingOptions): EmbeddingOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => Object.hasOwn(embeddingOptionTypes, name)),
  )
}
