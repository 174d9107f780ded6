// Bounded queue of rows between two stages, and the pace at which a stage takes them.

/** Rows on their way: `items[i]` came from row `rows[i]` of the source. */
export interface Chunk {
  readonly items: unknown[]
  readonly rows: number[]
}

/** Rows that travel together at most, and the most that a stage of cheap functions asks for. */
export const MAX_CHUNK = 64

/**
 * The bounded queue between two stages: one writer, one reader.
 *
 * The writer waits for {@link room} and may then put one chunk of at most `want` rows, so there are never more than
 * `2 × want - 1` rows inside. Stopping it drops what is inside, wakes both sides, and stops what lies upstream.
 */
export class Queue {
  /** Rows that the reader asks for at a time. */
  want: number
  /** Rows inside. */
  size = 0
  /** Nobody reads any more: the writer should end. */
  stopped = false
  /** It was stopped before its writer had finished. */
  cutShort = false
  /** Called once when nobody reads any more. */
  onStop: (() => void) | undefined
  #chunks: Chunk[] = []
  #ended = false
  #wakeReader: (() => void) | undefined
  #wakeWriter: (() => void) | undefined

  constructor(want: number) {
    this.want = want
  }

  /** A promise while there is no room, otherwise undefined. */
  room(): Promise<void> | undefined {
    if (this.stopped || this.size < this.want) return undefined
    return new Promise((resolve) => {
      this.#wakeWriter = resolve
    })
  }

  put(chunk: Chunk): void {
    if (this.stopped || chunk.items.length === 0) return
    this.#chunks.push(chunk)
    this.size += chunk.items.length
    this.#wakeReader?.()
  }

  /** The writer has finished; the reader gets what is inside, then undefined. */
  end(): void {
    this.#ended = true
    this.#wakeReader?.()
  }

  /** The reader has finished. */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.cutShort = !this.#ended
    this.#chunks = []
    this.size = 0
    this.#wakeReader?.()
    this.#wakeWriter?.()
    this.onStop?.()
  }

  /** The rows at the front, at most `limit`; waits while there are none. Undefined at the end. */
  async take(limit: number): Promise<Chunk | undefined> {
    while (this.size === 0) {
      if (this.#ended || this.stopped) return undefined
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve
      })
      this.#wakeReader = undefined
    }
    const chunk = this.#cut(limit)
    this.size -= chunk.items.length
    if (this.size < this.want && this.#wakeWriter) {
      this.#wakeWriter()
      this.#wakeWriter = undefined
    }
    return chunk
  }

  #cut(limit: number): Chunk {
    const head = this.#chunks[0]!
    if (head.items.length > limit) {
      this.#chunks[0] = { items: head.items.slice(limit), rows: head.rows.slice(limit) }
      return { items: head.items.slice(0, limit), rows: head.rows.slice(0, limit) }
    }
    this.#chunks.shift()
    // Small chunks are joined, so that a stage which was busy gets a full batch.
    while (this.#chunks.length > 0 && head.items.length + this.#chunks[0]!.items.length <= limit) {
      const next = this.#chunks.shift()!
      for (let i = 0; i < next.items.length; i++) {
        head.items.push(next.items[i])
        head.rows.push(next.rows[i]!)
      }
    }
    return head
  }
}

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
