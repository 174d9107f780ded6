import { abortError, Limiter, PipiloError, throwIfAborted } from '../../base/index.ts'
import type { Dimension, ValueInfo } from '../../graph/index.ts'
import type { Session } from '../../runtime/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { AnyInput, Input } from '../types.ts'
import type { Preparation, Unit } from './preparation.ts'
import { hasRows, type Numbers, numbersOf } from './rows.ts'
import { windows } from './sourceWindows.ts'

/** What became of one input: a vector, or one a chunk. */
export interface Outcome<I> {
  readonly index: number
  readonly input: I
  readonly rows: readonly { readonly unit: Unit; readonly vector: Numbers }[]
  readonly error?: PipiloError
}

export interface RunOptions {
  readonly skip: boolean
  /** Words before every text. */
  readonly prompt: string
  readonly signal?: AbortSignal | undefined
  /** Called as inputs are done, with how many. */
  readonly onDone?: (count: number) => void
}

/** What takes inputs to their vectors. */
export interface Work {
  /** Length of the vectors, where it is known already. */
  readonly dimensions?: number | undefined
  /** Outcomes in the order of the inputs, several at a time. */
  run<I extends AnyInput>(
    inputs: AsyncIterable<I> | Iterable<I>,
    options: RunOptions,
  ): AsyncGenerator<Outcome<I>[]>
  dispose(): Promise<void>
}

/** Takes inputs through preparation and session, several batches at a time. */
export class Runner<In = Input> {
  readonly #session: Session
  readonly #preparation: Preparation<In>
  readonly #limiter: Limiter
  /** Rows that the graph takes at a time; undefined where it takes any number. */
  #rows: number | undefined
  /** Settles when it is known whether as many rows come out as go in. */
  #tried: Promise<void> | undefined
  #width: number | undefined

  /** @param width length of the vectors; default: as the graph says it, or as the first result is long */
  constructor(session: Session, preparation: Preparation<In>, width?: number) {
    this.#session = session
    this.#width = width ?? lastSize(session.outputs[0])
    const [first] = session.inputs.map((input) => firstSize(input)).filter((size) => typeof size === 'number')
    this.#rows = first
    if (keepsRows(session)) this.#tried = Promise.resolve()
    this.#preparation = preparation
    // One more than run: its feeds wait at the session when a worker becomes free.
    this.#limiter = new Limiter(session.concurrency + 1)
  }

  /** Length of the vectors, once it is known. */
  get dimensions(): number | undefined {
    return this.#width
  }

