/** Gradients of recurrent layers: back through time, step by step in the graph. */
import { op, type Value } from '../../graph/index.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'

/**
 * Rules by operator. The states of all steps are an output of the operator, so the gates of all steps come from two products of
 * matrices; only what flows back is computed step by step, for a number of steps that must be known.
 */
export const recurrentRules = {
  LSTM: { needs: () => ['Y'], gradient: (call) => ofDirections(call, lstm, ['Sigmoid', 'Tanh', 'Tanh']) },
  GRU: { needs: () => ['Y'], gradient: (call) => ofDirections(call, gru, ['Sigmoid', 'Tanh']) },
  RNN: { needs: () => ['Y'], gradient: (call) => ofDirections(call, rnn, ['Tanh']) },
} as const satisfies Record<string, GradientRule>

/** One direction, its steps in the order in which it takes them. All states are [steps, batch, hidden]. */
interface Direction {
  readonly call: BackwardCall
  readonly x: Value
  /** [gates × hidden, input] and [gates × hidden, hidden]. */
  readonly weight: Value
  readonly recurrence: Value
  /** [gates × hidden] each. */
  readonly biases: readonly [Value, Value] | undefined
  readonly states: Value
  /** States before each step, the first included: [steps, batch, hidden]. */
  readonly before: Value
  readonly firstCell: Value | undefined
  /** Gradients by the state of each step, where they come from above; [1, batch, hidden]. */
  readonly flowing: readonly (Value | undefined)[]
  readonly flowingCell: Value | undefined
  readonly steps: number
  readonly hidden: number
}

/** Gradients by what is before the gates' activations, and by the first states. */
interface Backward {
  /** By the sum that the input's product enters: [steps, batch, gates × hidden]. */
  readonly byInput: Value
  /** By the sum that the state's product enters. */
  readonly byState: Value
  /** By the recurrence, where it is not `byStateᵀ · before`. */
  readonly byRecurrence?: Value
  readonly byFirst: Value
  readonly byFirstCell?: Value
}

type Cell = (direction: Direction) => Backward

function ofDirections(
  call: BackwardCall,
  cell: Cell,
  activations: readonly string[],
): readonly (Value | undefined)[] {
  checkSupported(call, activations)
  const count = call.string('direction') === 'bidirectional' ? 2 : 1
  const isReverse = (index: number) => index === 1 || call.string('direction') === 'reverse'
  const parts = Array.from({ length: count }, (_, index) => {
    const direction = directionOf(call, index, isReverse(index))
    return { direction, back: cell(direction), reversed: isReverse(index) }
  })
  const stacked = (of: (part: (typeof parts)[number]) => Value) =>
    joined(
      parts.map((part) => of(part)),
      0,
    )
  const byX = () =>
    parts
      .map(({ direction, back, reversed }) => {
        const dx = op.matMul(back.byInput, direction.weight)
        return reversed ? backwards(dx, direction.steps) : dx
      })
      .reduce((sum, part) => op.add(sum, part))
  return [
    call.wants(0) ? byX() : undefined,
    call.wants(1) ? stacked(({ direction, back }) => outer(back.byInput, direction.x)) : undefined,
    call.wants(2)
      ? stacked(
          ({ direction, back }) => unsqueezed(back.byRecurrence) ?? outer(back.byState, direction.before),
        )
      : undefined,
    call.wants(3)
      ? stacked(({ back }) =>
          op.unsqueeze(
            op.concat([op.reduceSum(back.byInput, [0, 1]), op.reduceSum(back.byState, [0, 1])], 0),
            [0],
          ),
        )
      : undefined,
    undefined,
    call.wants(5) ? stacked(({ back }) => back.byFirst) : undefined,
    call.wants(6) ? stacked(({ back }) => back.byFirstCell!) : undefined,
  ]
}

