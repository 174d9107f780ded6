import { type Model, open, type Pooling, placeName } from '../models/index.ts'
import { compile, reopen, type Session } from '../runtime/index.ts'
import { type Matrix, PipiloError } from '../tensor/index.ts'
import { planChunks } from './chunk.ts'
import { loadSharp } from './image.ts'
import { type KnownModel, recall, remember } from './memory.ts'
import { PicturePreparation } from './pictures.ts'
import type { Preparation } from './preparation.ts'
import { collect, meanOf, type Row, rowsOf } from './results.ts'
import { type Outcome, Runner } from './run.ts'
import { TextPreparation } from './text.ts'
import { loadTokenizer } from './tokenizer.ts'
import type {
  Embedder,
  EmbedderIdentity,
  EmbedderOptions,
  EmbedOptions,
  EmbedResult,
  Input,
  StreamResult,
} from './types.ts'

/**
 * Tokens in a batch. Processor time for 512 sentences of 35 tokens on two workers: 1.44 s for 256 to 512, 1.51 s for 768, 1.56 s for 1,024,
 * 1.73 s for 2,048.
 */
const BATCH_TOKENS = 512
/** Pixels in a batch: 8 pictures of 224 × 224. From 2 to 16 pictures made no difference. */
const BATCH_PIXELS = 8 * 224 * 224

/** See `embedder` in onDemand.ts. */
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
  checkCounts(options)
  const make = (
    known: KnownModel,
    session: Session,
    prepare: Awaited<ReturnType<typeof preparer>>,
    open: () => Promise<Model>,
  ) => new ModelEmbedder(known, options, session, prepare(session), open) as Embedder | Embedder<Matrix>

  const remembered = typeof model === 'string' ? await recall(model, options) : undefined
  if (remembered) {
    const { known, prepared } = remembered
    // First of all the worker gets its work: what follows, tokenizers above all, keeps this thread busy.
    const reopened = await reopen(prepared, options.runtime)
    if (reopened) {
      const [session, prepare] = await both(reopened.opening, preparer(known, options))
      return disposing(session, () => make(known, session, prepare, () => open(model as string, options)))
    }
  }
  const opened = typeof model === 'string' ? await open(model, options) : model
  const named = typeof model === 'string'
  const graph = opened.embedding(options)
  const [session, prepare] = await both(
    compile(graph, { persist: named, ...options.runtime }),
    preparer(opened, options),
  )
  if (named && session.prepared) await remember(model, options, opened, session.prepared)
  return disposing(session, () => make(opened, session, prepare, async () => opened))
}

/** A session and what prepares its inputs; when the second fails, the first is not left behind. */
async function both<S extends Session, P>(session: Promise<S>, prepare: Promise<P>): Promise<[S, P]> {
  try {
    return await Promise.all([session, prepare])
  } catch (error) {
    await session.then((opened) => opened?.dispose()).catch(() => {})
    throw error
  }
}

async function disposing<E>(session: Session, make: () => E): Promise<E> {
  try {
    return make()
  } catch (error) {
    await session.dispose()
    throw error
  }
}

/** Loads what prepares inputs; the session is needed only to finish it. */
async function preparer(
  { name, card, modality, tokenizer }: KnownModel,
  options: EmbedderOptions,
): Promise<(session: Session) => Preparation> {
  if (modality === 'image') {
    const { image } = card
    if (!image)
      throw new PipiloError('MODEL_INVALID', `${name} does not say how its pictures are prepared.`, {
        input: name,
      })
    await loadSharp()
    const { batchPixels = BATCH_PIXELS, maxPixels } = options
    return ({ concurrency }) => new PicturePreparation({ image, batchPixels, maxPixels, concurrency })
  }
  if (!tokenizer) {
    throw new PipiloError('MODEL_INVALID', `${name} has no tokenizer.json.`, {
      input: name,
      hint: 'Put it beside the model.',
    })
  }
  const { text } = card
  const loaded = await loadTokenizer(tokenizer, { lowercase: text?.lowercase ?? false })
  const { maxLength = text?.maxLength ?? 512, batchTokens = BATCH_TOKENS, prompt } = options
  if (maxLength <= loaded.specials) {
    throw new PipiloError(
      'OPTION_INVALID',
      `maxLength is ${maxLength}, and ${loaded.specials} are special tokens.`,
    )
  }
  const chunks = options.chunk && planChunks(options.chunk, loaded, maxLength)
  return ({ inputs }) =>
    new TextPreparation({
      tokenizer: loaded,
      inputs: inputs.map((input) => input.name),
      maxLength,
      batchTokens,
      text,
      prompt,
      chunks,
    })
}

