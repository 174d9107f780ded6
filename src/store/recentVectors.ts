// Remembers the vectors of contents that were embedded not long ago.

/** Bytes of vectors that are remembered. */
const BYTES = 128 * 2 ** 20

/** A vector, and if the model read all of its input. */
export interface Made {
  readonly vector: Float32Array
  readonly isTruncated: boolean
}

/** Vectors by their inputs' content, as copies (licences, vendored files, pictures in two folders) tend to lie near each other. The least recently used go first. */
export class RecentVectors {
  readonly #most: number
  readonly #made = new Map<string, Made>()

  /** @param most vectors to remember; default: as many as fit into 128 MB */
  constructor(dimensions: number, most = Math.floor(BYTES / 4 / dimensions)) {
    this.#most = most
  }

  get(key: string): Made | undefined {
    const made = this.#made.get(key)
    if (made) this.keep(key, made)
    return made
  }

  keep(key: string, made: Made): void {
    this.#made.delete(key)
    this.#made.set(key, made)
    if (this.#made.size > this.#most) this.#made.delete(this.#made.keys().next().value!)
  }
}