/** `Σ aᵀ · b` over steps and batch, with an axis in front. */
function outer(a: Value, b: Value): Value {
  const rows = (value: Value) => op.reshape(value, [-1, Number(value.shape[2])])
  return op.unsqueeze(op.matMul(op.transpose(rows(a), [1, 0]), rows(b)), [0])
}

function unsqueezed(value: Value | undefined): Value | undefined {
  return value && op.unsqueeze(value, [0])
}

function directionOf(call: BackwardCall, index: number, reversed: boolean): Direction {
  const [steps, hidden] = [call.input(0).shape[0] as number, Number(call.input(2).shape[2])]
  const ordered = (value: Value) => (reversed ? backwards(value, steps) : value)
  const own = (value: Value | undefined, axis = 0) =>
    value && op.slice(value, [index], [index + 1], { axes: [axis] })
  const matrix = (value: Value) => op.squeeze(own(value)!, [0])
  // [steps, directions, batch, hidden]
  const inTime = (value: Value | undefined) => value && ordered(op.squeeze(own(value, 1)!, [1]))
  const x = ordered(call.input(0))
  const states = inTime(call.output(0))!
  const first = own(call.inputs[5]) ?? zerosLike(x, hidden)
  const before = steps === 1 ? first : op.concat([first, op.slice(states, [0], [-1], { axes: [0] })], 0)
  const bias = call.inputs[3] && matrix(call.inputs[3])
  const ofEach = inTime(call.gradients[0])
  const fromAbove = ofEach ? eachStep(ofEach, steps) : Array<undefined>(steps).fill(undefined)
  const flowing = [...fromAbove.slice(0, -1), total(fromAbove.at(-1), own(call.gradients[1]))]
  return {
    call,
    x,
    weight: matrix(call.input(1)),
    recurrence: matrix(call.input(2)),
    biases: bias && (op.split(bias, 2, 0) as [Value, Value]),
    states,
    before,
    firstCell: own(call.inputs[6]),
    flowing,
    flowingCell: own(call.gradients[2]),
    steps,
    hidden,
  }
}

/** Gates in the order input, output, forget, cell. */
const lstm: Cell = (direction) => {
  const { steps, hidden, flowing, recurrence } = direction
  const sums = withBias(op.add(inputProduct(direction), stateProduct(direction)), direction.biases)
  const [i, o, f, g] = gates(sums, hidden, [op.sigmoid, op.sigmoid, op.sigmoid, op.tanh])
  const firstCell = direction.firstCell ?? zerosLike(direction.x, hidden)
  const cells = [firstCell]
  const [is, fs, gs] = [i!, f!, g!].map((gate) => eachStep(gate, steps)) as [
    readonly Value[],
    readonly Value[],
    readonly Value[],
  ]
  for (let t = 0; t < steps; t++) cells.push(op.add(op.mul(fs[t]!, cells[t]!), op.mul(is[t]!, gs[t]!)))
  // What does not depend on what flows back is computed for all steps at once.
  const shown = op.tanh(joined(cells.slice(1), 0))
  const slopes = {
    cell: eachStep(op.mul(o!, slopeOfTanh(shown)), steps),
    input: eachStep(op.mul(g!, slopeOfSigmoid(i!)), steps),
    output: eachStep(op.mul(shown, slopeOfSigmoid(o!)), steps),
    forget: eachStep(op.mul(joined(cells.slice(0, -1), 0), slopeOfSigmoid(f!)), steps),
    value: eachStep(op.mul(i!, slopeOfTanh(g!)), steps),
  }
  let byState: Value | undefined
  let byCell = direction.flowingCell
  const sumsBack: Value[] = []
  for (let t = steps - 1; t >= 0; t--) {
    const dh = total(flowing[t], byState)
    const dc = total(dh && op.mul(dh, slopes.cell[t]!), byCell) ?? zerosLike(direction.x, hidden)
    const gate = (slope: Value) => op.mul(dc, slope)
    const output = dh ? op.mul(dh, slopes.output[t]!) : op.mul(dc, 0)
    const sum = op.concat(
      [gate(slopes.input[t]!), output, gate(slopes.forget[t]!), gate(slopes.value[t]!)],
      2,
    )
    sumsBack.unshift(sum)
    byState = op.matMul(sum, recurrence)
    byCell = op.mul(dc, fs[t]!)
  }
  const back = joined(sumsBack, 0)
  return { byInput: back, byState: back, byFirst: byState!, byFirstCell: byCell! }
}

