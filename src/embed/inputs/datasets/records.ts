// Reads the records of CSV, tab-separated and JSON lines files, each with its place.
import { PipiloError, parseJson } from '../../../base/index.ts'
import { type ByteLine, decodeText, readByteLines } from '../inputLines.ts'
import type { RawRow } from './columns.ts'
import { csvFields, csvRecords, type Fields, tabFields } from './csv.ts'

/** Forms of files with a record a row. */
export type RecordFormat = 'csv' | 'tsv' | 'jsonl'

/** A record of a file: its place, and its values or what is wrong with it. */
export interface FileRecord {
  /** Its first line, from 1. */
  readonly line: number
  readonly offset: number
  /** In bytes, without the newline. */
  readonly length: number
  readonly values: RawRow | { readonly problem: string }
}

/** Reads the bytes of one record, as {@link readRecords} does. */
export type ParseRecord = (bytes: Uint8Array) => RawRow | { readonly problem: string }

/** A file's records: the names of its columns, how to parse one again, and all of them in order. */
export interface Records {
  readonly names: readonly string[]
  readonly parse: ParseRecord
  readonly all: AsyncIterable<FileRecord>
}

/**
 * Opens the records of chunks of a file. Empty lines are no records, as in Python's `csv`; a row of one empty text is `""`.
 *
 * @throws PipiloError `FILE_EMPTY`, `FORMAT_INVALID` for a first line that names no columns
 */
export async function readRecords(
  chunks: AsyncIterable<Uint8Array>,
  format: RecordFormat,
  source: string,
): Promise<Records> {
  const { lines, separator } = await separated(readByteLines(chunks), format, source)
  const records = format === 'csv' ? csvRecords(lines, separator.charCodeAt(0)) : lines
  const iterator = withoutEmpty(records)[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) throw new PipiloError('FILE_EMPTY', `${source} holds no rows.`, { input: source })
  const head = first.value
  if (format === 'jsonl') {
    const values = jsonOf(head.bytes, head.line === 1)
    if ('problem' in values) throw noColumns(source, head.line, values.problem)
    const all = follow(iterator, jsonRow, placed(head, head.bytes!.length, values.row))
    return { names: Object.keys(values.object), parse: jsonRow, all }
  }
  const names = namesOf(fieldsOf(format, separator, head.bytes, head.line === 1), source, head.line)
  const parse: ParseRecord = (bytes) => tableRow(names, fieldsOf(format, separator, bytes))
  return { names, parse, all: follow(iterator, parse) }
}

/**
 * The lines, and what stands between the fields of CSV: a comma, or a semicolon where the line of names has no comma, as spreadsheets write it where
 * commas are decimal.
 */
async function separated(
  lines: AsyncIterable<ByteLine>,
  format: RecordFormat,
  source: string,
): Promise<{ lines: AsyncIterable<ByteLine>; separator: ',' | ';' }> {
  if (format !== 'csv') return { lines, separator: ',' }
  const iterator = lines[Symbol.asyncIterator]()
  let first = await iterator.next()
  while (!first.done && isEmpty(first.value)) first = await iterator.next()
  const all = (async function* () {
    if (!first.done) yield first.value
    yield* { [Symbol.asyncIterator]: () => iterator }
  })()
  const bytes = first.done ? undefined : first.value.bytes
  const fieldsBy = (separator: string) => {
    const found = csvFields(bytes, separator, true)
    return 'problem' in found ? 1 : found.fields.length
  }
  if (!bytes || fieldsBy(',') > 1) return { lines: all, separator: ',' }
  if (fieldsBy(';') > 1) return { lines: all, separator: ';' }
  if (fieldsBy('\t') > 1) {
    throw new PipiloError('FORMAT_INVALID', `${source} has tabs between its fields, not commas.`, {
      input: source,
      hint: 'Name it .tsv.',
    })
  }
  return { lines: all, separator: ',' }
}

const RETURN = 0x0d

async function* withoutEmpty(lines: AsyncIterable<ByteLine>): AsyncGenerator<ByteLine> {
  for await (const line of lines) if (!isEmpty(line)) yield line
}

const isEmpty = ({ bytes }: ByteLine): boolean =>
  bytes !== undefined && (bytes.length === 0 || (bytes.length === 1 && bytes[0] === RETURN))

async function* follow(
  iterator: AsyncIterator<ByteLine, void>,
  parse: ParseRecord,
  head?: FileRecord,
): AsyncGenerator<FileRecord> {
  if (head) yield head
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    const { bytes } = next.value
    yield placed(next.value, bytes?.length ?? 0, bytes ? parse(bytes) : { problem: 'is longer than 16 MB' })
  }
}

const placed = ({ line, offset }: ByteLine, length: number, values: FileRecord['values']): FileRecord => ({
  line,
  offset,
  length,
  values,
})

function fieldsOf(
  format: RecordFormat,
  separator: string,
  bytes: Uint8Array | undefined,
  first = false,
): Fields {
  return format === 'csv' ? csvFields(bytes, separator, first) : tabFields(bytes, first)
}

function namesOf(fields: Fields, source: string, line: number): string[] {
  if ('problem' in fields) throw noColumns(source, line, fields.problem)
  const names = fields.fields.map((name) => name.trim())
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw noColumns(source, line, `names the column '${twice}' twice`)
  return names
}

const noColumns = (source: string, line: number, problem: string): PipiloError =>
  new PipiloError('FORMAT_INVALID', `Line ${line} of ${source}, which names the columns, ${problem}.`, {
    input: `${source}:${line}`,
  })

function tableRow(names: readonly string[], fields: Fields): ReturnType<ParseRecord> {
  if ('problem' in fields) return fields
  const { length } = fields.fields
  if (length !== names.length) {
    return {
      problem: `has ${length} ${length === 1 ? 'field' : 'fields'}, and there are ${names.length} columns`,
    }
  }
  return (name) => fields.fields[names.indexOf(name)]
}

type JsonRow = { readonly object: object; readonly row: RawRow } | { readonly problem: string }

function jsonOf(bytes: Uint8Array | undefined, first = false): JsonRow {
  const decoded = decodeText(bytes, first)
  if ('problem' in decoded) return decoded
  let object: unknown
  try {
    object = parseJson(decoded.text)
  } catch {
    return { problem: 'is not JSON' }
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    return { problem: 'is no JSON object' }
  }
  const values = new Map(Object.entries(object))
  return { object, row: (name) => values.get(name) }
}

/** A first line may begin with a mark (BOM) when it is read again, too. */
function jsonRow(bytes: Uint8Array): ReturnType<ParseRecord> {
  const values = jsonOf(bytes, true)
  return 'problem' in values ? values : values.row
}
