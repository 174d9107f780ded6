// Prepares texts for a model: tokenises and batches them.
import { breathe, PipiloError, throwIfAborted } from '../../base/index.ts'
import type { ValueInfo } from '../../graph/index.ts'
import type { Card, TextPreprocessing } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { valueTensor } from '../../tensor/index.ts'
import { packByLength, SMALLEST } from '../batching/pack.ts'
import type { Limits, Preparation, PrepareOptions, Unit } from '../batching/preparation.ts'
import { isRawImage } from '../pictures/rawImage.ts'
import type { Input } from '../types.ts'
import { type ChunkPlan, chunkText } from './chunk.ts'
import type { TextTokenizer } from './tokenizer.ts'

export interface TextOptions {
  readonly tokenizer: TextTokenizer
  /** The graph's inputs. */
  readonly inputs: readonly ValueInfo[]
  /** Decimal numbers for inputs that no text fills, by their names. */
  readonly values: Readonly<Record<string, string>>
  readonly maxLength: number
  readonly batchTokens: number
  readonly maxWaitingTokens: number
  readonly text: TextPreprocessing | undefined
  readonly chunks: ChunkPlan | undefined
  /** Batches that the session runs at a time. */
  readonly concurrency: number
  readonly together: Card['together']
}

/** Inputs of a graph that a text fills, a number a token: all its tokens are of type 0. */
export const fedInputs: readonly string[] = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids']

/** True of an input that a text fills, or that has room for nothing. */
export function isFed({ name, type }: ValueInfo): boolean {
  const shape = type?.kind === 'tensor' ? type.shape : undefined
  if (shape?.includes(0)) return true
  return fedInputs.includes(name) && (shape === undefined || shape.length === 2)
}

/**
 * True of inputs of which `input_ids` are those of all texts in one row; `offsets` say where each begins, as in model2vec's graphs. A graph that
 * takes one text at a time may not need them.
 */
export function isFlat(inputs: readonly ValueInfo[]): boolean {
  const type = inputs.find(({ name }) => name === 'input_ids')?.type
  return type?.kind === 'tensor' && type.shape?.length === 1
}

/** Inputs that are filled where they {@link isFlat}. */
export const flatInputs: readonly string[] = ['input_ids', 'offsets', 'attention_mask']

/** The length that a graph takes alone, where it takes only one. */
export function lengthOf(inputs: readonly ValueInfo[]): number | undefined {
  const shapes = inputs.map(({ name, type }) =>
    fedInputs.includes(name) && type?.kind === 'tensor' ? type.shape : [],
  )
  return shapes.map((shape) => shape?.[1]).find((size) => typeof size === 'number')
}

/** Texts sorted together: enough that neighbours are equally long. */
const WINDOW = { count: 1024, weight: 2 ** 21 }

/** Characters of a token, roughly: what a text costs before its tokens are known. */
const CHARACTERS = 4

/** Texts to token ids, in slices that leave the event loop its turns. */
export class TextPreparation implements Preparation {
  readonly window = WINDOW
  readonly ahead = 2
  readonly limits: Limits
  readonly #options: TextOptions
  readonly #flat: boolean

  constructor(options: TextOptions) {
    this.#options = options
    this.#flat = isFlat(options.inputs)
    const { batchTokens, maxWaitingTokens, text, inputs, together } = options
    const least = lengthOf(inputs) ?? text?.padding?.length ?? 1
    this.limits = {
      unit: 'tokens',
      batch: batchTokens,
      least,
      smallest: SMALLEST,
      waiting: maxWaitingTokens,
      together,
    }
  }

  get tokenizer(): TextTokenizer {
    return this.#options.tokenizer
  }

  weigh(input: Input): number {
    return typeof input === 'string' ? input.length : 0
  }

  expect(input: Input): number {
    const { maxLength, chunks } = this.#options
    const tokens = Math.ceil(this.weigh(input) / CHARACTERS) + 2
    return chunks ? tokens : Math.min(tokens, maxLength)
  }

  async prepare(
    inputs: readonly Input[],
    { indexOf, prompt, truncate, signal, onError }: PrepareOptions,
  ): Promise<Unit[]> {
    const { tokenizer, maxLength, chunks, text } = this.#options
    const cut = truncate === 'error' ? undefined : truncate
    const units: Unit[] = []
    for (const [owner, input] of inputs.entries()) {
      const pause = breathe()
      if (pause) await pause
      throwIfAborted(signal)
      if (typeof input !== 'string') {
        onError(owner, notText(input, indexOf(owner)))
      } else if (chunks) {
        for (const { ids, start, end } of await chunkText(input, tokenizer, chunks, prompt)) {
          const sizes = { size: ids.length, tokens: ids.length }
          units.push({ owner, content: ids, ...sizes, truncated: false, place: { start, end } })
        }
      } else {
        const { ids, truncated } = tokenizer.encode(prompt + input, maxLength, cut)
        if (truncated && truncate === 'error') {
          onError(owner, tooLong(indexOf(owner), maxLength))
          continue
        }
        // Padding would stand in for it, with a vector of its own.
        if (ids.length === 0 && text?.specialTokens === false) {
          onError(owner, noToken(indexOf(owner)))
          continue
        }
        units.push({ owner, content: ids, size: ids.length, tokens: ids.length, truncated })
      }
    }
    return units
  }

