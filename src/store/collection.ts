// Collections over any backend: checks rows, ids, vectors and filters before the backend sees them.
import { checkOptions, is, isPlainObject, type OptionTable, PipiloError, shownValue } from '../base/index.ts'
import type { Input } from '../embed/index.ts'
import type { BackendTable, StoredRow } from './backend.ts'
import { remembered, written } from './filesMemory.ts'
import { holdsAlways, isMetadataValue, isWellFormed, parseFilter, reserved, storedValue } from './filter.ts'
import { QueryModel } from './queryModel.ts'
import { searchOptionTypes, searchWith } from './searching.ts'
import type {
  Collection,
  CollectionOptions,
  Field,
  FilesMemory,
  Filter,
  Hit,
  Metadata,
  OptimizeOptions,
  Query,
  Row,
  SearchOptions,
  WriteOptions,
} from './types.ts'

/** Metadata keys a row may have; every new key makes a column. */
const MAX_KEYS = 256
const MAX_KEY_LENGTH = 256

/** A collection over any backend: checks what goes in, so that backends only see what they can store. */
export class CheckedCollection implements Collection {
  readonly name: string
  readonly #table: BackendTable
  readonly #onClose: () => void
  readonly #writing = new Set<Promise<unknown>>()
  readonly #model: QueryModel
  #closing: Promise<void> | undefined

  constructor(name: string, table: BackendTable, onClose: () => void, options: CollectionOptions = {}) {
    this.name = name
    this.#table = table
    this.#onClose = onClose
    this.#model = new QueryModel(name, table.info, options)
  }

  get dimensions() {
    return this.#table.info.dimensions
  }

  get recipe() {
    return this.#table.info.recipe
  }

  get identity() {
    return this.#table.info.identity
  }

  async upsert(rows: readonly Row[], options: WriteOptions = {}): Promise<void> {
    const table = this.#open()
    checkOptions<WriteOptions>('upsert', options, writeOptionTypes)
    if (!Array.isArray(rows)) throw noList('upsert', rows, 'rows')
    const last = new Map<string, StoredRow>()
    for (const [index, row] of rows.entries()) {
      checkId(row?.id, `Row ${index}`)
      if (row.id === '')
        throw new PipiloError('INPUT_INVALID', `Row ${index} has an empty id.`, { input: 'id' })
      const odd = Object.keys(row).find((name) => !['id', 'vector', 'metadata'].includes(name))
      if (odd !== undefined) {
        throw new PipiloError(
          'INPUT_INVALID',
          `Row ${JSON.stringify(row.id)} has a ${odd}, which no row has.`,
          {
            input: row.id,
            hint: `A row is { id, vector, metadata }; put it into the metadata: { ${odd}: … }.`,
          },
        )
      }
      const vector = checkVector(row.vector, this.dimensions, `Row ${JSON.stringify(row.id)}`, row.id)
      last.set(row.id, { id: row.id, vector, metadata: checkMetadata(row) })
    }
    if (last.size > 0) await this.#finish(table.upsert([...last.values()], options))
  }

  async search(query: Query, options: SearchOptions = {}): Promise<Hit[]> {
    const table = this.#open()
    checkOptions<SearchOptions>('search', options, searchOptionTypes)
    return searchWith(this.name, table, query, options, async (input) => {
      const vector =
        input instanceof Float32Array || Array.isArray(input)
          ? input
          : await this.#model.embed(input as { text: string } | { image: Input }, options.signal)
      return checkVector(vector as Float32Array, this.dimensions, 'The query')
    })
  }

  async get(ids: readonly string[]) {
    const found = await this.#open().get(checkIds('get', ids))
    return ids.map((id) => found.get(id))
  }

  async metadata(ids: readonly string[]): Promise<(Metadata | undefined)[]> {
    const found = await this.#open().metadata(checkIds('metadata', ids))
    return ids.map((id) => found.get(id))
  }

  async *rows(): AsyncGenerator<{ id: string; metadata: Metadata }> {
    yield* this.#open().rows()
  }

  async delete(which: readonly string[] | Filter, options: WriteOptions = {}): Promise<number> {
    const table = this.#open()
    checkOptions<WriteOptions>('delete', options, writeOptionTypes)
    if (isList(which))
      return checkIds('delete', which).length > 0 ? this.#finish(table.delete(which, options)) : 0
    const predicates = parseFilter(which)
    if (holdsAlways(predicates)) {
      throw new PipiloError('OPTION_INVALID', 'A filter without any condition would delete every row.', {
        hint: 'To delete the whole collection: store.drop(name).',
      })
    }
    return this.#finish(table.deleteWhere(predicates, options))
  }

  async count(): Promise<number> {
    return this.#open().count()
  }

  async fields(): Promise<Field[]> {
    return this.#open().fields()
  }

  async filesMemory(): Promise<FilesMemory | undefined> {
    const table = this.#open()
    return remembered(await table.note(), table.folder)
  }

  async rememberFiles(change: (before: FilesMemory | undefined) => FilesMemory): Promise<FilesMemory> {
    const table = this.#open()
    let memory: FilesMemory | undefined
    const note = (before: string | undefined) => {
      memory = change(remembered(before, table.folder))
      return written(memory, table.folder)
    }
    await this.#finish(table.changeNote(note))
    return memory!
  }

  async bytes(): Promise<number> {
    return this.#open().bytes()
  }

