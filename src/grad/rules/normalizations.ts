/** Gradients of normalisation. */
import { op, type Value } from '../../graph/index.ts'
import { reshapeLike } from '../broadcasting.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'

/** Rules by operator. */
export const normalizationRules = {
  BatchNormalization: {
    // With momentum 0 the running statistics are the batch's own.
    needs: ({ attributes }) => {
      const isTraining = attributes['training_mode']?.value === 1 || attributes['training_mode']?.value === 1n
      const isBatch = attributes['momentum']?.value === 0
      return isTraining && isBatch ? ['running_mean', 'running_var'] : []
    },
    gradient: (call) => {
      if (call.int('spatial', 1) === 0) throw call.unsupported('has no gradient for spatial 0')
      if (call.int('training_mode', 0) === 1) return ofBatch(call)
      if (call.outputs.slice(1).some((output) => output)) {
        throw call.unsupported('has no gradient in the training mode of operator sets before 14')
      }
      return ofFixed(call)
    },
  },
  LayerNormalization: { needs: () => ['Mean', 'InvStdDev'], gradient: (call) => ofLayer(call) },
  InstanceNormalization: (call) => {
    const x = call.input(0)
    const scale = perChannel(call.input(1), x)
    const { dx, shares } = centred(x, {
      dy: op.mul(call.gradient, scale),
      axes: spaceOf(x),
      epsilon: call.float('epsilon') ?? 1e-5,
    })
    return [dx, ...scaleAndShift(call, x, shares)]
  },
  GroupNormalization: (call) => ofGroups(call),
  LRN: (call) => ofResponse(call),
  LpNormalization: (call) => {
    const [x, y, dy] = [call.input(0), call.output(0), call.gradient]
    const axis = call.axis(call.int('axis', -1), x.shape.length)
    const p = call.int('p', 2)
    const isOne = p === 1
    const norm = (isOne ? op.reduceL1 : op.reduceL2)(x, [axis], { keepDims: true })
    const along = op.reduceSum(op.mul(dy, y), [axis], { keepDims: true })
    const dx = op.div(op.sub(dy, op.mul(isOne ? op.sign(x) : y, along)), norm)
    return [op.where(op.equal(norm, 0), 0, dx)]
  },
  MeanVarianceNormalization: (call) => {
    const x = call.input(0)
    const axes = call.ints('axes') ?? [0, 2, 3]
    const positive = axes.map((axis) => call.axis(axis, x.shape.length))
    // The operator divides by the deviation plus 1e-9: the variance is not smoothed.
    return [centred(x, { dy: call.gradient, axes: positive, epsilon: 0 }).dx]
  },
} as const satisfies Record<string, GradientRule>

/** Statistics fixed: an affine map of each channel. */
function ofFixed(call: BackwardCall): readonly (Value | undefined)[] {
  const [x, dy] = [call.input(0), call.gradient]
  const [scale, mean, variance] = [1, 3, 4].map((index) => call.input(index)) as [Value, Value, Value]
  const inverse = op.reciprocal(op.sqrt(op.add(variance, call.float('epsilon') ?? 1e-5)))
  const factor = op.mul(scale, inverse)
  const wantsShares = call.wants(1) || call.wants(4)
  const sum = call.wants(2) || call.wants(3) ? overAllButChannels(dy) : undefined
  const share = wantsShares ? overAllButChannels(op.mul(dy, op.sub(x, perChannel(mean, x)))) : undefined
  return [
    call.wants(0) ? op.mul(dy, perChannel(factor, x)) : undefined,
    call.wants(1) ? op.mul(share!, inverse) : undefined,
    call.wants(2) ? sum : undefined,
    call.wants(3) ? op.neg(op.mul(sum!, factor)) : undefined,
    call.wants(4) ? op.mul(share!, op.mul(op.mul(factor, op.mul(inverse, inverse)), -0.5)) : undefined,
  ]
}

/**
 * The batch's own statistics, by which no gradient flows on its own. Everything is computed from `x` minus its mean: the difference of
 * two large sums would lose the digits of channels whose mean is large against their deviation.
 */
