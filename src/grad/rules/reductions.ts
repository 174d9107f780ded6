/** Gradients of reductions. */
import { op, type Value } from '../../graph/index.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'

/** Rules by operator. */
export const reductionRules = {
  ReduceSum: (call) => [spread(call, call.gradient)],
} as const satisfies Record<string, GradientRule>

/** A reduced value in the shape of the input: the reduced axes come back, repeated. */
function spread(call: BackwardCall, reduced: Value): Value {
  const input = call.input(0)
  return op.expand(withAxes(call, reduced), op.shape(input))
}

/** A reduced value with its reduced axes of size 1. */
function withAxes(call: BackwardCall, reduced: Value): Value {
  const rank = call.input(0).shape.length
  if (call.int('keepdims', 1) === 1) return reduced
  const given = call.integers('axes', 1)
  if (given?.length === 0 || !given) {
    return call.int('noop_with_empty_axes', 0) === 1
      ? reduced
      : op.reshape(
          reduced,
          Array.from({ length: rank }, () => 1),
        )
  }
  return op.unsqueeze(
    reduced,
    given.map((axis) => call.axis(axis, rank)),
  )
}