/** Gates in the order update, reset, new. */
const gru: Cell = (direction) => {
  const { call, steps, hidden, flowing, recurrence, before, biases } = direction
  const isResetAfter = call.int('linear_before_reset', 0) !== 0
  const ofInput = withBias(inputProduct(direction), biases && [biases[0]])
  const [inputGates, inputNew] = parted(ofInput, 2, [2 * hidden, hidden])
  const [gateRecurrence, newRecurrence] = parted(recurrence, 0, [2 * hidden, hidden])
  const [gateBias, newBias] = biases ? parted(biases[1], 0, [2 * hidden, hidden]) : []
  const through = (states: Value, matrix: Value) => op.matMul(states, op.transpose(matrix, [1, 0]))
  const gateSums = withBias(op.add(inputGates!, through(before, gateRecurrence!)), gateBias && [gateBias])
  const [z, r] = gates(gateSums, hidden, [op.sigmoid, op.sigmoid])
  const resetState = op.mul(r!, before)
  const ofState = withBias(through(isResetAfter ? before : resetState, newRecurrence!), newBias && [newBias])
  const n = op.tanh(op.add(inputNew!, isResetAfter ? op.mul(r!, ofState) : ofState))
  const slopes = {
    update: eachStep(op.mul(op.sub(before, n), slopeOfSigmoid(z!)), steps),
    reset: eachStep(op.mul(isResetAfter ? ofState : before, slopeOfSigmoid(r!)), steps),
    value: eachStep(op.mul(op.sub(1, z!), slopeOfTanh(n)), steps),
  }
  const [zs, rs] = [eachStep(z!, steps), eachStep(r!, steps)]
  let byState: Value | undefined
  const news: Value[] = []
  const gateBack: Value[] = []
  for (let t = steps - 1; t >= 0; t--) {
    const dh = total(flowing[t], byState) ?? zerosLike(direction.x, hidden)
    const dn = op.mul(dh, slopes.value[t]!)
    const byNew = op.matMul(isResetAfter ? op.mul(dn, rs[t]!) : dn, newRecurrence!)
    const dr = op.mul(isResetAfter ? dn : byNew, slopes.reset[t]!)
    const gate = op.concat([op.mul(dh, slopes.update[t]!), dr], 2)
    byState = [
      op.mul(dh, zs[t]!),
      isResetAfter ? byNew : op.mul(byNew, rs[t]!),
      op.matMul(gate, gateRecurrence!),
    ].reduce((sum, part) => op.add(sum, part))
    news.unshift(dn)
    gateBack.unshift(gate)
  }
  const [gateSum, newSum] = [joined(gateBack, 0), joined(news, 0)]
  const byInput = op.concat([gateSum, newSum], 2)
  if (isResetAfter)
    return { byInput, byState: op.concat([gateSum, op.mul(newSum, r!)], 2), byFirst: byState! }
  const byRecurrence = op.concat([outer(gateSum, before), outer(newSum, resetState)], 1)
  return { byInput, byState: byInput, byRecurrence: op.squeeze(byRecurrence, [0]), byFirst: byState! }
}

