// Embedders over HTTP: batches, and bad inputs found in them.
import {
  abortError,
  checkOptions,
  is,
  type OptionTable,
  onAbort,
  PipiloError,
  sha256,
  throwIfAborted,
} from '../../base/index.ts'
import type { Card, Model } from '../../models/index.ts'
import { checkCall, promptType } from '../checkOptions.ts'
import { promptsFor, promptWords } from '../prompt.ts'
import type { PromptsFor, Recipe } from '../recipe/types.ts'
import type { AnyInput, Embedder, EmbedOptions, EmbedResult, Input, StreamResult } from '../types.ts'
import { apis, type Sent } from './apis.ts'
import { Asking } from './asking.ts'
import { dataUrlOf, onePixel } from './dataUrl.ts'
import { Refused } from './request.ts'
import type { RemoteOptions } from './types.ts'

const optionTypes: OptionTable<RemoteOptions> = {
  url: is.either(is.name, is.instance('a URL', 'href')),
  model: is.name,
  key: is.name,
  api: is.oneOf(Object.keys(apis)),
  modality: is.oneOf(['text', 'image', 'text-image']),
  dimensions: is.count(1),
  normalize: is.flag,
  prompts: is.recordOf(is.text),
  prompt: promptType,
  batch: is.count(1),
  concurrency: is.count(1),
  timeout: is.count(1),
  retries: is.count(0),
  patience: is.count(0),
  headers: is.recordOf(is.text),
  signal: is.abortSignal,
}

/** Most tokens that a text is sent with is for the server to say. */
const UNLIMITED = Number.MAX_SAFE_INTEGER

/** See onDemand.ts. */
export async function remote(options: RemoteOptions): Promise<Embedder> {
  checkOptions<RemoteOptions>('remote', options, optionTypes)
  for (const name of ['url', 'model'] as const) {
    if (options?.[name] !== undefined) continue
    throw new PipiloError('OPTION_INVALID', `remote needs ${name}.`, {
      input: name,
      hint: "Write remote({ url: 'https://api.openai.com/v1', model: 'text-embedding-3-small', key }).",
    })
  }
  const url = addressOf(options.url)
  const { modality = 'text', signal } = options
  // Only an answer says how long the vectors are.
  const probe: Sent = modality === 'image' ? { image: await onePixel() } : { text: 'Pipilo' }
  const asking = new Asking(url, options)
  const { vectors } = await asking
    .vectors([probe], { query: false, truncate: undefined, signal })
    .catch((error) => {
      throw error instanceof Refused
        ? new PipiloError('OPTION_INVALID', error.message, {
            hint: `Check model, dimensions and api${modality === 'text' ? "; a model of pictures needs modality: 'image'" : ''}.`,
            cause: error,
          })
        : error
    })
  return new RemoteEmbedder(url, options, asking, vectors[0]!.length)
}

