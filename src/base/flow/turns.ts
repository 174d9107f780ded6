// Places for work, given to callers by turns.
import { abortError, onAbort } from '../abort.ts'

interface Waiting {
  readonly start: () => Promise<unknown>
  readonly weight: number
}

/** Tasks that wait for one caller, in their order. */
class Line {
  readonly waiting = new Set<Waiting>()
  /** The weight of what has been started for it; undefined before the first. */
  served: number | undefined
}

/**
 * Runs at most `limit` tasks at a time. Each caller's wait in a line of its own, in order, and the lines take turns: the one that has
 * had least is next. A line that has had nothing yet goes before those that have, every other turn; so a newcomer waits for what
 * runs and not for what is queued, and no number of newcomers keeps the others waiting.
 *
 * @example
 * ```ts
 * const turns = new Turns(3)
 * for (const page of book) turns.run(() => read(page), { line: book })     // a thousand pages
 * await turns.run(() => read(letter), { line: letter })                    // is the next or next but one to start
 * ```
 */
export class Turns {
  readonly #limit: number
  #running = 0
  readonly #lines = new WeakMap<object, Line>()
  /** Lines with tasks waiting: those that have had nothing yet, and those that have, in the order of coming or of their last turn. */
  readonly #fresh = new Set<Line>()
  readonly #served = new Set<Line>()
  /** Least weight that a line counts as served: one that was away makes up for nothing. */
  #floor = 0
  #freshNext = true

  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Waits for a place, or starts at once where one is free.
   *
   * @param line whose turn it takes: any object that stands for its caller
   * @param start begins the work; its place is free again when the promise settles
   * @param weight what it costs, beside the others
   * @returns takes it out of its line; false where it has begun
   */
  enter(line: object, start: () => Promise<unknown>, weight = 1): () => boolean {
    const waiting: Waiting = { start, weight }
    if (this.#running < this.#limit) {
      this.#start(this.#line(line), waiting)
      return () => false
    }
    const own = this.#line(line)
    own.waiting.add(waiting)
    if (own.served === undefined) this.#fresh.add(own)
    else if (!this.#served.has(own)) {
      own.served = Math.max(own.served, this.#floor)
      this.#served.add(own)
    }
    return () => {
      if (!own.waiting.delete(waiting)) return false
      this.#leaveIfEmpty(own)
      return true
    }
  }

  /**
   * Runs a task when its turn has come.
   *
   * @param options `line`: whose turn it takes; tasks without one share a line
   * @throws `ABORTED` as soon as the signal fires, when the task has not begun; what the task throws
   */
  run<T>(
    task: () => Promise<T>,
    {
      line = this,
      signal,
      weight,
    }: { line?: object; signal?: AbortSignal | undefined; weight?: number } = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortError(signal))
        return
      }
      let leave = () => false
      const heed = onAbort(signal, () => {
        heed()
        if (leave()) reject(abortError(signal))
      })
      const start = () => {
        heed()
        return new Promise<T>((settle) => settle(task())).then(resolve, reject)
      }
      leave = this.enter(line, start, weight)
    })
  }

  #line(key: object): Line {
    const line = this.#lines.get(key) ?? new Line()
    this.#lines.set(key, line)
    return line
  }

  #leaveIfEmpty(line: Line): void {
    if (line.waiting.size > 0) return
    this.#fresh.delete(line)
    this.#served.delete(line)
  }

  #start(line: Line, { start, weight }: Waiting): void {
    line.served = Math.max(line.served ?? 0, this.#floor) + weight
    this.#running++
    const done = () => {
      this.#running--
      this.#next()
    }
    // Also what throws at once gives its place back.
    new Promise((resolve) => resolve(start())).then(done, done)
  }

  #next(): void {
    while (this.#running < this.#limit) {
      const line = this.#pick()
      if (!line) return
      const [first] = line.waiting
      line.waiting.delete(first!)
      if (line.served === undefined) this.#fresh.delete(line)
      else {
        this.#floor = Math.max(this.#floor, line.served)
        this.#served.delete(line)
      }
      this.#start(line, first!)
      if (line.waiting.size > 0) this.#served.add(line)
    }
  }

  #pick(): Line | undefined {
    const [fresh] = this.#fresh
    let least: Line | undefined
    for (const line of this.#served) if (!least || line.served! < least.served!) least = line
    const next = fresh && (this.#freshNext || !least) ? fresh : least
    // A newcomer is the next to start, unless the last to start was one.
    if (next) this.#freshNext = next !== fresh
    return next
  }
}
