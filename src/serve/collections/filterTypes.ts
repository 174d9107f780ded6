// Types of what a filter compares: a text is never equal to a number, and a filter that finds nothing for that says nothing.
import { isPlainObject } from '../../base/index.ts'
import type { Field } from '../../store/index.ts'
import { Refusal } from '../http/refusal.ts'

type Type = Field['types'][number]

const plural: Readonly<Record<Type, string>> = { number: 'numbers', string: 'texts', boolean: 'truths' }
const single: Readonly<Record<Type, string>> = { number: 'a number', string: 'a text', boolean: 'a truth' }

/**
 * Refuses comparisons with a type that no row has in that field. All other faults of a filter are the store's to name.
 *
 * @throws Refusal 400
 */
export function checkTypes(filter: unknown, fields: readonly Field[]): void {
  const types = new Map(fields.map((field) => [field.name, field.types]))
  // A list, as filters may lie within each other deeper than calls can.
  const filters: unknown[] = [filter]
  for (let one = filters.pop(); one !== undefined; one = filters.pop()) {
    if (!isPlainObject(one)) continue
    for (const [name, condition] of Object.entries(one)) {
      if (name === 'or') for (const each of [condition].flat()) filters.push(each)
      else if (name === 'not') filters.push(condition)
      else checkField(name, condition, types.get(name) ?? [])
    }
  }
}

function checkField(name: string, condition: unknown, has: readonly Type[]): void {
  // Of a field that was always null nothing is known.
  if (has.length === 0) return
  const compared = isPlainObject(condition) ? Object.values(condition) : [condition]
  for (const value of compared) {
    const values = [value].flat().filter((each) => ['string', 'number', 'boolean'].includes(typeof each))
    if (values.length === 0 || values.some((each) => has.includes(typeof each as Type))) continue
    // A list may hold null beside, which is a comparison of any field.
    if (Array.isArray(value) && value.includes(null)) continue
    const [first] = values
    throw new Refusal(
      400,
      'option_invalid',
      `The filter's ${JSON.stringify(name)} compares with ${single[typeof first as Type]}, ${JSON.stringify(first).slice(0, 80)}; the field holds ${has.map((type) => plural[type]).join(' and ')}.`,
      { field: `filter.${name}` },
    )
  }
}
