// Types of the options of embedders and of their calls, and the checks of them before anything is opened.
import { checkOptions as check, is, type OptionTable, type OptionType } from '../base/index.ts'
import { openOptionTypes, poolings } from '../models/index.ts'
import { compileOptionTypes, devices } from '../runtime/index.ts'
import { writtenValues } from '../tensor/index.ts'
import { allowType } from './pictures/allow.ts'
import type { ChunkOptions, EmbedderOptions, EmbedOptions, Prompt } from './types.ts'

/** Type of a {@link Prompt}; a name that the model does not have shows when it is looked up. */
export const promptType = is.either(is.text, is.parts<Exclude<Prompt, string>>({ text: is.text }))

const chunkParts: OptionTable<ChunkOptions> = {
  tokens: is.count(1),
  overlap: is.count(0),
  pool: is.oneOf(['mean', 'keep']),
}

const { pool: _, ...passageParts } = chunkParts

/** Type of the length of passages. */
export const passageChunk: OptionType = is.parts<Pick<ChunkOptions, 'tokens' | 'overlap'>>(passageParts)

/** Type of an embedder, as far as it is used. */
export const embedderType = is.instance('an embedder', 'embed', 'recipe')

/** Type of `onError`. */
export const onErrorType = is.oneOf(['throw', 'skip'])

/** Types of {@link EmbedderOptions}. */
export const embedderOptionTypes: OptionTable<EmbedderOptions> = {
  ...openOptionTypes,
  tap: is.either(is.name, is.listOf(is.name, 1)),
  pool: is.oneOf(poolings),
  normalize: is.flag,
  dimensions: is.count(1),
  prompt: promptType,
  maxLength: is.count(1),
  chunk: is.parts(chunkParts),
  inputs: is.record,
  batchTokens: is.count(1),
  batchPixels: is.count(1),
  maxWaitingTokens: is.count(1),
  maxWaitingPixels: is.count(1),
  maxPixels: is.count(1),
  allow: allowType,
  calibration: is.listOf(is.any),
  device: is.oneOf(devices),
  recheck: is.flag,
  runtime: is.parts(compileOptionTypes),
}

/** Types of {@link EmbedOptions}. */
export const embedOptionTypes: OptionTable<EmbedOptions> = {
  onError: onErrorType,
  prompt: promptType,
  truncate: is.oneOf(['end', 'start', 'error']),
  signal: is.abortSignal,
  onProgress: is.callback,
}

/**
 * Refuses options that would mean nothing, or something else than they say.
 *
 * @throws PipiloError `OPTION_INVALID`, with the option's name as `input`
 */
export function checkOptions(options: EmbedderOptions, door = 'embedder'): void {
  check<EmbedderOptions>(door, options, embedderOptionTypes)
  if (options.inputs !== undefined) writtenValues(options.inputs)
}

const { onProgress: __, ...streamOptionTypes } = embedOptionTypes

/** @throws PipiloError `OPTION_INVALID` for what a call of an embedder does not take */
export function checkCall(options: EmbedOptions, door: 'embed' | 'stream'): void {
  if (door === 'embed') check<EmbedOptions>(door, options, embedOptionTypes)
  else check<Omit<EmbedOptions, 'onProgress'>>(door, options, streamOptionTypes)
}
