/** Gradients of arithmetic with broadcasting, and of functions of one number. */
import { op, type Value } from '../../graph/index.ts'
import { unbroadcast } from '../broadcasting.ts'
import type { BackwardCall, Gradient, GradientRule } from '../rule.ts'

/** A rule of one input, from the gradient by the output. */
export function unary(derive: (gradient: Value, call: BackwardCall) => Value): Gradient {
  return (call) => (call.wants(0) ? [derive(call.gradient, call)] : [])
}

/** A rule of several inputs that broadcast: one function each. */
function broadcasting(
  ...derive: readonly ((gradient: Value, call: BackwardCall) => Value | undefined)[]
): Gradient {
  return (call) =>
    derive.map((by, index) => {
      const gradient = call.wants(index) ? by(call.gradient, call) : undefined
      return gradient && unbroadcast(gradient, call.input(index))
    })
}

const x = (call: BackwardCall) => call.input(0)
const y = (call: BackwardCall) => call.output(0)
const square = (value: Value) => op.mul(value, value)
const function1 = (name: string, value: Value) => value.builder.node(name, [value])[0]!

/** Rules by operator. */
export const arithmeticRules = {
  Add: broadcasting(
    (g) => g,
    (g) => g,
  ),
  Sub: broadcasting((g) => g, op.neg),
  Mul: broadcasting(
    (g, call) => op.mul(g, call.input(1)),
    (g, call) => op.mul(g, call.input(0)),
  ),
  Div: (call) => {
    const divisor = call.input(1)
    return [
      call.wants(0) ? unbroadcast(op.div(call.gradient, divisor), x(call)) : undefined,
      // Divided after the sum, where the divisor may be small.
      call.wants(1)
        ? op.neg(op.div(unbroadcast(op.mul(call.gradient, y(call)), divisor), divisor))
        : undefined,
    ]
  },
  Pow: broadcasting(byBase, byExponent),
  Mod: broadcasting(
    (g) => g,
    // The remainder is x - divisor · quotient.
    (g, call) => op.neg(op.mul(g, op.round(op.div(op.sub(x(call), y(call)), call.input(1))))),
  ),
  Max: extreme(op.greater),
  Min: extreme(op.less),
  Sum: everyInput((g) => g),
  Mean: everyInput((g, call) => op.div(g, call.inputs.length)),
  Neg: unary(op.neg),
  Abs: unary((g, call) => op.mul(g, op.sign(x(call)))),
  Sqrt: unary((g, call) => op.div(g, op.mul(y(call), 2))),
  Reciprocal: unary((g, call) => op.neg(op.mul(g, square(y(call))))),
  Exp: unary((g, call) => op.mul(g, y(call))),
  Log: unary((g, call) => op.div(g, x(call))),
  Sin: unary((g, call) => op.mul(g, op.cos(x(call)))),
  Cos: unary((g, call) => op.neg(op.mul(g, op.sin(x(call))))),
  Tan: unary((g, call) => op.mul(g, op.add(square(y(call)), 1))),
  Asin: unary((g, call) => op.div(g, op.sqrt(op.sub(1, square(x(call)))))),
  Acos: unary((g, call) => op.neg(op.div(g, op.sqrt(op.sub(1, square(x(call))))))),
  Atan: unary((g, call) => op.div(g, op.add(square(x(call)), 1))),
  Sinh: unary((g, call) => op.mul(g, function1('Cosh', x(call)))),
  Cosh: unary((g, call) => op.mul(g, function1('Sinh', x(call)))),
  Asinh: unary((g, call) => op.div(g, op.sqrt(op.add(square(x(call)), 1)))),
  Acosh: unary((g, call) => op.div(g, op.sqrt(op.sub(square(x(call)), 1)))),
  Atanh: unary((g, call) => op.div(g, op.sub(1, square(x(call))))),
  Erf: unary((g, call) => op.mul(g, op.mul(op.exp(op.neg(square(x(call)))), 2 / Math.sqrt(Math.PI)))),
  Clip: clip,
  Where: (call) => {
    const { gradient } = call
    const condition = call.input(0)
    return [
      undefined,
      call.wants(1) ? unbroadcast(op.where(condition, gradient, 0), call.input(1)) : undefined,
      call.wants(2) ? unbroadcast(op.where(condition, 0, gradient), call.input(2)) : undefined,
    ]
  },
  Cast: unary((g, call) => op.cast(g, x(call).dtype)),
  CastLike: unary((g, call) => op.cast(g, x(call).dtype)),
  Identity: unary((g) => g),
} as const satisfies Record<string, GradientRule>

