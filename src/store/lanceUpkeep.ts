// Upkeep of a LanceDB table: merging small files, and building the vector index.
import type { Table } from '@lancedb/lancedb'
import type { PipiloError } from '../base/index.ts'
import { isConflict, lanceError, retrying } from './lanceErrors.ts'

/** LanceDB's name of the index of the column `vector`. */
const indexName = 'vector_idx'
/**
 * Rows from which a collection gets an index (`bench/store.ts` prints the table behind it). Below, a search without one
 * takes about 10 ms at 384 dimensions and is exact; above, the index takes 0.1 s a 20,000 rows to build.
 */
const INDEX_AT = 20_000
/** Writes since the last time after which small files are merged, if what they wrote is a share of the table. */
const FEW_WRITES = 32
/** Writes after which they are merged in any case, so that files never number more than about this. */
const MANY_WRITES = 256
/** Share of the rows that may be new before they are merged and added to the index; until then they are searched flat. */
const SHARE = 0.1
/** How long replaced files stay for those, in any process, who are still reading them. */
const KEEP_OLD_MS = 20_000

/**
 * Keeps a LanceDB table in order while it is written to: builds its index when it has grown, adds new rows to the
 * index, merges small files, deletes replaced ones. All in the background, one thing at a time.
 */
export class Upkeep {
  readonly #table: Table
  readonly #exclusive: <T>(work: () => Promise<T>) => Promise<T>
  readonly #indexAt: number
  #writes: number | undefined
  #newRows = 0
  #rows = 0
  #indexed = false
  #running: Promise<void> | undefined
  #failure: PipiloError | undefined

  /** `exclusive` runs work while nothing else in this process writes to the table. */
  constructor(
    table: Table,
    exclusive: <T>(work: () => Promise<T>) => Promise<T>,
    options: { readonly indexAt?: number } = {},
  ) {
    this.#table = table
    this.#exclusive = exclusive
    this.#indexAt = options.indexAt ?? INDEX_AT
  }

  /** To be called after every write; starts work when enough has gathered. Never throws: the write has succeeded. */
  async written(rows: number): Promise<void> {
    try {
      this.#newRows += rows
      // A first look counts what was just written.
      if (this.#writes === undefined) this.#writes = await this.#look()
      else {
        this.#writes++
        this.#rows += rows
      }
    } catch (error) {
      this.#failure = this.#failed(error)
    }
    if (!this.#running && this.#isDue()) {
      this.#running = this.#run().finally(() => {
        this.#running = undefined
      })
    }
  }

  #isDue(): boolean {
    const writes = this.#writes ?? 0
    if (!this.#indexed && this.#rows >= this.#indexAt) return true
    if (this.#indexed && this.#newRows >= Math.max(this.#indexAt, SHARE * this.#rows)) return true
    return writes >= MANY_WRITES || (writes >= FEW_WRITES && this.#newRows >= SHARE * this.#rows)
  }

  /**
   * Learns how large the table is, and returns how many small files it has. Those that earlier processes left count as
   * writes of this one: many short runs must not pile them up.
   */
  async #look(): Promise<number> {
    const { numRows, fragmentStats } = await this.#table.stats()
    this.#rows = numRows
    this.#indexed = (await this.#table.indexStats(indexName)) !== undefined
    return fragmentStats.numSmallFragments
  }

  async #run(): Promise<void> {
    try {
      try {
        await this.#work()
      } catch (error) {
        // Rows that were replaced meanwhile lie in the files being merged: then the writers have to wait for once.
        if (!isConflict(error)) throw error
        await this.#exclusive(() => retrying(() => this.#work(), 3))
      }
      this.#failure = undefined
    } catch (error) {
      // Another process is still writing: the upkeep is due again after the next writes.
      if (isConflict(error)) return
      this.#failure = this.#failed(error)
    }
  }

  #failed(error: unknown): PipiloError {
    return lanceError(
      error,
      `The index of the collection "${this.#table.name}" could not be brought up to date`,
    )
  }

  async #work(): Promise<void> {
    this.#writes = 0
    this.#newRows = 0
    await this.#look()
    if (!this.#indexed && this.#rows >= this.#indexAt) {
      const { Index } = await import('@lancedb/lancedb')
      await this.#table.createIndex('vector', {
        config: Index.ivfRq({ distanceType: 'cosine' }),
        replace: true,
      })
      this.#indexed = true
    }
    await this.#table.optimize({ cleanupOlderThan: new Date(Date.now() - KEEP_OLD_MS) })
  }

  /** Does now what would otherwise be done some time later. */
  async now(): Promise<void> {
    await this.#running
    try {
      await this.#exclusive(() => retrying(() => this.#work()))
      this.#failure = undefined
    } catch (error) {
      throw lanceError(error, `The collection "${this.#table.name}" could not be optimised`)
    }
  }

  /** Waits for what is under way; throws what failed in the background and was not made good since. */
  async settle(): Promise<void> {
    await this.#running
    const failure = this.#failure
    this.#failure = undefined
    if (failure) throw failure
  }
}
