// Rows of CSV, tab-separated text, JSON lines and Parquet as blocks.
import { PipiloError, parseJson } from '../../../base/index.ts'
import { readRecords } from '../datasets/records.ts'
import { readLines } from '../inputLines.ts'
import { checkUnpacked, type DecodeOptions, encoded, type TextFile, textOf } from './decode.ts'
import type { Block } from './types.ts'

/** Columns that are embedded where there are such and no others are asked for. */
const usual = ['title', 'text']

/** A row of a file that is none: named by its line. */
export interface BadRow {
  readonly line: number
  readonly error: PipiloError
}

interface RowOptions extends DecodeOptions {
  readonly columns?: readonly string[]
}

/** Rows of CSV and tab-separated text, each a block: the values of some columns, or of all of them with their names. */
export async function* tableBlocks(
  file: TextFile,
  format: 'csv' | 'tsv',
  { columns, ...options }: RowOptions,
): AsyncGenerator<Block | BadRow> {
  const { names, all } = await readRecords(encoded(textOf(file, options)), format, file.id)
  const chosen = chooseColumns(names, columns, file.id)
  for await (const { line, values } of all) {
    if (typeof values === 'function') yield rowBlock(chosen, values, line)
    else yield bad(file.id, line, values.problem)
  }
}

/** Rows of JSON lines: objects, of which each has its own names, or texts. */
export async function* jsonBlocks(
  file: TextFile,
  { columns, ...options }: RowOptions,
): AsyncGenerator<Block | BadRow> {
  for await (const { line, text, problem } of readLines(encoded(textOf(file, options)))) {
    if (text?.trim() === '') continue
    const row = text === undefined ? undefined : parsed(text)
    if (problem !== undefined) yield bad(file.id, line, problem)
    else if (typeof row === 'string') yield { text: row, line, endLine: line, sections: [], alone: true }
    else if (!row) yield bad(file.id, line, 'is no JSON object')
    else if (columns && !columns.some((name) => Object.hasOwn(row, name))) {
      yield bad(file.id, line, `has none of the columns ${columns.join(', ')}`)
    } else {
      const names = Object.keys(row)
      const chosen = columns ? { names: columns, labelled: false } : chooseColumns(names, undefined, file.id)
      yield rowBlock(chosen, (name) => (Object.hasOwn(row, name) ? row[name] : undefined), line)
    }
  }
}

/** A text or an object of a line; undefined for anything else. */
function parsed(text: string): string | Record<string, unknown> | undefined {
  try {
    const value: unknown = parseJson(text)
    if (typeof value === 'string') return value
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

const bad = (id: string, line: number, problem: string): BadRow => ({
  line,
  error: new PipiloError('TEXT_INVALID', `Line ${line} of ${id} ${problem}.`, { input: `${id}:${line}` }),
})

/** Rows of Parquet that are read at a time. */
const ROWS = 1024

/** The rows of a Parquet file. Their numbers, from 1, stand in place of lines. */
export async function* parquetBlocks(
  path: string,
  id: string,
  columns: readonly string[] | undefined,
): AsyncGenerator<Block> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import(
    'hyparquet'
  )
  const compressors = await import('hyparquet-compressors').then(
    ({ compressors }) => compressors,
    () => undefined,
  )
  const failure = (cause: unknown) => {
    const message = (cause as Error).message
    const missing = !compressors && /unsupported compression codec/i.test(message)
    return new PipiloError(
      missing ? 'FORMAT_UNSUPPORTED' : 'FORMAT_INVALID',
      missing
        ? `${id} is compressed otherwise than by Snappy.`
        : `${id} is no Parquet file that can be read: ${message}`,
      { input: id, cause, ...(missing && { hint: 'npm install hyparquet-compressors' }) },
    )
  }
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file).catch((cause: unknown) => Promise.reject(failure(cause)))
  const names = parquetSchema(metadata).children.map(({ element }) => element.name)
  const chosen = chooseColumns(names, columns, id)
  for (const { columns: chunks } of metadata.row_groups) {
    // A chunk is unpacked whole.
    for (const { meta_data: chunk } of chunks) {
      if (chunk && chosen.names.includes(chunk.path_in_schema[0]!))
        checkUnpacked(Number(chunk.total_uncompressed_size), Number(chunk.total_compressed_size), id)
    }
  }
  const count = Number(metadata.num_rows)
  let length = 0
  for (let rowStart = 0; rowStart < count; rowStart += ROWS) {
    const rowEnd = Math.min(count, rowStart + ROWS)
    const rows = await parquetReadObjects({
      file,
      metadata,
      columns: [...chosen.names],
      rowStart,
      rowEnd,
      ...(compressors && { compressors }),
    }).catch((cause: unknown) => Promise.reject(failure(cause)))
    for (const [i, row] of rows.entries()) {
      const block = rowBlock(chosen, (name) => row[name], rowStart + i + 1)
      // One value may stand for millions of rows.
      length += block.text.length + 1
      checkUnpacked(length, file.byteLength, id)
      yield block
    }
    // Rows that are only claimed.
    length += ROWS - rows.length
  }
}

interface Chosen {
  readonly names: readonly string[]
  /** Names are written before values. */
  readonly labelled: boolean
}

function chooseColumns(names: readonly string[], columns: readonly string[] | undefined, id: string): Chosen {
  const missing = columns?.find((name) => !names.includes(name))
  if (missing !== undefined) {
    throw new PipiloError('INPUT_INVALID', `${id} has no column ${missing}.`, {
      input: id,
      hint: `It has ${names.join(', ')}.`,
    })
  }
  if (columns) return { names: columns, labelled: false }
  if (names.includes('text')) return { names: usual.filter((name) => names.includes(name)), labelled: false }
  return { names, labelled: true }
}

function rowBlock({ names, labelled }: Chosen, values: (name: string) => unknown, line: number): Block {
  const parts = names.flatMap((name) => {
    const text = written(values(name))
    return text.trim() === '' ? [] : [labelled ? `${name}: ${text}` : text]
  })
  return { text: parts.join('\n'), line, endLine: line, sections: [], alone: true }
}

/** A value as words; bytes are none. */
function written(value: unknown): string {
  if (value === undefined || value === null || value instanceof Uint8Array) return ''
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object') {
    return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))
  }
  return String(value)
}
