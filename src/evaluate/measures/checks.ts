// Checks that measures share.
import { PipiloError } from '../../base/index.ts'

/** @throws `INPUT_INVALID` unless two lists are of one length, and have at least `least` elements */
export function checkPaired(lists: Readonly<Record<string, ArrayLike<unknown>>>, least: number): void {
  const [[first, a], ...others] = Object.entries(lists) as [
    [string, ArrayLike<unknown>],
    ...[string, ArrayLike<unknown>][],
  ]
  for (const [name, { length }] of others) {
    if (length === a.length) continue
    throw new PipiloError(
      'INPUT_INVALID',
      `${first} has ${a.length} elements and ${name} has ${length}; they belong together one by one.`,
      { input: name },
    )
  }
  if (a.length >= least) return
  throw new PipiloError(
    'INPUT_INVALID',
    `${first} has ${a.length} ${a.length === 1 ? 'element' : 'elements'}; at least ${least} are needed.`,
    { input: first },
  )
}

/** @throws `INPUT_INVALID` for a number that is NaN or infinite */
export function checkFinite(name: string, numbers: ArrayLike<number>): void {
  for (let i = 0; i < numbers.length; i++) {
    if (Number.isFinite(numbers[i])) continue
    throw new PipiloError('INPUT_INVALID', `Element ${i} of ${name} is ${numbers[i]}.`, {
      input: i,
      hint: 'Leave out rows that could not be embedded.',
    })
  }
}

/** Number of classes that labels name: the largest label and 1. @throws `INPUT_INVALID` for what is no index */
export function classesIn(name: string, labels: ArrayLike<number>): number {
  let largest = -1
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!
    if (!Number.isInteger(label) || label < 0) {
      throw new PipiloError(
        'INPUT_INVALID',
        `Element ${i} of ${name} is ${label}; labels are integers from 0.`,
        {
          input: i,
        },
      )
    }
    largest = Math.max(largest, label)
  }
  return largest + 1
}

/** Labels that occur, and lists that name each by its place among them. */
export interface PlacedLabels<Name extends string> {
  /** Labels that occur in any of the lists, ascending. */
  readonly occurring: readonly number[]
  readonly places: Readonly<Record<Name, Uint32Array>>
}

/**
 * Numbers the labels that occur from 0, in their order: labels such as years are few and large, and a table of all up to the largest would not fit.
 *
 * @throws `INPUT_INVALID` for what is no index
 */
export function placedLabels<Name extends string>(
  lists: Readonly<Record<Name, ArrayLike<number>>>,
): PlacedLabels<Name> {
  const named = Object.entries(lists) as [Name, ArrayLike<number>][]
  const seen = new Set<number>()
  for (const [name, labels] of named) {
    classesIn(name, labels)
    for (let i = 0; i < labels.length; i++) seen.add(labels[i]!)
  }
  const occurring = [...seen].sort((a, b) => a - b)
  const placeOf = new Map(occurring.map((label, place) => [label, place]))
  const places = named.map(
    ([name, labels]) => [name, Uint32Array.from(labels, (label) => placeOf.get(label)!)] as const,
  )
  return { occurring, places: Object.fromEntries(places) as Record<Name, Uint32Array> }
}

/** @throws `OPTION_INVALID` for what is no finite number above 0 */
export function checkPositive(name: string, value: number): void {
  if (value > 0 && Number.isFinite(value)) return
  throw new PipiloError('OPTION_INVALID', `${name} is ${value}; it is a number above 0.`, { input: name })
}
