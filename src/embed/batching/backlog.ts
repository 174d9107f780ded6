// The bound of what several calls have waiting.
import { PipiloError } from '../../base/index.ts'
import type { Limits } from './preparation.ts'

/** Options that let more of a unit wait. */
const raising = {
  tokens: ', or raise maxWaitingTokens',
  pixels: ', or raise maxWaitingPixels',
  numbers: '',
}

/**
 * Counts what each call has waiting, in tokens, pixels or numbers. The call that has most is not counted: a call alone is always admitted, however
 * long, and a long one in the background keeps nobody out.
 */
export class Backlog {
  readonly #limits: Limits
  readonly #calls = new Map<object, number>()
  #sum = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /**
   * Admits a call.
   *
   * @param call stands for it
   * @param size what it brings
   * @throws `BUSY` where more would wait than may
   */
  enter(call: object, size: number): void {
    const { waiting, unit } = this.#limits
    // Looked through only where it matters: there may be many.
    if (this.#calls.size > 0 && this.#sum + size > waiting) {
      const besides = this.#sum + size - this.#most(size)
      if (besides > waiting) {
        const most = `${waiting.toLocaleString('en')} ${unit}`
        throw new PipiloError(
          'BUSY',
          `Other calls of this embedder wait, and with this one more than ${most}.`,
          {
            hint: `Call again when some of them have ended${raising[unit]}.`,
          },
        )
      }
    }
    this.#calls.set(call, 0)
    this.add(call, size)
  }

  /** More of a call that was admitted waits, or less. */
  add(call: object, size: number): void {
    const before = this.#calls.get(call)
    if (before === undefined) return
    this.#calls.set(call, before + size)
    this.#sum += size
  }

  /** The call has ended, or was given up. */
  leave(call: object): void {
    this.#sum -= this.#calls.get(call) ?? 0
    this.#calls.delete(call)
  }

  #most(size: number): number {
    let most = size
    for (const held of this.#calls.values()) most = Math.max(most, held)
    return most
  }
}