function ofBatch(call: BackwardCall): readonly (Value | undefined)[] {
  const [x, scale, dy] = [call.input(0), call.input(1), call.gradient]
  const { mean, variance, centredX } = batchStatistics(call, x)
  const inverse = op.reciprocal(op.sqrt(op.add(variance, call.float('epsilon') ?? 1e-5)))
  const minus = centredX ?? op.sub(x, perChannel(mean, x))
  const sum = overAllButChannels(dy)
  const share = op.mul(overAllButChannels(op.mul(dy, minus)), inverse)
  const gradients = [undefined, call.wants(1) ? share : undefined, call.wants(2) ? sum : undefined]
  if (!call.wants(0)) return gradients
  const number = op.div(op.cast(op.size(x), x.dtype), op.cast(op.size(scale), x.dtype))
  const factor = op.mul(scale, inverse)
  const slope = op.neg(op.div(op.mul(op.mul(factor, inverse), share), number))
  const shift = op.neg(op.div(op.mul(factor, sum), number))
  const line = op.add(op.mul(minus, perChannel(slope, x)), perChannel(shift, x))
  return [op.add(op.mul(dy, perChannel(factor, x)), line), ...gradients.slice(1)]
}

function batchStatistics(
  call: BackwardCall,
  x: Value,
): { readonly mean: Value; readonly variance: Value; readonly centredX?: Value } {
  const [, mean, variance] = call.outputs
  if (mean && variance && call.float('momentum') === 0) return { mean, variance }
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1)
  const own = op.reduceMean(x, axes)
  const centredX = op.sub(x, perChannel(own, x))
  return { mean: own, variance: op.reduceMean(op.mul(centredX, centredX), axes), centredX }
}

/** The reductions are products of matrices with the scale or with ones, several times faster than sums. */
function ofLayer(call: BackwardCall): readonly (Value | undefined)[] {
  const [x, scale, dy] = [call.input(0), call.input(1), call.gradient]
  const axis = call.axis(call.int('axis', -1), x.shape.length)
  const features = x.shape.slice(axis)
  const isKnown = features.every((size) => typeof size === 'number')
  const size = features.reduce<number>((product, one) => product * Number(one), 1)
  if (!isKnown) throw call.unsupported('has a gradient for known sizes of what is normalised only')
  if (scale.shape.length > features.length || scale.shape.some((one) => typeof one !== 'number')) {
    throw call.unsupported('has a gradient for a scale of known size only')
  }
  const rows = (value: Value) => op.reshape(value, [-1, size])
  const whole = (value: Value) => op.reshape(op.expand(value, features.map(Number)), [size])
  const isWhole = scale.shape.join() === features.join()
  if (!isWhole && (call.wants(1) || call.wants(2))) {
    throw call.unsupported('has no gradient by a scale or bias that is repeated')
  }
  const [xs, dys, scales] = [rows(x), rows(dy), isWhole ? op.reshape(scale, [size]) : whole(scale)]
  const { minus, inverse } = layerStatistics(call, xs)
  const products = op.mul(dys, minus)
  const column = op.reshape(scales, [size, 1])
  const gradients = [
    undefined,
    call.wants(1) ? reshapeLike(op.matMul(op.transpose(inverse, [1, 0]), products), scale) : undefined,
    call.wants(2) ? reshapeLike(op.matMul(onesLike(inverse), dys), call.input(2)) : undefined,
  ]
  if (!call.wants(0)) return gradients
  const mean = op.mul(op.matMul(dys, column), 1 / size)
  const slope = op.mul(op.mul(op.matMul(products, column), op.mul(inverse, inverse)), 1 / size)
  const inner = op.sub(op.sub(op.mul(dys, scales), mean), op.mul(minus, slope))
  return [reshapeLike(op.mul(inner, inverse), x), ...gradients.slice(1)]
}

/** The operator's own statistics are float32: what is computed in float64 needs others. */
function layerStatistics(call: BackwardCall, xs: Value): { readonly minus: Value; readonly inverse: Value } {
  if (xs.dtype !== 'float64') {
    const [mean, inverse] = [1, 2].map((index) => op.cast(op.reshape(call.output(index), [-1, 1]), xs.dtype))
    return { minus: op.sub(xs, mean!), inverse: inverse! }
  }
  return statistics(xs, [1], call.float('epsilon') ?? 1e-5)
}

/** A row of as many ones as a column has elements. */
function onesLike(column: Value): Value {
  const count = op.concat([column.builder.constant([1]), op.shape(column, 0, 1)], 0)
  return op.constantOfShape(count, 1, column.dtype)
}

