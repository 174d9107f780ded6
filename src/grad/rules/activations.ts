/** Gradients of activation functions. At a corner they are PyTorch's choice. */
import { op, type Value } from '../../graph/index.ts'
import { unbroadcast } from '../broadcasting.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { unary } from './arithmetic.ts'

const x = (call: BackwardCall) => call.input(0)
const y = (call: BackwardCall) => call.output(0)

/** 1 where the condition holds, else 0. As a factor it takes half the time of Where in ONNX Runtime 1.30. */
const mask = (condition: Value, like: Value) => op.cast(condition, like.dtype)
/** 1 where a value is above 0. Steep enough, HardSigmoid gives that for every normal float32, in one pass instead of two. */
const positive = (value: Value) =>
  value.dtype === 'float32' ? op.hardSigmoid(value, 3e38, 0) : mask(op.greater(value, 0), value)

/** `g` where the condition holds, else `g · factor`. */
const elseTimes = (condition: Value, g: Value, factor: Value | number) =>
  op.where(condition, g, op.mul(g, factor))

/** Rules by operator. */
export const activationRules = {
  Relu: unary((g, call) => op.mul(g, positive(y(call)))),
  Sigmoid: unary((g, call) => op.mul(g, op.mul(y(call), op.sub(1, y(call))))),
  Tanh: unary((g, call) => op.mul(g, op.sub(1, op.mul(y(call), y(call))))),
  Softplus: unary((g, call) => op.mul(g, op.sigmoid(x(call)))),
  Softsign: unary((g, call) => {
    const divisor = op.add(op.abs(x(call)), 1)
    return op.div(g, op.mul(divisor, divisor))
  }),
  HardSigmoid: unary((g, call) => {
    const inside = op.and(op.greater(y(call), 0), op.less(y(call), 1))
    return op.mul(g, op.mul(mask(inside, g), call.float('alpha') ?? 0.2))
  }),
  HardSwish: unary((g, call) => {
    const slope = op.add(op.mul(x(call), 1 / 3), 0.5)
    const above = op.where(op.less(x(call), 3), slope, 1)
    return op.mul(g, op.mul(above, mask(op.greater(x(call), -3), g)))
  }),
  LeakyRelu: unary((g, call) => elseTimes(op.greater(x(call), 0), g, call.float('alpha') ?? 0.01)),
  ThresholdedRelu: unary((g, call) => op.mul(g, mask(op.greater(x(call), call.float('alpha') ?? 1), g))),
  PRelu: (call) => {
    const [g, slope] = [call.gradient, call.input(1)]
    const isPositive = op.greater(x(call), 0)
    return [
      call.wants(0) ? elseTimes(isPositive, g, slope) : undefined,
      call.wants(1) ? unbroadcast(op.mul(g, op.min(x(call), 0)), slope) : undefined,
    ]
  },
  Elu: unary((g, call) => elseTimes(op.greater(x(call), 0), g, op.add(y(call), call.float('alpha') ?? 1))),
  Selu: unary((g, call) => {
    const alpha = call.float('alpha') ?? 1.6732631921768188
    const gamma = call.float('gamma') ?? 1.0507010221481323
    // Below 0 the output is gamma · alpha · (eˣ - 1).
    const slope = op.add(op.min(y(call), 0), gamma * alpha)
    return op.mul(g, op.where(op.greater(x(call), 0), gamma, slope))
  }),
  Celu: unary((g, call) => {
    const alpha = call.float('alpha') ?? 1
    return op.mul(g, op.exp(op.mul(op.min(x(call), 0), 1 / alpha)))
  }),
  Shrink: unary((g, call) => {
    const threshold = call.float('lambd') ?? 0.5
    return op.mul(g, mask(op.greater(op.abs(x(call)), threshold), g))
  }),
  Mish: unary((g, call) => {
    const gate = op.tanh(op.softplus(x(call)))
    const bend = op.mul(op.sub(1, op.mul(gate, gate)), op.sigmoid(x(call)))
    return op.mul(g, op.add(gate, op.mul(x(call), bend)))
  }),
  Swish: unary((g, call) => swish(g, call, call.float('alpha') ?? 1)),
  Gelu: unary((g, call) => (call.string('approximate') === 'tanh' ? geluTanh(g, x(call)) : gelu(g, x(call)))),
  'com.microsoft.Gelu': unary((g, call) => gelu(g, x(call))),
  'com.microsoft.QuickGelu': unary((g, call) => swish(g, call, call.float('alpha') ?? 1.702)),
  'com.microsoft.FastGelu': (call) => {
    const bias = call.inputs[1]
    const gradient = geluTanh(call.gradient, bias ? op.add(x(call), bias) : x(call))
    return [gradient, bias && call.wants(1) ? unbroadcast(gradient, bias) : undefined]
  },
  'com.microsoft.BiasGelu': (call) => {
    const bias = call.input(1)
    const gradient = gelu(call.gradient, op.add(x(call), bias))
    return [gradient, call.wants(1) ? unbroadcast(gradient, bias) : undefined]
  },
} as const satisfies Record<string, GradientRule>

function swish(g: Value, call: BackwardCall, alpha: number): Value {
  const gate = op.sigmoid(alpha === 1 ? x(call) : op.mul(x(call), alpha))
  // y = x · gate, and the gate's slope is alpha · gate · (1 - gate).
  const bend = op.mul(op.sub(1, gate), alpha === 1 ? y(call) : op.mul(y(call), alpha))
  return op.mul(g, op.add(gate, bend))
}

/** By `Φ(x) + x φ(x)`, in nine passes over memory: HardSigmoid is a line in one, and a quotient spares the exponent's sign. */
function gelu(g: Value, value: Value): Value {
  const scaled = op.mul(value, Math.SQRT1_2)
  const bend = op.mul(op.div(scaled, op.exp(op.mul(scaled, scaled))), 1 / Math.sqrt(Math.PI))
  return op.mul(g, op.add(cumulative(op.erf(scaled)), bend))
}

/** (erf + 1) / 2. ONNX Runtime's HardSigmoid is for float32 alone. */
function cumulative(erf: Value): Value {
  return erf.dtype === 'float32' ? op.hardSigmoid(erf, 0.5, 0.5) : op.mul(op.add(erf, 1), 0.5)
}

function geluTanh(g: Value, value: Value): Value {
  const scale = Math.sqrt(2 / Math.PI)
  const square = op.mul(value, value)
  const gate = op.tanh(op.mul(value, op.add(op.mul(square, 0.044715 * scale), scale)))
  const bend = op.mul(op.sub(1, op.mul(gate, gate)), op.add(op.mul(square, 3 * 0.044715 * scale), scale))
  return op.mul(g, op.mul(op.add(op.add(gate, 1), op.mul(value, bend)), 0.5))
}
