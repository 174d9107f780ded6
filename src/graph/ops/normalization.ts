/** Normalisation, and dropout. */
import { PipiloError } from '../../base/index.ts'
import type { Value } from '../builder.ts'
import { apply, applyMany, float, int } from './apply.ts'
import { abs, add, div, mul, sqrt, sub } from './math.ts'
import { reduceMean } from './reduction.ts'
import { reshape, slice } from './shape.ts'

export interface BatchNormalizationOptions {
  /** Default 1e-5. */
  readonly epsilon?: number
}

/** `(x - mean) / √(variance + epsilon) · scale + bias` per channel (axis 1); all four are [channels]. */
export function batchNormalization(
  x: Value,
  scale: Value,
  bias: Value,
  mean: Value,
  variance: Value,
  options: BatchNormalizationOptions = {},
): Value {
  return apply('BatchNormalization', [x, scale, bias, mean, variance], { epsilon: float(options.epsilon) })
}

/**
 * The same with the batch's own statistics (operator set 14), and these: mean and variance of the population (divided by n),
 * [channels] each.
 *
 * The operator blends them into running ones. ONNX Runtime (1.30) writes the result over the memory of what it is given as those,
 * be it a feed or an initializer, which equal initializers share: two layers that start from zeros got one mean. So it is given
 * scraps of `x` that nothing else reads, at a momentum of 0; keeping running statistics is the caller's work.
 */
export function batchNormalizationTraining(
  x: Value,
  scale: Value,
  bias: Value,
  options: BatchNormalizationOptions = {},
): [y: Value, mean: Value, variance: Value] {
  const attributes = {
    epsilon: float(options.epsilon),
    momentum: { type: 'float', value: 0 } as const,
    training_mode: int(1),
  }
  const others = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1)
  const first = slice(
    x,
    others.map(() => 0),
    others.map(() => 1),
    { axes: others },
  )
  const scrap = reshape(first, [-1])
  return applyMany('BatchNormalization', [x, scale, bias, scrap, abs(scrap)], attributes, 3) as [
    Value,
    Value,
    Value,
  ]
}

/**
 * Normalises over the axes from `axis` on, then scales and shifts (https://arxiv.org/abs/1607.06450).
 * One operator from operator set 17, a composition of others before it.
 */
export function layerNormalization(
  x: Value,
  scale: Value,
  bias?: Value,
  options: { readonly axis?: number; readonly epsilon?: number } = {},
): Value {
  const { axis = -1, epsilon = 1e-5 } = options
  if (x.builder.opset >= 17) {
    return apply('LayerNormalization', [x, scale, bias], { axis: int(axis), epsilon: float(epsilon) })
  }
  const rank = x.shape.length
  const first = axis < 0 ? axis + rank : axis
  const axes = Array.from({ length: rank - first }, (_, i) => first + i)
  const centred = sub(x, reduceMean(x, axes, { keepDims: true }))
  const variance = reduceMean(mul(centred, centred), axes, { keepDims: true })
  const scaled = mul(div(centred, sqrt(add(variance, epsilon))), scale)
  return bias ? add(scaled, bias) : scaled
}

/** {@link layerNormalization} with the mean and the inverse deviation that differentiation needs (operator set 17). */
export function layerNormalizationWithStatistics(
  x: Value,
  scale: Value,
  bias: Value,
  options: { readonly axis?: number; readonly epsilon?: number } = {},
): [y: Value, mean: Value, inverseDeviation: Value] {
  const { axis = -1, epsilon = 1e-5 } = options
  if (x.builder.opset < 17) {
    throw new PipiloError('OPERATOR_UNSUPPORTED', 'LayerNormalization needs operator set 17.')
  }
  const attributes = { axis: int(axis), epsilon: float(epsilon) }
  return applyMany('LayerNormalization', [x, scale, bias], attributes, 3) as [Value, Value, Value]
}

/** Normalises each channel of each example over space; scale and bias are [channels]. */
export function instanceNormalization(x: Value, scale: Value, bias: Value, epsilon = 1e-5): Value {
  return apply('InstanceNormalization', [x, scale, bias], { epsilon: float(epsilon) })
}

/**
 * ONNX's own dropout: identity unless `training` is a true bool scalar (operator set 12).
 * ONNX Runtime draws another mask in each run even with a seed; nn/ has dropout with masks that are fed.
 */
export function dropout(x: Value, ratio: number, training?: Value): Value {
  const { builder } = x
  if (builder.opset < 12) return apply('Dropout', [x], { ratio: float(ratio) })
  return apply('Dropout', [x, builder.constant(ratio, 'float32'), training])
}
