// SQL conditions of LanceDB for filters and ids.
import { PipiloError } from '../base/index.ts'
import type { Predicate } from './filter.ts'
import type { MetadataValue } from './types.ts'

/**
 * Kinds of scalars, each with its own column for a key: `year` as a number lies in `n_year`, as text in `s_year`. A column of kind `z`
 * holds nothing: it says that there is a key, where no row has a value of it yet.
 */
export type ScalarKind = 'n' | 's' | 'b' | 'z'

const withValues = ['n', 's', 'b'] as const

export function kindOf(value: Exclude<MetadataValue, null>): Exclude<ScalarKind, 'z'> {
  if (typeof value === 'number') return 'n'
  return typeof value === 'string' ? 's' : 'b'
}

/**
 * Name of the column that holds a metadata key's values of one kind. Lower-case letters and digits stand for
 * themselves, `_` becomes `__`, any other character its code point between underscores; so different keys never share a
 * column, and no key can be anything but a name in SQL.
 */
export function columnName(kind: ScalarKind, key: string): string {
  const name = key.replaceAll(/[^a-z0-9]/gu, (character) =>
    character === '_' ? '__' : `_${character.codePointAt(0)!.toString(16)}_`,
  )
  return `${kind}_${name}`
}

/** The metadata keys that columns are of, with the kinds of their values: the reverse of {@link columnName}. */
export function fieldsOf(columns: Iterable<string>): Map<string, ScalarKind[]> {
  const fields = new Map<string, ScalarKind[]>()
  for (const column of columns) {
    const [, kind, name] = /^([nsbz])_(.*)$/s.exec(column) ?? []
    if (kind === undefined) continue
    const key = name!.replaceAll(/_(?:_|([0-9a-f]+)_)/g, (_, code?: string) =>
      code === undefined ? '_' : String.fromCodePoint(Number.parseInt(code, 16)),
    )
    fields.set(key, [...(fields.get(key) ?? []), kind as ScalarKind])
  }
  return fields
}

/** A string as SQL (standard: no escapes but the doubled quote). */
export const sqlString = (text: string): string => `'${text.replaceAll("'", "''")}'`

function literal(value: Exclude<MetadataValue, null>): string {
  if (typeof value === 'string') return sqlString(value)
  // The exponent makes it a double for the parser, whatever its size; the digits are the shortest that read back.
  return typeof value === 'number' ? value.toExponential() : String(value)
}

const textFunction = { contains: 'contains', startsWith: 'starts_with' } as const
const operator = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

/**
 * A filter as SQL over the columns that exist, with the meaning of `matches`; `true` or `false` when no row's columns
 * need to be looked at.
 *
 * @throws `OPTION_INVALID` for more filters within each other than the SQL parser takes
 */
export function toSql(predicates: readonly Predicate[], columns: ReadonlySet<string>): string | boolean {
  const terms = termsOf(predicates, columns)
  if (typeof terms === 'boolean') return terms
  const sql = joined(terms, 'AND')
  if (nesting(sql) <= NESTED) return sql
  throw new PipiloError('OPTION_INVALID', 'A filter has too many filters within each other.', {
    hint: 'Write fewer "or" and "not" within each other; { in: [...] } stands for many values of a field.',
  })
}

/** Terms that stand beside each other without parentheses, and parentheses within each other that LanceDB's parser takes: it has 45. */
const BESIDE = 4
const NESTED = 44

/**
 * Terms joined by an operator, as a tree of few levels. A chain of as many terms as a caller likes is as deep for an SQL engine, which walks down
 * it until the stack, and with it the process, ends: 800 terms are enough.
 */
function joined(terms: readonly string[], word: 'AND' | 'OR'): string {
  if (terms.length <= BESIDE) return terms.join(` ${word} `)
  let size = 1
  while (size * BESIDE < terms.length) size *= BESIDE
  const groups = Array.from({ length: Math.ceil(terms.length / size) }, (_, i) =>
    grouped(terms.slice(i * size, (i + 1) * size), word),
  )
  return groups.join(` ${word} `)
}

const grouped = (terms: readonly string[], word: 'AND' | 'OR'): string =>
  terms.length === 1 ? terms[0]! : `(${joined(terms, word)})`

/** The most parentheses of SQL that are open at a place, but for those of strings. */
function nesting(sql: string): number {
  let [open, most, isString] = [0, 0, false]
  for (const character of sql) {
    if (character === "'") isString = !isString
    else if (isString) continue
    else if (character === '(') most = Math.max(most, ++open)
    else if (character === ')') open--
  }
  return most
}

/** Terms of which all have to hold. Each can stand between AND and OR as it is. */
function termsOf(predicates: readonly Predicate[], columns: ReadonlySet<string>): string[] | boolean {
  const terms: string[] = []
  for (const predicate of predicates) {
    const term = translate(predicate, columns)
    if (term === false) return false
    if (term !== true) terms.push(term)
  }
  return terms.length === 0 || terms
}

function translate(predicate: Predicate, columns: ReadonlySet<string>): string | boolean {
  if (predicate.op === 'or') return either(predicate.any.map((all) => termsOf(all, columns)))
  if (predicate.op === 'not') return negation(termsOf(predicate.all, columns))
  const { key } = predicate
  if (predicate.op === 'in') return isIn(key, predicate.values, columns)
  if (predicate.op === 'eq' || predicate.op === 'ne') {
    const equal = isIn(key, [predicate.value], columns)
    return predicate.op === 'eq' ? equal : negation(typeof equal === 'string' ? [equal] : equal)
  }
  const column = columnName(kindOf(predicate.value), key)
  if (!columns.has(column)) return false
  if (predicate.op === 'contains' || predicate.op === 'startsWith')
    return `${textFunction[predicate.op]}(${column}, ${literal(predicate.value)})`
  return `${column} ${operator[predicate.op]} ${literal(predicate.value)}`
}

function either(all: readonly (string[] | boolean)[]): string | boolean {
  if (all.includes(true)) return true
  const open = all.filter((terms) => typeof terms !== 'boolean').map((terms) => grouped(terms, 'AND'))
  return open.length > 0 && grouped(open, 'OR')
}

/** A comparison with null is neither true nor false for SQL; for us it does not hold, so that its negation does. */
const negation = (terms: readonly string[] | boolean): string | boolean =>
  typeof terms === 'boolean' ? !terms : `(${joined(terms, 'AND')}) IS NOT TRUE`

function isIn(key: string, values: readonly MetadataValue[], columns: ReadonlySet<string>): string | boolean {
  const terms: string[] = []
  for (const kind of withValues) {
    const literals = values.filter((value) => value !== null).filter((value) => kindOf(value) === kind)
    const column = columnName(kind, key)
    if (literals.length > 0 && columns.has(column))
      terms.push(`${column} IN (${literals.map(literal).join(', ')})`)
  }
  if (values.includes(null)) {
    const present = withValues.map((kind) => columnName(kind, key)).filter((c) => columns.has(c))
    if (present.length === 0) return true
    terms.push(
      grouped(
        present.map((column) => `${column} IS NULL`),
        'AND',
      ),
    )
  }
  return terms.length > 0 && grouped(terms, 'OR')
}
