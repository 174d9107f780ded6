// Opens embedders, and embeds lists and streams of inputs with them.
import { PipiloError, throwIfAborted } from '../base/index.ts'
import { checkModel, type Model, type Pooling } from '../models/index.ts'
import type { Matrix } from '../tensor/index.ts'
import { collect, meanOf, type Row, rowsOf } from './batching/results.ts'
import { alone } from './batching/rows.ts'
import type { Outcome, Work } from './batching/run.ts'
import { checkCall, checkOptions } from './checkOptions.ts'
import { type Resolution, resolveWork } from './opening.ts'
import { promptWords } from './prompt.ts'
import type { KnownModel } from './recipe/known.ts'
import type { Recipe } from './recipe/types.ts'
import type {
  AnyInput,
  Embedder,
  EmbedderOptions,
  EmbedOptions,
  EmbedResult,
  Prompt,
  StreamResult,
  TextImageInput,
} from './types.ts'

/** See `embedder` in onDemand.ts. */
export function embedder(
  model: string | Model,
  options: EmbedderOptions & { modality: 'text-image'; pool?: Exclude<Pooling, 'none'> },
): Promise<Embedder<Float32Array, TextImageInput>>
export function embedder(
  model: string | Model,
  options: EmbedderOptions & { pool: 'none' },
): Promise<Embedder<Matrix>>
export function embedder(
  model: string | Model,
  options?: EmbedderOptions & { pool?: Exclude<Pooling, 'none'> },
): Promise<Embedder>
export function embedder(
  model: string | Model,
  options?: EmbedderOptions,
): Promise<Embedder<Float32Array> | Embedder<Matrix>>
export async function embedder(
  model: string | Model,
  options: EmbedderOptions = {},
): Promise<Embedder<Float32Array> | Embedder<Matrix>> {
  checkModel(model)
  checkOptions(options)
  return openResolved(await resolveWork(model, options), options)
}

/** The embedder of what was resolved with the same options. */
export async function openResolved(
  resolution: Resolution,
  options: EmbedderOptions,
): Promise<Embedder<Float32Array> | Embedder<Matrix>> {
  const work = await resolution.open()
  try {
    return new ModelEmbedder(resolution, options, work) as Embedder | Embedder<Matrix>
  } catch (error) {
    await work.dispose()
    throw error
  }
}

class ModelEmbedder implements Embedder<Float32Array | Matrix> {
  readonly model: () => Promise<Model>
  readonly recipe: Recipe
  readonly #known: KnownModel
  readonly pool: Pooling
  readonly normalize: boolean
  readonly #prompt: Prompt | undefined
  readonly #work: Work
  readonly #chunks: 'mean' | 'keep' | undefined
  /** Calls of `embed` under way. */
  readonly #calls = new Set<Promise<unknown>>()
  #disposed = false

  constructor({ recipe, known, model }: Resolution, options: EmbedderOptions, work: Work) {
    this.recipe = recipe
    this.#known = known
    this.model = model
    this.pool = recipe.pool
    this.normalize = recipe.normalize
    this.#prompt = options.prompt
    this.#chunks = options.chunk && (options.chunk.pool ?? 'mean')
    if (this.#chunks === 'mean' && this.pool === 'none') {
      throw new PipiloError(
        'OPTION_INVALID',
        "chunk.pool is 'mean', and pool: 'none' has no vector a chunk to average.",
        {
          hint: "Choose chunk: { pool: 'keep' } or another pooling.",
        },
      )
    }
    this.#work = work
  }

  get name(): string {
    return this.#known.name
  }

  get modality() {
    return this.#known.modality
  }

  get dimensions(): number {
    return this.#work.dimensions ?? this.recipe.dimensions
  }

  get card() {
    return this.#known.card
  }

  get tap(): string {
    return this.recipe.taps.join(',')
  }

  async embed(
    inputs: readonly AnyInput[],
    options: EmbedOptions = {},
  ): Promise<EmbedResult<Float32Array | Matrix>> {
    checkCall(options, 'embed')
    if (!Array.isArray(inputs)) {
      throw new PipiloError('INPUT_INVALID', `embed takes an array of inputs, not ${typeof inputs}.`, {
        hint: 'For one input write embed([input]); for an iterable use stream.',
      })
    }
    const call = this.#embed(inputs, options)
    this.#calls.add(call)
    return call.finally(() => this.#calls.delete(call))
  }

  async #embed(
    inputs: readonly AnyInput[],
    options: EmbedOptions,
  ): Promise<EmbedResult<Float32Array | Matrix>> {
    let done = 0
    const onDone = (count: number) => {
      done += count
      options.onProgress?.({ done, total: inputs.length })
    }
    // One vector an input goes to its place at once; how many there are otherwise, or how long, shows at the end.
    const single = this.pool !== 'none' && this.#chunks !== 'keep'
    const known = single ? this.#work.dimensions : undefined
    const data = known === undefined ? undefined : new Float32Array(inputs.length * known)
    const rows: Row[] = []
    for await (const row of this.#rows(inputs, { ...options, onDone })) {
      if (!data) {
        rows.push(row)
        continue
      }
      const start = row.index * this.dimensions
      data.set(row.vector as Float32Array, start)
      rows.push({ ...row, vector: data.subarray(start, start + this.dimensions) })
    }
    if (single && !data) {
      // Vectors of inputs that failed before the first result get its length now.
      for (const [i, row] of rows.entries()) {
        if (row.error) rows[i] = { ...row, vector: new Float32Array(this.dimensions).fill(Number.NaN) }
      }
    }
    return collect(rows, this.dimensions, data, this.#chunks === 'keep')
  }

  async *stream<I extends AnyInput>(
    inputs: AsyncIterable<I> | Iterable<I>,
    options: Omit<EmbedOptions, 'onProgress'> = {},
  ): AsyncGenerator<StreamResult<I, Float32Array | Matrix>> {
    checkCall(options, 'stream')
    for await (const { input, place, ...row } of this.#rows(inputs, options)) {
      const chunk = place && { input: row.index, ...place, tokens: row.tokens }
      yield { ...row, vector: alone(row.vector), input: input as I, ...(chunk && { chunk }) }
      // Rows of the same window that are there already are not handed on to a caller who has given up.
      throwIfAborted(options.signal)
    }
  }

  async *#rows<I extends AnyInput>(
    inputs: AsyncIterable<I> | Iterable<I>,
    {
      onError = 'throw',
      prompt = this.#prompt,
      ...rest
    }: EmbedOptions & { onDone?: (count: number) => void },
  ): AsyncGenerator<Row> {
    this.#check()
    const run = { ...rest, skip: onError === 'skip', prompt: promptWords(this, prompt) }
    for await (const outcomes of this.#work.run(inputs, run)) {
      for (const outcome of outcomes) yield* this.#vectors(outcome)
    }
  }

  #vectors<I extends AnyInput>(outcome: Outcome<I>): Row[] {
    const rows = rowsOf(outcome, this.dimensions, this.pool === 'none')
    return this.#chunks === 'mean' && !outcome.error ? [meanOf(rows, this.normalize)] : rows
  }

  #check(): void {
    if (!this.#disposed) return
    throw new PipiloError('DISPOSED', `The embedder of ${this.name} has been disposed.`, {
      hint: 'Open it again.',
    })
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    // A stream is not waited for: nobody may ask for its next row.
    await Promise.allSettled(this.#calls)
    await this.#work.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}
