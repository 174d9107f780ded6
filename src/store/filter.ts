// Filters on metadata: their checks, their comparisons one by one, and their meaning.
import { closest, PipiloError } from '../base/index.ts'
import { fileFields, isOfFiles } from './fileFields.ts'
import type { Filter, Metadata, MetadataValue } from './types.ts'

/** One condition that a {@link Filter} comes apart into. All of a filter's must hold. */
export type Predicate =
  | Comparison<'eq' | 'ne', MetadataValue>
  | Comparison<'gt' | 'gte' | 'lt' | 'lte', number | string>
  | Comparison<'contains' | 'startsWith', string>
  | { readonly key: string; readonly op: 'in'; readonly values: readonly MetadataValue[] }
  /** At least one of the lists holds in full. */
  | { readonly op: 'or'; readonly any: readonly (readonly Predicate[])[] }
  | { readonly op: 'not'; readonly all: readonly Predicate[] }

/** One member an operator, so that a check of `op` tells the compiler what `value` is. */
type Comparison<Op extends string, Value> = Op extends unknown
  ? { readonly key: string; readonly op: Op; readonly value: Value }
  : never

const operators = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'contains', 'startsWith']
/** Words of a filter, which are no names of fields. */
export const reserved: readonly string[] = ['or', 'not']
/** True of conditions that hold for every row, whatever it has. */
export function holdsAlways(all: readonly Predicate[]): boolean {
  return all.every((one) => {
    if (one.op === 'or') return one.any.some(holdsAlways)
    return one.op === 'not' && holdsNever(one.all)
  })
}

function holdsNever(all: readonly Predicate[]): boolean {
  return all.some((one) => {
    if (one.op === 'or') return one.any.every(holdsNever)
    return one.op === 'not' && holdsAlways(one.all)
  })
}

/** Filters within filters; SQL parsers recurse. */
const DEEPEST = 32
const loneSurrogate = /\p{Surrogate}/u

/** True when the string can be written as UTF-8 and read back: it has no half of a surrogate pair. */
export const isWellFormed = (text: string): boolean => !loneSurrogate.test(text)

/** True for what metadata may hold: a string, a finite number, a boolean, null. */
export function isMetadataValue(value: unknown): value is MetadataValue {
  if (typeof value === 'string') return isWellFormed(value)
  return value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
}

/**
 * A value as it is stored: a date is its ISO 8601 form in UTC, which sorts as dates do.
 *
 * @throws `INPUT_INVALID` for a date that is none, or outside the years 0 to 9999, whose forms do not sort
 */
export function storedValue(value: MetadataValue | Date, what: string): MetadataValue {
  if (!(value instanceof Date)) return value
  const text = Number.isNaN(value.getTime()) ? undefined : value.toISOString()
  if (text !== undefined && /^\d/.test(text)) return text
  throw new PipiloError('INPUT_INVALID', `${what} is ${text ?? 'a date that is not valid'}.`, {
    hint: 'Dates are of the years 0 to 9999.',
  })
}

/**
 * Takes a filter apart into its comparisons.
 *
 * @example
 * ```ts
 * parseFilter({ year: { gte: 2020 }, kind: 'bird' })
 * // [{ key: 'year', op: 'gte', value: 2020 }, { key: 'kind', op: 'eq', value: 'bird' }]
 * ```
 *
 * @throws `OPTION_INVALID` for an unknown operator or a value that metadata cannot hold.
 */
export function parseFilter(filter: Filter): Predicate[] {
  return parseAll(filter, 0)
}

function parseAll(filter: unknown, depth: number): Predicate[] {
  if (!isPlain(filter)) {
    throw invalid('A filter has to be an object.', "For example { year: { gte: 2020 }, kind: 'bird' }.")
  }
  if (depth > DEEPEST) throw invalid(`A filter has more than ${DEEPEST} filters within each other.`)
  return Object.entries(filter).flatMap(([key, condition]): Predicate[] => {
    if (key === 'or') {
      if (!Array.isArray(condition)) {
        throw invalid(
          `The filter's "or" is ${describe(condition)}, not a list of filters.`,
          "For example { or: [{ kind: 'bird' }, { year: 2020 }] }.",
        )
      }
      return [{ op: 'or', any: condition.map((one) => parseAll(one, depth + 1)) }]
    }
    if (key === 'not') {
      if (!isPlain(condition)) {
        throw invalid(
          `The filter's "not" is ${describe(condition)}, not a filter.`,
          "For example { not: { kind: 'bird' } }.",
        )
      }
      return [{ op: 'not', all: parseAll(condition, depth + 1) }]
    }
    return parseCondition(key, condition)
  })
}

function parseCondition(key: string, condition: unknown): Predicate[] {
  const value = comparedValue(condition, key)
  if (isMetadataValue(value)) return [{ key, op: 'eq', value }]
  if (!isPlain(condition)) {
    const hint = Array.isArray(condition) ? 'Write { in: [...] } for one of several values.' : undefined
    throw invalid(`The filter's field ${JSON.stringify(key)} compares with ${describe(condition)}.`, hint)
  }
  const comparisons = Object.entries(condition)
  if (comparisons.length === 0) {
    throw invalid(`The filter's field ${JSON.stringify(key)} has no comparison.`, known)
  }
  return comparisons.map(([op, value]) => parseComparison(key, op, value))
}

