/** The negative cosine of BYOL and SimSiam. */
import { op, type Value } from '../../graph/index.ts'
import { checkPositive, checkVectors } from './checks.ts'
import { rowCosines } from './vectors.ts'

/** Options of {@link negativeCosineSimilarity}. */
export interface NegativeCosineSimilarityOptions {
  /** Least length of a vector, against division by zero. Default 1e-8. */
  readonly eps?: number
}

/**
 * The mean cosine of rows, negated: -1 when predictions point where their targets do.
 *
 * @example
 * ```ts
 * const loss = op.mul(op.add(negativeCosineSimilarity(p0, z1), negativeCosineSimilarity(p1, z0)), 0.5)
 * ```
 *
 * @remarks
 * As lightly's `NegativeCosineSimilarity`. BYOL's loss (https://arxiv.org/abs/2006.07733, equation 2) is this times 2, plus 2; SimSiam's
 * is https://arxiv.org/abs/2011.10566, equation 1. Targets come from weights that the step does not differentiate by.
 *
 * @param prediction [N, D]
 * @param target [N, D]
 * @returns a scalar between -1 and 1
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function negativeCosineSimilarity(
  prediction: Value,
  target: Value,
  { eps = 1e-8 }: NegativeCosineSimilarityOptions = {},
): Value {
  checkVectors({ prediction, target })
  checkPositive('eps', eps)
  return op.neg(op.reduceMean(rowCosines(prediction, target, eps)))
}
