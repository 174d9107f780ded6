/** Triplet losses whose triplets are found in a labelled batch. */
import { op, type Value } from '../../graph/index.ts'
import { MASKED } from '../../nn/index.ts'
import { checkClasses, checkVectors, checkWithin } from './checks.ts'
import { equalPairs, maskedSum, onDiagonal, rowNumbers } from './masks.ts'
import { distanceMatrix } from './vectors.ts'

/** Options of the triplet losses of a labelled batch. */
export interface BatchTripletOptions {
  /** How much further negatives must be than positives. Default 5: for vectors of length 1, choose less than 2. */
  readonly margin?: number
  /** Default `euclidean`. */
  readonly distance?: 'euclidean' | 'cosine'
}

/** Options of {@link batchHardTriplet}. */
export interface BatchHardTripletOptions extends Omit<BatchTripletOptions, 'margin'> {
  /** A number, or `soft` for `ln(1 + eᵈ)` instead of `max(d + margin, 0)`. Default 5. */
  readonly margin?: number | 'soft'
}

/**
 * The triplet loss over all triplets of a batch, averaged over those that still cost something.
 *
 * @example
 * ```ts
 * const loss = batchAllTriplet(embeddings, labels, { margin: 0.3, distance: 'cosine' })
 * ```
 *
 * @remarks
 * As sentence-transformers' `BatchAllTripletLoss`. From https://arxiv.org/abs/1703.07737, section 2. A batch without triplets costs 0:
 * batches need several rows of several classes. Memory grows with pairs of one class times rows.
 *
 * @param embeddings [N, D]
 * @param labels classes, int64 or int32 [N]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function batchAllTriplet(embeddings: Value, labels: Value, options: BatchTripletOptions = {}): Value {
  const { margin = 5, distance = 'euclidean' } = options
  checkBatchOf(embeddings, labels)
  checkWithin('margin', margin, 0)
  const { positiveDistances, rows, isNegative } = pairs(embeddings, labels, distance)
  const costs = op.relu(op.add(op.sub(positiveDistances, rows), margin)) // [P, N]
  const isCostly = op.and(isNegative, op.greater(costs, 1e-16)) // [P, N]
  const count = op.reduceSum(op.cast(isCostly, embeddings.dtype))
  return op.div(maskedSum(costs, isCostly), op.clip(count, 1))
}

/**
 * The triplet loss of each row's furthest positive and nearest negative.
 *
 * @example
 * ```ts
 * const loss = batchHardTriplet(embeddings, labels, { margin: 'soft' })
 * ```
 *
 * @remarks
 * As sentence-transformers' `BatchHardTripletLoss`, with `soft` its `BatchHardSoftMarginTripletLoss`. From
 * https://arxiv.org/abs/1703.07737, equations 5 and 6. A row without positives counts with a positive at distance 0, and one without
 * negatives with a negative at its largest distance, as there.
 *
 * @param embeddings [N, D]
 * @param labels classes, int64 or int32 [N]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function batchHardTriplet(
  embeddings: Value,
  labels: Value,
  { margin = 5, distance = 'euclidean' }: BatchHardTripletOptions = {},
): Value {
  checkBatchOf(embeddings, labels)
  if (margin !== 'soft') checkWithin('margin', margin, 0)
  const distances = distanceMatrix(embeddings, distance) // [N, N]
  const isSame = equalPairs(labels, labels) // [N, N]
  const isPositive = op.and(isSame, op.not(onDiagonal(distances)))
  const furthest = op.reduceMax(op.where(isPositive, distances, 0), [1]) // [N]
  const bound = op.reduceMax(distances, [1], { keepDims: true }) // [N, 1]
  const nearest = op.reduceMin(op.where(isSame, bound, distances), [1]) // [N]
  const gap = op.sub(furthest, nearest)
  return op.reduceMean(margin === 'soft' ? op.softplus(gap) : op.relu(op.add(gap, margin)))
}

/**
 * The triplet loss of each pair of one class with its semi-hard negative: the nearest that is further than the positive or, where there is
 * none, the furthest of all.
 *
 * @example
 * ```ts
 * const loss = batchSemiHardTriplet(embeddings, labels, { margin: 0.3, distance: 'cosine' })
 * ```
 *
 * @remarks
 * As sentence-transformers' `BatchSemiHardTripletLoss`. From https://arxiv.org/abs/1503.03832, section 3.2. The mean is over pairs; a batch
 * without pairs costs 0, and where a batch has one class only, the negative is the row itself, as there.
 *
 * @param embeddings [N, D]
 * @param labels classes, int64 or int32 [N]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function batchSemiHardTriplet(
  embeddings: Value,
  labels: Value,
  options: BatchTripletOptions = {},
): Value {
  const { margin = 5, distance = 'euclidean' } = options
  checkBatchOf(embeddings, labels)
  checkWithin('margin', margin, 0)
  const { positiveDistances, rows, isNegative } = pairs(embeddings, labels, distance)
  const isOutside = op.and(isNegative, op.greater(rows, positiveDistances)) // [P, N]
  const outside = op.reduceMin(op.where(isOutside, rows, -MASKED), [1]) // [P]
  const least = op.reduceMin(rows, [1], { keepDims: true }) // [P, 1]
  const inside = op.reduceMax(op.where(isNegative, rows, least), [1]) // [P]
  const negative = op.where(op.less(outside, -MASKED), outside, inside)
  const costs = op.relu(op.add(op.sub(op.squeeze(positiveDistances, [1]), negative), margin)) // [P]
  return op.div(op.reduceSum(costs), op.clip(count(costs), 1))
}

/** The pairs of one class, P of them, each with the distances of its anchor to all rows. */
function pairs(embeddings: Value, labels: Value, distance: 'euclidean' | 'cosine') {
  const distances = distanceMatrix(embeddings, distance) // [N, N]
  const isSame = equalPairs(labels, labels) // [N, N]
  const places = op.nonZero(op.and(isSame, op.not(onDiagonal(distances)))) // [2, P]
  const [first, second] = op.split(places, 2, 0) as [Value, Value] // [1, P] each
  const anchors = op.squeeze(first, [0]) // [P]
  const rows = op.gather(distances, anchors) // [P, N]
  const isPositive = equalPairs(op.squeeze(second, [0]), rowNumbers(embeddings)) // [P, N], one a row
  return {
    positiveDistances: op.unsqueeze(maskedSum(rows, isPositive, [1]), [1]), // [P, 1]
    rows,
    isNegative: op.not(op.gather(isSame, anchors)), // [P, N]
  }
}

function checkBatchOf(embeddings: Value, labels: Value): void {
  checkVectors({ embeddings }, 2)
  checkClasses('labels', labels, embeddings.shape.slice(0, 1))
}

function count(x: Value): Value {
  return op.cast(op.size(x), x.dtype)
}
