/** Activation functions. */
import { PipiloError } from '../../base/index.ts'
import type { Value } from '../builder.ts'
import { apply, float, int } from './apply.ts'
import type { EmittedOperator } from './emitted.ts'
import { add, div, erf, mul, pow } from './math.ts'

const unary = (op: EmittedOperator) => (x: Value) => apply(op, [x])

/** `max(x, 0)` */
export const relu = unary('Relu')
/** `1 / (1 + e⁻ˣ)` */
export const sigmoid = unary('Sigmoid')
/** Hyperbolic tangent. */
export const tanh = unary('Tanh')
/** `ln(1 + eˣ)` */
export const softplus = unary('Softplus')
/** `x / (1 + |x|)` */
export const softsign = unary('Softsign')
/** `x · min(max(x/6 + 1/2, 0), 1)` */
export const hardSwish = unary('HardSwish')

/** `min(max(alpha x + beta, 0), 1)`. Defaults are PyTorch's: 1/6 and 1/2. */
export function hardSigmoid(x: Value, alpha = 1 / 6, beta = 0.5): Value {
  return apply('HardSigmoid', [x], { alpha: float(alpha), beta: float(beta) })
}

/** `x` where positive, else `slope · x`. Default slope is PyTorch's: 0.01. */
export function leakyRelu(x: Value, slope = 0.01): Value {
  return apply('LeakyRelu', [x], { alpha: float(slope) })
}

/** `x` where positive, else `slope · x` with a learned slope that broadcasts to `x`. */
export function prelu(x: Value, slope: Value): Value {
  return apply('PRelu', [x, slope])
}

/** `x` where positive, else `alpha · (eˣ - 1)`. */
export function elu(x: Value, alpha = 1): Value {
  return apply('Elu', [x], { alpha: float(alpha) })
}

/** Scaled {@link elu} with the constants of https://arxiv.org/abs/1706.02515. */
export const selu = unary('Selu')

/** `x · sigmoid(x)`, also called swish. */
export function silu(x: Value): Value {
  return mul(x, sigmoid(x))
}

/**
 * Gaussian error linear unit (https://arxiv.org/abs/1606.08415): exact `x/2 · (1 + erf(x/√2))`, or its approximation by tanh.
 * Composed of standard operators in the form that runtimes fuse.
 */
export function gelu(x: Value, approximate: 'none' | 'tanh' = 'none'): Value {
  if (approximate === 'none') return mul(mul(x, add(erf(div(x, Math.SQRT2)), 1)), 0.5)
  const inner = mul(add(x, mul(pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI))
  return mul(mul(x, 0.5), add(tanh(inner), 1))
}

/** `x · sigmoid(1.702 x)`, CLIP's approximation of {@link gelu}. */
export function quickGelu(x: Value): Value {
  return mul(x, sigmoid(mul(x, 1.702)))
}

/** `x · tanh(softplus(x))` */
export function mish(x: Value): Value {
  return mul(x, tanh(softplus(x)))
}

/** Before operator set 13, Softmax flattens all axes from the given one on: right for the last axis alone. */
function overAxis(op: EmittedOperator, x: Value, axis: number): Value {
  if (x.builder.opset >= 13) return apply(op, [x], { axis: int(axis) })
  const last = x.shape.length - 1
  if (axis === -1 || axis === last) return apply(op, [x], { axis: int(last) })
  throw new PipiloError('OPERATOR_UNSUPPORTED', `Before operator set 13, ${op} works on the last axis only.`)
}

/** Exponentials that sum to 1 along `axis` (default the last). */
export function softmax(x: Value, axis = -1): Value {
  return overAxis('Softmax', x, axis)
}

/** Logarithm of {@link softmax}. */
export function logSoftmax(x: Value, axis = -1): Value {
  return overAxis('LogSoftmax', x, axis)
}
