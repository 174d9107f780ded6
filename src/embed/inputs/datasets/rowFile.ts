// Data sets in CSV, tab-separated and JSON lines files, whose rows stay in their file.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileError, fill } from '../../../base/files/index.ts'
import { PipiloError, throwIfAborted } from '../../../base/index.ts'
import {
  type Columns,
  columnNames,
  findColumns,
  invalid,
  type RawRow,
  readRow,
  type UnlabelledRow,
} from './columns.ts'
import { datasetOf, hashAfter } from './dataset.ts'
import { LabelCollector } from './labels.ts'
import { type ParseRecord, type RecordFormat, readRecords } from './records.ts'
import type { Dataset, DatasetRow, ReadDatasetOptions, SkippedRow } from './types.ts'

/** Places of rows in their file: 16 bytes a row, so that files larger than memory can be read at random. */
class Places {
  offsets = new Float64Array(1024)
  lengths = new Uint32Array(1024)
  lines = new Uint32Array(1024)
  length = 0

  add(offset: number, length: number, line: number): void {
    if (this.length === this.offsets.length) {
      this.offsets = grown(this.offsets, new Float64Array(2 * this.length))
      this.lengths = grown(this.lengths, new Uint32Array(2 * this.length))
      this.lines = grown(this.lines, new Uint32Array(2 * this.length))
    }
    this.offsets[this.length] = offset
    this.lengths[this.length] = length
    this.lines[this.length++] = line
  }
}

function grown<A extends Float64Array | Uint32Array>(from: A, into: A): A {
  into.set(from)
  return into
}

/**
 * Opens a file with a row a record. It is read through once, and every row is checked; after that the rows that are asked for are read.
 *
 * @param name of the file in errors
 */
export async function readRowFile(
  path: string,
  name: string,
  format: RecordFormat,
  options: ReadDatasetOptions,
): Promise<Dataset> {
  try {
    return await openRowFile(path, name, format, options)
  } catch (error) {
    throwIfAborted(options.signal)
    throw fileError(error, name, 'read')
  }
}

async function openRowFile(
  path: string,
  name: string,
  format: RecordFormat,
  options: ReadDatasetOptions,
): Promise<Dataset> {
  const version = await versionOf(path)
  const digest = createHash('sha256')
  const { names, parse, all } = await readRecords(hashed(path, digest, options.signal), format, name)
  const columns = findColumns(names, options, name)
  const reader = { textual: format !== 'jsonl', place: placeBeside(path) }
  const places = new Places()
  const labels = new LabelCollector(options)
  const skipped: SkippedRow[] = []
  for await (const { line, offset, length, values } of all) {
    const where = `Line ${line} of ${name}`
    try {
      if (typeof values !== 'function') throw invalid(where, values.problem)
      if (format === 'jsonl') refuseNew(values, columns, where)
      const { label } = readRow(values, columns, reader, where)
      if (label !== undefined) labels.add(label, where)
      places.add(offset, length, line)
    } catch (error) {
      if (options.onError !== 'skip' || !(error instanceof PipiloError)) throw error
      skipped.push({ name: `${name}:${line}`, error })
    }
  }
  if (places.length === 0) throw noRows(name, skipped)
  const where = (index: number) => `Line ${places.lines[index]} of ${name}`
  const toRow = (values: RawRow, index: number) => readRow(values, columns, reader, where(index))
  return datasetOf({
    name,
    columns: [...columns.keys()],
    length: places.length,
    ...(columns.has('label') && { labels: labels.finish(reader.textual) }),
    skipped,
    nameOf: (index) => `${name}:${places.lines[index]}`,
    read: (indices) => readRows({ path, name, version, places, parse, toRow }, indices),
    hash: (rows) => hashAfter(digest.copy().digest('hex'), columns.has('image') ? rows : undefined),
  })
}

