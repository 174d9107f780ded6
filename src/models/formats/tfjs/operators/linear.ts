/** Matrix products. */
import { op, type Value } from '../../../../graph/index.ts'
import { OwnOrder } from '../laid.ts'
import type { NodeCall, OperatorRule, Rules } from '../nodeCall.ts'
import { finish } from './elementwise.ts'

/** The last two axes swapped. */
function swapped(x: Value): Value {
  const axes = x.shape.map((_, axis) => axis)
  return op.transpose(x, [...axes.slice(0, -2), ...axes.slice(-2).reverse()])
}

function product(call: NodeCall, first: string, second: string): Value {
  const [a, b] = [call.value(0), call.value(1)]
  return op.matMul(call.flag(first) ? swapped(a) : a, call.flag(second) ? swapped(b) : b)
}

const matMul: OperatorRule = (call) =>
  finish(call, new OwnOrder(product(call, 'transpose_a', 'transpose_b')), 2)
const batched: OperatorRule = (call) => product(call, 'adj_x', 'adj_y')

export const linearRules: Rules = {
  MatMul: matMul,
  _FusedMatMul: matMul,
  BatchMatMul: batched,
  BatchMatMulV2: batched,
  Einsum: (call) =>
    op.einsum(call.text('equation').replaceAll(' ', ''), ...call.inputs.map(({ value }) => value)),
}