  pack(units: readonly Unit[]): Unit[][] {
    // Texts in one row come one by one: a graph need not heed where each begins.
    if (this.#flat) return units.map((unit) => [unit])
    const { batch, least } = this.limits
    return packByLength(units, batch, { least, concurrency: this.#options.concurrency })
  }

  hasRows(input: string): boolean {
    return fedInputs.includes(input) && input !== 'position_ids'
  }

  feeds(batch: readonly Unit[]): Record<string, Tensor> {
    const { inputs, values } = this.#options
    if (this.#flat) return flatFeeds(inputs, batch)
    const length = Math.max(this.limits.least, ...batch.map(({ size }) => size))
    const sizes = this.#sizes(batch.length, length)
    const feed = (info: ValueInfo): Tensor => {
      const value = values[info.name] ?? (isFed(info) && !fedInputs.includes(info.name) ? '0' : undefined)
      return value === undefined ? this.#filled(info, batch, length) : valueTensor(info, value, sizes)
    }
    return Object.fromEntries(inputs.map((info) => [info.name, feed(info)]))
  }

  /** An input with a number for each token. */
  #filled({ name, type }: ValueInfo, batch: readonly Unit[], length: number): Tensor {
    const { tokenizer, text } = this.#options
    const padId = tokenizer.padding(text?.padding?.token)
    // One row of positions is for all texts.
    const first = type?.kind === 'tensor' && name === 'position_ids' ? type.shape?.[0] : undefined
    const rows = first === 1 ? batch.slice(0, 1) : batch
    const data = new BigInt64Array(rows.length * length)
    // Ids fit in the lower halves of the 64-bit numbers: written so, they need no BigInt each.
    const low = new Int32Array(data.buffer)
    if (name === 'input_ids' && padId) for (let i = 0; i < data.length; i++) low[2 * i] = padId
    const start = text?.positions ?? 0
    for (const [row, { content }] of rows.entries()) {
      const from = row * length
      const count = Math.max(1, content.length)
      if (name === 'input_ids') for (let i = 0; i < content.length; i++) low[2 * (from + i)] = content[i]!
      // A text without any token attends to one of padding: a mean over nothing is no vector.
      else if (name === 'attention_mask') for (let i = 0; i < count; i++) low[2 * (from + i)] = 1
      else if (name === 'position_ids') {
        const isCounted = (i: number) => start === 0 || first === 1 || i < count
        for (let i = 0; i < length; i++) low[2 * (from + i)] = isCounted(i) ? start + i : start - 1
      }
    }
    return { dtype: 'int64', shape: [rows.length, length], data }
  }

  /** Sizes of the symbols of the ids' shape. */
  #sizes(...sizes: readonly [count: number, length: number]): ReadonlyMap<string, number> {
    const ids = this.#options.inputs.find(({ name }) => name === 'input_ids')?.type
    const shape = ids?.kind === 'tensor' ? (ids.shape ?? []) : []
    const named = sizes.map((size, axis): [string, number] => [String(shape[axis] ?? ''), size])
    return new Map(named.filter(([symbol]) => symbol !== ''))
  }
}

/** Ids of all texts in one row, and where each begins. */
function flatFeeds(inputs: readonly ValueInfo[], batch: readonly Unit[]): Record<string, Tensor> {
  const ids = batch.flatMap(({ content }) => [...content])
  let at = 0
  const starts = batch.map(({ content }) => {
    at += content.length
    return at - content.length
  })
  const row = (values: readonly number[]): Tensor => ({
    dtype: 'int64',
    shape: [values.length],
    data: BigInt64Array.from(values, BigInt),
  })
  const mask: Tensor = {
    dtype: 'int64',
    shape: [1, ids.length],
    data: new BigInt64Array(ids.length).fill(1n),
  }
  const all: Record<string, Tensor> = { input_ids: row(ids), offsets: row(starts), attention_mask: mask }
  return Object.fromEntries(inputs.map(({ name }) => [name, all[name]!]))
}

function noToken(index: number): PipiloError {
  return new PipiloError(
    'TEXT_INVALID',
    `Input ${index} has no token that the model knows: it has no vector.`,
    {
      input: index,
      hint: 'Leave out empty texts, or skip them with onError.',
    },
  )
}

function tooLong(index: number, limit: number): PipiloError {
  return new PipiloError(
    'INPUT_TOO_LONG',
    `Input ${index} has more than the ${limit} tokens that the model reads, special tokens and prompt included.`,
    { input: index, hint: "Shorten it, split it with chunk, or let truncate: 'end' or 'start' cut it." },
  )
}

function notText(input: unknown, index: number): PipiloError {
  const picture =
    input instanceof Uint8Array || input instanceof Blob || input instanceof URL || isRawImage(input)
  const kind = picture
    ? input instanceof URL
      ? 'a URL'
      : 'a picture or bytes'
    : input === null
      ? 'null'
      : Array.isArray(input)
        ? 'an array'
        : `of type ${typeof input}`
  return new PipiloError('TEXT_INVALID', `Input ${index} is ${kind}, not a text.`, {
    input: index,
    hint: picture
      ? 'This is a text model: give strings, or choose an image model for pictures.'
      : 'Give an array of strings.',
  })
}