  /** Outcomes of a window of inputs after the other, in the order of the inputs. */
  async *run<I extends In>(
    inputs: AsyncIterable<I> | Iterable<I>,
    options: RunOptions,
  ): AsyncGenerator<Outcome<I>[]> {
    const { window, ahead } = this.#preparation
    const stop = new AbortController()
    const follow = () => stop.abort(abortError(options.signal!))
    throwIfAborted(options.signal)
    options.signal?.addEventListener('abort', follow)
    const source = windows(inputs, { ...window, weigh: (input) => this.#preparation.weigh(input) })
    const running: Promise<Outcome<I>[]>[] = []
    let base = 0
    let next: Promise<IteratorResult<I[]>> | undefined
    let ended = false
    try {
      while (!ended || running.length > 0) {
        if (!ended && running.length < ahead) next ??= source.next()
        const first = running[0]
        const turn = await orAborted(
          stop.signal,
          first?.then((outcomes) => ({ outcomes })),
          next?.then((taken) => ({ taken })),
        )
        if ('outcomes' in turn) {
          running.shift()
          yield turn.outcomes
        } else {
          next = undefined
          if (turn.taken.done) {
            ended = true
          } else {
            const work = this.#window(turn.taken.value, base, { ...options, signal: stop.signal })
            work.catch(() => {})
            running.push(work)
            base += turn.taken.value.length
          }
        }
      }
    } finally {
      options.signal?.removeEventListener('abort', follow)
      next?.catch(() => {})
      // What still runs for a caller who has gone is dropped.
      stop.abort(new PipiloError('ABORTED', 'The work was cancelled.'))
      source.return(undefined).catch(() => {})
    }
  }

  async #window<I extends In>(
    inputs: readonly I[],
    base: number,
    { skip, prompt, onDone, signal }: RunOptions & { signal: AbortSignal },
  ): Promise<Outcome<I>[]> {
    const preparation = this.#preparation
    const errors = new Map<number, PipiloError>()
    const onError = (owner: number, error: PipiloError) => {
      if (!skip) throw error
      errors.set(owner, error)
      onDone?.(1)
    }
    const units = await preparation.prepare(inputs, {
      indexOf: (owner) => base + owner,
      prompt,
      signal,
      onError,
    })
    const vectors = new Map<Unit, Numbers>()
    const left = new Map<number, number>()
    for (const { owner } of units) left.set(owner, (left.get(owner) ?? 0) + 1)
    const place = (owner: number) => preparation.indexOf?.(inputs[owner]!) ?? base + owner
    const runBatch = async (batch: Unit[]) => {
      const results = await this.#results(batch, signal)
      let done = 0
      for (const { result, unit, row, count } of results) {
        const { owner } = unit
        if (errors.has(owner)) continue
        try {
          const numbers = numbersOf(result, row, unit, { count, width: this.#width, index: place(owner) })
          this.#width ??= numbers instanceof Float32Array ? numbers.length : numbers.columns
          vectors.set(unit, numbers)
        } catch (error) {
          onError(owner, error as PipiloError)
          continue
        }
        const more = left.get(owner)! - 1
        left.set(owner, more)
        if (more === 0) done++
      }
      onDone?.(done)
    }
    await Promise.all(
      preparation.pack(units).map((batch) => this.#limiter.run(() => runBatch(batch), signal)),
    )
    const rows = inputs.map((): { unit: Unit; vector: Numbers }[] => [])
    for (const unit of units) {
      const vector = vectors.get(unit)
      if (vector && !errors.has(unit.owner)) rows[unit.owner]!.push({ unit, vector })
    }
    return inputs.map((input, owner) => {
      const error = errors.get(owner)
      return { index: base + owner, input, rows: rows[owner]!, ...(error && { error }) }
    })
  }

  /**
   * The results of a batch: of all of it at once, or of as many rows at a time as the graph takes. Where fewer or more rows come out
   * than went in, or the runtime fails with several, they run one by one from then on.
   */
  async #results(batch: Unit[], signal: AbortSignal): Promise<Result[]> {
    if (this.#rows === undefined && batch.length > 1) {
      this.#tried ??= this.#try(batch[0]!, signal)
      await this.#tried
    }
    if (this.#rows === undefined) {
      const result = await this.#fetch(batch, signal).catch((error) => {
        if (batch.length === 1 || !(error instanceof PipiloError) || error.code !== 'RUNTIME') throw error
        return undefined
      })
      if (result && (batch.length === 1 || hasRows(result, batch.length))) {
        return batch.map((unit, row) => ({ result, unit, row, count: batch.length }))
      }
    }
    const results: Result[] = []
    const count = this.#rows ?? 1
    for (let from = 0; from < batch.length; from += count) {
      const part = batch.slice(from, from + count)
      // What is missing is filled up with what is there, and not looked at.
      const full = Array.from({ length: count }, (_, i) => part[i] ?? part[0]!)
      const result = await this.#fetch(full, signal)
      for (const [row, unit] of part.entries()) results.push({ result, unit, row, count })
    }
    this.#rows = count
    return results
  }

  /** Whether one row gives one row, of a graph that does not say it: a fixed number may happen to be that of a batch. */
  async #try(unit: Unit, signal: AbortSignal): Promise<void> {
    try {
      if (!hasRows(await this.#fetch([unit], signal), 1)) this.#rows = 1
    } catch (error) {
      this.#tried = undefined
      throw error
    }
  }

  async #fetch(batch: Unit[], signal: AbortSignal): Promise<Tensor> {
    const { embedding } = await this.#session.run(this.#preparation.feeds(batch), ['embedding'], { signal })
    return embedding!
  }
}

/** The row of a result that belongs to a unit, of so many that went in. */
interface Result {
  readonly result: Tensor
  readonly unit: Unit
  readonly row: number
  readonly count: number
}

/** Whether a graph says that as many rows come out as go in. */
function keepsRows({ inputs, outputs }: Session): boolean {
  const out = firstSize(outputs[0])
  return out !== undefined && out !== '' && inputs.every((input) => firstSize(input) === out)
}

/** What settles first; rejects when the signal fires before. */
export async function orAborted<A, B = A>(
  signal: AbortSignal,
  a?: Promise<A>,
  b?: Promise<B>,
): Promise<A | B> {
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(abortError(signal))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
  })
  try {
    return await Promise.race([aborted, ...(a ? [a] : []), ...(b ? [b] : [])])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function firstSize(value: ValueInfo | undefined): Dimension | undefined {
  return value?.type?.kind === 'tensor' ? value.type.shape?.[0] : undefined
}

/** Length of the vectors, where the graph says it. */
function lastSize(value: ValueInfo | undefined): number | undefined {
  const last = value?.type?.kind === 'tensor' ? value.type.shape?.at(-1) : undefined
  return typeof last === 'number' ? last : undefined
}
