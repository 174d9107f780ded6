/** Gradients of one direction of a recurrent layer: what all kinds share. */
import { op, type Value } from '../../graph/index.ts'

/** Gradients in the shapes of the direction's own part of the inputs. */
export interface Direction {
  readonly x: Value
  readonly weight: Value
  readonly recurrence: Value
  readonly bias: Value
  readonly state: Value
  /** Of LSTM alone. */
  readonly cell?: Value
}

/** The part of a direction along the axis of directions, which goes. */
export function partOf(value: Value, index: number, axis = 0): Value {
  return op.squeeze(op.slice(value, [index], [index + 1], { axes: [axis] }), [axis])
}

/** Gradients by the input and the weights, from those by the sums that the input and the state before enter. */
export function byWeights({
  x,
  weight,
  before,
  byInput,
  byState,
}: Readonly<Record<'x' | 'weight' | 'before' | 'byInput' | 'byState', Value>>): Omit<
  Direction,
  'state' | 'cell'
> {
  const overSteps = (value: Value) => op.reduceSum(value, [0, 1])
  return {
    x: op.matMul(byInput, weight),
    weight: outer(byInput, x),
    recurrence: outer(byState, before),
    bias: op.concat([overSteps(byInput), overSteps(byState)], 0),
  }
}

/** `Σ aᵀ b` over steps and batch. */
export function outer(a: Value, b: Value): Value {
  return op.matMul(op.transpose(op.flatten(a, 2), [1, 0]), op.flatten(b, 2))
}

/** The derivative of the logistic function where it is `y`. */
export function slope(y: Value): Value {
  return op.sub(y, op.mul(y, y))
}

/** The derivative of the hyperbolic tangent where it is `y`. */
export function steepness(y: Value): Value {
  return op.sub(1, op.mul(y, y))
}

/** Zeros for the state of each sequence of the batch. */
export function nothing(x: Value, hidden: number): Value {
  const batch = x.shape[1]
  const { builder } = x
  const sizes =
    typeof batch === 'number'
      ? builder.constant([batch, hidden])
      : op.concat([op.shape(x, 1, 2), builder.constant([hidden])], 0)
  return op.constantOfShape(sizes, 0, x.dtype)
}
