// Upkeep of a LanceDB table: merging small files, deleting replaced ones, building and refreshing indices.
import { randomUUID } from 'node:crypto'
import type { Table } from '@lancedb/lancedb'
import type { PipiloError } from '../base/index.ts'
import { isConflict, isTagged, isVanished, lanceError, retrying } from './lanceErrors.ts'
import type { Sharing } from './lanceSharing.ts'

/** LanceDB's name of the index of the column `vector`. */
const vectorIndex = 'vector_idx'
/** LanceDB's kind of index for full text. */
const FULL_TEXT = 'FTS'
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
/** For how long, and of how many versions, replaced files stay, so that short reads seldom have to be done again. */
const KEEP_OLD_MS = 20_000
const KEEP_OLD = 32
/** By how much a version may be of the future before its time counts for nothing. */
const AHEAD_MS = 60_000
/** Characters of a word that can be found; LanceDB's default of 40 leaves out hashes and addresses. */
const LONGEST_WORD = 1000
/** A time by which every version is old. */
const FAR = new Date('9999-01-01T00:00:00Z')
const TAG = 'pipilo-'

/**
 * Keeps a LanceDB table in order while it is written to: builds its index when it has grown, adds new rows to the
 * index, merges small files, deletes replaced ones. All in the background, one thing at a time, and in turns with all
 * who write, in whatever process: files of theirs that are not committed yet look like rubbish.
 *
 * `id` has no index, though looking for ids and merging would be fast with one: LanceDB's merges by an indexed key change nothing now and then,
 * and say nothing (https://github.com/lancedb/lancedb/issues/3515, https://github.com/lancedb/lancedb/issues/3177).
 */
export class Upkeep {
  readonly #table: Table
  readonly #sharing: Pick<Sharing, 'exclusive' | 'mayClean'>
  readonly #indexAt: number
  #writes: number | undefined
  #newRows = 0
  #rows = 0
  #indexed = false
  #running: Promise<void> | undefined
  #failure: PipiloError | undefined

  constructor(
    table: Table,
    sharing: Pick<Sharing, 'exclusive' | 'mayClean'>,
    options: { readonly indexAt?: number } = {},
  ) {
    this.#table = table
    this.#sharing = sharing
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
    if (this.#indexed && this.#newRows >= this.#manyRows()) return true
    return writes >= MANY_WRITES || (writes >= FEW_WRITES && this.#newRows >= SHARE * this.#rows)
  }

  #manyRows(): number {
    return Math.max(this.#indexAt, SHARE * this.#rows)
  }

  /**
   * Learns how large the table is, and returns how many small files it has. Those that earlier processes left count as
   * writes of this one: many short runs must not pile them up.
   */
  async #look(): Promise<number> {
    const { numRows, fragmentStats } = await this.#table.stats()
    this.#rows = numRows
    this.#indexed = (await this.#table.indexStats(vectorIndex)) !== undefined
    return fragmentStats.numSmallFragments
  }

  async #run(): Promise<void> {
    try {
      await this.#inTurn(() => this.#work(), 3)
      this.#failure = undefined
    } catch (error) {
      // Another process is still writing: the upkeep is due again after the next writes.
      if (isConflict(error)) return
      this.#failure = this.#failed(error)
    }
  }

  #inTurn(work: () => Promise<void>, attempts?: number): Promise<void> {
    const onNewest = async () => {
      await this.#table.checkoutLatest()
      await work()
    }
    // LanceDB reads all tags; without turns, another's goes meanwhile.
    return this.#sharing.exclusive(() =>
      retrying(onNewest, attempts, (error) => isConflict(error) || isVanished(error)),
    )
  }

  #failed(error: unknown): PipiloError {
    return lanceError(
      error,
      `The index of the collection "${this.#table.name}" could not be brought up to date`,
    )
  }

  async #work(alone = false): Promise<void> {
    this.#writes = 0
    this.#newRows = 0
    await this.#look()
    if (!this.#indexed && this.#rows >= this.#indexAt) {
      await this.#build('vector')
      this.#indexed = true
    }
    const clean = alone || (await this.#sharing.mayClean())
    if (!(clean ? await this.#clean(alone) : await this.#merge())) await this.#refresh()
  }

  /** Merges small files, deletes what no one can be reading, adds new rows to the indices. False if somebody's tag was in the way. */
  async #clean(alone: boolean): Promise<boolean> {
    const tags = await this.#table.tags()
    for (const name of Object.keys(await tags.list())) {
      if (name.startsWith(TAG)) await tags.delete(name) // Of a process that was killed.
    }
    return this.#optimize(alone ? FAR : await this.#oldSince())
  }

  /** Time before which versions are old. What readers need is not decided by it: see {@link Sharing}. */
  async #oldSince(): Promise<Date> {
    const now = Date.now()
    const times = (await this.#table.listVersions())
      .sort((a, b) => b.version - a.version)
      .map(({ timestamp }) => timestamp.getTime())
    // Versions of a clock that was ahead would stay until their time has come.
    if (times.some((time) => time > now + AHEAD_MS)) return FAR
    return new Date(Math.max(now - KEEP_OLD_MS, times[KEEP_OLD] ?? 0))
  }

  /**
   * Merges small files and deletes none. LanceDB's `optimize` always goes on to delete: it refuses, before it has looked at a single file,
   * where that would take a version that has a tag. So an old one gets a tag.
   */
  async #merge(): Promise<boolean> {
    const tags = await this.#table.tags()
    const name = `${TAG}${randomUUID()}`
    await tags.create(name, await this.#table.version())
    try {
      // The newest version is never old: this commits one after it.
      await this.#table.updateFieldMetadata([{ path: 'metadata', metadata: { [TAG]: name } }])
      return await this.#optimize(FAR)
    } finally {
      await tags.delete(name)
    }
  }

  /** False if a tag kept it from deleting; then the indices are as they were. */
  async #optimize(cleanupOlderThan: Date): Promise<boolean> {
    try {
      await this.#table.optimize({ cleanupOlderThan })
      return true
    } catch (error) {
      if (!isTagged(error)) throw error
      return false
    }
  }

  /** Builds those indices again that many rows are not in. */
  async #refresh(): Promise<void> {
    for (const { columns, numUnindexedRows = 0 } of await this.#table.listIndices()) {
      if (numUnindexedRows >= this.#manyRows()) await this.#build(columns[0]!)
    }
  }

  async #build(column: string): Promise<void> {
    const { Index } = await import('@lancedb/lancedb')
    const config =
      column === 'vector'
        ? Index.ivfRq({ distanceType: 'cosine' })
        : Index.fts({
            // Words by Unicode's rules (UAX 29), and by dictionary where a script writes none apart; the types do not name it.
            baseTokenizer: 'icu' as 'simple',
            maxTokenLength: LONGEST_WORD,
            stem: false,
            removeStopWords: false,
            asciiFolding: true,
            withPosition: false,
          })
    await this.#table.createIndex(column, { config, replace: true })
  }

  /** Builds the index of a column's words if there is none. */
  async fullText(column: string): Promise<void> {
    const isThere = async () =>
      (await this.#table.listIndices()).some(
        ({ columns, indexType }) => columns[0] === column && indexType === FULL_TEXT,
      )
    if (await isThere()) return
    await this.#inTurn(async () => {
      if (!(await isThere())) await this.#build(column)
    })
  }

  /** Does now what would otherwise be done some time later. `alone` says that nobody else uses the table. */
  async now({ alone = false }: { readonly alone?: boolean } = {}): Promise<void> {
    await this.#running
    try {
      await this.#inTurn(() => this.#work(alone), 20)
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
