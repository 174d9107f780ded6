// Types of options, for the tables that `checkOptions` takes: `is.flag`, `is.count(1)`, `is.oneOf(['a', 'b'])`.
import { checkNames, checkOption, listed, type OptionTable, type OptionType } from './options.ts'
import { isPlainObject } from './plainCopy.ts'

const type =
  (wanted: string, holds: (value: unknown) => boolean): OptionType =>
  (value) =>
    holds(value) ? undefined : wanted

/** The type of values that no table can tell: they are checked where they are used. */
export const any: OptionType = () => undefined
export const flag = type('true or false', (value) => typeof value === 'boolean')
export const text = type('a text', (value) => typeof value === 'string')
export const name = type(
  'a text that is not empty',
  (value) => typeof value === 'string' && value.trim() !== '',
)
export const callback = type('a function', (value) => typeof value === 'function')
export const record = type('an object', isPlainObject)
/** Objects of whatever class. */
export const instance = (what: string, ...members: readonly string[]): OptionType =>
  type(
    what,
    (value) =>
      value !== null &&
      (typeof value === 'object' || typeof value === 'function') &&
      members.every((member) => member in value),
  )
export const abortSignal = instance('an AbortSignal', 'aborted', 'addEventListener')

/** A whole number. */
export const count = (least: number): OptionType =>
  type(`a whole number from ${least}`, (value) => Number.isSafeInteger(value) && Number(value) >= least)

/** A whole number of either sign. */
export const integer = type('a whole number', Number.isSafeInteger)

/** A finite number. */
export function numeric(least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY): OptionType {
  const range = [
    ...(least > Number.NEGATIVE_INFINITY ? [`from ${least}`] : []),
    ...(most < Number.POSITIVE_INFINITY ? [`to ${most}`] : []),
  ]
  return type(
    ['a number', ...range].join(' '),
    (value) => typeof value === 'number' && Number.isFinite(value) && value >= least && value <= most,
  )
}

export const oneOf = (choices: readonly (string | number)[]): OptionType =>
  Object.assign(
    type(`one of ${choices.join(', ')}`, (value) => choices.some((choice) => choice === value)),
    { choices: choices.map(String) },
  )

/** An array of values of a type. */
export const listOf =
  (of: OptionType, least = 0, most = Number.POSITIVE_INFINITY): OptionType =>
  (value, name, input) => {
    const few = least === 1 ? 'an array that is not empty' : 'an array'
    const wanted = least === most ? `an array of ${least}` : few
    if (!Array.isArray(value) || value.length < least || value.length > most) return wanted
    // Holes of an array count as undefined.
    for (const [i, each] of [...value].entries()) checkOption(`${name}[${i}]`, each, of, input)
    return undefined
  }

/** Names, each of them once. */
export const names: OptionType = (value, label, input) => {
  const wanted = listOf(name, 1)(value, label, input)
  return (
    wanted ??
    (new Set(value as string[]).size < (value as string[]).length
      ? 'an array of names, each once'
      : undefined)
  )
}

/** A value of any of the types. */
export function either(...types: readonly OptionType[]): OptionType {
  const of: OptionType = (value, name, input) => {
    const wanted: string[] = []
    for (const each of types) {
      let is: string | undefined
      try {
        is = each(value, name, input)
      } catch (error) {
        // Of arrays and objects, the error of their part says more.
        if (types.at(-1) === each) throw error
        is = ''
      }
      if (is === undefined) return undefined
      if (is) wanted.push(is)
    }
    return wanted.join(', or ')
  }
  return Object.assign(of, { choices: types.flatMap(({ choices = [] }) => choices) })
}

/** An object of options of their own. */
export const parts =
  <Options>(table: OptionTable<Options>): OptionType =>
  (value, name, input) => {
    if (!isPlainObject(value)) return `an object with ${listed(Object.keys(table))}`
    checkNames(value, table, name, input)
    return undefined
  }

/** The type of a process of its own: `true`, or with a bound of its memory. */
export const isolation: OptionType = either(flag, parts<{ memory?: number }>({ memory: count(1) }))

/** An object by names of the caller's own. */
export const recordOf =
  (of: OptionType): OptionType =>
  (value, name, input) => {
    if (!isPlainObject(value)) return 'an object'
    for (const [key, each] of Object.entries(value)) checkOption(`${name}.${key}`, each, of, input)
    return undefined
  }