function everyInput(derive: (gradient: Value, call: BackwardCall) => Value): Gradient {
  return (call) => {
    const gradient = derive(call.gradient, call)
    return call.inputs.map((input, index) =>
      input && call.wants(index) ? unbroadcast(gradient, input) : undefined,
    )
  }
}

function byBase(g: Value, call: BackwardCall): Value {
  const [base, exponent] = [x(call), call.input(1)]
  const known = exponent.shape.length === 0 ? exponent.fact.content?.[0] : undefined
  if (typeof known === 'number') return byKnownBase(g, call, known)
  const power = op.cast(exponent, base.dtype)
  const derivative = op.mul(power, op.pow(base, op.sub(power, 1)))
  // 0 · 0⁻¹ is none.
  return op.mul(g, op.where(op.equal(power, 0), 0, derivative))
}

function byKnownBase(g: Value, call: BackwardCall, exponent: number): Value {
  if (exponent === 1) return g
  if (exponent === 2) return op.mul(g, op.mul(x(call), 2))
  if (exponent === 3) return op.mul(g, op.mul(square(x(call)), 3))
  if (exponent === 0.5) return op.div(op.mul(g, 0.5), y(call))
  if (exponent === 0) return op.mul(g, 0)
  return op.mul(g, op.mul(op.pow(x(call), exponent - 1), exponent))
}

function byExponent(g: Value, call: BackwardCall): Value {
  const [base, exponent] = [x(call), call.input(1)]
  const power = op.cast(exponent, base.dtype)
  // 0ᵖ does not change with a p ≥ 0, though its logarithm is -∞.
  const still = op.and(op.equal(base, 0), op.not(op.less(power, 0)))
  const gradient = op.where(still, 0, op.mul(g, op.mul(y(call), op.log(base))))
  return op.cast(gradient, exponent.dtype)
}

/** Equals share the gradient evenly: halves for two, as `torch.maximum`. */
function extreme(isBeyond: (a: Value, b: Value) => Value): Gradient {
  return (call) => {
    const inputs = call.inputs.map((_, index) => call.input(index))
    if (inputs.length === 1) return [call.gradient]
    if (inputs.length > 2) return shared(call, inputs)
    return inputs.map((own, index) => {
      if (!call.wants(index)) return undefined
      const other = inputs[1 - index]!
      return unbroadcast(shareOf(call.gradient, own, other, isBeyond), own)
    })
  }
}

function shareOf(g: Value, own: Value, other: Value, isBeyond: (a: Value, b: Value) => Value): Value {
  const tied = op.where(op.equal(own, other), op.mul(g, 0.5), 0)
  return op.where(isBeyond(own, other), g, tied)
}

function shared(call: BackwardCall, inputs: readonly Value[]): (Value | undefined)[] {
  const masks = inputs.map((input) => op.cast(op.equal(input, y(call)), input.dtype))
  const share = op.div(
    call.gradient,
    masks.reduce((sum, mask) => op.add(sum, mask)),
  )
  return inputs.map((input, index) =>
    call.wants(index) ? unbroadcast(op.mul(share, masks[index]!), input) : undefined,
  )
}

/** As `torch.clamp` and `relu6`: 1 between the bounds, 0 on them and outside. */
function clip(call: BackwardCall): (Value | undefined)[] {
  if (call.wants(1) || call.wants(2)) return clipByBounds(call)
  const { gradient } = call
  const [low, high] = [call.inputs[1], call.inputs[2]]
  const above = low && op.greater(x(call), low)
  const below = high && op.less(x(call), high)
  const inside = above && below ? op.and(above, below) : (above ?? below)
  return [inside ? op.mul(gradient, op.cast(inside, gradient.dtype)) : gradient]
}

/** As `torch.clamp` by tensors: the minimum, by the upper bound, of the maximum by the lower one; what is on a bound shares with it. */
function clipByBounds(call: BackwardCall): (Value | undefined)[] {
  const { gradient } = call
  const [low, high] = [call.inputs[1], call.inputs[2]]
  const raised = low ? op.max(x(call), low) : x(call)
  const byRaised = high ? shareOf(gradient, raised, high, op.less) : gradient
  return [
    call.wants(0) ? (low ? shareOf(byRaised, x(call), low, op.greater) : byRaised) : undefined,
    low && call.wants(1) ? unbroadcast(shareOf(byRaised, low, x(call), op.greater), low) : undefined,
    high && call.wants(2) ? unbroadcast(shareOf(gradient, high, raised, op.less), high) : undefined,
  ]
}
