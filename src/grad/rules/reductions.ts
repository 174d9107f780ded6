/** Gradients of reductions. */
import { op, type Value } from '../../graph/index.ts'
import { expandLike } from '../broadcasting.ts'
import type { BackwardCall, Gradient, GradientRule } from '../rule.ts'
import { unary } from './arithmetic.ts'

const x = (call: BackwardCall) => call.input(0)

/** A rule of the gradient and the output, both with their reduced axes of size 1. */
function broadcasting(derive: (gradient: Value, output: Value, call: BackwardCall) => Value): Gradient {
  return unary((g, call) => derive(withAxes(call, g), withAxes(call, call.output(0)), call))
}

/** Rules by operator. */
export const reductionRules = {
  ReduceSum: unary((g, call) => expandLike(withAxes(call, g), x(call))),
  ReduceMean: unary((g, call) => expandLike(withAxes(call, op.div(g, count(call))), x(call))),
  ReduceMax: broadcasting(shared),
  ReduceMin: broadcasting(shared),
  ReduceProd: broadcasting(product),
  ReduceL1: broadcasting((g, _, call) => op.mul(g, op.sign(x(call)))),
  ReduceL2: broadcasting((g, y, call) => {
    // As PyTorch: nothing flows from a norm of 0.
    const isZero = op.equal(y, 0)
    const scale = op.where(isZero, 0, op.div(g, op.where(isZero, 1, y)))
    return op.mul(scale, x(call))
  }),
  ReduceLogSum: broadcasting((g, y, call) => expandLike(op.div(g, op.exp(y)), x(call))),
  ReduceLogSumExp: broadcasting((g, y, call) => op.mul(g, op.exp(op.sub(x(call), y)))),
  ReduceSumSquare: broadcasting((g, _, call) => op.mul(op.mul(g, 2), x(call))),
} as const satisfies Record<string, GradientRule>

/** Equal extremes share the gradient evenly, as with `torch.amax`. */
function shared(g: Value, y: Value, call: BackwardCall): Value {
  const mask = op.cast(op.equal(x(call), y), g.dtype)
  return op.mul(op.div(g, sumAgain(call, mask)), mask)
}

/** The product of the others: where one element is 0, it alone has a gradient, and where two are, none has. */
function product(g: Value, y: Value, call: BackwardCall): Value {
  const isZero = op.equal(x(call), 0)
  const zeros = sumAgain(call, op.cast(isZero, g.dtype))
  const safe = op.where(isZero, 1, x(call))
  const [name, inputs, attributes] = again(call, safe)
  const rest = call.builder.node(name, inputs, attributes)[0]!
  const alone = op.where(op.equal(zeros, 1), rest, 0)
  return op.mul(g, op.where(isZero, alone, op.div(y, safe)))
}

/** The same reduction of another value, its axes kept. */
function again(call: BackwardCall, value: Value): Parameters<BackwardCall['builder']['node']> {
  const { node, inputs } = call
  return [node.op, [value, ...inputs.slice(1)], { ...node.attributes, keepdims: { type: 'int', value: 1 } }]
}

/** The sum over the axes that the node reduces, which are kept. */
function sumAgain(call: BackwardCall, value: Value): Value {
  const axes = axesOf(call)
  return axes.length === 0 ? value : op.reduceSum(value, axes, { keepDims: true })
}

/** The reduced axes in ascending order. @throws if they are computed */
function axesOf(call: BackwardCall): readonly number[] {
  const all = [...x(call).shape.keys()]
  const given = call.integers('axes', 1)
  if (given?.length) return given.map((axis) => call.axis(axis, all.length)).sort((a, b) => a - b)
  return call.int('noop_with_empty_axes', 0) === 1 ? [] : all
}

/** A reduced value with its reduced axes of size 1. */
function withAxes(call: BackwardCall, reduced: Value): Value {
  if (call.int('keepdims', 1) === 1) return reduced
  const axes = axesOf(call)
  return axes.length === 0 ? reduced : op.unsqueeze(reduced, axes)
}

/** How many elements each mean is of. */
function count(call: BackwardCall): Value | number {
  const value = x(call)
  const given = call.ints('axes') ?? (call.inputs[1] ? call.inputs[1].fact.content : [])
  if (given) {
    const sizes = axesOf(call).map((axis) => value.shape[axis]!)
    if (sizes.every((size) => typeof size === 'number')) return sizes.reduce((a, b) => a * b, 1)
  }
  return op.cast(op.div(op.size(value), op.size(call.output(0))), value.dtype)
}
