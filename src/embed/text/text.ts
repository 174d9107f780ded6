// Prepares texts for a model: tokenises and batches them.
import { breathe, PipiloError, throwIfAborted } from '../../base/index.ts'
import type { TextPreprocessing } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { packByLength, SMALLEST } from '../batching/pack.ts'
import type { Limits, Preparation, PrepareOptions, Unit } from '../batching/preparation.ts'
import { isRawImage } from '../pictures/rawImage.ts'
import type { Input } from '../types.ts'
import { type ChunkPlan, chunkText } from './chunk.ts'
import type { TextTokenizer } from './tokenizer.ts'

export interface TextOptions {
  readonly tokenizer: TextTokenizer
  /** Names of the graph's inputs. */
  readonly inputs: readonly string[]
  /** `input_ids` are those of all texts in one row, and `offsets` say where each begins, as in model2vec's graphs. Default `false`. */
  readonly flat?: boolean
  readonly maxLength: number
  readonly batchTokens: number
  readonly maxWaitingTokens: number
  readonly text: TextPreprocessing | undefined
  readonly chunks: ChunkPlan | undefined
  /** Batches that the session runs at a time. */
  readonly concurrency: number
}

/** Inputs of a graph that a text fills: all its tokens are of type 0. */
export const fedInputs: readonly string[] = ['input_ids', 'attention_mask', 'token_type_ids', 'offsets']

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

  constructor(options: TextOptions) {
    this.#options = options
    const { batchTokens, maxWaitingTokens, text } = options
    const least = text?.padding?.length ?? 1
    this.limits = { unit: 'tokens', batch: batchTokens, least, smallest: SMALLEST, waiting: maxWaitingTokens }
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
    { indexOf, prompt, signal, onError }: PrepareOptions,
  ): Promise<Unit[]> {
    const { tokenizer, maxLength, chunks, text } = this.#options
    const units: Unit[] = []
    for (const [owner, input] of inputs.entries()) {
      const pause = breathe()
      if (pause) await pause
      throwIfAborted(signal)
      if (typeof input !== 'string') {
        onError(owner, notText(input, indexOf(owner)))
      } else if (chunks) {
        for (const { ids, start, end } of await chunkText(input, tokenizer, chunks, prompt)) {
          units.push({ owner, content: ids, size: ids.length, truncated: false, place: { start, end } })
        }
      } else {
        const { ids, truncated } = tokenizer.encode(prompt + input, maxLength)
        // Padding would stand in for it, with a vector of its own.
        if (ids.length === 0 && text?.specialTokens === false) {
          onError(owner, noToken(indexOf(owner)))
          continue
        }
        units.push({ owner, content: ids, size: ids.length, truncated })
      }
    }
    return units
  }

  pack(units: readonly Unit[]): Unit[][] {
    // Texts in one row come one by one: a graph need not heed where each begins.
    if (this.#options.flat) return units.map((unit) => [unit])
    const { batch, least } = this.limits
    return packByLength(units, batch, { least, concurrency: this.#options.concurrency })
  }

  feeds(batch: readonly Unit[]): Record<string, Tensor> {
    const { inputs, tokenizer, text, flat } = this.#options
    if (flat) return flatFeeds(inputs, batch)
    const length = Math.max(text?.padding?.length ?? 1, ...batch.map(({ size }) => size))
    const padId = tokenizer.padding(text?.padding?.token)
    const shape = [batch.length, length]
    const feeds: Record<string, Tensor> = {}
    for (const name of inputs) {
      const data = new BigInt64Array(batch.length * length)
      // Ids fit in the lower halves of the 64-bit numbers: written so, they need no BigInt each.
      const low = new Int32Array(data.buffer)
      if (name === 'input_ids' && padId) for (let i = 0; i < data.length; i++) low[2 * i] = padId
      for (const [row, { content }] of batch.entries()) {
        const first = row * length
        if (name === 'input_ids') for (let i = 0; i < content.length; i++) low[2 * (first + i)] = content[i]!
        // A text without any token attends to one of padding: a mean over nothing is no vector.
        else if (name === 'attention_mask')
          for (let i = 0; i < Math.max(1, content.length); i++) low[2 * (first + i)] = 1
      }
      feeds[name] = { dtype: 'int64', shape, data }
    }
    return feeds
  }
}

/** Ids of all texts in one row, and where each begins. */
function flatFeeds(inputs: readonly string[], batch: readonly Unit[]): Record<string, Tensor> {
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
  return Object.fromEntries(inputs.map((name) => [name, all[name] ?? mask]))
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
