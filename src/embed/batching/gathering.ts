// Gives the batches of several calls their turns, and fills small ones with what else waits.
import { abortError, onAbort, Turns, turn } from '../../base/index.ts'
import { costOf } from './pack.ts'
import type { Limits, Unit } from './preparation.ts'

/** Units of one call that run together. */
interface Piece<R> {
  readonly units: readonly Unit[]
  readonly signal: AbortSignal
  /** Length to which its longest unit is padded at least. */
  readonly length: number
  readonly cost: number
  /** Takes it out of its line. */
  leave: () => boolean
  /** It begins, with its call's results to come. */
  readonly begin: () => void
  readonly resolve: (results: R[]) => void
  readonly reject: (error: unknown) => void
  gone: boolean
}

/** Runs a batch and gives a result for each unit, in their order. */
type RunBatch<R> = (units: readonly Unit[], signal: AbortSignal) => Promise<R[]>

/**
 * The batches of all calls on their way to one session. Calls take {@link Turns}, so that a small one waits for what runs and not for all
 * that is queued. A batch that begins takes others along that wait, of other calls and of about its length, as long as there is
 * room: calls of one text each run as fast as one of many. Nothing waits to be joined: while a place is free, a call begins with the next
 * turn of the event loop, together with those that came in the same.
 */
export class Gathering<R> {
  readonly #turns: Turns
  readonly #limits: Limits
  readonly #concurrency: number
  readonly #run: RunBatch<R>
  /** Batches that have not begun, by length, each in the order of coming. */
  readonly #waiting = new Map<number, Set<Piece<R>>>()
  #cost = 0

  /** @param concurrency batches that run at the same time */
  constructor(concurrency: number, limits: Limits, run: RunBatch<R>) {
    this.#concurrency = concurrency
    this.#limits = limits
    this.#run = run
    // One more than run: its feeds wait at the session when a worker becomes free.
    this.#turns = new Turns(concurrency + 1)
  }

  /**
   * Runs one batch of a call, when its turn has come.
   *
   * @param signal stands for the call, and gives its place up; a batch that has begun ends, and its result is dropped
   * @param onBegin called when it does not wait any more
   * @throws `ABORTED`, and what running it by itself throws
   */
  run(units: readonly Unit[], signal: AbortSignal, onBegin: () => void = () => {}): Promise<R[]> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(abortError(signal))
        return
      }
      const heed = onAbort(signal, () => {
        piece.gone = true
        piece.leave()
        this.#remove(piece)
        settle(() => reject(abortError(signal)))()
      })
      const settle =
        <V>(action: (value: V) => void) =>
        (value?: V) => {
          heed()
          action(value as V)
        }
      const cost = costOf(units, this.#limits.least)
      const length = cost / units.length
      const piece: Piece<R> = {
        units,
        signal,
        length,
        cost,
        leave: () => false,
        begin: onBegin,
        resolve: settle(resolve),
        reject: settle(reject),
        gone: false,
      }
      const together = this.#waiting.get(length) ?? new Set()
      this.#waiting.set(length, together.add(piece))
      this.#cost += cost
      let idle = true
      piece.leave = this.#turns.enter(signal, () => this.#start(piece, idle), cost)
      idle = false
    })
  }

  async #start(first: Piece<R>, idle: boolean): Promise<void> {
    this.#remove(first)
    // While nothing else runs, others of the same turn of the event loop may still come; a full batch has no room for them.
    if (idle) await (this.#hasRoom(first) ? turn() : undefined)
    if (first.gone) return
    const pieces = [first, ...this.#others(first)]
    for (const piece of pieces) piece.begin()
    await this.#runTogether(pieces)
  }

  /** True if a batch could take one more unit along. */
  #hasRoom({ units, length }: Piece<R>): boolean {
    return (units.length + 1) * length <= this.#limits.batch
  }

  /** Takes out of their lines what runs along: of other calls, the closest in length first. */
  #others(first: Piece<R>): Piece<R>[] {
    const { batch, smallest } = this.#limits
    // The work that waits is shared among the workers.
    const share = Math.ceil((this.#cost + first.cost) / this.#concurrency)
    const budget = Math.min(batch, Math.max(smallest, share))
    const found: Piece<R>[] = []
    let count = first.units.length
    let longest = first.length
    if ((count + 1) * longest > budget) return found
    const lengths = [...this.#waiting.keys()]
      .filter((length) => isClose(length, first.length))
      .sort((a, b) => Math.abs(a - first.length) - Math.abs(b - first.length))
    for (const length of lengths) {
      const padded = Math.max(longest, length)
      for (const piece of this.#waiting.get(length)!) {
        if ((count + 1) * padded > budget) break
        const all = count + piece.units.length
        if (piece.signal === first.signal || all * padded > budget) continue
        piece.leave()
        this.#remove(piece)
        found.push(piece)
        count = all
        longest = padded
      }
    }
    return found
  }

  async #runTogether(pieces: readonly Piece<R>[]): Promise<void> {
    const stop = new AbortController()
    let left = pieces.length
    const unfollow = pieces.map(({ signal }) =>
      onAbort(signal, () => {
        left--
        // One caller who goes does not take the others along.
        if (left === 0) stop.abort(abortError(signal))
      }),
    )
    try {
      const results = await this.#run(
        pieces.flatMap(({ units }) => units),
        stop.signal,
      )
      let from = 0
      for (const { units, resolve } of pieces) {
        resolve(results.slice(from, from + units.length))
        from += units.length
      }
    } catch (error) {
      if (pieces.length === 1) pieces[0]!.reject(error)
      // Running each call's units by themselves shows whose failed.
      else for (const piece of pieces) if (!piece.gone) await this.#runTogether([piece])
    } finally {
      for (const stop of unfollow) stop()
    }
  }

  #remove(piece: Piece<R>): void {
    const together = this.#waiting.get(piece.length)
    if (!together?.delete(piece)) return
    this.#cost -= piece.cost
    if (together.size === 0) this.#waiting.delete(piece.length)
  }
}

/** True if units of these lengths are no more than half padding when they run together; very short ones cost the same anyway. */
function isClose(a: number, b: number): boolean {
  return Math.max(a, b) <= 2 * Math.min(a, b) + 16
}
