// Checks the options of embedders and of their calls before anything is opened.
import { checkCount, PipiloError } from '../base/index.ts'
import type { Pooling } from '../models/index.ts'
import { writtenValues } from '../tensor/index.ts'
import type { EmbedderOptions, EmbedOptions } from './types.ts'

const COUNTS = [
  'dimensions',
  'maxLength',
  'batchTokens',
  'batchPixels',
  'maxPixels',
  'maxWaitingTokens',
  'maxWaitingPixels',
] as const

const poolings: Readonly<Record<Pooling, true>> = {
  cls: true,
  mean: true,
  max: true,
  last: true,
  none: true,
  flatten: true,
}
const chunkPools = ['mean', 'keep']
const waysOfErrors = ['throw', 'skip']
const cuts = ['end', 'start', 'error']

/**
 * Refuses options that would mean nothing, or something else than they say.
 *
 * @throws PipiloError `OPTION_INVALID`, with the option's name as `input`
 */
export function checkOptions(options: EmbedderOptions): void {
  for (const name of COUNTS) if (options[name] !== undefined) checkCount(name, options[name], 1)
  const { pool, tap, normalize, chunk, inputs } = options
  if (pool !== undefined) checkChoice('pool', 'pool', pool, Object.keys(poolings))
  if (tap !== undefined && !isTap(tap)) {
    throw invalid('tap', 'tap', tap, 'a name of a layer, or an array of at least one')
  }
  if (normalize !== undefined && typeof normalize !== 'boolean') {
    throw invalid('normalize', 'normalize', normalize, 'true or false')
  }
  if (chunk !== undefined) checkChunk(chunk)
  if (inputs !== undefined) writtenValues(inputs)
}

/** @throws PipiloError `OPTION_INVALID` for what a call does not take for `onError` or `truncate` */
export function checkCall({ onError, truncate }: Pick<EmbedOptions, 'onError' | 'truncate'>): void {
  if (truncate !== undefined) checkChoice('truncate', 'truncate', truncate, cuts)
  if (onError !== undefined) checkChoice('onError', 'onError', onError, waysOfErrors)
}

function checkChunk(chunk: unknown): void {
  if (typeof chunk !== 'object' || chunk === null || Array.isArray(chunk)) {
    throw invalid('chunk', 'chunk', chunk, 'an object, as in chunk: { tokens: 128 }')
  }
  const { tokens, overlap, pool }: { tokens?: unknown; overlap?: unknown; pool?: unknown } = chunk
  if (tokens !== undefined) checkCount('chunk.tokens', tokens, 1, 'chunk')
  if (overlap !== undefined) checkCount('chunk.overlap', overlap, 0, 'chunk')
  if (pool !== undefined) checkChoice('chunk', 'chunk.pool', pool, chunkPools)
}

function checkChoice(input: string, name: string, value: unknown, choices: readonly string[]): void {
  if (typeof value === 'string' && choices.includes(value)) return
  throw invalid(input, name, value, `one of ${choices.join(', ')}`)
}

function isTap(tap: unknown): boolean {
  const names: readonly unknown[] = Array.isArray(tap) ? tap : [tap]
  return names.length > 0 && Array.from(names).every((name) => typeof name === 'string' && name.trim() !== '')
}

function invalid(input: string, name: string, value: unknown, wanted: string): PipiloError {
  return new PipiloError('OPTION_INVALID', `${name} is ${shown(value)}; it has to be ${wanted}.`, { input })
}

/** A value as one writes it, as far as one can. */
function shown(value: unknown): string {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string' ? `'${value}'` : String(value)
  return Array.isArray(value) ? `[${value.map((part) => shown(part)).join(', ')}]` : 'an object'
}
