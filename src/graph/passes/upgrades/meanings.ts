/** Changes of what an operator does, or of its name. */
import type { Attribute, Node } from '../../types.ts'
import { type Change, type Changes, type Earlier, withInputs } from './change.ts'

const text = (value: string): Attribute => ({ type: 'string', value })
const int = (value: number): Attribute => ({ type: 'int', value })

/** Until 13, these saw a matrix: the axes before `axis` were its rows, `axis` and those after it its columns. */
const ofMatrix: Change = (call) => {
  const { node } = call
  const shape = call.shape(0)
  const given = call.int('axis', 1)
  const axis = given < 0 && shape ? given + shape.length : given
  const behind = shape?.slice(axis + 1)
  if (axis >= 0 && behind?.every((size) => size === 1)) return call.with({ set: { axis: int(axis) } })
  const sizes = call.beside('Shape', [call.input(0)])
  const matrix = call.beside('Flatten', [call.input(0)], { axis: int(axis) })
  const rows = call.beside(node.op, [matrix.output], { axis: int(-1) })
  const back = { ...call.beside('Reshape', [rows.output, sizes.output]).node, outputs: node.outputs }
  return [sizes.node, matrix.node, rows.node, back]
}

/** Upsampling became a kind of resizing; it took the pixel below, and the corners of both pictures lay together. */
const upsample: Change = (call) =>
  call.with({ op: 'Resize', set: { mode: text(mode(call)), nearest_mode: text('floor') } })

/** Resizing took the pixel below when it enlarged, and the one above when it reduced. */
const resize: Change = (call) => {
  const [x, given] = [call.input(0), call.input(1)]
  const scales = call.numbers(1)
  const isSure = mode(call) !== 'nearest' || call.string('nearest_mode') === 'floor'
  if (isSure || scales?.every((scale) => scale >= 1)) return resized(call, x, given, 'floor')
  if (scales?.every((scale) => scale <= 1)) return resized(call, x, given, 'ceil')
  const one = call.vector('float32', [1])
  const up = call.beside('Max', [given, one])
  const down = call.beside('Min', [given, one])
  const middle = call.beside('Resize', [x, '', up.output], asymmetric(call, 'floor'))
  return [up.node, down.node, middle.node, resized(call, middle.output, down.output, 'ceil')]
}

function resized(call: Earlier, x: string, scales: string, nearest: string): Node {
  return call.with({
    inputs: [x, '', scales],
    drop: ['mode', 'nearest_mode'],
    set: asymmetric(call, nearest),
  })
}

function asymmetric(call: Earlier, nearest: string): Record<string, Attribute> {
  return {
    mode: text(mode(call)),
    coordinate_transformation_mode: text('asymmetric'),
    ...(mode(call) === 'nearest' ? { nearest_mode: text(nearest) } : {}),
  }
}

function mode(call: Earlier): string {
  const given = call.string('mode') ?? 'nearest'
  return given === 'bilinear' ? 'linear' : given
}

/** From 13 on, what is not given is left out; before, it was a tensor without elements. */
const resizeInputs: Change = (call) => {
  if (call.string('coordinate_transformation_mode') === 'tf_half_pixel_for_nn') {
    throw call.unsupported('has the coordinates tf_half_pixel_for_nn, which newer ones lack', 13)
  }
  const set = Object.fromEntries([1, 2].filter((index) => call.isEmpty(index)).map((index) => [index, '']))
  return call.with({ inputs: withInputs(call.node.inputs, set) })
}

/** Statistics by feature and place (`spatial` 0) became arithmetic. */
const batchNormalizationBySpace: Change = (call) => {
  if (call.int('spatial', 1) === 1) return call.with({ drop: ['spatial'] })
  if ([1, 2, 3, 4].some((index) => call.node.outputs[index])) {
    throw call.unsupported('takes statistics by feature and place while training', 9)
  }
  const dtype = call.dtype(0)
  if (!dtype) throw call.unsupported('has an input whose dtype is not known', 9)
  const [x, scale, bias, mean, variance] = call.node.inputs as readonly [
    string,
    string,
    string,
    string,
    string,
  ]
  const centred = call.beside('Sub', [x, mean])
  const above = call.beside('Add', [variance, call.scalar(dtype, call.float('epsilon') ?? 1e-5)])
  const deviation = call.beside('Sqrt', [above.output])
  const normal = call.beside('Div', [centred.output, deviation.output])
  const scaled = call.beside('Mul', [normal.output, scale])
  const shifted = {
    ...call.beside('Add', [scaled.output, bias]).node,
    outputs: call.node.outputs.slice(0, 1),
  }
  return [centred.node, above.node, deviation.node, normal.node, scaled.node, shifted]
}

/** Training was said by the number of outputs. */
const batchNormalizationOutputs: Change = (call) => {
  const more = call.node.outputs.slice(1).some((name) => name !== '')
  if (!more) return call.with({ outputs: call.node.outputs.slice(0, 1) })
  throw call.unsupported('has outputs of statistics, which older runtimes left undefined', 14)
}

/** The mask was a float, and the operator did nothing outside of training. */
const dropoutMask: Change = (call) => {
  if (!call.isRead(1)) return call.with({ outputs: call.node.outputs.slice(0, 1) })
  throw call.unsupported('has a mask of floats that is read', 10)
}

/** An index below 0 stood for no place; since 11 it counts from the end. */
const scatter: Change = (call) => call.with({ op: 'ScatterElements' })

/** Regions were placed without the half pixel that is the default now. */
const roiAlign: Change = (call) =>
  call.with({ set: { coordinate_transformation_mode: text('output_half_pixel') } })

const scan: Change = (call) => {
  throw call.unsupported('runs over a batch, which newer ones cannot', 9)
}

/** Operators of early versions that were an experiment and are no more. */
const EXPERIMENTS = [
  'ATen',
  'Affine',
  'ConstantFill',
  'Crop',
  'DynamicSlice',
  'GRUUnit',
  'GivenTensorFill',
  'ImageScaler',
  'ParametricSoftplus',
  'Scale',
  'ScaledTanh',
] as const
const experiment: Change = (call) => {
  throw call.unsupported('was an experiment that no later operator set has', 10)
}

/** Operators whose meaning or name changed. */
export const meanings = {
  BatchNormalization: { 9: batchNormalizationBySpace, 14: batchNormalizationOutputs },
  Dropout: { 10: dropoutMask },
  Hardmax: { 13: ofMatrix },
  LogSoftmax: { 13: ofMatrix },
  Resize: { 11: resize, 13: resizeInputs },
  RoiAlign: { 16: roiAlign },
  Scan: { 9: scan },
  Scatter: { 11: scatter },
  Softmax: { 13: ofMatrix },
  Upsample: { 10: upsample },
  ...Object.fromEntries(EXPERIMENTS.map((name) => [name, { 10: experiment }])),
} satisfies Readonly<Record<string, Changes>>
