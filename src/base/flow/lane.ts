/** A bounded queue between a producer and a consumer: the producer waits while it is full. */
export class Lane<T> implements AsyncIterable<T> {
  readonly #most: number
  readonly #items: T[] = []
  #ended = false
  #error: unknown
  #changed: (() => void)[] = []

  constructor(most: number) {
    this.#most = most
  }

  /** Puts an item in; resolves when there is room for the next, or nobody takes any more. */
  async push(item: T): Promise<void> {
    this.#items.push(item)
    this.#wake()
    while (this.#items.length >= this.#most && !this.#ended) await this.#change()
  }

  /** True if the next item would have to wait. */
  get full(): boolean {
    return this.#items.length >= this.#most
  }

  /** No more items come, because of an error or because there are none. */
  end(error?: unknown): void {
    this.#ended = true
    this.#error ??= error
    this.#wake()
  }

  /** True if an item is there; waits for the first one, or for the end. */
  async begun(): Promise<boolean> {
    while (this.#items.length === 0 && !this.#ended) await this.#change()
    if (this.#error !== undefined) throw this.#error
    return this.#items.length > 0
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    while (await this.begun()) {
      yield this.#items.shift()!
      this.#wake()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve))
  }

  #wake(): void {
    const waiting = this.#changed
    this.#changed = []
    for (const resolve of waiting) resolve()
  }
}
