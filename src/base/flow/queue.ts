// A bounded queue between one that puts in and one that takes out.

/** Values on their way: `items[i]` has the number `rows[i]` in its source. */
export interface Chunk<T = unknown> {
  readonly items: T[]
  readonly rows: number[]
}

/**
 * The bounded queue between one writer and one reader.
 *
 * @example
 * ```ts
 * await queue.room(); queue.put({ items: ['a'], rows: [0] })     // the writer; queue.end() when it has finished
 * for (let chunk = await queue.take(64); chunk; chunk = await queue.take(64)) work(chunk)     // the reader
 * ```
 *
 * @remarks
 * The writer waits for {@link room} and may then put one chunk of at most `want` values, so there are never more than
 * `2 × want - 1` inside. Stopping it drops what is inside, wakes both sides, and stops what lies upstream.
 */
export class Queue<T = unknown> implements AsyncIterable<T> {
  /** Values that the reader asks for at a time. */
  want: number
  /** Values inside. */
  size = 0
  /** Nobody reads any more: the writer should end. */
  stopped = false
  /** It was stopped before its writer had finished. */
  cutShort = false
  /** Called once when nobody reads any more. */
  onStop: (() => void) | undefined
  #chunks: Chunk<T>[] = []
  #ended = false
  #failure: { readonly error: unknown } | undefined
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

  put(chunk: Chunk<T>): void {
    if (this.stopped || this.#ended || chunk.items.length === 0) return
    this.#chunks.push(chunk)
    this.size += chunk.items.length
    this.#wakeReader?.()
  }

  /** The writer has finished; the reader gets what is inside, then undefined. */
  end(): void {
    this.#ended = true
    this.#wakeReader?.()
  }

  /** The writer has failed: the reader gets the error instead of what is inside. */
  fail(error: unknown): void {
    if (this.#ended) return
    this.#failure = { error }
    this.#chunks = []
    this.size = 0
    this.end()
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

  /** True if another value comes; waits until that is known. */
  async begun(): Promise<boolean> {
    while (this.size === 0) {
      if (this.#failure) throw this.#failure.error
      if (this.#ended || this.stopped) return false
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve
      })
      this.#wakeReader = undefined
    }
    return true
  }

  /** The values that are there, at most `limit`; waits while there are none. Undefined at the end. */
  async take(limit: number): Promise<Chunk<T> | undefined> {
    // It may be stopped between the moment when it has begun and the one when that is known here.
    while (this.size === 0) if (!(await this.begun())) return undefined
    const chunk = this.#cut(limit)
    this.size -= chunk.items.length
    if (this.size < this.want && this.#wakeWriter) {
      this.#wakeWriter()
      this.#wakeWriter = undefined
    }
    return chunk
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (let chunk = await this.take(1); chunk; chunk = await this.take(1)) yield chunk.items[0]!
  }

  #cut(limit: number): Chunk<T> {
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
        head.items.push(next.items[i]!)
        head.rows.push(next.rows[i]!)
      }
    }
    return head
  }
}