const rnn: Cell = (direction) => {
  const { call, steps, states, recurrence, flowing, hidden } = direction
  const isRelu = activationsOf(call)?.[0]?.toLowerCase() === 'relu'
  const slope = isRelu ? op.cast(op.greater(states, 0), states.dtype) : slopeOfTanh(states)
  const slopes = eachStep(slope, steps)
  let byState: Value | undefined
  const sums: Value[] = []
  for (let t = steps - 1; t >= 0; t--) {
    const dh = total(flowing[t], byState) ?? zerosLike(direction.x, hidden)
    const sum = op.mul(dh, slopes[t]!)
    sums.unshift(sum)
    byState = op.matMul(sum, recurrence)
  }
  const back = joined(sums, 0)
  return { byInput: back, byState: back, byFirst: byState! }
}

function inputProduct({ x, weight }: Direction): Value {
  return op.matMul(x, op.transpose(weight, [1, 0]))
}

function stateProduct({ before, recurrence }: Direction): Value {
  return op.matMul(before, op.transpose(recurrence, [1, 0]))
}

function withBias(sums: Value, biases: readonly Value[] | undefined): Value {
  return (biases ?? []).reduce((sum, bias) => op.add(sum, bias), sums)
}

function gates(sums: Value, hidden: number, activations: readonly ((x: Value) => Value)[]): Value[] {
  const parts = parted(
    sums,
    2,
    activations.map(() => hidden),
  )
  return activations.map((activation, i) => activation(parts[i]!))
}

function slopeOfSigmoid(y: Value): Value {
  return op.mul(y, op.sub(1, y))
}

function slopeOfTanh(y: Value): Value {
  return op.sub(1, op.mul(y, y))
}

/** The sum of what is there. */
function total(a: Value | undefined, b: Value | undefined): Value | undefined {
  return a && b ? op.add(a, b) : (a ?? b)
}

/** [1, batch, hidden] each. */
function eachStep(value: Value, steps: number): readonly Value[] {
  return parted(value, 0, Array(steps).fill(1))
}

function parted(value: Value, axis: number, sizes: readonly number[]): readonly Value[] {
  return sizes.length === 1 ? [value] : op.split(value, sizes, axis)
}

function joined(values: readonly Value[], axis: number): Value {
  return values.length === 1 ? values[0]! : op.concat(values, axis)
}

function backwards(value: Value, steps: number): Value {
  return op.slice(value, [-1], [-steps - 1], { axes: [0], steps: [-1] })
}

/** [1, batch, hidden] of zeros. */
function zerosLike(x: Value, hidden: number): Value {
  const { builder } = x
  const shape = op.concat([builder.constant([1]), op.shape(x, 1, 2), builder.constant([hidden])], 0)
  return op.constantOfShape(shape, 0, x.dtype)
}

function activationsOf(call: BackwardCall): readonly string[] | undefined {
  const attribute = call.node.attributes['activations']
  if (attribute?.type !== 'strings') return undefined
  return attribute.value.map((name) => (typeof name === 'string' ? name : new TextDecoder().decode(name)))
}

function checkSupported(call: BackwardCall, defaults: readonly string[]): void {
  const { op: operator } = call.node
  if (typeof call.input(0).shape[0] !== 'number') {
    throw call.unsupported('has a gradient for a known number of steps only')
  }
  if (call.inputs[4]) throw call.unsupported('has no gradient with sequence_lens')
  if (call.inputs[7]) throw call.unsupported('has no gradient with peepholes')
  if (call.float('clip')) throw call.unsupported('has no gradient with clip')
  if (call.int('layout', 0) !== 0) throw call.unsupported('has a gradient for layout 0 only')
  if (call.int('input_forget', 0) !== 0) throw call.unsupported('has no gradient with input_forget')
  const given = activationsOf(call)
  const isDefault = (name: string, i: number) =>
    name.toLowerCase() === defaults[i % defaults.length]!.toLowerCase()
  const isRelu = operator === 'RNN' && given?.every((name) => name.toLowerCase() === 'relu')
  if (given && !isRelu && !given.every(isDefault)) {
    throw call.unsupported(`has no gradient for the activations ${given.join(', ')}`)
  }
}
