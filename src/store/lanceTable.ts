// One collection in LanceDB: writing, searching, reading, deleting rows.
import type { Table } from '@lancedb/lancedb'
import type { Table as ArrowTable, RecordBatch, Schema, Vector } from 'apache-arrow'
import { abortError, canonicalJson, PipiloError } from '../base/index.ts'
import type { BackendTable, CollectionInfo, Nearest, StoredRow } from './backend.ts'
import { checkFields, keysOf, type Predicate } from './filter.ts'
import { checkTypes } from './filterTypes.ts'
import {
  aboutOf,
  arrow,
  columnsOf,
  hasKey,
  infoOf,
  missingFields,
  noteFor,
  noteOf,
  primaryKey,
  toTable,
} from './lanceArrow.ts'
import { damaged, isVanished, lanceError, retrying } from './lanceErrors.ts'
import type { Sharing } from './lanceSharing.ts'
import { columnName, fieldsOf, sqlString, toSql } from './lanceSql.ts'
import { Upkeep } from './lanceUpkeep.ts'
import type { Field, Hit, Metadata, OptimizeOptions, WriteOptions } from './types.ts'

/** Bytes of vectors in one commit. */
const COMMIT_BYTES = 32 << 20
/** Ids in one SQL condition. */
const IDS_AT_ONCE = 1000
/** Every metadata key of a type is a column, so that filters can use it. */
const MOST_COLUMNS = 1000
/** Partitions of the index (of about 4,096 rows each) that a search reads. A filter thins them out, so it reads more. */
const PROBES = 64
const PROBES_FILTERED = 256
/** Times that a read is begun whose files are deleted under it. */
const READS = 5

/** A collection in LanceDB: one Lance dataset. */
export class LanceTable implements BackendTable {
  readonly info: CollectionInfo
  readonly folder: string | undefined
  readonly #table: Table
  readonly #sharing: Sharing
  readonly #isThere: () => Promise<boolean>
  readonly #upkeep: Upkeep
  /** The text by which the table says {@link info}, as it was last seen. */
  #about: string | undefined
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor(
    table: Table,
    info: CollectionInfo,
    sharing: Sharing,
    options: {
      readonly indexAt?: number
      readonly folder?: string | undefined
      /** False once the collection has been deleted. Default: it never is. */
      readonly isThere?: () => Promise<boolean>
    } = {},
  ) {
    this.folder = options.folder
    this.#isThere = options.isThere ?? (async () => true)
    this.#table = table
    this.info = info
    this.#sharing = sharing
    const exclusive = <T>(work: () => Promise<T>) => this.#queue(work)
    this.#upkeep = new Upkeep(table, { exclusive, mayClean: () => sharing.mayClean() }, options)
  }