const noRows = (name: string, skipped: readonly SkippedRow[]): PipiloError =>
  new PipiloError('FILE_EMPTY', `${name} holds no rows${skipped.length > 0 ? ' that can be read' : ''}.`, {
    input: name,
    cause: skipped[0]?.error,
  })

/** The first row says which columns there are: a later one must not bring a value that nobody would read. */
function refuseNew(values: RawRow, columns: Columns, where: string): void {
  const used = new Set(columns.values())
  const other = columnNames.find(
    (name) => !columns.has(name) && !used.has(name) && values(name) !== undefined && !optional.has(name),
  )
  if (other) throw invalid(where, `has a column ${other}, which the first row does not have`)
}

/** Columns that describe a row, and that training does without. */
const optional: ReadonlySet<string> = new Set(['id', 'title'])

/** Makes paths of pictures absolute; a scheme has two letters at least, so that drives of Windows are none. */
const placeBeside =
  (path: string) =>
  (image: string): string =>
    /^[a-z][a-z0-9+.-]+:/i.test(image) ? image : resolve(dirname(path), image)

async function* hashed(
  path: string,
  digest: ReturnType<typeof createHash>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) {
    throwIfAborted(signal)
    digest.update(chunk)
    yield chunk
  }
}

const versionOf = async (path: string): Promise<string> => versionIn(await stat(path))

const versionIn = ({ size, mtimeMs }: { size: number; mtimeMs: number }): string => `${size}/${mtimeMs}`

interface RowFile {
  readonly path: string
  readonly name: string
  readonly version: string
  readonly places: Places
  readonly parse: ParseRecord
  readonly toRow: (values: RawRow, index: number) => UnlabelledRow
}

async function readRows(file: RowFile, indices: ArrayLike<number>): Promise<DatasetRow[]> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file.path)
    if (versionIn(await handle.stat()) !== file.version) throw changed(file.name)
    const rows = new Array<DatasetRow>(indices.length)
    for (const { first, count, order } of stretches(file.places, indices)) {
      const bytes = await readStretch(handle, file, first, count)
      const start = file.places.offsets[first]!
      for (const at of order) {
        const index = indices[at]!
        const from = file.places.offsets[index]! - start
        const values = file.parse(bytes.subarray(from, from + file.places.lengths[index]!))
        if (typeof values !== 'function') throw changed(file.name)
        rows[at] = file.toRow(values, index) as DatasetRow
      }
    }
    return rows
  } catch (error) {
    throw fileError(error, file.name, 'read')
  } finally {
    await handle?.close()
  }
}

const changed = (name: string): PipiloError =>
  new PipiloError('CHECKSUM_MISMATCH', `${name} has changed since it was opened.`, {
    input: name,
    hint: 'Read it again: its rows lie elsewhere now.',
  })

/** Rows that follow each other in the file, and the places among the indices that ask for them. */
interface Stretch {
  readonly first: number
  count: number
  readonly order: number[]
}

/** Longest stretch that is read at once, in bytes. */
const STRETCH = 1 << 20

function stretches({ offsets, lengths }: Places, indices: ArrayLike<number>): Stretch[] {
  const order = Array.from(indices, (_, at) => at).sort((a, b) => indices[a]! - indices[b]!)
  const all: Stretch[] = []
  for (const at of order) {
    const index = indices[at]!
    const last = all.at(-1)
    const end = last && last.first + last.count
    const fits = last && offsets[index]! + lengths[index]! - offsets[last.first]! <= STRETCH
    if (last && index === end! - 1) last.order.push(at)
    else if (last && index === end && fits) {
      last.count++
      last.order.push(at)
    } else all.push({ first: index, count: 1, order: [at] })
  }
  return all
}

async function readStretch(handle: FileHandle, { name, places }: RowFile, first: number, count: number) {
  const last = first + count - 1
  const start = places.offsets[first]!
  const bytes = new Uint8Array(places.offsets[last]! + places.lengths[last]! - start)
  if ((await fill(handle, bytes, start)) < bytes.length) throw changed(name)
  return bytes
}
