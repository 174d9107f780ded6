/** The contrastive loss of labelled pairs. */
import { op, type Value } from '../../graph/index.ts'
import { checkShape, checkVectors, checkWithin } from './checks.ts'
import { squares } from './regression.ts'
import { rowDistances, type VectorDistance } from './vectors.ts'

/** Options of {@link contrastive}. */
export interface ContrastiveOptions {
  /** Distance from which pairs that do not belong together are far enough. Default 0.5. */
  readonly margin?: number
  /** Default `cosine`. */
  readonly distance?: VectorDistance
}

/**
 * Draws pairs of label 1 together and pushes pairs of label 0 apart up to a margin: the mean of
 * `(y d² + (1 - y) max(margin - d, 0)²) / 2`.
 *
 * @example
 * ```ts
 * const loss = contrastive(a, b, labels, { margin: 0.5 })
 * ```
 *
 * @remarks
 * As sentence-transformers' `ContrastiveLoss`, but for `euclidean` and `manhattan`, where PyTorch adds 1e-6 to each difference.
 * From http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf (2006), equation 4.
 *
 * @param a vectors [N, D]
 * @param b vectors [N, D]
 * @param labels [N], any dtype: 1 for pairs that belong together, 0 for others
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function contrastive(a: Value, b: Value, labels: Value, options: ContrastiveOptions = {}): Value {
  const { margin = 0.5, distance = 'cosine' } = options
  checkVectors({ a, b })
  checkShape('labels', labels, a.shape.slice(0, 1))
  checkWithin('margin', margin, 0)
  const together = op.cast(labels, a.dtype) // [N]
  const distances = rowDistances(a, b, distance, 1e-8) // [N]
  const lacking = op.relu(op.sub(margin, distances)) // [N]
  const terms = op.add(op.mul(together, squares(distances)), op.mul(op.sub(1, together), squares(lacking)))
  return op.mul(op.reduceMean(terms), 0.5)
}