  /** One write after the other, in the order of the calls; and of all handles and processes, one at a time. */
  #queue<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const result = this.#lastWrite.then(() =>
      this.#sharing.exclusive(() => {
        if (signal?.aborted) throw abortError(signal, ABORTED)
        begin()
        return work()
      }, signal),
    )
    this.#lastWrite = result.catch(() => {}).finally(begin)
    return signal ? Promise.race([result, abortOf(signal, begun)]) : result
  }

  async upsert(rows: readonly StoredRow[], { signal }: WriteOptions): Promise<void> {
    for (const slice of slices(rows, Math.max(1, Math.floor(COMMIT_BYTES / (4 * this.info.dimensions))))) {
      await this.#write(
        `${slice.length} rows could not be stored`,
        async () => {
          await this.#merge(slice)
          return slice.length
        },
        signal,
      )
    }
  }

  async #merge(rows: readonly StoredRow[]): Promise<void> {
    await this.#table.checkoutLatest()
    let schema = await this.#schemaFor(rows)
    for (;;) {
      await this.#table
        .mergeInsert('id')
        .whenMatchedUpdateAll()
        .whenNotMatchedInsertAll()
        .execute(toTable(rows, schema, this.info.dimensions))
      const now: Schema = await this.#table.schema()
      if (now.fields.length === schema.fields.length) return
      // Another process has just added a column: a row that we replaced would keep its old value there.
      schema = now
    }
  }

  /** The table's schema, after columns for metadata that is new in `rows` have been added. */
  async #schemaFor(rows: readonly StoredRow[]): Promise<Schema> {
    let schema = await this.#schema()
    if (!hasKey(schema)) {
      await this.#table.updateFieldMetadata([{ path: 'id', metadata: primaryKey }])
      schema = await this.#table.schema()
    }
    const missing = missingFields(rows, columnsOf(schema))
    if (missing.length > 0) {
      if (schema.fields.length + missing.length > MOST_COLUMNS) throw this.#tooManyKeys()
      const { Schema } = arrow()
      await this.#table.addColumns(new Schema(missing))
      schema = await this.#table.schema()
    }
    return schema
  }

  /**
   * The table's schema now.
   *
   * @throws `COLLECTION_MISMATCH` when the collection was deleted and made again for other vectors since it was opened
   */
  async #schema(): Promise<Schema> {
    const schema: Schema = await this.#table.schema()
    const text = aboutOf(schema)
    if (text !== undefined && text === this.#about) return schema
    const info = infoOf(schema)
    if (info && canonicalJson(info) === canonicalJson(this.info)) {
      this.#about = text
      return schema
    }
    throw new PipiloError(
      'COLLECTION_MISMATCH',
      `The collection "${this.#table.name}" was deleted and made again for vectors of another kind.`,
      { hint: 'Open it again with store.collection().' },
    )
  }

  #tooManyKeys(): PipiloError {
    return new PipiloError(
      'INPUT_INVALID',
      `The metadata of the collection "${this.#table.name}" has more than ${MOST_COLUMNS} different fields.`,
      { hint: 'Keep what differs from row to row in the values, not in the names of fields.' },
    )
  }

  async #write(failure: string, work: () => Promise<number>, signal?: AbortSignal): Promise<void> {
    const where = `in the collection "${this.#table.name}"`
    await this.#queue(async () => {
      try {
        const rows = await retrying(work)
        await this.#upkeep.written(rows)
      } catch (error) {
        throw await this.#failure(error, `${failure} ${where}`)
      }
    }, signal)
  }

  async search(vector: Float32Array, { k, predicates, exact, probes }: Nearest): Promise<Hit[]> {
    return this.#read('searched', async () => {
      const where = await this.#where(predicates)
      if (where === false) return []
      let query = this.#table.query().nearestTo(vector).distanceType('cosine')
      if (exact) query = query.bypassVectorIndex()
      else {
        query = query
          .maximumNprobes(0)
          .minimumNprobes(probes ?? (where === true ? PROBES : PROBES_FILTERED))
          // The index ranks by one bit a dimension: about 100 candidates are compared again by their full vectors.
          .refineFactor(Math.max(5, Math.ceil(100 / k)))
        if (probes !== undefined) query = query.maximumNprobes(probes)
      }
      query = query.select(['id', 'metadata', '_distance']).limit(k)
      if (where !== true) query = query.where(where)
      const cosine = (distance: number) => Math.max(-1, Math.min(1, 1 - distance))
      const found = query.toArrow()
      found.catch(() => {})
      // A filter has looked at the schema already; without one, that needs no time of its own. It goes first: of vectors
      // of another length LanceDB says only that they do not fit.
      if (predicates.length === 0) await this.#schema()
      return hitsOf(await found, '_distance', cosine)
    })
  }

  async searchText(words: string, field: string, { k, predicates }: Nearest): Promise<Hit[]> {
    const name = columnName('s', field)
    // Of a field without a single text there is nothing to build an index of.
    if (!columnsOf(await this.#schema()).has(name)) return []
    try {
      await this.#upkeep.fullText(name)
    } catch (error) {
      const what = `The words of the field ${JSON.stringify(field)} could not be indexed`
      throw await this.#failure(
        error,
        what,
        'The first search of words needs to write an index beside the rows.',
      )
    }
    return this.#read('searched', async () => {
      const where = await this.#where(predicates)
      if (where === false) return []
      const { MatchQuery } = await import('@lancedb/lancedb')
      let query = this.#table
        .query()
        .fullTextSearch(new MatchQuery(words, name))
        .select(['id', 'metadata', '_score'])
        .limit(k)
      if (where !== true) query = query.where(where)
      return hitsOf(await query.toArrow(), '_score', (score) => score)
    })
  }

  /** A filter as SQL, over the columns that there are now. */
  async #where(predicates: readonly Predicate[]): Promise<string | boolean> {
    if (predicates.length === 0) return true
    const columns = columnsOf(await this.#schema())
    const fields = fieldsIn(columns)
    // Of a collection that is empty nothing is known yet, and nothing is found.
    const known = fields.length > 0 || (await this.#table.countRows()) > 0
    const names = fields.map(({ name }) => name)
    if (known) checkFields(keysOf(predicates), names, this.#table.name)
    checkTypes(predicates, fields)
    return toSql(predicates, columns)
  }

  async note(): Promise<string | undefined> {
    return this.#read('read', async () => noteOf(await this.#schema()))
  }

  async changeNote(change: (before: string | undefined) => string): Promise<void> {
    await this.#write('What was read could not be remembered', async () => {
      await this.#table.checkoutLatest()
      const before = noteOf(await this.#schema())
      const note = change(before)
      if (note !== before) await this.#table.updateFieldMetadata([noteFor(note)])
      return 0
    })
  }

  async fields(): Promise<Field[]> {
    return this.#read('read', async () =>
      fieldsIn(columnsOf(await this.#schema())).sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
  }

  async get(ids: readonly string[]): Promise<Map<string, StoredRow>> {
    const found = new Map<string, StoredRow>()
    for await (const table of this.#select(ids, ['id', 'metadata', 'vector'])) {
      const vectors = column(table, 'vector')
      read(table).forEach((row, index) => {
        found.set(row.id, { ...row, vector: Float32Array.from(vectors.get(index).toArray()) })
      })
    }
    return found
  }

  async metadata(ids: readonly string[]): Promise<Map<string, Metadata>> {
    const found = new Map<string, Metadata>()
    for await (const table of this.#select(ids, ['id', 'metadata'])) {
      for (const row of read(table)) found.set(row.id, row.metadata)
    }
    return found
  }

  async *#select(ids: readonly string[], columns: string[]): AsyncGenerator<ArrowTable> {
    for (const slice of slices([...new Set(ids)], IDS_AT_ONCE)) {
      yield await this.#read('read', () =>
        this.#table.query().where(isOneOf(slice)).select(columns).toArrow(),
      )
    }
  }

  async *rows(): AsyncGenerator<{ id: string; metadata: Metadata }> {
    const release = await this.#sharing.hold()
    try {
      for await (const batch of this.#table.query().select(['id', 'metadata'])) yield* read(batch)
    } catch (error) {
      throw await this.#unreadable('read', error)
    } finally {
      await release()
    }
  }

  async delete(ids: readonly string[], options: WriteOptions): Promise<number> {
    let deleted = 0
    for (const slice of slices([...new Set(ids)], IDS_AT_ONCE))
      deleted += await this.#delete(async () => isOneOf(slice), options)
    return deleted
  }

  deleteWhere(predicates: readonly Predicate[], options: WriteOptions): Promise<number> {
    return this.#delete(() => this.#where(predicates), options)
  }

  async #delete(condition: () => Promise<string | boolean>, { signal }: WriteOptions): Promise<number> {
    let deleted = 0
    await this.#write(
      'Rows could not be deleted',
      async () => {
        await this.#table.checkoutLatest()
        const where = await condition()
        if (where !== false) deleted = (await this.#table.delete(String(where))).numDeletedRows
        return 0
      },
      signal,
    )
    return deleted
  }

  count(): Promise<number> {
    return this.#read('counted', () => this.#table.countRows())
  }

  async bytes(): Promise<number> {
    return this.#read('read', async () => (await this.#table.stats()).totalBytes)
  }

  optimize(options?: OptimizeOptions): Promise<void> {
    return this.#upkeep.now(options)
  }

  async close(): Promise<void> {
    await this.#lastWrite
    try {
      await this.#upkeep.settle()
    } finally {
      this.#table.close()
    }
  }

  /** A short read, which is begun anew when the files of its version are replaced and deleted by another process. */
  async #read<T>(verb: string, work: () => Promise<T>): Promise<T> {
    try {
      return await retrying(work, READS, isVanished)
    } catch (error) {
      throw await this.#unreadable(verb, error)
    }
  }

  #unreadable(verb: string, error: unknown): Promise<Error> {
    return this.#failure(error, `The collection "${this.#table.name}" could not be ${verb}`, damaged)
  }

  async #failure(error: unknown, sentence: string, hint?: string): Promise<PipiloError> {
    const { name } = this.#table
    if (error instanceof PipiloError || (await this.#isThere().catch(() => true)))
      return lanceError(error, sentence, hint)
    return new PipiloError(
      'COLLECTION_UNKNOWN',
      `The collection "${name}" was deleted since it was opened.`,
      {
        input: name,
        hint: 'Make it again with store.collection().',
        cause: error,
      },
    )
  }
}

