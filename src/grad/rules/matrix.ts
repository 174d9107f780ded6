/** Gradients of matrix products. */
import { op, type Value } from '../../graph/index.ts'
import { reshapeLike, unbroadcast } from '../broadcasting.ts'
import type { GradientRule } from '../rule.ts'
import { productOf } from '../transposes.ts'

/** Rules by operator. */
export const matrixRules = {
  MatMul: (call) => {
    const [a, b] = [call.input(0), call.input(1)]
    const [left, right] = [a.shape.length === 1 ? op.unsqueeze(a, [0]) : a, asColumns(b)]
    const gradient = withVectors(call.gradient, a, b)
    const shaped = (found: Value, like: Value) => (like.shape.length === 1 ? reshapeLike(found, like) : found)
    return [
      call.wants(0) ? shaped(unbroadcast(productOf(gradient, right, 'b'), left), a) : undefined,
      call.wants(1) ? shaped(byRight(left, right, gradient), b) : undefined,
    ]
  },
  Gemm: (call) => {
    const { gradient } = call
    const [a, b, c] = [call.input(0), call.input(1), call.inputs[2]]
    const [transA, transB] = [call.int('transA', 0) === 1, call.int('transB', 0) === 1]
    const alpha = call.float('alpha') ?? 1
    const product = (left: Value, right: Value, turnLeft: boolean, turnRight: boolean) =>
      op.gemm(left, right, undefined, {
        transA: turnLeft,
        transB: turnRight,
        ...(alpha === 1 ? {} : { alpha }),
      })
    const byA = () => (transA ? product(b, gradient, transB, true) : product(gradient, b, false, !transB))
    const byB = () => (transB ? product(gradient, a, true, transA) : product(a, gradient, !transA, false))
    return [
      call.wants(0) ? byA() : undefined,
      call.wants(1) ? byB() : undefined,
      c && call.wants(2) ? unbroadcast(times(gradient, call.float('beta') ?? 1), c) : undefined,
    ]
  },
} as const satisfies Record<string, GradientRule>

function asColumns(b: Value): Value {
  return b.shape.length === 1 ? op.unsqueeze(b, [1]) : b
}

/** The gradient with the axes that a product of vectors lacks. */
function withVectors(gradient: Value, a: Value, b: Value): Value {
  const rows = a.shape.length === 1
  const columns = b.shape.length === 1
  const rank = gradient.shape.length + Number(rows) + Number(columns)
  const axes = [...(rows ? [rank - 2] : []), ...(columns ? [rank - 1] : [])]
  return axes.length === 0 ? gradient : op.unsqueeze(gradient, axes)
}

function byRight(left: Value, right: Value, gradient: Value): Value {
  if (right.shape.length > 2) return unbroadcast(productOf(left, gradient, 'a'), right)
  // One matrix for all of the batch: a single product sums over it as well.
  const flat = (x: Value) => (x.shape.length === 2 ? x : op.flatten(x, x.shape.length - 1))
  return productOf(flat(left), flat(gradient), 'a')
}

function times(x: Value, factor: number): Value {
  return factor === 1 ? x : op.mul(x, factor)
}
