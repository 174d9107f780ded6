// Embeds what requests ask for: finds the model, takes a turn in the queue, asks the cache, and cuts vectors to their length.
import { performance } from 'node:perf_hooks'
import type {
  AnyInput,
  Embedder,
  EmbedOptions,
  EmbedResult,
  Prompt,
  Recipe,
  TextTokenizer,
} from '../../embed/index.ts'
import { l2Normalize, type Matrix } from '../../tensor/index.ts'
import type { VectorCache } from '../cache/vectorCache.ts'
import { Refusal } from '../http/refusal.ts'
import type { Work, WorkQueue } from '../queue/workQueue.ts'
import type { Metrics } from '../seen/metrics.ts'
import type { Item } from './items.ts'
import type { ModelTable, Offered, Opened, Reading } from './modelTable.ts'
import { tensorsOf } from './tokenIds.ts'

/** Request for vectors. */
export interface Wish {
  readonly model: string | undefined
  readonly items: readonly Item[]
  readonly reading?: Reading
  readonly dimensions?: number | undefined
  readonly prompt?: Prompt | undefined
  readonly truncate?: EmbedOptions['truncate'] | undefined
  /** Stands for who asks. */
  readonly client: string
  readonly signal: AbortSignal
}

/** Vectors, or matrices for `pool: 'none'`, and what was read of each item. */
export interface Embedded<V extends Float32Array | Matrix = Float32Array | Matrix> {
  readonly model: string
  readonly vectors: readonly V[]
  readonly dimensions: number
  readonly tokens: readonly number[]
  readonly truncated: readonly number[]
}

/** Embeds for all interfaces. */
export class Embedding {
  readonly table: ModelTable
  readonly #queue: WorkQueue
  readonly #metrics: Metrics
  readonly #cache: VectorCache | undefined

  constructor(table: ModelTable, queue: WorkQueue, metrics: Metrics, cache: VectorCache | undefined) {
    this.table = table
    this.#queue = queue
    this.#metrics = metrics
    this.#cache = cache
  }

  /** @throws Refusal 404, 429; what opening the model and embedding throw */
  async embed(wish: Wish): Promise<Embedded> {
    const { items, reading = {}, dimensions, prompt, truncate, client, signal } = wish
    const pictures = items.some((item) => 'image' in item)
    const offered = this.table.find(wish.model, pictures ? 'image' : 'text')
    checkDimensions(offered, reading, dimensions)
    const ids = items.some((item) => 'ids' in item)
    const embedded = await this.table.use(offered, { ...reading, ids }, async (opened) => {
      const inputs = ids
        ? await tensorsOf(this.table, offered, opened, items)
        : items.map((item, i) => inputOf(opened, item, i))
      checkSize(opened, inputs, prompt)
      return this.run(opened, inputs, {
        client,
        signal,
        ...(prompt !== undefined && { prompt }),
        ...(truncate !== undefined && { truncate }),
      })
    })
    const { vectors, tokens, truncated } = embedded
    return {
      model: offered.name,
      vectors:
        dimensions === undefined
          ? vectors
          : vectors.map((vector) => cut(vector, dimensions, reading.normalize ?? offered.recipe.normalize)),
      dimensions: dimensions ?? embedded.dimensions,
      tokens: ids ? items.map((item) => ('ids' in item ? item.ids.length : 0)) : tokens,
      truncated,
    }
  }

  /** Vectors of a collection's own embedder. */
  async embedAs(
    recipe: Recipe,
    inputsOf: (embedder: Embedder<Float32Array | Matrix>) => {
      inputs: readonly AnyInput[]
      prompt?: Prompt | undefined
    },
    { client, signal }: Pick<Wish, 'client' | 'signal'>,
  ): Promise<Float32Array[]> {
    return this.table.useRecipe(recipe, async (opened) => {
      const { inputs, prompt } = inputsOf(opened.embedder)
      const { vectors } = await this.run(opened, inputs, {
        client,
        signal,
        ...(prompt !== undefined && { prompt }),
      })
      return vectors as Float32Array[]
    })
  }

  /**
   * Takes texts apart in their turn, which is one among those who ask for this, and not among those who embed.
   *
   * @throws Refusal 429
   */
  takingApart<T>(
    tokenizer: TextTokenizer,
    letters: number,
    who: Pick<Wish, 'client' | 'signal'>,
    task: () => Promise<T>,
  ): Promise<T> {
    const tokens = letters / (LETTERS * TOKENS_A_STEP)
    return this.#queue.run(tokenizer, { tokens, pixels: 0 }, who, task)
  }

  /** Embeds inputs that are trusted, in their turn. */
  async run(
    opened: Opened,
    inputs: readonly AnyInput[],
    {
      client,
      signal,
      patient,
      ...options
    }: EmbedOptions & { client: string; signal: AbortSignal; patient?: boolean },
  ): Promise<EmbedResult<Float32Array | Matrix>> {
    const { embedder } = opened
    const { onProgress: _, ...rest } = options
    const embed = async (some: readonly AnyInput[]) => {
      const work = workOf(embedder, some, options.prompt)
      const asked = performance.now()
      return this.#queue.run(embedder, work, { client, signal, patient }, async () => {
        const begun = performance.now()
        this.#metrics.stage('queue', begun - asked)
        const result = await embedder.embed(some, { ...rest, signal })
        this.#metrics.stage('model', performance.now() - begun)
        this.#metrics.embedded(
          some.length,
          result.tokens.reduce((sum, count) => sum + count, 0),
        )
        return result
      })
    }
    const { pool, modality } = embedder
    if (!this.#cache || pool === 'none' || modality === 'tensor' || rest.onError === 'skip')
      return embed(inputs)
    return this.#cache.through(opened, inputs, rest, (some) => embed(some) as Promise<EmbedResult>)
  }
}

