/** Measures of a space of embeddings without a task. */
import { checkCount, PipiloError } from '../../base/index.ts'
import { singularValues } from '../../reduce/index.ts'
import { l2Normalize, type Matrix, row, squaredDistance, type Vector } from '../../tensor/index.ts'
import { checkPaired, checkPositive } from './checks.ts'
import { checkMatrix } from './labelled.ts'
import { nearestOthers } from './others.ts'

/**
 * Alignment: the mean distance, to the power `alpha`, of pairs that belong together. 0 is best.
 *
 * @example
 * ```ts
 * alignment(captions, pictures) // 0.41
 * ```
 *
 * @remarks On the unit sphere; https://arxiv.org/abs/2005.10242, section 4.1.
 *
 * @throws `INPUT_INVALID` for lists of unlike lengths, empty ones, vectors without direction, NaN and infinities; `DIMENSION_MISMATCH`;
 *   `OPTION_INVALID` for an option that is no number above 0
 */
export function alignment(
  a: readonly Vector[] | Matrix,
  b: readonly Vector[] | Matrix,
  { alpha = 2 }: { readonly alpha?: number } = {},
): number {
  checkPositive('alpha', alpha)
  const [x, y] = [unit('a', a), unit('b', b)]
  checkPaired({ a: { length: x.rows }, b: { length: y.rows } }, 1)
  if (x.columns !== y.columns) {
    throw new PipiloError('DIMENSION_MISMATCH', `a has ${x.columns} columns and b ${y.columns}.`, {
      input: 'b',
    })
  }
  let sum = 0
  for (let i = 0; i < x.rows; i++)
    sum += squaredDistance(x.data, i * x.columns, y.data, i * x.columns, x.columns) ** (alpha / 2)
  return sum / x.rows
}

/**
 * Uniformity: the logarithm of the mean of `exp(-t · distance²)` over all pairs. The lower, the more evenly vectors lie on the sphere; -4 at
 * best, for `t` 2.
 *
 * @example
 * ```ts
 * uniformity(vectors) // -3.2
 * ```
 *
 * @remarks https://arxiv.org/abs/2005.10242, section 4.1. Every pair is looked at: for more than some thousands of vectors give a sample.
 *
 * @throws as {@link alignment}; `INPUT_INVALID` for fewer than 2 vectors
 */
export function uniformity(
  vectors: readonly Vector[] | Matrix,
  { t = 2 }: { readonly t?: number } = {},
): number {
  checkPositive('t', t)
  const matrix = unit('vectors', vectors)
  const { rows, columns, data } = matrix
  checkPaired({ vectors: { length: rows } }, 2)
  let sum = 0
  for (let i = 0; i < rows; i++) {
    for (let j = i + 1; j < rows; j++)
      sum += Math.exp(-t * squaredDistance(data, i * columns, data, j * columns, columns))
  }
  return Math.log((2 * sum) / (rows * (rows - 1)))
}

/**
 * Anisotropy: the mean cosine of two different vectors. 0 where directions are spread evenly, 1 where all point the same way.
 *
 * @example
 * ```ts
 * anisotropy(vectors) // 0.62: subtract the mean before you compare
 * ```
 *
 * @remarks Of all pairs, from the length of the sum. Ethayarajh, https://arxiv.org/abs/1909.00512.
 *
 * @throws as {@link uniformity}
 */
export function anisotropy(vectors: readonly Vector[] | Matrix): number {
  const matrix = unit('vectors', vectors)
  const { rows, columns, data } = matrix
  checkPaired({ vectors: { length: rows } }, 2)
  const sum = new Float64Array(columns)
  let own = 0
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      sum[j]! += data[i * columns + j]!
      own += data[i * columns + j]! ** 2
    }
  }
  const length = sum.reduce((total, value) => total + value * value, 0)
  return (length - own) / (rows * (rows - 1))
}

/** Result of {@link hubness}. */
export interface Hubness {
  /** Skewness of how often a vector is among the `k` nearest of others: 0 without hubs, above 1 with strong ones. */
  readonly skewness: number
  /** Share of vectors that are nobody's neighbour. */
  readonly orphans: number
  /** How often the most frequent neighbour occurs, in multiples of `k`. */
  readonly largest: number
}

/**
 * Hubness: whether a few vectors are the neighbours of many, which spoils search.
 *
 * @example
 * ```ts
 * const { skewness, orphans } = await hubness(vectors, { k: 10 })
 * ```
 *
 * @remarks By cosines; Radovanović et al., https://www.jmlr.org/papers/v11/radovanovic10a.html.
 *
 * @throws `INPUT_INVALID` for fewer than `k + 1` vectors, NaN and infinities; `OPTION_INVALID`
 */
export async function hubness(
  vectors: readonly Vector[] | Matrix,
  { k = 10, signal }: { readonly k?: number; readonly signal?: AbortSignal } = {},
): Promise<Hubness> {
  checkCount('k', k, 1)
  const matrix = checkMatrix('vectors', vectors)
  checkPaired({ vectors: { length: matrix.rows } }, k + 1)
  const times = new Float64Array(matrix.rows)
  const found = await nearestOthers(matrix, k, signal)
  for (const { index } of found.flat()) times[index]!++
  let [second, third] = [0, 0]
  for (const count of times) {
    second += (count - k) ** 2 / matrix.rows
    third += (count - k) ** 3 / matrix.rows
  }
  return {
    skewness: second === 0 ? 0 : third / second ** 1.5,
    orphans: times.filter((count) => count === 0).length / matrix.rows,
    largest: Math.max(...times) / k,
  }
}

/**
 * RankMe: the effective rank of vectors, e to the power of the entropy of their singular values' shares. From 1, where all lie on one line, to
 * the smaller of rows and columns, where they fill all directions evenly.
 *
 * @example
 * ```ts
 * await rankMe(vectors) // 143.2 of 384 dimensions are in use
 * ```
 *
 * @remarks
 * Of the vectors as they are: neither centred nor scaled. Garrido et al., https://arxiv.org/abs/2210.02885, section 3.1, with shares of 0 left out in
 * place of their ε; the paper takes 25,600 vectors, and fewer than ten times the dimensions give too little.
 *
 * @throws `INPUT_INVALID` for no vectors, for zeros only, NaN and infinities
 */
export async function rankMe(
  vectors: readonly Vector[] | Matrix,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<number> {
  const matrix = checkMatrix('vectors', vectors)
  checkPaired({ vectors: { length: matrix.rows } }, 1)
  const values = await singularValues(matrix, signal && { signal })
  const sum = values.reduce((total, value) => total + value, 0)
  if (!(sum > 0)) {
    throw new PipiloError('INPUT_INVALID', 'All vectors are zeros: they have no rank.', { input: 'vectors' })
  }
  let entropy = 0
  for (const value of values) if (value > 0) entropy -= (value / sum) * Math.log(value / sum)
  return Math.exp(entropy)
}

/** Rows of length 1. @throws `INPUT_INVALID` for a row of zeros */
function unit(name: string, vectors: readonly Vector[] | Matrix): Matrix {
  const matrix = checkMatrix(name, vectors)
  const data = new Float32Array(matrix.data.length)
  for (let i = 0; i < matrix.rows; i++) {
    const one = row(matrix, i)
    if (one.every((value) => value === 0)) {
      throw new PipiloError('INPUT_INVALID', `Row ${i} of ${name} is all zeros: it has no direction.`, {
        input: i,
      })
    }
    l2Normalize(one, data.subarray(i * matrix.columns, (i + 1) * matrix.columns))
  }
  return { ...matrix, data }
}
