// The number of rows that a stage takes at a time.

/** Rows that travel together at most, and the most that a stage of cheap functions asks for. */
export const MAX_CHUNK = 64

/**
 * How many rows to take at a time: as many as take about a millisecond, between 1 and `max`. So cheap functions run
 * over long chunks, and slow ones hand on each row as it is ready.
 */
export class Pace {
  limit = 1
  readonly #max: number

  constructor(max: number = MAX_CHUNK) {
    this.#max = max
  }

  took(milliseconds: number, rows: number): void {
    if (milliseconds > 4) this.limit = Math.max(1, this.limit >> 1)
    else if (milliseconds < 1 && rows >= this.limit) this.limit = Math.min(this.#max, this.limit * 2)
  }
}
