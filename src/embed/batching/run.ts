// Runs inputs through preparation and session, several batches at a time, in order.
import { abortError, onAbort, orAborted, type PipiloError, throwIfAborted } from '../../base/index.ts'
import type { ValueInfo } from '../../graph/index.ts'
import type { Session } from '../../runtime/index.ts'
import type { AnyInput, EmbedOptions, Input } from '../types.ts'
import { Backlog } from './backlog.ts'
import { BatchSession, type Result } from './batchSession.ts'
import { Gathering } from './gathering.ts'
import type { Preparation, Unit } from './preparation.ts'
import { type Numbers, numbersOf } from './rows.ts'
import { windows } from './sourceWindows.ts'

/** Outcome of one input: a vector, or one for each chunk, or an error. Vectors are views of their batch's result: copy what is kept. */
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
  readonly truncate?: EmbedOptions['truncate'] | undefined
  readonly signal?: AbortSignal | undefined
  /** Called as inputs are done, with how many. */
  readonly onDone?: (count: number) => void
}

/** Way from inputs to their vectors. */
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
  readonly #preparation: Preparation<In>
  readonly #gathering: Gathering<Result>
  readonly #backlog: Backlog
  #width: number | undefined

  readonly #layer: string

  /**
   * @param width length of the vectors; default: as the graph says it, or as the first result is long
   * @param layer that they come from, for errors
   */
  constructor(
    session: Session,
    preparation: Preparation<In>,
    { width, layer = 'The model' }: { readonly width?: number | undefined; readonly layer?: string } = {},
  ) {
    this.#layer = layer
    this.#width = width ?? lastSize(session.outputs[0])
    this.#preparation = preparation
    const batches = new BatchSession(session, preparation)
    this.#gathering = new Gathering(session.concurrency, preparation.limits, (units, signal) =>
      batches.run(units, signal),
    )
    this.#backlog = new Backlog(preparation.limits)
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
    throwIfAborted(options.signal)
    const unfollow = onAbort(options.signal, () => stop.abort(abortError(options.signal)))
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
            const inputs = turn.taken.value
            const expected = inputs.reduce((sum, input) => sum + this.#preparation.expect(input), 0)
            // Admitted as a whole, by what it brings at first.
            if (base === 0) this.#backlog.enter(stop.signal, expected)
            else this.#backlog.add(stop.signal, expected)
            const work = this.#window(inputs, { ...options, base, expected, signal: stop.signal })
            work.catch(() => {})
            running.push(work)
            base += inputs.length
          }
        }
      }
    } finally {
      unfollow()
      next?.catch(() => {})
      // Batches that still run for a caller who has gone are dropped.
      stop.abort(abortError())
      this.#backlog.leave(stop.signal)
      source.return(undefined).catch(() => {})
    }
  }

  async #window<I extends In>(
    inputs: readonly I[],
    { skip, prompt, truncate, onDone, signal, base, expected }: WindowOptions,
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
      truncate,
      signal,
      onError,
    })
    this.#backlog.add(signal, sizeOf(units) - expected)
    const vectors = new Map<Unit, Numbers>()
    const left = new Map<number, number>()
    for (const { owner } of units) left.set(owner, (left.get(owner) ?? 0) + 1)
    const place = (owner: number) => preparation.indexOf?.(inputs[owner]!) ?? base + owner
    const runBatch = async (batch: Unit[]) => {
      const begun = () => this.#backlog.add(signal, -sizeOf(batch))
      const results = await this.#gathering.run(batch, signal, begun)
      let done = 0
      for (const { result, unit, row, count } of results) {
        const { owner } = unit
        if (errors.has(owner)) continue
        try {
          const expected = { count, width: this.#width, index: place(owner), layer: this.#layer }
          const numbers = numbersOf(result, row, unit, expected)
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
    await Promise.all(preparation.pack(units).map(runBatch))
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
}

/** Options of one window of a call, beside the call's own. */
interface WindowOptions extends RunOptions {
  readonly signal: AbortSignal
  /** Index of its first input. */
  readonly base: number
  /** Tokens or pixels that are counted for it, until they are known. */
  readonly expected: number
}

function sizeOf(units: readonly Unit[]): number {
  return units.reduce((sum, { size }) => sum + size, 0)
}

/** Length of the vectors, where the graph says it. */
function lastSize(value: ValueInfo | undefined): number | undefined {
  const last = value?.type?.kind === 'tensor' ? value.type.shape?.at(-1) : undefined
  return typeof last === 'number' ? last : undefined
}
