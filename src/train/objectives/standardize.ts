/** Standardisation without learned parameters. */
import { op, type Value } from '../../graph/index.ts'
import { squares } from './regression.ts'

/**
 * `(x - mean) / √(variance + epsilon)` over some axes.
 *
 * @param options.unbiased divide the variance by n - 1, as `torch.var` does. Default false; needs one axis
 */
export function standardize(
  x: Value,
  axes: readonly number[],
  { epsilon = 1e-5, unbiased = false }: { readonly epsilon?: number; readonly unbiased?: boolean } = {},
): Value {
  const centred = op.sub(x, op.reduceMean(x, axes, { keepDims: true }))
  const spread = squares(centred)
  const variance = unbiased ? unbiasedMean(spread, axes) : op.reduceMean(spread, axes, { keepDims: true })
  return op.div(centred, op.sqrt(op.add(variance, epsilon)))
}

function unbiasedMean(x: Value, axes: readonly number[]): Value {
  const axis = axes[0]!
  const count = op.cast(op.squeeze(op.shape(x, axis, axis + 1), [0]), x.dtype)
  return op.div(op.reduceSum(x, axes, { keepDims: true }), op.sub(count, 1))
}
