// Bearer keys: who may ask.
import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Keys of which a request must bear one. */
export class Keys {
  readonly #digests: readonly Buffer[]

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest)
  }

  get size(): number {
    return this.#digests.length
  }

  /**
   * The place of the key that a header bears, or undefined. Hashes are compared, each with all keys, so that the time tells nothing of how
   * much of a key was right.
   */
  find(authorization: string | undefined): number | undefined {
    const given = digest(/^Bearer +(\S.*)$/i.exec(authorization ?? '')?.[1]?.trim() ?? '')
    let found: number | undefined
    for (const [place, known] of this.#digests.entries()) if (timingSafeEqual(given, known)) found = place
    return found
  }
}
