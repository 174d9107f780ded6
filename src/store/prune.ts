// Removal of rows whose files have gone, and the evidence for that.
import { createHash } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileError } from '../base/files/index.ts'
import { PipiloError } from '../base/index.ts'
import { type ReadBy, rootOf } from '../embed/index.ts'
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

/** A path, folder or glob that was read, and what came of it. */
export interface ReadSpec {
  readonly spec: string
  /** True if a file was there, whatever it held. */
  holdsFiles: boolean
  /** Why there was none. */
  error?: PipiloError
}

/** Rows that were not removed, because it cannot be told whether their files have gone. */
export interface KeptRows {
  /** The path as it was given, or the folder in it that could not be read. */
  readonly path: string
  readonly rows: number
  readonly error: PipiloError
}

/**
 * Removes the rows of a collection that came from files under `specs` and have gone: the file is there no more, or it
 * was read and this line was not in it. Files that are there but could not be read keep their rows, and so do all files
 * below a folder that cannot be read, is missing, or holds nothing where a path was named: a disk that is not mounted
 * looks like that. `all` takes what is missing for gone, whole folders too.
 *
 * @param cwd the folder that `specs` are relative to
 * @param root the folder that rows' paths are relative to
 * @param seen the ids of all inputs, and the paths of files that were read to their end
 * @returns how many rows were removed, and which were kept for want of evidence
 */
export async function prune(
  collection: Collection,
  specs: readonly ReadSpec[],
  {
    cwd,
    root,
    seen,
    all,
    signal,
  }: { cwd: string; root: string; seen: SeenIds; all: boolean; signal?: AbortSignal | undefined },
): Promise<{ pruned: number; kept: KeptRows[] }> {
  const folders = new Folders(await rootsOf(specs, resolve(cwd)), all)
  const gone: string[] = []
  const kept = new Map<string, { rows: number; error: PipiloError }>()
  for await (const { id, metadata } of collection.rows()) {
    const { path } = metadata
    if (typeof path !== 'string' || seen.has(id)) continue
    const file = resolve(root, path)
    const roots = folders.above(file)
    if (roots.length === 0) continue
    const doubt = seen.has(path) ? undefined : await folders.doubt(file, roots)
    if (doubt === undefined) gone.push(id)
    else if (doubt !== 'there') {
      const before = kept.get(doubt.path)
      kept.set(doubt.path, { rows: (before?.rows ?? 0) + 1, error: doubt.error })
    }
  }
  if (gone.length > 0) await collection.delete(gone, signal ? { signal } : {})
  return { pruned: gone.length, kept: [...kept].map(([path, about]) => ({ path, ...about })) }
}

/**
 * Removes the rows of files that were read to their end and that are not among their inputs any more: passages that lie elsewhere now, and
 * those of another way of reading. Lines that have gone from a file read by line stay, as they always did, for {@link prune}.
 *
 * @param unfit ids and paths of what cannot be read any more because of what is in it; `prune` removes their rows
 * @param unread those of what could not be looked into
 * @returns how many there were of each, and how many rows stay of what cannot be read
 */
export async function replace(
  collection: Collection,
  {
    seen,
    by,
    unfit,
    unread,
    prune,
    signal,
  }: {
    seen: SeenIds
    by: ReadBy
    unfit: SeenIds
    unread: SeenIds
    prune: boolean
    signal?: AbortSignal | undefined
  },
): Promise<{ replaced: number; pruned: number; stale: number }> {
  const gone: string[] = []
  let [stale, pruned] = [0, 0]
  for await (const { id, metadata } of collection.rows()) {
    const { path, by: way = 'line', text } = metadata
    if (typeof path !== 'string') continue
    const isUnfit = unfit.has(id) || unfit.has(path)
    if (isUnfit && prune) {
      gone.push(id)
      pruned++
    } else if (isUnfit || unread.has(id) || unread.has(path)) stale++
    else if (typeof text !== 'string' || (way === 'line' && by === 'line')) continue
    else if (seen.has(path) && !seen.has(id)) gone.push(id)
  }
  if (gone.length > 0) await collection.delete(gone, signal ? { signal } : {})
  return { replaced: gone.length - pruned, pruned, stale }
}

/** By absolute path. Several globs may start in one folder: then one that matches something is enough. */
async function rootsOf(specs: readonly ReadSpec[], cwd: string): Promise<Map<string, ReadSpec>> {
  const roots = new Map<string, ReadSpec>()
  for (const read of specs) {
    if (read.spec === '-' || /^https?:\/\//i.test(read.spec)) continue
    if (!read.holdsFiles && read.error?.code === 'INPUT_INVALID') continue // A file: URL that names no path.
    const places = [await rootOf(read.spec, cwd)]
    // A pattern that matches nothing may be the name of a folder that is not there.
    if (!read.holdsFiles) places.push(resolve(cwd, read.spec))
    for (const place of places) if (!roots.get(place)?.holdsFiles) roots.set(place, read)
  }
  return roots
}

interface Doubt {
  readonly path: string
  readonly error: PipiloError
}

/** Evidence about files that are not where they were. */
class Folders {
  readonly #roots: ReadonlyMap<string, ReadSpec>
  readonly #all: boolean
  readonly #listed = new Map<string, Promise<{ readonly entries: number } | { readonly error: unknown }>>()

  constructor(roots: ReadonlyMap<string, ReadSpec>, all: boolean) {
    this.#roots = roots
    this.#all = all
  }

  /** Those of the roots that a path is, or lies in. */
  above(path: string): string[] {
    const found: string[] = []
    for (let at = path; ; at = dirname(at)) {
      if (this.#roots.has(at)) found.push(at)
      if (at === dirname(at)) return found
    }
  }

  /** Why a file may be there still; undefined when it has gone. */
  async doubt(file: string, roots: readonly string[]): Promise<Doubt | 'there' | undefined> {
    const missing = (code: unknown) => code === 'ENOENT' || code === 'ENOTDIR'
    let at = file
    let unreadable: unknown
    for (;;) {
      const error = await lstat(at).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (error === undefined) break
      if (!missing(codeOf(error))) unreadable = error
      // The top of a drive that is not plugged in.
      if (at === dirname(at)) return { path: at, error: fileError(error, at, 'list') }
      at = dirname(at)
    }
    if (at === file) return 'there' // A link that leads nowhere is there, too.
    if (!this.#all) {
      for (const root of roots) {
        const { spec, holdsFiles, error } = this.#roots.get(root)!
        const nothing = !holdsFiles || root.length > at.length || (root === at && (await this.#isEmpty(at)))
        if (nothing) return { path: spec, error: (holdsFiles ? undefined : error) ?? holdsNothing(spec) }
      }
    }
    if (unreadable !== undefined) return { path: at, error: fileError(unreadable, at, 'list') }
    const listed = await this.#list(at)
    if ('entries' in listed || (this.#all && missing(codeOf(listed.error)))) return
    return { path: at, error: fileError(listed.error, at, 'list') }
  }

  async #isEmpty(folder: string): Promise<boolean> {
    const listed = await this.#list(folder)
    return 'entries' in listed && listed.entries === 0
  }

  #list(folder: string) {
    let listed = this.#listed.get(folder)
    if (!listed) {
      listed = readdir(folder).then(
        ({ length }) => ({ entries: length }),
        (error: unknown) => ({ error }),
      )
      this.#listed.set(folder, listed)
    }
    return listed
  }
}

const holdsNothing = (spec: string): PipiloError =>
  new PipiloError('FILE_NOT_FOUND', `There is no file in ${spec}.`, { input: spec })

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined
