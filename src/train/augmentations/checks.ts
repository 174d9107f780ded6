/** Checks of the options of steps: each gives the value back, or says what is wrong with it. */
import { closest, PipiloError } from '../../base/index.ts'
import type { Size } from './pixels.ts'
import type { Range } from './steps.ts'

/** @throws PipiloError `OPTION_INVALID` that says what an option has to be */
export function refuse(name: string, value: unknown, wanted: string): never {
  throw new PipiloError(
    'OPTION_INVALID',
    `${name} is ${JSON.stringify(value) ?? value}; it has to be ${wanted}.`,
    {
      input: name,
    },
  )
}

/** @throws PipiloError `OPTION_INVALID` with the closest names, for a name that is none of `known` */
export function expectName(what: string, name: unknown, known: readonly string[]): void {
  if (typeof name === 'string' && known.includes(name)) return
  const near = closest(String(name), known)
  throw new PipiloError('OPTION_INVALID', `There is no ${what} ${JSON.stringify(name)}.`, {
    input: String(name),
    hint: near.length
      ? `Did you mean ${near.map((other) => JSON.stringify(other)).join(' or ')}?`
      : `There are ${known.join(', ')}.`,
  })
}

/** A number from `least` to `most`. */
export function number(name: string, value: number, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  return refuse(name, value, `a number from ${least} to ${most}`)
}

/** `true` or `false`. */
export function boolean(name: string, value: boolean): boolean {
  return typeof value === 'boolean' ? value : refuse(name, value, 'true or false')
}

/** A probability. */
export const probability = (name: string, value: number): number => number(name, value, 0, 1)

/** An integer from `least` on. */
export function integer(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  return refuse(name, value, `an integer from ${least} on`)
}

/** Two sides of at least one pixel each. */
export function checkedSides(name: string, size: Size): readonly [number, number] {
  const pair = Array.isArray(size) && size.length !== 2 ? [] : [size].flat()
  const [height, width = height] = pair
  const isSide = (side: number | undefined): side is number => Number.isSafeInteger(side) && side! > 0
  if (isSide(height) && isSide(width)) return [height, width]
  return refuse(name, size, 'a number of pixels from 1 on, or two: height and width')
}

/** Two numbers within bounds, the smaller first. */
export function range(name: string, value: Range, least: number, most: number): Range {
  const [from, to] = Array.isArray(value) && value.length === 2 ? value : [Number.NaN, Number.NaN]
  if (from >= least && to <= most && from <= to) return [from, to]
  const bounds = `from ${least} ${most === Number.POSITIVE_INFINITY ? 'on' : `to ${most}`}`
  return refuse(name, value, `two numbers ${bounds}, the smaller first`)
}

/** As {@link range}, both above 0. */
export function positiveRange(name: string, value: Range, most = Number.POSITIVE_INFINITY): Range {
  return range(name, value, Number.MIN_VALUE, most)
}

/** From `-value` to `value`, or a range. */
export function around(name: string, value: number | Range, most: number): Range {
  return typeof value === 'number'
    ? range(name, [-number(name, value, 0, most), value], -most, most)
    : range(name, value, -most, most)
}

/** One finite number a channel. */
export function perChannel(name: string, values: readonly number[], channels: number): readonly number[] {
  if (Array.isArray(values) && values.length === channels && values.every(Number.isFinite)) return values
  return refuse(name, values, `${channels} number${channels === 1 ? '' : 's'}, one a channel`)
}
