/** Gradients of recurrent layers: the steps run once more, with what each makes kept, and then from the last to the first. */
import { op, type Value } from '../../graph/index.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { steps } from '../scan.ts'

/** Rules by operator. */
export const recurrentRules = {
  LSTM: (call) => {
    refuse(call)
    const directions = call.string('direction') === 'bidirectional' ? [0, 1] : [0]
    const parts = directions.map((index) => ofDirection(call, index))
    const both = (key: keyof Direction) =>
      op.concat(
        parts.map((part) => op.unsqueeze(part[key], [0])),
        0,
      )
    const x = parts.map((part) => part.x).reduce((sum, part) => op.add(sum, part))
    return [x, both('weight'), both('recurrence'), both('bias'), undefined, both('state'), both('cell')]
  },
} as const satisfies Record<string, GradientRule>

const USUAL = ['sigmoid', 'tanh', 'tanh']

function refuse(call: BackwardCall): void {
  const { activations } = call.node.attributes
  const names = activations?.type === 'strings' ? activations.value.map((name) => String(name)) : []
  const isUsual = names.every((name, i) => name.toLowerCase() === USUAL[i % USUAL.length])
  if (!isUsual) throw call.unsupported(`has no gradient for the activations ${names.join(', ')}`)
  if (call.int('layout', 0) !== 0) throw call.unsupported('has a gradient for layout 0 only')
  if (call.inputs[4]) throw call.unsupported('has no gradient with lengths of sequences')
  if (call.inputs[7]) throw call.unsupported('has no gradient with peepholes')
  if (call.float('clip')) throw call.unsupported('has no gradient with clip')
  if (call.int('input_forget', 0) !== 0) throw call.unsupported('has no gradient with input_forget')
}

/** Gradients of one direction, in the shapes of its own part of the inputs. */
interface Direction {
  readonly x: Value
  readonly weight: Value
  readonly recurrence: Value
  readonly bias: Value
  readonly state: Value
  readonly cell: Value
}

function ofDirection(call: BackwardCall, index: number): Direction {
  const x = call.input(0)
  const part = (value: Value, axis = 0) =>
    op.squeeze(op.slice(value, [index], [index + 1], { axes: [axis] }), [axis])
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

  const columns = op.transpose(op.flatten(byGates, 2), [1, 0])
  const byBias = op.reduceSum(byGates, [0, 1])
  return {
    x: op.matMul(byGates, weight),
    weight: op.matMul(columns, op.flatten(x, 2)),
    recurrence: op.matMul(columns, op.flatten(states, 2)),
    bias: op.concat([byBias, byBias], 0),
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

/** The derivative of the logistic function where it is `y`. */
function slope(y: Value): Value {
  return op.sub(y, op.mul(y, y))
}

/** The derivative of the hyperbolic tangent where it is `y`. */
function steepness(y: Value): Value {
  return op.sub(1, op.mul(y, y))
}

/** The same value under another name: a step's outputs must differ. */
function kept(value: Value): Value {
  return value.builder.node('Identity', [value])[0]!
}

function sumOfHalves(bias: Value, half: number): Value {
  const [input, recurrence] = op.split(bias, [half, half], 0)
  return op.add(input!, recurrence!)
}

/** Zeros for the state of each sequence of the batch. */
function nothing(x: Value, hidden: number): Value {
  const batch = x.shape[1]
  const { builder } = x
  const sizes =
    typeof batch === 'number'
      ? builder.constant([batch, hidden])
      : op.concat([op.shape(x, 1, 2), builder.constant([hidden])], 0)
  return op.constantOfShape(sizes, 0, x.dtype)
}
