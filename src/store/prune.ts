import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { rootOf } from '../embed/index.ts'
import type { Collection } from './types.ts'

/**
 * Remembers a great many ids in 8 bytes each: a 64-bit hash of them. Among ten million ids, one in two hundred
 * thousand million others is taken for one of them; it then is not pruned.
 */
export class SeenIds {
  #hashes = new BigUint64Array(1024)
  #count = 0
  #sorted = true

  add(id: string): void {
    if (this.#count === this.#hashes.length) {
      const larger = new BigUint64Array(2 * this.#count)
      larger.set(this.#hashes)
      this.#hashes = larger
    }
    this.#hashes[this.#count++] = hash(id)
    this.#sorted = false
  }

  has(id: string): boolean {
    const all = this.#hashes.subarray(0, this.#count)
    if (!this.#sorted) all.sort()
    this.#sorted = true
    const wanted = hash(id)
    let low = 0
    let high = all.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (all[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return all[low] === wanted
  }
}

const hash = (id: string): bigint => createHash('sha256').update(id).digest().readBigUInt64LE()

/**
 * Removes the rows of a collection that came from files under `specs` and have gone: the file is there no more, or it
 * was read and this line was not in it. Files that are there but could not be read keep their rows.
 *
 * @param seen the ids of all inputs, and the paths of files that were read to their end
 * @returns how many rows were removed
 */
export async function prune(
  collection: Collection,
  specs: readonly string[],
  cwd: string,
  seen: SeenIds,
): Promise<number> {
  const roots = new Set<string>()
  for (const spec of specs) if (spec !== '-') roots.add(await rootOf(spec, resolve(cwd)))
  const gone: string[] = []
  for await (const { id, metadata } of collection.rows()) {
    const { path } = metadata
    if (typeof path !== 'string' || seen.has(id)) continue
    const file = resolve(cwd, path)
    if (isBelow(file, roots) && (seen.has(path) || !existsSync(file))) gone.push(id)
  }
  await collection.delete(gone)
  return gone.length
}

/** Whether a path is one of `roots`, or lies in one. */
function isBelow(path: string, roots: ReadonlySet<string>): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (roots.has(at)) return true
    if (at === dirname(at)) return false
  }
}
