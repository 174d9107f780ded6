// Limit on the number of tasks that run at the same time.
import { abortError } from '../abort.ts'

/** Runs at most `limit` tasks at a time; the others wait in order. */
export class Limiter {
  readonly #limit: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @throws `ABORTED` when the signal fires before the task's turn */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      if (signal?.aborted) throw abortError(signal)
      return await task()
    } finally {
      // The place goes to the next in line, so that nobody overtakes.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
