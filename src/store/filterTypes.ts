// Types of what a filter compares: a text is never equal to a number, and a filter that finds nothing for that says nothing.
import { PipiloError } from '../base/index.ts'
import type { Predicate } from './filter.ts'
import type { Field, MetadataValue } from './types.ts'

type Type = Field['types'][number]

const plural: Readonly<Record<Type, string>> = { number: 'numbers', string: 'texts', boolean: 'truths' }
const single: Readonly<Record<Type, string>> = { number: 'a number', string: 'a text', boolean: 'a truth' }

/**
 * Refuses comparisons with a type that no row has or had in that field. A field of several types is compared with each of them, one that was
 * always null with any.
 *
 * @throws `OPTION_INVALID` that names the field and both types
 */
export function checkTypes(predicates: readonly Predicate[], fields: readonly Field[]): void {
  const types = new Map(fields.map(({ name, types }) => [name, types]))
  const check = (all: readonly Predicate[]): void => {
    for (const one of all) {
      if (one.op === 'or') one.any.forEach(check)
      else if (one.op === 'not') check(one.all)
      else checkComparison(one.key, one.op === 'in' ? one.values : [one.value], types.get(one.key) ?? [])
    }
  }
  check(predicates)
}

/** Of a list, one value that a row can have is enough; null is one that every field can have. */
function checkComparison(key: string, values: readonly MetadataValue[], types: readonly Type[]): void {
  const [first] = values
  if (types.length === 0 || first === undefined) return
  if (values.some((value) => value === null || types.includes(typeof value as Type))) return
  throw new PipiloError(
    'OPTION_INVALID',
    `The filter's ${JSON.stringify(key)} compares with ${single[typeof first as Type]}, ${JSON.stringify(first).slice(0, 80)}; the field holds ${types.map((type) => plural[type]).join(' and ')}.`,
    { input: key },
  )
}