  async optimize(options: OptimizeOptions = {}): Promise<void> {
    const table = this.#open()
    checkOptions<OptimizeOptions>('optimize', options, { alone: is.flag })
    await this.#finish(table.optimize(options))
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#writing)
      .then(() => this.#table.close())
      .finally(() => this.#model.dispose())
      .finally(this.#onClose)
    return this.#closing
  }

  /** Lets `close` wait for a write. */
  async #finish<T>(write: Promise<T>): Promise<T> {
    this.#writing.add(write)
    try {
      return await write
    } finally {
      this.#writing.delete(write)
    }
  }

  #open(): BackendTable {
    if (this.#closing) {
      throw new PipiloError('DISPOSED', `The collection "${this.name}" has been closed.`, {
        hint: 'Open it again with store.collection().',
      })
    }
    return this.#table
  }
}

const isList = (which: readonly string[] | Filter): which is readonly string[] => Array.isArray(which)

const writeOptionTypes: OptionTable<WriteOptions> = { signal: is.abortSignal }

function noList(door: string, given: unknown, what: string): PipiloError {
  return new PipiloError('INPUT_INVALID', `${door} takes an array of ${what}, not ${shownValue(given)}.`, {
    input: what,
  })
}

function checkIds(door: string, ids: readonly string[]): readonly string[] {
  if (!Array.isArray(ids)) throw noList(door, ids, 'ids')
  ids.forEach((id, index) => {
    checkId(id, `Entry ${index} of the ids`)
  })
  return ids
}

function checkId(id: unknown, what: string): asserts id is string {
  if (typeof id === 'string' && isWellFormed(id)) return
  const wrong = typeof id === 'string' ? 'an id that is not valid Unicode' : `${typeof id} for an id`
  throw new PipiloError('INPUT_INVALID', `${what} has ${wrong}.`, { hint: 'An id is a string.' })
}

/** Vectors outside these lengths overflow or vanish when 32-bit floats are squared. */
const SHORTEST = 1e-18
const LONGEST = 1e18

export function checkVector(
  vector: Float32Array | readonly number[],
  dimensions: number,
  what: string,
  id?: string,
): Float32Array {
  const input = id === undefined ? {} : { input: id }
  if (!(vector instanceof Float32Array || Array.isArray(vector))) {
    throw new PipiloError(
      'INPUT_INVALID',
      `${what} has no vector: a Float32Array or a list of numbers.`,
      input,
    )
  }
  if (vector.length !== dimensions) {
    throw new PipiloError(
      'DIMENSION_MISMATCH',
      `${what} has a vector of ${vector.length} numbers; the collection holds vectors of ${dimensions}.`,
      { ...input, hint: 'Use the embedder that the collection was made with.' },
    )
  }
  // Float32Array.from would make numbers of null, true, '1' and [1].
  const odd = vector instanceof Float32Array ? -1 : vector.findIndex((value) => typeof value !== 'number')
  if (odd >= 0) {
    const value: unknown = vector[odd]
    throw new PipiloError('INPUT_INVALID', `${what} has a vector with ${kindOf(value)} at position ${odd}.`, {
      ...input,
      hint: 'A vector is a Float32Array or a list of numbers.',
    })
  }
  const floats = vector instanceof Float32Array ? vector : Float32Array.from(vector)
  let squares = 0
  for (let i = 0; i < floats.length; i++) squares += floats[i]! * floats[i]!
  const length = Math.sqrt(squares)
  if (!Number.isFinite(length)) {
    const place = floats.findIndex((value) => !Number.isFinite(value))
    throw new PipiloError(
      'INPUT_INVALID',
      `${what} has a vector with ${floats[place]} at position ${place}.`,
      input,
    )
  }
  if (length < SHORTEST || length > LONGEST) {
    const which = length === 0 ? 'a vector of zeros' : `a vector of length ${length.toExponential(1)}`
    throw new PipiloError('INPUT_INVALID', `${what} has ${which}, which has no cosine similarity.`, input)
  }
  return floats
}

function checkMetadata({ id, metadata = {} }: Row): Metadata {
  const fail = (
    what: string,
    hint = 'Metadata is a flat object of strings, finite numbers, booleans, dates and null.',
  ) =>
    new PipiloError('INPUT_INVALID', `The metadata of row ${JSON.stringify(id)} ${what}.`, {
      input: id,
      hint,
    })
  if (!isPlainObject(metadata)) throw fail(`is ${shownValue(metadata)}`)
  const entries = Object.entries(metadata)
  if (entries.length > MAX_KEYS) throw fail(`has ${entries.length} fields, more than ${MAX_KEYS}`)
  for (const entry of entries) {
    const [key, given] = entry
    if (reserved.includes(key)) {
      throw fail(
        `has a field ${JSON.stringify(key)}`,
        `"${reserved.join('" and "')}" are words of filters; call the field otherwise.`,
      )
    }
    if (key === '') throw fail("has a field's name that is empty")
    if (key.length > MAX_KEY_LENGTH) throw fail(`has a field's name of ${key.length} characters`)
    if (!isWellFormed(key)) throw fail("has a field's name that is not valid Unicode")
    const value = storedValue(given, `${JSON.stringify(key)} in the metadata of row ${JSON.stringify(id)}`)
    if (!isMetadataValue(value)) throw fail(`has ${describe(value)} in ${JSON.stringify(key)}`)
    entry[1] = value
  }
  return Object.fromEntries(entries) as Metadata
}

function describe(value: unknown): string {
  if (typeof value === 'string') return 'a string that is not valid Unicode'
  return typeof value === 'number' ? String(value) : kindOf(value)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value)
    ? 'a list'
    : value === undefined
      ? 'undefined'
      : `a value of type ${typeof value}`
}
