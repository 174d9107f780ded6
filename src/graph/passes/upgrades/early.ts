/** Changes of the first six versions of the operator set, which ONNX Runtime itself does not promise to run. */
import type { DType } from '../../../tensor/index.ts'
import { dataType } from '../../onnx/schema.ts'
import type { Attribute } from '../../types.ts'
import { type Change, type Changes, withInputs } from './change.ts'

const int = (value: number): Attribute => ({ type: 'int', value })
const float = (value: number): Attribute => ({ type: 'float', value })
const without =
  (...drop: string[]): Change =>
  (call) =>
    call.with({ drop })

/** The second operand was laid along axes that begin at `axis`; now it is always the last ones. */
const broadcast: Change = (call) => {
  const drop = ['broadcast', 'axis']
  const axis = call.int('axis')
  if (call.int('broadcast', 0) === 0 || axis === undefined) return call.with({ drop })
  const [to, from] = [call.shape(0), call.shape(1)]
  if (!to || !from)
    throw call.unsupported('is broadcast along an axis of a tensor whose rank is not known', 7)
  const behind = to.length - (axis < 0 ? axis + to.length : axis) - from.length
  if (behind <= 0) return call.with({ drop })
  const wide = call.beside('Unsqueeze', [call.input(1)], {
    axes: { type: 'ints', value: Array.from({ length: behind }, (_, i) => from.length + i) },
  })
  return [wide.node, call.with({ inputs: [call.input(0), wide.output], drop })]
}

/** A slope by channel was a list. */
const slope: Change = (call) => {
  const [x, slopes] = [call.shape(0), call.shape(1)]
  if (!slopes) throw call.unsupported('has a slope whose rank is not known', 7)
  if (slopes.length !== 1 || slopes[0] === 1) return call.node
  if (!x) throw call.unsupported('has an input whose rank is not known', 7)
  if (x.length < 3) return call.node
  const axes = Array.from({ length: x.length - 2 }, (_, i) => i + 1)
  const wide = call.beside('Unsqueeze', [call.input(1)], { axes: { type: 'ints', value: axes } })
  return [wide.node, call.with({ inputs: [call.input(0), wide.output] })]
}

const cast: Change = (call) => {
  const name = call.string('to')?.toLowerCase() ?? ''
  const dtype = { float: 'float32', double: 'float64' }[name] ?? name
  return call.with({ set: { to: int(dataType(dtype as DType)) } })
}

const reshape: Change = (call) => {
  const inputs = withInputs(call.node.inputs, { 1: call.integers(call.ints('shape') ?? []) })
  return call.with({ inputs, drop: ['shape', 'consumed_inputs'] })
}

const split: Change = (call) => {
  if (call.input(1) === '') return call.node
  const sizes = call.numbers(1)
  if (!sizes) throw call.unsupported('has sizes that are computed', 2)
  return call.with({ inputs: [call.input(0)], set: { split: { type: 'ints', value: sizes } } })
}

const pad: Change = (call) => {
  const pads = call.ints('paddings')
  return pads ? call.with({ set: { pads: { type: 'ints', value: pads } }, drop: ['paddings'] }) : call.node
}

const upsample: Change = (call) => {
  const [height, width] = [call.float('height_scale'), call.float('width_scale')]
  if (height === undefined || width === undefined) throw call.unsupported('lacks its scales', 7)
  const scales: Attribute = { type: 'floats', value: [1, 1, height, width] }
  return call.with({ set: { scales }, drop: ['height_scale', 'width_scale'] })
}

/** Training was the default. */
const tested: Change = (call) => {
  if (call.int('is_test', 0) !== 0)
    return call.with({ drop: ['is_test'], outputs: call.node.outputs.slice(0, 1) })
  throw call.unsupported('is in training (is_test 0)', 7)
}

/** The power became an integer. */
const power: Change = (call) => {
  const p = call.float('p') ?? 2
  if (!Number.isInteger(p)) throw call.unsupported(`has the power ${p}, which must be an integer`, 2)
  return call.with({ set: { p: int(p) } })
}

/** Defaults became more exact. */
const selu: Change = (call) =>
  call.with({
    set: { alpha: float(call.float('alpha') ?? 1.6732), gamma: float(call.float('gamma') ?? 1.0507) },
    drop: ['consumed_inputs'],
  })

const tile: Change = (call) => {
  throw call.unsupported('repeats one axis', 6)
}

const concat: Change = (call) => call.with({ set: { axis: int(call.int('axis', 1)) } })

function each(names: readonly string[], changes: Changes): Readonly<Record<string, Changes>> {
  return Object.fromEntries(names.map((name) => [name, changes]))
}

const unnoted = without('consumed_inputs')

/** Changes up to version 7. */
export const early: Readonly<Record<string, Changes>> = {
  ...each(
    [
      'Abs',
      'Ceil',
      'Clip',
      'Elu',
      'Exp',
      'Floor',
      'HardSigmoid',
      'InstanceNormalization',
      'LeakyRelu',
      'Log',
      'Max',
      'Mean',
    ],
    { 6: unnoted },
  ),
  ...each(['Min', 'Neg', 'Reciprocal', 'Relu', 'Sigmoid', 'Sqrt', 'Sum', 'Tanh'], { 6: unnoted }),
  ...each(['Add', 'Div', 'Mul', 'Sub'], { 6: unnoted, 7: broadcast }),
  ...each(['And', 'Equal', 'Greater', 'Less', 'Or', 'Pow', 'Xor'], { 7: broadcast }),
  ...each(['GRU', 'LSTM', 'RNN'], { 7: without('output_sequence') }),
  ...each(['GlobalLpPool', 'LpPool'], { 2: power }),
  BatchNormalization: { 6: unnoted, 7: tested },
  Cast: { 6: cast },
  Concat: { 4: concat },
  Dropout: { 6: unnoted, 7: tested },
  Gemm: { 6: unnoted, 7: without('broadcast') },
  PRelu: { 6: unnoted, 7: slope },
  Pad: { 2: pad },
  Reshape: { 5: reshape },
  Selu: { 6: selu },
  Split: { 2: split },
  Tile: { 6: tile },
  Upsample: { 7: upsample },
}