/** `scale` and `bias` are per group before operator set 21, per channel since. */
function ofGroups(call: BackwardCall): readonly (Value | undefined)[] {
  const [x, scale, dy] = [call.input(0), call.input(1), call.gradient]
  const groups = call.int('num_groups', 1)
  const channels = x.shape[1]
  if (typeof channels !== 'number')
    throw call.unsupported('has a gradient for a known number of channels only')
  const perGroup = channels / groups
  const isByGroup = call.builder.opset < 21
  const repeated = isByGroup
    ? op.reshape(op.expand(op.reshape(scale, [groups, 1]), [groups, perGroup]), [channels])
    : scale
  const flat = (value: Value) => op.reshape(value, [0, groups, -1])
  const { dx, shares } = centred(flat(x), {
    dy: flat(op.mul(dy, perChannel(repeated, x))),
    axes: [2],
    epsilon: call.float('epsilon') ?? 1e-5,
  })
  const [byScale, byBias] = scaleAndShift(call, x, reshapeLike(shares, x))
  const joined = (value: Value | undefined) =>
    value && isByGroup ? op.reduceSum(op.reshape(value, [groups, perGroup]), [1]) : value
  return [reshapeLike(dx, x), joined(byScale), joined(byBias)]
}

/** Gradients by scale and bias per channel, from the normalised `x`. */
function scaleAndShift(call: BackwardCall, x: Value, normalized: Value): readonly (Value | undefined)[] {
  const dy = call.gradient
  if (x.shape.length < 2) throw call.unsupported('has a gradient for two axes and more')
  return [
    call.wants(1) ? overAllButChannels(op.mul(dy, normalized)) : undefined,
    call.wants(2) ? overAllButChannels(dy) : undefined,
  ]
}

/** The gradient of `(x - mean) / √(variance + ε)` over some axes, and that itself. */
function centred(
  x: Value,
  { dy, axes, epsilon }: { readonly dy: Value; readonly axes: readonly number[]; readonly epsilon: number },
): { readonly dx: Value; readonly shares: Value } {
  const { minus, inverse } = statistics(x, axes, epsilon)
  const shares = op.mul(minus, inverse)
  const keepDims = { keepDims: true }
  const share = op.reduceMean(op.mul(dy, shares), axes, keepDims)
  const inner = op.sub(op.sub(dy, op.reduceMean(dy, axes, keepDims)), op.mul(shares, share))
  return { dx: op.mul(inner, inverse), shares }
}

function statistics(
  x: Value,
  axes: readonly number[],
  epsilon: number,
): { readonly minus: Value; readonly inverse: Value } {
  const minus = op.sub(x, op.reduceMean(x, axes, { keepDims: true }))
  const variance = op.reduceMean(op.mul(minus, minus), axes, { keepDims: true })
  return { minus, inverse: op.reciprocal(op.sqrt(op.add(variance, epsilon))) }
}

/**
 * Of `y = x · sᵝ⁻` with `s = bias + α/n Σ x²` over neighbouring channels: `dy · s⁻ᵝ - 2αβ/n · x Σ dy · y / s`, the sum over the same
 * neighbours seen from the other side.
 */
function ofResponse(call: BackwardCall): readonly (Value | undefined)[] {
  const [x, y, dy] = [call.input(0), call.output(0), call.gradient]
  const size = call.int('size', 1)
  const [alpha, beta, bias] = [
    call.float('alpha') ?? 1e-4,
    call.float('beta') ?? 0.75,
    call.float('bias') ?? 1,
  ]
  const channels = x.shape[1]
  if (typeof channels !== 'number')
    throw call.unsupported('has a gradient for a known number of channels only')
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)]
  const sum = (value: Value, first: number, last: number) => {
    const axes = x.shape.map((_, axis) => axis)
    const pads = [
      ...axes.map((axis) => (axis === 1 ? first : 0)),
      ...axes.map((axis) => (axis === 1 ? last : 0)),
    ]
    const wide = op.pad(value, pads)
    return Array.from({ length: size }, (_, i) => op.slice(wide, [i], [i + channels], { axes: [1] })).reduce(
      (total, part) => op.add(total, part),
    )
  }
  const scale = op.add(op.mul(sum(op.mul(x, x), before, after), alpha / size), bias)
  const back = sum(op.div(op.mul(dy, y), scale), after, before)
  const own = op.mul(dy, op.pow(scale, -beta))
  return [op.sub(own, op.mul(op.mul(x, back), (2 * alpha * beta) / size))]
}

/** A vector over channels (axis 1), broadcast over the axes behind. */
function perChannel(vector: Value, x: Value): Value {
  return op.reshape(vector, [-1, ...spaceOf(x).map(() => 1)])
}

function overAllButChannels(value: Value): Value {
  return op.reduceSum(
    value,
    value.shape.map((_, axis) => axis).filter((axis) => axis !== 1),
  )
}

function spaceOf(x: Value): readonly number[] {
  return x.shape.map((_, axis) => axis).slice(2)
}