function addressOf(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new PipiloError(
      'OPTION_INVALID',
      `url is ${String(given)}; it has to begin with http:// or https://.`,
      {
        input: 'url',
      },
    )
  }
  if (url.username || url.password) {
    throw new PipiloError('OPTION_INVALID', `url of ${url.host} holds a name or a password.`, {
      input: 'url',
      hint: 'Give a key as key, or as a header in headers.',
    })
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

interface Item {
  readonly index: number
  readonly input: AnyInput
}

/** An input and its vector. */
interface Row extends Item {
  readonly vector: Float32Array
  readonly tokens: number
  readonly error?: PipiloError
}

class RemoteEmbedder implements Embedder {
  readonly name: string
  readonly modality: 'text' | 'image' | 'text-image'
  readonly card: Card
  readonly dimensions: number
  readonly tap = ''
  readonly pool = 'none' as const
  readonly normalize: boolean
  readonly recipe: Recipe
  readonly #asking: Asking
  readonly #options: RemoteOptions
  #disposed = false

  constructor(url: URL, options: RemoteOptions, asking: Asking, dimensions: number) {
    const { model, modality = 'text', normalize = true, api = 'openai' } = options
    const prompts = promptsOf(options)
    this.name = model
    this.modality = modality
    this.dimensions = dimensions
    this.normalize = normalize
    this.#asking = asking
    this.#options = options
    const { prompt } = options
    const isNamed = typeof prompt === 'string' && Object.hasOwn(prompts, prompt)
    this.card = {
      name: model,
      description: `${model} at ${url.origin}`,
      modality,
      source: url.href,
      licence: 'unknown',
      tap: '',
      pool: 'none',
      normalize,
      dimensions,
      ...(modality !== 'image' && {
        text: { maxLength: UNLIMITED, prompts, ...(isNamed && { defaultPrompt: prompt }) },
      }),
    }
    // Nobody can see which weights answer: the address and the name stand for them.
    const fingerprint = sha256(`remote ${api} ${url.href} ${model}`)
    const names = kindsOf(options)
    this.recipe = {
      version: 1,
      source: { name: model, fingerprint, remote: { url: url.href, api } },
      modality,
      taps: [],
      pool: 'none',
      normalize,
      dimensions,
      dtype: 'fp32',
      ...(modality !== 'image' && {
        text: {
          lowercase: false,
          maxLength: UNLIMITED,
          prompt: promptWords(this, prompt),
          prompts,
          ...(prompt === undefined && Object.keys(names).length > 0 && { promptsFor: names }),
        },
      }),
    }
  }

  readonly model = async (): Promise<Model> => {
    throw new PipiloError(
      'MODEL_INVALID',
      `${this.name} is behind ${this.card.source}: its graph is not here.`,
      {
        input: this.name,
        hint: 'Layers, cuts and other poolings need a model that is opened on this machine.',
      },
    )
  }

  async embed(inputs: readonly AnyInput[], options: EmbedOptions = {}): Promise<EmbedResult> {
    if (!Array.isArray(inputs)) {
      throw new PipiloError('INPUT_INVALID', `embed takes an array of inputs, not ${typeof inputs}.`, {
        hint: 'For one input write embed([input]); for an iterable use stream.',
      })
    }
    checkCall(options, 'embed')
    const { dimensions } = this
    const data = new Float32Array(inputs.length * dimensions)
    const errors: { index: number; error: PipiloError }[] = []
    const tokens: number[] = []
    for await (const row of this.#rows(inputs, options)) {
      data.set(row.vector, row.index * dimensions)
      tokens.push(row.tokens)
      if (row.error) errors.push({ index: row.index, error: row.error })
      options.onProgress?.({ done: row.index + 1, total: inputs.length })
    }
    const vectors = inputs.map((_, i) => data.subarray(i * dimensions, (i + 1) * dimensions))
    return { vectors, data, dimensions, truncated: [], tokens, errors }
  }

  async *stream<I extends AnyInput>(
    inputs: AsyncIterable<I> | Iterable<I>,
    options: Omit<EmbedOptions, 'onProgress'> = {},
  ): AsyncGenerator<StreamResult<I>> {
    checkCall(options, 'stream')
    for await (const { input, ...row } of this.#rows(inputs, options)) {
      yield { ...row, input: input as I, truncated: false }
      throwIfAborted(options.signal)
    }
  }

  /** Rows in order; as many requests wait as may be under way. */
  async *#rows(
    inputs: AsyncIterable<AnyInput> | Iterable<AnyInput>,
    options: EmbedOptions,
  ): AsyncGenerator<Row> {
    if (this.#disposed)
      throw new PipiloError('DISPOSED', `The embedder of ${this.name} has been disposed.`, {
        hint: 'Open it again.',
      })
    throwIfAborted(options.signal)
    const stop = new AbortController()
    const unfollow = onAbort(options.signal, () => stop.abort(abortError(options.signal)))
    const call = {
      ...options,
      words: promptWords(this, options.prompt ?? this.#options.prompt),
      stop: stop.signal,
    }
    const { batch = 32, concurrency = 4 } = this.#options
    const running: Promise<Row[]>[] = []
    try {
      let items: Item[] = []
      let index = 0
      const send = () => {
        const rows = this.#batch(items, call)
        rows.catch(() => {})
        running.push(rows)
        items = []
      }
      for await (const input of inputs) {
        items.push({ index: index++, input })
        if (items.length < batch) continue
        send()
        if (running.length >= concurrency) yield* await running.shift()!
      }
      if (items.length > 0) send()
      while (running.length > 0) yield* await running.shift()!
    } finally {
      unfollow()
      stop.abort(abortError())
    }
  }

  /** Rows of one batch; of one that the server finds fault with, in halves until the input is found. */
  async #batch(items: readonly Item[], call: Call): Promise<Row[]> {
    const failed = (index: number, error: PipiloError): Row => {
      if (call.onError !== 'skip') throw error
      const vector = new Float32Array(this.dimensions).fill(Number.NaN)
      return { index, input: items.find((item) => item.index === index)!.input, vector, tokens: 0, error }
    }
    const rows: Row[] = []
    const sent: { item: Item; as: Sent }[] = []
    for (const item of items) {
      try {
        sent.push({ item, as: await this.#sent(item, call) })
      } catch (error) {
        if (!(error instanceof PipiloError) || error.code === 'ABORTED') throw error
        rows.push(failed(item.index, error))
      }
    }
    const ask = async (part: typeof sent): Promise<void> => {
      if (part.length === 0) return
      try {
        const { vectors, tokens } = await this.#asking.vectors(
          part.map(({ as }) => as),
          {
            query: this.#isQuery(call),
            truncate: call.truncate,
            signal: call.stop,
            line: call.stop,
            length: this.dimensions,
          },
        )
        for (const [i, { item }] of part.entries()) {
          const own =
            'text' in part[i]!.as ? (part.length === 1 && tokens !== undefined ? tokens : Number.NaN) : 0
          rows.push({ ...item, vector: vectors[i]!, tokens: own })
        }
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        if (part.length > 1) {
          const half = part.length >> 1
          await ask(part.slice(0, half))
          await ask(part.slice(half))
          return
        }
        const { index } = part[0]!.item
        rows.push(
          failed(
            index,
            new PipiloError('INPUT_INVALID', `Input ${index} was refused: ${error.message}`, {
              input: index,
              cause: error,
            }),
          ),
        )
      }
    }
    await ask(sent)
    return rows.sort((a, b) => a.index - b.index)
  }

  #isQuery({ prompt = this.#options.prompt }: Call): boolean {
    return prompt !== undefined && prompt === kindsOf(this.#options).query
  }

  async #sent({ index, input }: Item, { words, stop }: Call): Promise<Sent> {
    const isPair = typeof input === 'object' && input !== null && ('text' in input || 'image' in input)
    const { text, image } = isPair
      ? (input as { text?: unknown; image?: unknown })
      : this.modality === 'image'
        ? { text: undefined, image: input }
        : { text: input, image: undefined }
    if (image !== undefined && this.modality !== 'text')
      return { image: await dataUrlOf(image as Input, `input ${index}`, stop) }
    if (typeof text === 'string' && this.modality !== 'image') return { text: words + text }
    const wanted = { text: 'a text', image: 'a picture', 'text-image': '{ text } or { image }' }[
      this.modality
    ]
    throw new PipiloError(
      this.modality === 'text' ? 'TEXT_INVALID' : 'INPUT_INVALID',
      `Input ${index} is not ${wanted}.`,
      {
        input: index,
      },
    )
  }

  async dispose(): Promise<void> {
    this.#disposed = true
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}

/** Cohere is told what a text is for, where other models read words. */
const promptsOf = ({ api, prompts }: RemoteOptions) =>
  api === 'cohere' ? { query: '', document: '', ...prompts } : (prompts ?? {})

/** Names of the prompts of queries and of documents. */
const kindsOf = (options: RemoteOptions): PromptsFor =>
  options.api === 'cohere' ? { query: 'query', document: 'document' } : promptsFor(options.prompts)

interface Call extends EmbedOptions {
  /** Words before each text. */
  readonly words: string
  readonly stop: AbortSignal
}