class ModelEmbedder implements Embedder<Float32Array | Matrix> {
  readonly model: () => Promise<Model>
  readonly #known: KnownModel
  readonly dimensions: number
  readonly tap: string
  readonly pool: Pooling
  readonly normalize: boolean
  readonly #session: Session
  readonly #runner: Runner
  readonly #chunks: 'mean' | 'keep' | undefined
  #disposed = false

  constructor(
    known: KnownModel,
    options: EmbedderOptions,
    session: Session,
    preparation: Preparation,
    open: () => Promise<Model>,
  ) {
    const { card } = known
    const taps = [options.tap ?? card.tap].flat()
    this.#known = known
    this.model = open
    this.tap = taps
      .map((tap) => (tap === 'penultimate' ? (card.penultimate ?? tap) : placeName(tap)))
      .join(',')
    this.pool = options.pool ?? card.pool
    this.normalize = options.normalize ?? card.normalize
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
    this.dimensions = dimensionsOf(session, options.dimensions ?? card.dimensions)
    this.#session = session
    this.#runner = new Runner(session, preparation)
  }

  get name(): string {
    return this.#known.name
  }

  get modality() {
    return this.#known.modality
  }

  get card() {
    return this.#known.card
  }

  get identity(): EmbedderIdentity {
    const { tap, pool, normalize, dimensions } = this
    return { model: this.name, fingerprint: this.#known.fingerprint, tap, pool, normalize, dimensions }
  }

  async embed(
    inputs: readonly Input[],
    options: EmbedOptions = {},
  ): Promise<EmbedResult<Float32Array | Matrix>> {
    if (!Array.isArray(inputs)) {
      throw new PipiloError('INPUT_INVALID', `embed takes an array of inputs, not ${typeof inputs}.`, {
        hint: 'For one input write embed([input]); for an iterable use stream.',
      })
    }
    let done = 0
    const onDone = (count: number) => {
      done += count
      options.onProgress?.({ done, total: inputs.length })
    }
    // One vector an input goes to its place at once; how many there are otherwise shows at the end.
    const single = this.pool !== 'none' && this.#chunks !== 'keep'
    const data = single ? new Float32Array(inputs.length * this.dimensions) : undefined
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
    return collect(rows, this.dimensions, data, this.#chunks === 'keep')
  }

  async *stream<I extends Input>(
    inputs: AsyncIterable<I> | Iterable<I>,
    options: Omit<EmbedOptions, 'onProgress'> = {},
  ): AsyncGenerator<StreamResult<I, Float32Array | Matrix>> {
    for await (const { input, tokens, place, ...row } of this.#rows(inputs, options)) {
      const chunk = place && { input: row.index, ...place, tokens }
      yield { ...row, input: input as I, ...(chunk && { chunk }) }
    }
  }

  async *#rows<I extends Input>(
    inputs: AsyncIterable<I> | Iterable<I>,
    { onError = 'throw', ...rest }: EmbedOptions & { onDone?: (count: number) => void },
  ): AsyncGenerator<Row> {
    this.#check()
    for await (const outcomes of this.#runner.run(inputs, { skip: onError === 'skip', ...rest })) {
      for (const outcome of outcomes) yield* this.#vectors(outcome)
    }
  }

  #vectors<I extends Input>(outcome: Outcome<I>): Row[] {
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
    await this.#session.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}

/** Length of the vectors, as the graph says it, else as it was asked for. */
function dimensionsOf({ outputs }: Session, otherwise: number): number {
  const type = outputs[0]?.type
  const last = type && 'shape' in type ? type.shape?.at(-1) : undefined
  return typeof last === 'number' ? last : otherwise
}

function checkCounts(options: EmbedderOptions): void {
  for (const name of ['dimensions', 'maxLength', 'batchTokens', 'batchPixels', 'maxPixels'] as const) {
    const value = options[name]
    if (value === undefined || (Number.isInteger(value) && value > 0)) continue
    throw new PipiloError('OPTION_INVALID', `${name} is ${value}; it has to be a whole number from 1.`, {
      input: name,
    })
  }
}
