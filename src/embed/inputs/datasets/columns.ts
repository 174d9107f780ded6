// Finds the known columns of a source, and reads their values in its rows.
import { closest, PipiloError } from '../../../base/index.ts'
import { isRawImage } from '../../pictures/rawImage.ts'
import type { ColumnName, DatasetRow, ReadDatasetOptions } from './types.ts'

/** The known columns, in the order in which a data set lists them. */
export const columnNames: readonly ColumnName[] = [
  'id',
  'title',
  'text',
  'sentence1',
  'sentence2',
  'score',
  'anchor',
  'positive',
  'negative',
  'image',
  'label',
]

/** Columns that mean nothing without another. */
const companions: Partial<Readonly<Record<ColumnName, readonly ColumnName[]>>> = {
  sentence1: ['sentence2'],
  sentence2: ['sentence1'],
  anchor: ['positive'],
  positive: ['anchor'],
  negative: ['anchor', 'positive'],
}

/** The columns of a source: known name to the source's own. */
export type Columns = ReadonlyMap<ColumnName, string>

/**
 * The columns to read of those that a source has.
 *
 * @throws PipiloError `OPTION_INVALID` for a name that is not known, `INPUT_INVALID` for one that the source lacks; each with the closest
 */
export function findColumns(
  has: readonly string[],
  { columns = {}, requires = [] }: Pick<ReadDatasetOptions, 'columns' | 'requires'>,
  source: string,
): Columns {
  for (const name of [...Object.keys(columns), ...requires]) checkKnown(name)
  const taken = new Set(Object.values(columns))
  const found = new Map<ColumnName, string>()
  for (const name of columnNames) {
    const given = columns[name]
    const own = given ?? (taken.has(name) ? undefined : name)
    if (own !== undefined && has.includes(own)) found.set(name, own)
    else if (given !== undefined) throw lacking(given, has, source)
  }
  if (found.size === 0) {
    throw new PipiloError('INPUT_INVALID', `${source} has the columns ${listed(has)}; none is known.`, {
      input: source,
      hint: `Known are ${columnNames.join(', ')}. Say which is which, as in columns: { text: '${has[0] ?? 'body'}' }.`,
    })
  }
  for (const name of [...requires, ...[...found.keys()].flatMap((each) => companions[each] ?? [])]) {
    if (!found.has(name)) throw lacking(name, has, source)
  }
  return found
}

/** @throws PipiloError `OPTION_INVALID` for a column that is not known, `INPUT_INVALID` for one that is not there */
export function checkColumns(requires: readonly string[], has: readonly ColumnName[], source: string): void {
  for (const name of requires) {
    checkKnown(name)
    if (!has.includes(name)) throw lacking(name, has, source)
  }
}

function checkKnown(name: string): asserts name is ColumnName {
  if (columnNames.some((known) => known === name)) return
  const [like] = closest(name, columnNames, 1)
  throw new PipiloError('OPTION_INVALID', `There is no column ${name}.`, {
    input: name,
    hint: `${like ? `Did you mean ${like}? ` : ''}Known are ${columnNames.join(', ')}.`,
  })
}

function lacking(name: string, has: readonly string[], source: string): PipiloError {
  const [like] = closest(name, has, 1)
  return new PipiloError('INPUT_INVALID', `${source} has no column ${name}.`, {
    input: name,
    hint: `${like ? `Did you mean ${like}? ` : ''}It has ${listed(has)}.`,
  })
}

const listed = (names: readonly string[]): string => (names.length > 0 ? names.join(', ') : 'none')

/** A row's values by the source's names; text where the source is text. */
export type RawRow = (name: string) => unknown

/** A row with its label as the source has it. */
export type UnlabelledRow = Omit<DatasetRow, 'label'> & { readonly label?: string | number }

/** Reads the rows of one source. */
export interface RowReader {
  /** Values are texts, and numbers are read from them. */
  readonly textual: boolean
  /** Makes paths of pictures absolute. */
  readonly place: (image: string) => string
}

/**
 * The known values of a row.
 *
 * @param where names the row at the head of a sentence: `Line 3 of train.csv`
 * @throws PipiloError `INPUT_INVALID`
 */
export function readRow(
  raw: RawRow,
  columns: Columns,
  { textual, place }: RowReader,
  where: string,
): UnlabelledRow {
  const row: Record<string, unknown> = {}
  for (const [name, own] of columns) {
    const value = raw(own)
    const isText = name !== 'label' && name !== 'score' && name !== 'image'
    if (value === undefined || value === null || (value === '' && !isText)) {
      throw invalid(where, `has no ${own}`)
    }
    if (name === 'image') row[name] = imageOf(value, place, where)
    else if (name === 'score') row[name] = numberOf(value, textual, own, where)
    else if (name === 'label') row[name] = labelOf(value, own, where)
    else row[name] = textOf(value, name === 'id', own, where)
  }
  return row
}

function textOf(value: unknown, orNumber: boolean, own: string, where: string): string {
  if (typeof value === 'string') return value
  if (orNumber && typeof value === 'number') return String(value)
  throw invalid(where, `has ${kindOf(value)} for ${own}, where a text is wanted`)
}

const decimal = /^\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?\s*$/i

function numberOf(value: unknown, textual: boolean, own: string, where: string): number {
  if (textual && typeof value === 'string' && decimal.test(value)) return Number(value)
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw invalid(where, `has ${shown(value)} for ${own}, where a number is wanted`)
}

function labelOf(value: unknown, own: string, where: string): string | number {
  const isName = typeof value === 'string' && !(decimal.test(value) && !Number.isInteger(Number(value)))
  if (isName || Number.isSafeInteger(value)) return value as string | number
  throw invalid(
    where,
    `has ${shown(value)} for ${own}, which is neither a name nor an integer`,
    `If it says how alike two texts are, it is a score: columns: { score: '${own}' }.`,
  )
}

function imageOf(value: unknown, place: RowReader['place'], where: string): NonNullable<DatasetRow['image']> {
  if (typeof value === 'string') return place(value)
  if (value instanceof Uint8Array || value instanceof Blob || value instanceof URL || isRawImage(value)) {
    return value
  }
  throw invalid(where, `has ${kindOf(value)} for a picture`)
}

/** The error for a row that is not as it has to be. */
export function invalid(where: string, fault: string, hint?: string): PipiloError {
  return new PipiloError('INPUT_INVALID', `${where} ${fault}.`, { input: where, ...(hint && { hint }) })
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value.slice(0, 40)}'` : String(value)
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