function parseComparison(key: string, op: string, given: unknown): Predicate {
  const where = `The filter's ${JSON.stringify(key)}.${op}`
  const value = comparedValue(given, `${key}.${op}`)
  if (op === 'eq' || op === 'ne') {
    if (!isMetadataValue(value)) throw invalid(`${where} compares with ${describe(value)}.`)
    return { key, op, value } as Predicate
  }
  if (op === 'gt' || op === 'gte' || op === 'lt' || op === 'lte') {
    if (!isMetadataValue(value) || value === null || typeof value === 'boolean') {
      throw invalid(`${where} compares with ${describe(value)}, which has no order.`)
    }
    return { key, op, value } as Predicate
  }
  if (op === 'contains' || op === 'startsWith') {
    if (typeof value !== 'string' || !isWellFormed(value))
      throw invalid(`${where} looks for ${describe(value)}, not for a text.`)
    return { key, op, value }
  }
  if (op === 'in') {
    if (!Array.isArray(value)) throw invalid(`${where} is ${describe(value)}, not a list.`)
    const values = Array.from(value, (one: unknown) => comparedValue(one, `${key}.in`))
    const wrong = values.findIndex((one) => !isMetadataValue(one))
    if (wrong >= 0) throw invalid(`${where} compares with ${describe(values[wrong])}.`)
    return { key, op, values: values as MetadataValue[] }
  }
  throw invalid(
    `The filter's field ${JSON.stringify(key)} has an unknown comparison ${JSON.stringify(op)}.`,
    known,
  )
}

const comparedValue = (value: unknown, name: string): unknown =>
  value instanceof Date ? storedValue(value, `The filter's ${JSON.stringify(name)}`) : value

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** The fields that predicates compare. */
export function keysOf(predicates: readonly Predicate[]): Set<string> {
  const keys = new Set<string>()
  const add = (all: readonly Predicate[]) => {
    for (const predicate of all) {
      if (predicate.op === 'or') predicate.any.forEach(add)
      else if (predicate.op === 'not') add(predicate.all)
      else keys.add(predicate.key)
    }
  }
  add(predicates)
  return keys
}

/**
 * Refuses fields that no row of a collection has or had: a name that is written wrong finds nothing, or everything.
 *
 * @param names the collection's fields
 * @throws `OPTION_INVALID` that names the closest of them
 */
export function checkFields(keys: Iterable<string>, names: readonly string[], collection: string): void {
  const fields = new Set([...names, ...(isOfFiles(names) ? fileFields : [])])
  for (const key of keys) {
    if (fields.has(key)) continue
    const near = closest(key, fields)
    const some = [...names].sort().slice(0, 30)
    const others = `There are: ${some.join(', ')}${some.length < names.length ? ', …' : ''}.`
    const hint = near.length > 0 ? `Did you mean ${near.join(' or ')}?` : others
    throw new PipiloError(
      'OPTION_INVALID',
      `No row of the collection "${collection}" has a field ${JSON.stringify(key)}.`,
      { input: key, hint: names.length > 0 ? hint : 'Its rows have no metadata.' },
    )
  }
}

const known = `Comparisons are ${operators.join(', ')}.`

function describe(value: unknown): string {
  if (typeof value === 'string') return 'a string that is not valid Unicode'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : String(value)
}

function invalid(sentence: string, hint?: string): PipiloError {
  return new PipiloError('OPTION_INVALID', sentence, hint === undefined ? {} : { hint })
}

/**
 * True if metadata passes a filter: the meaning that every backend's translation has to have.
 *
 * @example
 * ```ts
 * matches({ year: { gte: 2020 } }, { year: 2021 })  // true
 * ```
 *
 * @remarks
 * A value equals only a value of its own type. A field that is missing counts as null, so `ne` holds for it and
 * `null` matches it. Order exists between numbers, and between strings by code point; nothing else is ordered. `contains` and
 * `startsWith` tell upper from lower case, and hold for strings only. `or` holds if one of its filters does (so never, if it has none), `not`
 * if its filter does not.
 */
export function matches(filter: Filter, metadata: Metadata): boolean {
  return parseFilter(filter).every((predicate) => holds(predicate, metadata))
}

function holds(predicate: Predicate, metadata: Metadata): boolean {
  if (predicate.op === 'or') return predicate.any.some((all) => all.every((one) => holds(one, metadata)))
  if (predicate.op === 'not') return !predicate.all.every((one) => holds(one, metadata))
  const value = Object.hasOwn(metadata, predicate.key) ? metadata[predicate.key]! : null
  switch (predicate.op) {
    case 'eq':
      return value === predicate.value
    case 'ne':
      return value !== predicate.value
    case 'in':
      return predicate.values.includes(value)
    case 'contains':
      return typeof value === 'string' && value.includes(predicate.value)
    case 'startsWith':
      return typeof value === 'string' && value.startsWith(predicate.value)
    default:
      return ordered(value, predicate.op, predicate.value)
  }
}

function ordered(value: MetadataValue, op: 'gt' | 'gte' | 'lt' | 'lte', bound: number | string): boolean {
  if (value === null || typeof value !== typeof bound) return false
  const order = typeof bound === 'string' ? compareCodePoints(value as string, bound) : Number(value) - bound
  if (op === 'gt') return order > 0
  if (op === 'gte') return order >= 0
  return op === 'lt' ? order < 0 : order <= 0
}

/** UTF-8 bytes sort as code points do; JavaScript's `<` compares UTF-16 units, which differs above U+FFFF. */
const compareCodePoints = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
