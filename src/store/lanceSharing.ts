// Sharing of a LanceDB table with other handles, processes and machines: who may write, and what may be deleted.
import { randomUUID } from 'node:crypto'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { takeLock, tryLock, type Watched, withLock } from '../base/files/index.ts'

/** Runs work while nobody else writes to the collection; a signal ends the waiting for that. */
export type Exclusive = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>

/**
 * The rules by which a table is shared.
 *
 * LanceDB deletes files that no version mentions by their age, and an age is a difference of two clocks: with one of them wrong, it
 * deletes what another writer has written and not yet committed, and the collection is lost. Here no clock decides. All that writes
 * does so in turns, so that in a turn there is nothing uncommitted of anybody else's; long reads are announced, and short ones read again.
 */
export interface Sharing {
  readonly exclusive: Exclusive
  /** Announces a long read; what it returns ends it. */
  hold(): Promise<() => Promise<void>>
  /** To be called in a turn of `exclusive`: true if replaced files may be deleted, because nobody else writes and nobody is in a long read. */
  mayClean(): Promise<boolean>
}

/** On object storage there are no locks: LanceDB notices what another has committed, and nothing is deleted. */
export const withoutLocks: Sharing = {
  exclusive: (work) => work(),
  hold: async () => async () => {},
  mayClean: async () => false,
}

/** Hours, in milliseconds, that our clock may differ from that of the disk for replaced files to be deleted. */
const CLOCKS_DIFFER = 3_600_000

/** In a folder, writers take turns by a lock, and readers announce themselves by one that only they hold. */
export class FolderSharing implements Sharing {
  readonly #folder: string
  readonly #name: string
  /** Readers on other machines are found dead over two calls. */
  readonly #watched: Watched = new Map()

  /** @param folder where locks are */
  constructor(folder: string, name: string) {
    this.#folder = folder
    this.#name = name
  }

  readonly exclusive: Exclusive = (work, signal) =>
    withLock(join(this.#folder, `${this.#name}.lock`), signal, work)

  async hold(): Promise<() => Promise<void>> {
    const path = join(this.#folder, `${this.#name}.reading.${randomUUID()}.lock`)
    // A reader who may not write here is told when a file has gone.
    return takeLock(path, undefined).catch(() => async () => {})
  }

  async mayClean(): Promise<boolean> {
    const readers = (await readdir(this.#folder)).filter(
      (file) => file.startsWith(`${this.#name}.reading.`) && file.endsWith('.lock'),
    )
    for (const file of readers) {
      const release = await tryLock(join(this.#folder, file), this.#watched)
      if (!release) return false
      await release() // Its reader had died.
    }
    return this.#clocksAgree()
  }

  /**
   * A second fence, for a writer on another machine that stood still for so long that its lock was taken over: LanceDB
   * spares its files while they look young.
   */
  async #clocksAgree(): Promise<boolean> {
    const path = join(this.#folder, `.${this.#name}.${randomUUID()}.tmp`)
    try {
      await writeFile(path, '')
      return Math.abs((await stat(path)).mtimeMs - Date.now()) < CLOCKS_DIFFER
    } finally {
      await rm(path, { force: true })
    }
  }
}
