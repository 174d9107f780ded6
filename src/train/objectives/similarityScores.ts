/** Losses of pairs with a score of their similarity. */
import { op, type Value } from '../../graph/index.ts'
import { MASKED } from '../../nn/index.ts'
import { checkPositive, checkShape, checkVectors, mismatch, shown } from './checks.ts'
import { meanSquaredError } from './regression.ts'
import { rowCosines, rowDots, rowSimilarities, unit, type VectorSimilarity } from './vectors.ts'

/**
 * Mean squared error between the cosine of pairs and their scores.
 *
 * @example
 * ```ts
 * const loss = cosineSimilarityLoss(a, b, scores)
 * ```
 *
 * @remarks As sentence-transformers' `CosineSimilarityLoss`. From https://arxiv.org/abs/1908.10084, section 3.
 *
 * @param a vectors [N, D]
 * @param b vectors [N, D]
 * @param scores [N]: cosines wanted, from -1 to 1
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
 */
export function cosineSimilarityLoss(a: Value, b: Value, scores: Value): Value {
  checkVectors({ a, b })
  checkShape('scores', scores, a.shape.slice(0, 1))
  return meanSquaredError(rowCosines(a, b), op.cast(scores, a.dtype))
}

/** Options of {@link coSent}. */
export interface CoSentOptions {
  /** Factor of similarities, above 0: the inverse of a temperature. Default 20. */
  readonly scale?: number
  /** Default `cosine`. */
  readonly similarity?: VectorSimilarity
}

/**
 * Wants pairs in the order of their scores: `ln(1 + Σ exp(scale (s(j) - s(i))))` over all i of a higher score than j.
 *
 * @example
 * ```ts
 * const loss = coSent(a, b, scores)
 * ```
 *
 * @remarks
 * As sentence-transformers' `CoSENTLoss`. From https://kexue.fm/archives/8847. Only the order of scores counts; a batch of equal scores
 * costs 0.
 *
 * @param a vectors [N, D]
 * @param b vectors [N, D]
 * @param scores [N], on any scale
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH` (a batch of 1 has no order), `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function coSent(a: Value, b: Value, scores: Value, options: CoSentOptions = {}): Value {
  const { scale = 20, similarity = 'cosine' } = options
  checkVectors({ a, b }, 2)
  checkPositive('scale', scale)
  return orderLoss(rowSimilarities(a, b, similarity), scores, scale)
}

/** Options of {@link angleLoss}. */
export interface AngleOptions {
  /** Factor of similarities, above 0. Default 20. */
  readonly scale?: number
}

/**
 * {@link coSent} by angles in complex space, whose gradient does not vanish where the cosine saturates.
 *
 * @example
 * ```ts
 * const loss = angleLoss(a, b, scores)
 * ```
 *
 * @remarks
 * As sentence-transformers' `AnglELoss`. From https://arxiv.org/abs/2309.12871, section 3.3. The first half of a vector is its real part, the
 * second its imaginary one.
 *
 * @param a vectors [N, D], D even
 * @param b vectors [N, D]
 * @param scores [N], on any scale
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function angleLoss(a: Value, b: Value, scores: Value, { scale = 20 }: AngleOptions = {}): Value {
  checkVectors({ a, b }, 2)
  checkPositive('scale', scale)
  return orderLoss(angleSimilarities(a, b), scores, scale)
}

/** `|cos + sin|` of rows made length 1: [N]. */
function angleSimilarities(a: Value, b: Value): Value {
  const width = a.shape[1]
  if (typeof width !== 'number' || width % 2 !== 0) {
    throw mismatch('a', `${shown('a', a)}; its width must be known and even.`)
  }
  const [x, y] = [unit(a), unit(b)]
  const halves = (value: Value) => op.split(value, 2, 1) as [real: Value, imaginary: Value] // [N, D/2] each
  const [realX, imaginaryX] = halves(x)
  const [realY, imaginaryY] = halves(y)
  const sines = op.sub(rowDots(imaginaryX, realY), rowDots(realX, imaginaryY))
  return op.abs(op.add(rowDots(x, y), sines))
}

/** `ln(1 + Σ exp(scale (s(j) - s(i))))` over pairs [j, i] with score(j) < score(i). */
function orderLoss(similarities: Value, scores: Value, scale: number): Value {
  checkShape('scores', scores, similarities.shape)
  const scaled = op.mul(similarities, scale) // [N]
  const differences = op.sub(op.unsqueeze(scaled, [1]), op.unsqueeze(scaled, [0])) // [N, N]
  const isLower = op.less(op.unsqueeze(scores, [1]), op.unsqueeze(scores, [0])) // [N, N]
  const counted = op.reshape(op.where(isLower, differences, MASKED), [-1]) // [N²]
  const all = op.concat([scaled.builder.constant([0], scaled.dtype), counted], 0) // [1 + N²]
  // The logarithm of the softmax of the zero in front is 0 - ln Σ.
  return op.neg(op.squeeze(op.slice(op.logSoftmax(all, 0), [0], [1]), [0]))
}
