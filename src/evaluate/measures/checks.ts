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
