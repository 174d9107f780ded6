// One collection in LanceDB: writing, searching, reading, deleting rows.
import type { Table } from '@lancedb/lancedb'
import type { Table as ArrowTable, RecordBatch, Schema, Vector } from 'apache-arrow'
import { abortError, PipiloError } from '../base/index.ts'
import type { BackendTable, CollectionInfo, StoredRow } from './backend.ts'
import type { Predicate } from './filter.ts'
import { arrow, columnsOf, hasKey, missingFields, primaryKey, toTable } from './lanceArrow.ts'
import { damaged, lanceError, retrying } from './lanceErrors.ts'
import { sqlString, toSql } from './lanceSql.ts'
import { Upkeep } from './lanceUpkeep.ts'
import type { Hit, Metadata, WriteOptions } from './types.ts'

/** Bytes of vectors in one commit. */
const COMMIT_BYTES = 32 << 20
/** Ids in one SQL condition. */
const IDS_AT_ONCE = 1000
/** Every metadata key of a type is a column, so that filters can use it. */
const MOST_COLUMNS = 1000
/** Partitions of the index (of about 4,096 rows each) that a search reads. A filter thins them out, so it reads more. */
const PROBES = 64
const PROBES_FILTERED = 256

/** Runs work while nobody else writes to the collection; a signal ends the waiting for that. */
export type Exclusive = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>

/** A collection in LanceDB: one Lance dataset. */
export class LanceTable implements BackendTable {
  readonly info: CollectionInfo
  readonly #table: Table
  readonly #exclusive: Exclusive
  readonly #upkeep: Upkeep
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor(
    table: Table,
    info: CollectionInfo,
    exclusive: Exclusive,
    options: { readonly indexAt?: number } = {},
  ) {
    this.#table = table
    this.info = info
    this.#exclusive = exclusive
    this.#upkeep = new Upkeep(table, (work) => this.#queue(work), options)
  }

  /** One write after the other, in the order of the calls; and of all handles and processes, one at a time. */
  #queue<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const result = this.#lastWrite.then(() =>
      this.#exclusive(() => {
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
    let schema: Schema = await this.#table.schema()
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
        throw lanceError(error, `${failure} ${where}`)
      }
    }, signal)
  }

  async search(vector: Float32Array, k: number, predicates: readonly Predicate[]): Promise<Hit[]> {
    return this.#read('searched', async () => {
      const where = predicates.length === 0 || toSql(predicates, columnsOf(await this.#table.schema()))
      if (where === false) return []
      let query = this.#table
        .query()
        .nearestTo(vector)
        .distanceType('cosine')
        .maximumNprobes(0)
        .minimumNprobes(where === true ? PROBES : PROBES_FILTERED)
        // The index ranks by one bit a dimension: about 100 candidates are compared again by their full vectors.
        .refineFactor(Math.max(5, Math.ceil(100 / k)))
        .select(['id', 'metadata', '_distance'])
        .limit(k)
      if (where !== true) query = query.where(where)
      const table: ArrowTable = await query.toArrow()
      const distances = column(table, '_distance')
      return read(table).map((row, index) => ({
        id: row.id,
        score: Math.max(-1, Math.min(1, 1 - (distances.get(index) as number))),
        metadata: row.metadata,
      }))
    })
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
    try {
      for await (const batch of this.#table.query().select(['id', 'metadata'])) yield* read(batch)
    } catch (error) {
      throw this.#unreadable('read', error)
    }
  }

  async delete(ids: readonly string[], { signal }: WriteOptions): Promise<void> {
    for (const slice of slices([...new Set(ids)], IDS_AT_ONCE)) {
      await this.#write(
        `${slice.length} rows could not be deleted`,
        async () => {
          await this.#table.delete(isOneOf(slice))
          return 0
        },
        signal,
      )
    }
  }

  count(): Promise<number> {
    return this.#read('counted', () => this.#table.countRows())
  }

  optimize(): Promise<void> {
    return this.#upkeep.now()
  }

  async close(): Promise<void> {
    await this.#lastWrite
    try {
      await this.#upkeep.settle()
    } finally {
      this.#table.close()
    }
  }

  async #read<T>(verb: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#unreadable(verb, error)
    }
  }

  #unreadable(verb: string, error: unknown): Error {
    return lanceError(error, `The collection "${this.#table.name}" could not be ${verb}`, damaged)
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
