/** Gradients of GRU and of simple recurrent layers, one direction at a time: their states are an output, so the gates need no steps. */
import { op, type Value } from '../../graph/index.ts'
import type { BackwardCall } from '../rule.ts'
import { steps } from '../scan.ts'
import { byWeights, type Direction, nothing, outer, partOf, slope, steepness } from './direction.ts'

/** The values that both kinds begin with. */
interface Parts {
  readonly x: Value
  readonly weight: Value
  readonly recurrence: Value
  /** That of the input's product, and that of the state's. */
  readonly biases: readonly [Value, Value] | undefined
  readonly hidden: number
  readonly states: Value
  /** States before each step: [steps, batch, hidden]. */
  readonly before: Value
  /** Gradients by the states of all steps, and by the last. */
  readonly byStates: Value
  readonly byLast: Value
  /** True where the way back begins with the last element. */
  readonly isReversed: boolean
}

function partsOf(call: BackwardCall, index: number): Parts {
  const x = call.input(0)
  const part = (value: Value, axis = 0) => partOf(value, index, axis)
  const [weight, recurrence, states] = [part(call.input(1)), part(call.input(2)), part(call.output(0), 1)]
  const [rows, hidden] = call.sizes(recurrence) as [number, number]
  const isLeftward = call.string('direction') === 'reverse' || index === 1
  const given = (value: Value | undefined) => (value ? part(value) : nothing(x, hidden))
  const first = op.unsqueeze(given(call.inputs[5]), [0])
  const range = (start: number, end: number) => op.slice(states, [start], [end], { axes: [0] })
  const [byY, byLast] = [call.gradients[0], call.gradients[1]]
  return {
    x,
    weight,
    recurrence,
    biases: call.inputs[3] && (op.split(part(call.inputs[3]), [rows, rows], 0) as [Value, Value]),
    hidden,
    states,
    before: op.concat(isLeftward ? [range(1, 2 ** 31), first] : [first, range(0, -1)], 0),
    byStates: byY ? part(byY, 1) : op.mul(states, 0),
    byLast: given(byLast),
    isReversed: !isLeftward,
  }
}

/** Gates in ONNX's order: update, reset, new. */
export function gru(call: BackwardCall, index: number): Direction {
  const parts = partsOf(call, index)
  const { x, weight, recurrence, biases, hidden, before } = parts
  const isResetAfter = call.int('linear_before_reset', 0) !== 0
  const sizes = [2 * hidden, hidden]
  const pair = (value: Value, axis: number) => op.split(value, sizes, axis) as [Value, Value]
  const [inputGates, inputNew] = pair(product(x, weight, biases?.[0]), 2)
  const [gateWeight, newWeight] = pair(recurrence, 0)
  const [gateBias, newBias] = biases ? pair(biases[1], 0) : []
  const gates = op.sigmoid(op.add(inputGates, product(before, gateWeight, gateBias)))
  const [update, reset] = op.split(gates, [hidden, hidden], 2) as [Value, Value]
  const resetState = op.mul(reset, before)
  const ofState = product(isResetAfter ? before : resetState, newWeight, newBias)
  const made = op.tanh(op.add(inputNew, isResetAfter ? op.mul(reset, ofState) : ofState))

  const bySums = steps(call.builder, {
    states: [parts.byLast],
    sequences: [
      parts.byStates,
      update,
      reset,
      op.mul(op.sub(before, made), slope(update)),
      op.mul(isResetAfter ? ofState : before, slope(reset)),
      op.mul(op.sub(1, update), steepness(made)),
    ],
    around: [gateWeight, newWeight],
    isReversed: parts.isReversed,
    body: isResetAfter ? afterwards : beforehand,
  }) as [Value, Value, Value]
  const [state, byGates, byNew] = bySums
  const byInput = op.concat([byGates, byNew], 2)
  if (isResetAfter) {
    const byState = op.concat([byGates, op.mul(byNew, reset)], 2)
    return { ...byWeights({ x, weight, before, byInput, byState }), state }
  }
  const recurrent = op.concat([outer(byGates, before), outer(byNew, resetState)], 0)
  return { ...byWeights({ x, weight, before, byInput, byState: byInput }), recurrence: recurrent, state }
}

type Body = (
  states: readonly Value[],
  elements: readonly Value[],
  around: readonly Value[],
) => readonly Value[]

/** One step back where the reset gate stands before the product with the state. */
const beforehand: Body = ([byState], elements, [gateWeight, newWeight]) => {
  const [byOutput, update, reset, updateSlope, resetSlope, newSlope] = elements as Value[]
  const whole = op.add(byState!, byOutput!)
  const byNew = op.mul(whole, newSlope!)
  const byReset = op.matMul(byNew, newWeight!)
  const byGates = op.concat([op.mul(whole, updateSlope!), op.mul(byReset, resetSlope!)], 1)
  const direct = op.add(op.mul(whole, update!), op.mul(byReset, reset!))
  return [op.add(direct, op.matMul(byGates, gateWeight!)), byGates, byNew]
}

/** One step back where it stands behind it (`linear_before_reset`, PyTorch's way). */
const afterwards: Body = ([byState], elements, [gateWeight, newWeight]) => {
  const [byOutput, update, reset, updateSlope, resetSlope, newSlope] = elements as Value[]
  const whole = op.add(byState!, byOutput!)
  const byNew = op.mul(whole, newSlope!)
  const byGates = op.concat([op.mul(whole, updateSlope!), op.mul(byNew, resetSlope!)], 1)
  const direct = op.add(op.mul(whole, update!), op.matMul(op.mul(byNew, reset!), newWeight!))
  return [op.add(direct, op.matMul(byGates, gateWeight!)), byGates, byNew]
}

/** Of a simple layer, its activation tanh or ReLU. */
export const rnn =
  (isRelu: boolean) =>
  (call: BackwardCall, index: number): Direction => {
    const { states, recurrence, x, weight, before, byStates, byLast, isReversed } = partsOf(call, index)
    const slopes = isRelu ? op.cast(op.greater(states, 0), states.dtype) : steepness(states)
    const [state, bySums] = steps(call.builder, {
      states: [byLast],
      sequences: [byStates, slopes],
      around: [recurrence],
      isReversed,
      body: ([byState], [byOutput, slopeOfStep], [matrix]) => {
        const bySum = op.mul(op.add(byState!, byOutput!), slopeOfStep!)
        return [op.matMul(bySum, matrix!), bySum]
      },
    }) as [Value, Value]
    return { ...byWeights({ x, weight, before, byInput: bySums, byState: bySums }), state }
  }

/** `x · weightᵀ + bias` */
function product(x: Value, weight: Value, bias: Value | undefined): Value {
  const made = op.matMul(x, op.transpose(weight, [1, 0]))
  return bias ? op.add(made, bias) : made
}
