/** Gradients of LSTM, one direction at a time. */
import { op, type Value } from '../../graph/index.ts'
import type { BackwardCall } from '../rule.ts'
import { steps } from '../scan.ts'
import { byWeights, type Direction, nothing, partOf, slope, steepness } from './direction.ts'

/** Runs the steps once more, with what each makes kept, and then from the last to the first. */
export function lstm(call: BackwardCall, index: number): Direction {
  const x = call.input(0)
  const part = (value: Value, axis = 0) => partOf(value, index, axis)
  const [weight, recurrence] = [part(call.input(1)), part(call.input(2))]
  const hidden = call.sizes(recurrence)[1]!
  const isReversed = call.string('direction') === 'reverse' || index === 1
  const given = (value: Value | undefined) => (value ? part(value) : nothing(x, hidden))

  const entered = op.matMul(x, op.transpose(weight, [1, 0]))
  const bias = call.inputs[3] && sumOfHalves(part(call.input(3)), 4 * hidden)
  const [, , gates, states, cells, nextCells] = steps(call.builder, {
    states: [given(call.inputs[5]), given(call.inputs[6])],
    sequences: [bias ? op.add(entered, bias) : entered],
    around: [op.transpose(recurrence, [1, 0])],
    isReversed,
    body: forwards,
  }) as [Value, Value, Value, Value, Value, Value]

  const [byY, byLast, byCell] = [0, 1, 2].map((i) => call.gradients[i])
  const [state, cell, byGates] = steps(call.builder, {
    states: [given(byLast), given(byCell)],
    sequences: [byY ? part(byY, 1) : op.mul(states, 0), gates, cells, nextCells],
    around: [recurrence],
    isReversed: !isReversed,
    body: backwards,
  }) as [Value, Value, Value]

  return {
    ...byWeights({ x, weight, before: states, byInput: byGates, byState: byGates }),
    state,
    cell,
  }
}

/** One step, with its gates (input, output, forget, cell: ONNX's order), the state and cell before it, and the cell after it. */
function forwards(
  [state, cell]: readonly Value[],
  [entered]: readonly Value[],
  [recurrence]: readonly Value[],
): readonly Value[] {
  const sums = op.split(op.add(entered!, op.matMul(state!, recurrence!)), 4, 1)
  const [input, output, forget] = sums.slice(0, 3).map((sum) => op.sigmoid(sum)) as [Value, Value, Value]
  const added = op.tanh(sums[3]!)
  const next = op.add(op.mul(forget, cell!), op.mul(input, added))
  const gates = op.concat([input, output, forget, added], 1)
  return [op.mul(output, op.tanh(next)), next, gates, kept(state!), kept(cell!), kept(next)]
}

/** One step back: the gradients by the state and the cell before it, and by the sums behind its gates. */
function backwards(
  [byState, byCell]: readonly Value[],
  [byOutput, gates, cell, next]: readonly Value[],
  [recurrence]: readonly Value[],
): readonly Value[] {
  const [input, output, forget, added] = op.split(gates!, 4, 1) as [Value, Value, Value, Value]
  const [whole, bent] = [op.add(byOutput!, byState!), op.tanh(next!)]
  const byNext = op.add(byCell!, op.mul(op.mul(whole, output), steepness(bent)))
  const sums = op.concat(
    [
      op.mul(op.mul(byNext, added), slope(input)),
      op.mul(op.mul(whole, bent), slope(output)),
      op.mul(op.mul(byNext, cell!), slope(forget)),
      op.mul(op.mul(byNext, input), steepness(added)),
    ],
    1,
  )
  return [op.matMul(sums, recurrence!), op.mul(byNext, forget), sums]
}

/** The same value under another name: a step's outputs must differ. */
function kept(value: Value): Value {
  return value.builder.node('Identity', [value])[0]!
}

function sumOfHalves(bias: Value, half: number): Value {
  const [input, recurrence] = op.split(bias, [half, half], 0)
  return op.add(input!, recurrence!)
}
