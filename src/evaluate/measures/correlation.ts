/** Correlation of two lists of numbers. */
import { PipiloError } from '../../base/index.ts'
import { checkFinite, checkPaired } from './checks.ts'

/**
 * Pearson's correlation: how far one list is a line of the other, from -1 to 1.
 *
 * @example
 * ```ts
 * pearson(cosines, scores) // 0.83
 * ```
 *
 * @remarks As `scipy.stats.pearsonr`; https://doi.org/10.1098/rspl.1895.0041.
 *
 * @param a numbers
 * @param b as many
 * @throws `INPUT_INVALID` for lists of unlike lengths, for fewer than 2 elements, for numbers that are not finite, and for a list whose
 *   numbers are all the same: it correlates with nothing
 */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return correlations(a, b).pearson()
}

/** Names of two lists in errors. */
type ListNames = readonly [a: string, b: string]

/** Both correlations of two lists, whose errors call them by their names. */
export function correlations(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  names: ListNames = ['numbers of a', 'numbers of b'],
): { pearson(): number; spearman(): number } {
  checkLists(a, b, names)
  return {
    pearson: () => product(a, b, names),
    spearman: () => product(ranks(a), ranks(b), names),
  }
}

function product(a: ArrayLike<number>, b: ArrayLike<number>, names: ListNames): number {
  const [x, y] = [centred(names[0], a), centred(names[1], b)]
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!
  return Math.max(-1, Math.min(1, sum))
}

/**
 * Spearman's rank correlation: Pearson's of the ranks, where equal numbers share their mean rank.
 *
 * @example
 * ```ts
 * spearman(cosines, scores) // 0.82, the main score of STS tasks
 * ```
 *
 * @remarks As `scipy.stats.spearmanr`; https://doi.org/10.2307/1412159.
 *
 * @throws as {@link pearson}
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return correlations(a, b).spearman()
}

/** Ranks from 1, equal numbers sharing the mean of theirs, as `scipy.stats.rankdata`. */
export function ranks(numbers: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: numbers.length }, (_, i) => i).sort(
    (i, j) => numbers[i]! - numbers[j]!,
  )
  const found = new Float64Array(numbers.length)
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && numbers[order[to]!] === numbers[order[from]!]) to++
    for (let i = from; i < to; i++) found[order[i]!] = (from + to + 1) / 2
    from = to
  }
  return found
}

function checkLists(a: ArrayLike<number>, b: ArrayLike<number>, names: ListNames): void {
  checkPaired({ a, b }, 2)
  checkFinite('a', a)
  checkFinite('b', b)
  checkVaried(names[0], a)
  checkVaried(names[1], b)
}

function checkVaried(name: string, numbers: ArrayLike<number>): void {
  for (let i = 1; i < numbers.length; i++) if (numbers[i] !== numbers[0]) return
  throw constant(name, numbers[0]!)
}

const constant = (name: string, value: number) =>
  new PipiloError('INPUT_INVALID', `All ${name} are ${value}: nothing correlates with them.`, {
    input: name,
  })

/** Differences from the mean, of length 1. */
function centred(name: string, numbers: ArrayLike<number>): Float64Array {
  let sum = 0
  for (let i = 0; i < numbers.length; i++) sum += numbers[i]!
  const mean = sum / numbers.length
  const differences = Float64Array.from(numbers, (value) => value - mean)
  const size = lengthOf(differences)
  if (size === 0 || size <= 1e-13 * Math.abs(mean)) throw constant(name, numbers[0]!)
  return differences.map((value) => value / size)
}

/** The Euclidean length, by squares of shares of the largest: they neither overflow nor vanish. */
function lengthOf(numbers: Float64Array): number {
  let largest = 0
  for (const value of numbers) largest = Math.max(largest, Math.abs(value))
  if (largest === 0) return 0
  let sum = 0
  for (const value of numbers) sum += (value / largest) ** 2
  return largest * Math.sqrt(sum)
}
