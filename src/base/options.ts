// Checks of options: one table beside a function says what each of its options is.
import { closest } from './closest.ts'
import { PipiloError } from './errors.ts'
import { isPlainObject } from './plainCopy.ts'

/**
 * Type of an option: what a value that is none of it has to be, as the end of a sentence; nothing for one that is.
 *
 * @param name of the option in sentences: `chunk.tokens`
 * @param input the option that errors name: `chunk`
 */
export interface OptionType {
  (value: unknown, name: string, input: string): string | undefined
  /** The words that it is one of. */
  readonly choices?: readonly string[]
}

/** Types of all options of an interface: one that is missing does not compile. */
export type OptionTable<Options> = { readonly [Name in keyof Required<Options>]: OptionType }

/**
 * Refuses options that a function does not have, or that are of another type than it takes: they would be passed over, or fail somewhere
 * inside. Such as are undefined count as left out.
 *
 * @example
 * ```ts
 * checkOptions<EmbedOptions>('embed', options, { onError: is.oneOf(['throw', 'skip']), signal: is.abortSignal, … })
 * ```
 *
 * @param door name of the function, for errors
 * @throws PipiloError `OPTION_INVALID` with the option as `input`, and for an unknown one the closest name
 */
export function checkOptions<Options>(door: string, options: unknown, table: OptionTable<Options>): void {
  if (options === undefined) return
  if (!isPlainObject(options)) {
    throw new PipiloError('OPTION_INVALID', `The options of ${door} are ${shownValue(options)}.`, {
      input: 'options',
      hint: `They are an object with ${listed(Object.keys(table))}.`,
    })
  }
  checkNames(options, table, undefined, undefined, door)
}

/** Refuses what a table does not have, of an object that lies at `above` in the options. */
export function checkNames(
  given: Record<string, unknown>,
  table: Readonly<Record<string, OptionType>>,
  above: string | undefined,
  input: string | undefined,
  door = above ?? '',
): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const of = Object.hasOwn(table, name) ? table[name] : undefined
    if (of) {
      checkOption(above === undefined ? name : `${above}.${name}`, value, of, input ?? name)
      continue
    }
    const near = closest(name, Object.keys(table))
    throw new PipiloError('OPTION_INVALID', `${door} has no option ${name}.`, {
      input: input ?? name,
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It has ${listed(Object.keys(table))}.`,
    })
  }
}

/**
 * Refuses one value, of an argument say.
 *
 * @throws PipiloError `OPTION_INVALID`
 */
export function checkOption(name: string, value: unknown, of: OptionType, input = name): void {
  const wanted = of(value, name, input)
  if (wanted === undefined) return
  const [near] = typeof value === 'string' ? closest(value, of.choices ?? [], 1) : []
  throw new PipiloError('OPTION_INVALID', `${name} is ${shownValue(value)}; it has to be ${wanted}.`, {
    input,
    ...(near !== undefined && { hint: `Did you mean ${near}?` }),
  })
}

/** Names of options, for a sentence. */
export const listed = (names: readonly string[]): string => names.join(', ') || 'no options'

/** A value as one writes it, as far as one can, and not too long. */
export function shownValue(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value))
    return value.length > 8 ? `an array of ${value.length}` : `[${value.map(shownValue).join(', ')}]`
  if (value instanceof Date || value instanceof URL) return `the ${value.constructor.name} ${String(value)}`
  return 'an object'
}

/**
 * A function whose options, its argument at `place` (from 0), are checked first.
 *
 * @example
 * ```ts
 * export const rerank = lazily(async () => { const { rerank, rerankOptions } = await import('…'); return withOptions('rerank', 3, rerankOptions, rerank) })
 * ```
 */
export function withOptions<F extends (...args: never[]) => unknown, Options>(
  door: string,
  place: number,
  table: OptionTable<Options>,
  run: F,
): F {
  return ((...args: Parameters<F>) => {
    checkOptions(door, args[place], table)
    return run(...args)
  }) as F
}
