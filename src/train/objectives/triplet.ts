/** The triplet loss of given triplets. */
import { op, type Value } from '../../graph/index.ts'
import { checkVectors, checkWithin } from './checks.ts'
import { rowDistances, type VectorDistance } from './vectors.ts'

/** Options of {@link tripletLoss}. */
export interface TripletOptions {
  /** How much further the negative must be than the positive. Default 5: for vectors of length 1, choose less than 2. */
  readonly margin?: number
  /** Default `euclidean`. */
  readonly distance?: VectorDistance
}

/**
 * Wants each anchor nearer to its positive than to its negative by a margin: the mean of `max(d(a, p) - d(a, n) + margin, 0)`.
 *
 * @example
 * ```ts
 * const loss = tripletLoss(anchor, positive, negative, { margin: 0.3, distance: 'cosine' })
 * ```
 *
 * @remarks As sentence-transformers' `TripletLoss`. From https://arxiv.org/abs/1503.03832, section 3.1.
 *
 * @param anchor vectors [N, D]
 * @param positive vectors [N, D]
 * @param negative vectors [N, D]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function tripletLoss(
  anchor: Value,
  positive: Value,
  negative: Value,
  { margin = 5, distance = 'euclidean' }: TripletOptions = {},
): Value {
  checkVectors({ anchor, positive, negative })
  checkWithin('margin', margin, 0)
  const near = rowDistances(anchor, positive, distance, 1e-12) // [N]
  const far = rowDistances(anchor, negative, distance, 1e-12) // [N]
  return op.reduceMean(op.relu(op.add(op.sub(near, far), margin)))
}
