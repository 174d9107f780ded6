import { abortError, onAbort, orAborted, type PipiloError, Turns, throwIfAborted } from '../../base/index.ts'
import type { Session } from '../../runtime/index.ts'
import type { Matrix, Tensor } from '../../tensor/index.ts'
import type { AnyInput, Input } from '../types.ts'
import type { Preparation, Unit } from './preparation.ts'
import { windows } from './sourceWindows.ts'

/** What became of one input: a vector, or one a chunk. */
export interface Outcome<I> {
  readonly index: number
  readonly input: I
  readonly rows: readonly { readonly unit: Unit; readonly vector: Float32Array | Matrix }[]
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
  readonly #turns: Turns

  constructor(session: Session, preparation: Preparation<In>) {
    this.#session = session
    this.#preparation = preparation
    // One more than run: its feeds wait at the session when a worker becomes free.
    this.#turns = new Turns(session.concurrency + 1)
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
            const work = this.#window(turn.taken.value, base, { ...options, signal: stop.signal })
            work.catch(() => {})
            running.push(work)
            base += turn.taken.value.length
          }
        }
      }
    } finally {
      unfollow()
      next?.catch(() => {})
      // What still runs for a caller who has gone is dropped.
      stop.abort(abortError())
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
    const vectors = new Map<Unit, Float32Array | Matrix>()
    const left = new Map<number, number>()
    for (const { owner } of units) left.set(owner, (left.get(owner) ?? 0) + 1)
    const runBatch = async (batch: Unit[]) => {
      const { embedding } = await this.#session.run(preparation.feeds(batch), ['embedding'], { signal })
      let done = 0
      for (const [row, unit] of batch.entries()) {
        vectors.set(unit, vectorOf(embedding!, row, unit))
        const more = left.get(unit.owner)! - 1
        left.set(unit.owner, more)
        if (more === 0) done++
      }
      onDone?.(done)
    }
    await Promise.all(
      preparation
        .pack(units)
        .map((batch) => this.#turns.run(() => runBatch(batch), { line: signal, signal })),
    )
    const rows = inputs.map((): { unit: Unit; vector: Float32Array | Matrix }[] => [])
    for (const unit of units) rows[unit.owner]!.push({ unit, vector: vectors.get(unit)! })
    return inputs.map((input, owner) => {
      const error = errors.get(owner)
      return { index: base + owner, input, rows: rows[owner]!, ...(error && { error }) }
    })
  }
}

/** A row of [batch, dimensions], or the real tokens (all positions of a picture) of [batch, tokens, dimensions]. */
function vectorOf({ shape, data }: Tensor, row: number, { content }: Unit): Float32Array | Matrix {
  const numbers = data as Float32Array
  const columns = shape.at(-1)!
  if (shape.length < 3) return numbers.slice(row * columns, (row + 1) * columns)
  const length = shape[1]!
  const rows = content instanceof Uint8Array ? length : Math.min(length, content.length)
  return { rows, columns, data: numbers.slice(row * length * columns, (row * length + rows) * columns) }
}
