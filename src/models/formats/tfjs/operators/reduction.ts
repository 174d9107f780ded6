/** Operators that reduce axes, or work along one. */
import { op, type Value } from '../../../../graph/index.ts'
import { FeatureMap, type Laid, OwnOrder } from '../laid.ts'
import type { NodeCall, OperatorRule, Rules } from '../nodeCall.ts'

type Reduce = (x: Value, axes: readonly number[], options: { readonly keepDims: boolean }) => Value

/** Axis in a feature map of each of TensorFlow's axes of a picture. */
const MAP_AXES = [0, 2, 3, 1]

function reduction(reduce: Reduce): OperatorRule {
  return (call) => {
    const x = call.laid(0)
    const keepDims = call.flag('keep_dims')
    const axes = call.numbers(1).map((axis) => call.front(axis, x.rank))
    if (axes.length === 0) return x
    if (x.order !== 'map') return reduce(x.value, axes, { keepDims })
    if (keepDims)
      return new FeatureMap(
        reduce(
          x.map,
          axes.map((axis) => MAP_AXES[axis]!),
          { keepDims },
        ),
      )
    // The remaining axes keep their order if the channels are reduced, or all of space.
    const inOrder = axes.includes(3) || (axes.includes(1) && axes.includes(2))
    return inOrder
      ? reduce(
          x.map,
          axes.map((axis) => MAP_AXES[axis]!),
          { keepDims },
        )
      : reduce(x.value, axes, { keepDims })
  }
}

/** Of bools. */
function logical(reduce: Reduce): Reduce {
  return (x, axes, options) => op.cast(reduce(op.cast(x, 'int64'), axes, options), 'bool')
}

function argument(pick: typeof op.argMax): OperatorRule {
  return (call) => pick(call.value(0), call.axis(1))
}

/** Over the channels. */
function overLast(apply: (x: Value, axis: number) => Value): OperatorRule {
  return (call) => alongLast(call.laid(0), apply)
}

function alongLast(x: Laid, apply: (x: Value, axis: number) => Value): Laid {
  return x.order === 'map' ? new FeatureMap(apply(x.map, 1)) : new OwnOrder(apply(x.value, x.rank - 1))
}

function topK(call: NodeCall): Value[] {
  const k = call.value(1)
  return op.topK(call.value(0), op.reshape(k, [1]), { sorted: call.flag('sorted', true) })
}

export const reductionRules: Rules = {
  All: reduction(logical(op.reduceMin)),
  Any: reduction(logical(op.reduceMax)),
  EuclideanNorm: reduction(op.reduceL2),
  Max: reduction(op.reduceMax),
  Mean: reduction(op.reduceMean),
  Min: reduction(op.reduceMin),
  Prod: reduction(op.reduceProd),
  Sum: reduction(op.reduceSum),
  ArgMax: argument(op.argMax),
  ArgMin: argument(op.argMin),
  Cumsum: (call) =>
    op.cumSum(call.value(0), call.axis(1), {
      exclusive: call.flag('exclusive'),
      reverse: call.flag('reverse'),
    }),
  LogSoftmax: overLast(op.logSoftmax),
  Softmax: overLast(op.softmax),
  TopKV2: topK,
}
