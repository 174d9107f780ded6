/** Cross-entropy of yes and no. */
import { op, type Value } from '../../graph/index.ts'
import { checkFloat, checkOneShape, checkPositive } from './checks.ts'

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BinaryCrossEntropyOptions {
  /** Weight of the positive targets: above 1 favours recall. Default 1. */
  readonly posWeight?: number
}

/**
 * Mean cross-entropy between logits and targets from 0 to 1, each element for itself.
 *
 * @example
 * ```ts
 * const loss = binaryCrossEntropyWithLogits(logits, targets)
 * ```
 *
 * @remarks As `torch.nn.BCEWithLogitsLoss`. Computed from the logits, so that large ones do not overflow; in float32,
 * terms below 6e-8 count as 0, but not their gradients.
 *
 * @param logits any shape
 * @param targets the same shape, any dtype: 0 or 1, or between
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function binaryCrossEntropyWithLogits(
  logits: Value,
  targets: Value,
  { posWeight = 1 }: BinaryCrossEntropyOptions = {},
): Value {
  checkFloat('logits', logits)
  checkOneShape({ logits, targets })
  checkPositive('posWeight', posWeight)
  const target = op.cast(targets, logits.dtype)
  // -ln σ(x) = softplus(-x) and -ln(1 - σ(x)) = x + softplus(-x), weighed by w t and 1 - t.
  const no = op.mul(op.sub(1, target), logits)
  const weight = op.add(op.mul(target, posWeight - 1), 1)
  return op.reduceMean(op.add(no, op.mul(weight, op.softplus(op.neg(logits)))))
}
