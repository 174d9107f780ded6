// Collections over any backend: checks rows, ids, vectors and filters before the backend sees them.
import { PipiloError } from '../base/index.ts'
import type { BackendTable, StoredRow } from './backend.ts'
import { isMetadataValue, isWellFormed, parseFilter } from './filter.ts'
import type { Collection, Hit, Metadata, Row, SearchOptions, WriteOptions } from './types.ts'

/** Metadata keys a row may have; every new key makes a column. */
const MAX_KEYS = 256
const MAX_KEY_LENGTH = 256

/** A collection over any backend: checks what goes in, so that backends only see what they can store. */
export class CheckedCollection implements Collection {
  readonly name: string
  readonly #table: BackendTable
  readonly #onClose: () => void
  readonly #writing = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  constructor(name: string, table: BackendTable, onClose: () => void) {
    this.name = name
    this.#table = table
    this.#onClose = onClose
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
    const last = new Map<string, StoredRow>()
    for (const [index, row] of rows.entries()) {
      checkId(row?.id, `Row ${index}`)
      const vector = checkVector(row.vector, this.dimensions, `Row ${JSON.stringify(row.id)}`, row.id)
      last.set(row.id, { id: row.id, vector, metadata: checkMetadata(row) })
    }
    if (last.size > 0) await this.#finish(table.upsert([...last.values()], options))
  }

  async search(vector: Float32Array | readonly number[], options: SearchOptions = {}): Promise<Hit[]> {
    const table = this.#open()
    const { k = 10, filter = {} } = options
    if (!Number.isInteger(k) || k < 1) {
      throw new PipiloError('OPTION_INVALID', `k is ${k}; it is the number of hits, 1 or more.`)
    }
    return table.search(checkVector(vector, this.dimensions, 'The query'), k, parseFilter(filter))
  }

  async get(ids: readonly string[]) {
    const found = await this.#open().get(checkIds(ids))
    return ids.map((id) => found.get(id))
  }

  async metadata(ids: readonly string[]): Promise<(Metadata | undefined)[]> {
    const found = await this.#open().metadata(checkIds(ids))
    return ids.map((id) => found.get(id))
  }

  async *rows(): AsyncGenerator<{ id: string; metadata: Metadata }> {
    yield* this.#open().rows()
  }

  async delete(ids: readonly string[], options: WriteOptions = {}): Promise<void> {
    const table = this.#open()
    if (checkIds(ids).length > 0) await this.#finish(table.delete(ids, options))
  }

  async count(): Promise<number> {
    return this.#open().count()
  }

  async optimize(): Promise<void> {
    await this.#finish(this.#open().optimize())
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#writing)
      .then(() => this.#table.close())
      .finally(this.#onClose)
    return this.#closing
  }

  /** Lets `close` wait for a write. */
  async #finish(write: Promise<void>): Promise<void> {
    this.#writing.add(write)
    try {
      await write
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

function checkIds(ids: readonly string[]): readonly string[] {
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
  const entries = Object.entries(metadata)
  const fail = (what: string) =>
    new PipiloError('INPUT_INVALID', `The metadata of row ${JSON.stringify(id)} ${what}.`, {
      input: id,
      hint: 'Metadata is a flat object of strings, finite numbers, booleans and null.',
    })
  if (entries.length > MAX_KEYS) throw fail(`has ${entries.length} fields, more than ${MAX_KEYS}`)
  for (const [key, value] of entries) {
    if (key.length > MAX_KEY_LENGTH) throw fail(`has a field's name of ${key.length} characters`)
    if (!isWellFormed(key)) throw fail("has a field's name that is not valid Unicode")
    if (!isMetadataValue(value)) throw fail(`has ${describe(value)} in ${JSON.stringify(key)}`)
  }
  return metadata
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
