// Filters on metadata: their checks, their comparisons one by one, and their meaning.
import { PipiloError } from '../base/index.ts'
import type { Filter, Metadata, MetadataValue } from './types.ts'

/** One comparison of one metadata field: what a {@link Filter} comes apart into. All of a filter's must hold. */
export type Predicate =
  | Comparison<'eq' | 'ne', MetadataValue>
  | Comparison<'gt' | 'gte' | 'lt' | 'lte', number | string>
  | { readonly key: string; readonly op: 'in'; readonly values: readonly MetadataValue[] }

/** One member an operator, so that a check of `op` tells the compiler what `value` is. */
type Comparison<Op extends string, Value> = Op extends unknown
  ? { readonly key: string; readonly op: Op; readonly value: Value }
  : never

const operators = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in']
const loneSurrogate = /\p{Surrogate}/u

/** True when the string can be written as UTF-8 and read back: it has no half of a surrogate pair. */
export const isWellFormed = (text: string): boolean => !loneSurrogate.test(text)

/** True for what metadata may hold: a string, a finite number, a boolean, null. */
export function isMetadataValue(value: unknown): value is MetadataValue {
  if (typeof value === 'string') return isWellFormed(value)
  return value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
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
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) {
    throw invalid('A filter has to be an object.', "For example { year: { gte: 2020 }, kind: 'bird' }.")
  }
  return Object.entries(filter).flatMap(([key, condition]) => parseCondition(key, condition))
}

function parseCondition(key: string, condition: unknown): Predicate[] {
  if (isMetadataValue(condition)) return [{ key, op: 'eq', value: condition }]
  if (typeof condition !== 'object' || condition === null || Array.isArray(condition)) {
    const hint = Array.isArray(condition) ? 'Write { in: [...] } for one of several values.' : undefined
    throw invalid(`The filter's field ${JSON.stringify(key)} compares with ${describe(condition)}.`, hint)
  }
  const comparisons = Object.entries(condition)
  if (comparisons.length === 0) {
    throw invalid(`The filter's field ${JSON.stringify(key)} has no comparison.`, known)
  }
  return comparisons.map(([op, value]) => parseComparison(key, op, value))
}

function parseComparison(key: string, op: string, value: unknown): Predicate {
  const where = `The filter's ${JSON.stringify(key)}.${op}`
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
  if (op === 'in') {
    if (!Array.isArray(value)) throw invalid(`${where} is ${describe(value)}, not a list.`)
    const wrong = value.find((one) => !isMetadataValue(one))
    if (wrong !== undefined || value.includes(undefined)) {
      throw invalid(`${where} compares with ${describe(wrong)}.`)
    }
    return { key, op, values: value }
  }
  throw invalid(
    `The filter's field ${JSON.stringify(key)} has an unknown comparison ${JSON.stringify(op)}.`,
    known,
  )
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
 * `null` matches it. Order exists between numbers, and between strings by code point; nothing else is ordered.
 */
export function matches(filter: Filter, metadata: Metadata): boolean {
  return parseFilter(filter).every((predicate) => {
    const value = Object.hasOwn(metadata, predicate.key) ? metadata[predicate.key]! : null
    switch (predicate.op) {
      case 'eq':
        return value === predicate.value
      case 'ne':
        return value !== predicate.value
      case 'in':
        return predicate.values.includes(value)
      default:
        return ordered(value, predicate.op, predicate.value)
    }
  })
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
