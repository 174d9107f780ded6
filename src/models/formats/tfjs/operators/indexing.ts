/** Operators that gather and scatter. */
import { op, type Value } from '../../../../graph/index.ts'
import { type Laid, OwnOrder } from '../laid.ts'
import type { NodeCall, Rules } from '../nodeCall.ts'

function gather(call: NodeCall): Value {
  if (call.int('batch_dims', 0) !== 0) return call.unsupported('"batch_dims"')
  return op.gather(call.value(0), call.value(1), call.inputs.length > 2 ? call.axis(2) : 0)
}

/** The places of what is true, a row each. */
function where(call: NodeCall): Laid {
  return new OwnOrder(op.transpose(op.nonZero(call.value(0)), [1, 0]), true)
}

function oneHot(call: NodeCall): Value {
  const [on, off] = [call.value(2), call.value(3)]
  const values = op.concat([op.unsqueeze(off, [0]), op.unsqueeze(on, [0])], 0)
  return op.oneHot(call.value(0), call.value(1), values, call.int('axis', -1))
}

/** Values at index tuples, something else everywhere else. */
function sparseToDense(call: NodeCall): Value {
  const [indices, shape, values, filling] = [call.laid(0), call.value(1), call.laid(2), call.value(3)]
  const rows = indices.rank === 2 ? indices.value : op.reshape(indices.value, [-1, 1])
  const each = values.rank > 0 ? values.value : op.expand(values.value, op.shape(rows, 0, 1))
  return op.scatterND(op.expand(filling, shape), rows, each)
}

/** The sum of the updates at each index tuple, zero where there are none. */
function scatterNd(call: NodeCall): Value {
  const [indices, updates, shape] = [call.laid(0), call.value(1), call.value(2)]
  const depth = call.size(indices.shape.at(-1))
  // Rows that differ need no sum, and ONNX Runtime loses some where several threads add to one place.
  if (indices.distinct)
    return op.scatterND(op.constantOfShape(shape, 0, updates.dtype), indices.value, updates)
  const outer = op.slice(shape, [0], [depth])
  const one = call.builder.constant([1])
  // How far apart neighbours along each axis lie: the product of the sizes behind it.
  const strides = op.concat(
    Array.from({ length: depth }, (_, axis) =>
      product(op.concat([op.slice(outer, [axis + 1], [depth]), one], 0)),
    ),
    0,
  )
  const inner = product(op.concat([op.slice(shape, [depth], [2 ** 31 - 1]), one], 0))
  const total = product(op.concat([outer, one], 0))
  const flat = op.reshape(op.reduceSum(op.mul(indices.value, strides), [indices.rank - 1]), [-1, 1])
  const rows = op.reshape(updates, op.concat([call.builder.constant([-1]), inner], 0))
  const zeros = op.constantOfShape(op.concat([total, inner], 0), 0, updates.dtype)
  const places = op.expand(flat, op.shape(rows))
  return op.reshape(op.scatterElements(zeros, places, rows, { reduction: 'add' }), shape)
}

/** Of a vector, as a vector of one. */
function product(sizes: Value): Value {
  return op.reduceProd(sizes, [0], { keepDims: true })
}

export const indexingRules: Rules = {
  Gather: gather,
  GatherV2: gather,
  GatherNd: (call) => op.gatherND(call.value(0), call.value(1)),
  OneHot: oneHot,
  ScatterNd: scatterNd,
  SparseToDense: sparseToDense,
  TensorScatterUpdate: (call) => op.scatterND(call.value(0), call.value(1), call.value(2)),
  Where: where,
}