/** An item as the embedder takes it. @throws Refusal 400 for one of another kind than the model's */
function inputOf({ embedder: { name, modality } }: Opened, item: Item, index: number): AnyInput {
  if (modality === 'text-image') return item as AnyInput
  if ('text' in item && modality === 'text') return item.text
  if ('image' in item && modality === 'image') return item.image
  const kind = 'text' in item ? 'a text' : 'a picture'
  const takes = modality === 'text' ? 'texts' : modality === 'image' ? 'pictures' : 'tensors'
  throw new Refusal(400, 'input_invalid', `Input ${index} is ${kind}, and ${name} embeds ${takes}.`, {
    field: 'input',
  })
}

/** Numbers of one answer, where an input gives more than a vector. */
const NUMBERS = 2 ** 23
/** Pictures in one request, where nobody knows before how much each gives. */
const PICTURES = 32

/** Refuses what would give more numbers than an answer holds. @throws Refusal 413 */
function checkSize({ embedder }: Opened, inputs: readonly AnyInput[], prompt: Prompt | undefined): void {
  const { pool, dimensions } = embedder
  if (pool !== 'none' && pool !== 'flatten') return
  const { tokens, pixels } = workOf(embedder, inputs, prompt)
  if (tokens * dimensions <= NUMBERS && (pixels === 0 || inputs.length <= PICTURES)) return
  throw new Refusal(
    413,
    'answer_too_large',
    `With pool ${pool} the answer would be too large. Send fewer inputs at a time.`,
    {
      field: 'input',
    },
  )
}

/** Letters of a token, roughly: before texts are tokenised nobody knows better. */
const LETTERS = 4

/** Tokens that are found in the time in which one is embedded, roughly: by what share of a batch's time MiniLM's takes. */
const TOKENS_A_STEP = 40

/** Work of some inputs, as far as one sees before they are prepared. */
export function workOf(
  { recipe, modality }: Embedder<Float32Array | Matrix>,
  inputs: readonly AnyInput[],
  prompt?: Prompt,
): Work {
  const { text, image } = recipe
  // A name of a prompt that does not exist is refused later.
  const before =
    typeof prompt === 'object' ? prompt.text : prompt === undefined ? text?.prompt : text?.prompts[prompt]
  const letters = before?.length ?? 0
  const most = text?.chunk ? Number.POSITIVE_INFINITY : (text?.maxLength ?? 512)
  const [height, width] = image?.size ?? [224, 224]
  let tokens = 0
  let pixels = 0
  for (const input of inputs) {
    const words =
      modality === 'text' ? input : typeof input === 'object' && 'text' in input ? input.text : undefined
    if (typeof words === 'string') tokens += Math.min(most, Math.ceil((letters + words.length) / LETTERS) + 2)
    else if (modality === 'tensor') tokens += tensorLength(input)
    else pixels += height * width
  }
  return { tokens, pixels }
}

function tensorLength(input: AnyInput): number {
  const first: unknown = typeof input === 'object' ? Object.values(input)[0] : undefined
  return ArrayBuffer.isView(first) && 'length' in first ? Number(first.length) : 1
}

function checkDimensions(
  { name, recipe }: Offered,
  { tap, pool }: Reading,
  dimensions: number | undefined,
): void {
  if (dimensions === undefined) return
  if (pool === 'none')
    throw new Refusal(
      400,
      'option_invalid',
      'dimensions is for one vector an input, and pool none gives a row a token.',
      {
        field: 'dimensions',
      },
    )
  // Of another layer only the vectors themselves tell how long they are.
  if (tap !== undefined || pool !== undefined || recipe.dimensions === 0 || dimensions <= recipe.dimensions)
    return
  throw tooMany(name, dimensions, recipe.dimensions)
}

const tooMany = (name: string, asked: number, has: number) =>
  new Refusal(400, 'option_invalid', `dimensions is ${asked}; ${name} has ${has}.`, { field: 'dimensions' })

/** The first numbers of a vector, of length 1 again where the whole one was. */
function cut(vector: Float32Array | Matrix, dimensions: number, normalize: boolean): Float32Array | Matrix {
  if (!(vector instanceof Float32Array)) return vector
  if (dimensions > vector.length) throw tooMany('this reading', dimensions, vector.length)
  const short = vector.slice(0, dimensions)
  return normalize ? l2Normalize(short) : short
}

/** Rows alone. @throws Refusal 400 for matrices */
export function vectorsOf({ vectors }: Embedded): Float32Array[] {
  return vectors.map((vector) => {
    if (vector instanceof Float32Array) return vector
    throw new Refusal(
      400,
      'option_invalid',
      'pool none gives a matrix an input, and this interface one vector.',
      {
        field: 'pool',
      },
    )
  })
}