const ABORTED = 'Waiting for other writers was stopped; nothing more was written.'

/** Fails when the signal comes before the work has begun; after that, never ends. */
function abortOf(signal: AbortSignal, begun: Promise<void>): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(abortError(signal, ABORTED))
    begun.then(() => signal.removeEventListener('abort', stop))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

const types = { n: 'number', s: 'string', b: 'boolean' } as const

const fieldsIn = (columns: Iterable<string>): Field[] =>
  Array.from(fieldsOf(columns), ([name, kinds]) => ({
    name,
    types: kinds.flatMap((kind) => (kind === 'z' ? [] : [types[kind]])),
  }))

const isOneOf = (ids: readonly string[]): string => `id IN (${ids.map(sqlString).join(', ')})`

function* slices<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < all.length; start += size) yield all.slice(start, start + size)
}

function column(table: ArrowTable | RecordBatch, name: string): Vector {
  return table.getChild(name)!
}

function read(table: ArrowTable | RecordBatch): { id: string; metadata: Metadata }[] {
  const ids = column(table, 'id')
  const metadata = column(table, 'metadata')
  return Array.from({ length: table.numRows }, (_, index) => ({
    id: ids.get(index) as string,
    metadata: JSON.parse(metadata.get(index) as string) as Metadata,
  }))
}

/** Hits in the order in which LanceDB ranks them, with a score made of what it ranks by. */
function hitsOf(table: ArrowTable, by: '_distance' | '_score', score: (value: number) => number): Hit[] {
  const values = column(table, by)
  return read(table).map(({ id, metadata }, index) => ({
    id,
    score: score(values.get(index) as number),
    metadata,
  }))
}
