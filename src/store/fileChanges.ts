// Follows paths, folders and globs: which of their files are new or have changed, and which have gone.
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, resolve, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkOption, checkOptions, is, type OptionTable, PipiloError } from '../base/index.ts'
import { displayPath, findFiles, rootOf } from '../embed/index.ts'
import type { Collection, WriteOptions } from './types.ts'

/** Paths in one condition. */
const PATHS_AT_ONCE = 1000

/** Files that are no longer as they were. */
export interface FileChanges {
  /** New or changed, by absolute path. */
  readonly changed: readonly string[]
  /** Gone, by absolute path. Nothing has gone where nothing can be looked for: below a folder that is missing, empty or unreadable. */
  readonly removed: readonly string[]
}

export interface FileChangesOptions {
  /** Folder that paths are relative to. Default: the working directory. */
  readonly cwd?: string
  /** Milliseconds between looks where nothing is announced, as on network drives. Default 2,000, or twenty times as long as a look takes. */
  readonly every?: number
  /** Milliseconds of quiet after an announced change before a look. Default 300. */
  readonly quiet?: number
  /** Ends it, without an error. */
  readonly signal?: AbortSignal
}

const types: OptionTable<FileChangesOptions> = {
  cwd: is.text,
  every: is.numeric(0),
  quiet: is.numeric(0),
  signal: is.abortSignal,
}

/** See `fileChanges` in onDemand.ts. */
export async function fileChanges(
  specs: readonly string[],
  options: FileChangesOptions = {},
): Promise<AsyncGenerator<FileChanges>> {
  checkOption('paths', specs, is.listOf(is.name))
  checkOptions<FileChangesOptions>('fileChanges', options, types)
  const cwd = resolve(options.cwd ?? '.')
  const foreign = specs.find((spec) => spec === '-' || /^https?:/i.test(spec))
  if (foreign !== undefined)
    throw new PipiloError('OPTION_INVALID', `Only files can be followed, not ${foreign}.`, { input: foreign })
  const announced = new Announcements(await Promise.all(specs.map((spec) => rootOf(spec, cwd))))
  const before = await look(specs, cwd)
  return follow(specs, cwd, before, announced, options)
}

async function* follow(
  specs: readonly string[],
  cwd: string,
  before: Look,
  announced: Announcements,
  { every = 2_000, quiet = 300, signal }: FileChangesOptions,
): AsyncGenerator<FileChanges> {
  let took = 0
  try {
    for (;;) {
      const next = Math.max(every, 20 * took)
      await announced.wait(next, quiet, signal)
      if (signal?.aborted) return
      const paths = announced.take()
      const start = performance.now()
      const now = await look(specs, cwd)
      took = performance.now() - start
      const changed = [...now.files].filter(([path, as]) => before.files.get(path) !== as || paths.has(path))
      const removed = [...before.files.keys()].filter((path) => !now.files.has(path) && now.tells(path))
      // A file that cannot be looked for is as it was.
      for (const [path, as] of before.files)
        if (!now.files.has(path) && !now.tells(path)) now.files.set(path, as)
      before = now
      if (changed.length === 0 && removed.length === 0) continue
      yield {
        changed: changed.map(([path]) => path),
        removed,
      }
    }
  } finally {
    announced.close()
  }
}

/** The files that are there at one moment. */
interface Look {
  /** Of each file, all by which a change shows. */
  readonly files: Map<string, string>
  /** False for a file that cannot be looked for. */
  tells(path: string): boolean
}

async function look(specs: readonly string[], cwd: string): Promise<Look> {
  const files = new Map<string, string>()
  const blind: string[] = []
  for (const spec of specs) {
    let holds = false
    for await (const { path, error } of findFiles(spec, cwd)) {
      const about = error ? undefined : await stat(path).catch(() => undefined)
      if (about) {
        holds = true
        files.set(path, [about.size, about.mtimeMs, about.ctimeMs, about.ino].join(' '))
      } else if (error && error.code !== 'FILE_NOT_FOUND') blind.push(path)
    }
    // A disk that is not mounted looks like that.
    if (!holds) blind.push(await rootOf(spec, cwd))
  }
  return {
    files,
    tells: (path) =>
      !blind.some((place) => path === place || path.startsWith(place.endsWith(sep) ? place : place + sep)),
  }
}

/** Removes the rows of files that have gone, by their paths (relative to the working folder); resolves to how many there were. */
export async function removeFiles(
  collection: Collection,
  paths: readonly string[],
  options: WriteOptions = {},
): Promise<number> {
  const ofFiles = (await collection.fields()).some(({ name }) => name === 'path')
  const root = (await collection.filesMemory())?.root ?? resolve('.')
  const named = paths.map((path) => displayPath(resolve(path), root))
  let removed = 0
  for (let i = 0; ofFiles && i < named.length; i += PATHS_AT_ONCE)
    removed += await collection.delete({ path: { in: named.slice(i, i + PATHS_AT_ONCE) } }, options)
  return removed
}

/** Changes in folders, as the system announces them. */
class Announcements {
  readonly #watchers: FSWatcher[] = []
  #paths = new Set<string>()
  #wake = () => {}
  #last = Number.NEGATIVE_INFINITY

  constructor(roots: readonly string[]) {
    for (const root of new Set(roots)) {
      // A file that is replaced by another of its name is announced by its folder.
      this.#watch(root, true, root)
      this.#watch(dirname(root), false, dirname(root))
    }
  }

  #watch(path: string, recursive: boolean, folder: string): void {
    try {
      const watcher = watch(path, { recursive, persistent: false }, (_, name) => {
        if (name !== null) this.#paths.add(resolve(folder, name))
        this.#last = performance.now()
        this.#wake()
      })
      // Regular looks find what is not announced.
      watcher.on('error', () => watcher.close())
      this.#watchers.push(watcher)
    } catch {
      // Not there, or of a kind that is not announced.
    }
  }

  /** Waits until something was announced and it has been quiet for a while, or for the whole time. */
  async wait(milliseconds: number, quiet: number, signal: AbortSignal | undefined): Promise<void> {
    const end = performance.now() + milliseconds
    for (;;) {
      const now = performance.now()
      const due = this.#paths.size > 0 ? Math.min(end, this.#last + quiet) : end
      if (now >= due || signal?.aborted) return
      const stop = new AbortController()
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
        signal?.addEventListener('abort', () => resolve(), { once: true, signal: stop.signal })
      })
      await Promise.race([woken, sleep(due - now, undefined, { signal: stop.signal }).catch(() => {})])
      stop.abort()
    }
  }

  take(): Set<string> {
    const paths = this.#paths
    this.#paths = new Set()
    return paths
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
  }
}
