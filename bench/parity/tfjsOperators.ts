/**
 * A TensorFlow.js graph model with every operator that `src/models/tfjs` translates, each in a few uses, and what TensorFlow.js
 * computes with it:
 *
 *     npx tsx bench/parity/tfjsOperators.ts     # writes src/models/tfjs/testdata/graph/
 */
import { mkdir, writeFile } from 'node:fs/promises'
import * as tf from '@tensorflow/tfjs'
import { OPERATORS } from '../../src/models/formats/tfjs/operators/index.ts'
import { random } from '../sentences.ts'

await tf.setBackend('cpu')
const folder = new URL('../../src/models/formats/tfjs/testdata/graph/', import.meta.url)

type Dtype = 'float32' | 'int32' | 'bool'
type Scalar = number | boolean | string
type Attributes = Readonly<Record<string, Scalar | readonly Scalar[] | { readonly dtype: string }>>

const nodes: object[] = []
const specs: { name: string; shape: number[]; dtype: Dtype; values: number[] }[] = []
const outputs: string[] = []
const used = new Set<string>()

/** A name's own attribute kinds: numbers that are no integers, and those that only look like it. */
const FLOATS = new Set(['alpha', 'epsilon', 'leakyrelu_alpha'])

function attribute(name: string, value: Attributes[string]): object {
  if (Array.isArray(value)) {
    return typeof value[0] === 'string'
      ? { list: { s: value.map((text) => Buffer.from(String(text)).toString('base64')) } }
      : { list: { i: value.map(String) } }
  }
  if (typeof value === 'object') return { type: (value as { dtype: string }).dtype }
  if (typeof value === 'boolean') return { b: value }
  if (typeof value === 'string') return { s: Buffer.from(value).toString('base64') }
  return FLOATS.has(name) ? { f: value } : { i: String(value) }
}

function node(name: string, op: string, input: readonly string[], attributes: Attributes = {}): string {
  const attr = Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [key, attribute(key, value)]),
  )
  nodes.push({
    name,
    op,
    ...(input.length > 0 ? { input } : {}),
    ...(Object.keys(attr).length > 0 ? { attr } : {}),
  })
  return name
}

/** A weight; the same values are stored once. */
function k(
  values: number | boolean | readonly number[],
  shape?: readonly number[],
  dtype: Dtype = 'int32',
): string {
  const elements = [values].flat().map(Number)
  const size = [...(shape ?? (Array.isArray(values) ? [elements.length] : []))]
  const same = specs.find(
    (spec) =>
      spec.dtype === dtype && String(spec.shape) === String(size) && String(spec.values) === String(elements),
  )
  if (same) return same.name
  const name = `k${specs.length}`
  specs.push({ name, shape: size, dtype, values: elements })
  return node(name, 'Const', [])
}
const f = (values: number | readonly number[], shape?: readonly number[]) => k(values, shape, 'float32')

const next = random(7)
/** Seeded floats between -1 and 1, whole thousandths. */
const r = (...shape: number[]) =>
  f(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.round(next() * 2000 - 1000) / 1000),
    shape,
  )

/** One use of an operator, all of whose outputs are outputs of the model. */
function use(op: string, inputs: readonly string[], attributes: Attributes = {}, count = 1): string {
  const name = `${op}/${outputs.length}`
  node(name, op, inputs, attributes)
  used.add(op)
  for (let i = 0; i < count; i++) {
    outputs.push(`out${outputs.length}`)
    node(outputs.at(-1)!, 'Identity', [i === 0 ? name : `${name}:${i}`])
  }
  return name
}

const shapes = {
  x: [2, 3, 4],
  v: [4],
  positive: [2, 3],
  picture: [1, 7, 6, 3],
  i: [2, 3],
  j: [2, 3],
  b: [2, 3],
} as const
const dtypes: Record<keyof typeof shapes, Dtype> = {
  x: 'float32',
  v: 'float32',
  positive: 'float32',
  picture: 'float32',
  i: 'int32',
  j: 'int32',
  b: 'bool',
}
for (const [name, shape] of Object.entries(shapes)) {
  const dtype = { float32: 'DT_FLOAT', int32: 'DT_INT32', bool: 'DT_BOOL' }[
    dtypes[name as keyof typeof shapes]
  ]
  nodes.push({
    name,
    op: 'Placeholder',
    attr: {
      dtype: { type: dtype },
      shape: { shape: { dim: shape.map((size) => ({ size: String(size) })) } },
    },
  })
}
const [x, v, positive, picture, i, j, b] = Object.keys(shapes) as string[] as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
]

// Feature maps: what has been convolved stays [batch, channels, height, width] inside.
const strides = [1, 2, 2, 1]
const same = { strides, padding: 'SAME', data_format: 'NHWC', dilations: [1, 1, 1, 1] }
const valid = { ...same, strides: [1, 1, 1, 1], padding: 'VALID' }
const map = use('Conv2D', [picture, r(3, 3, 3, 4)], same)
const wide = use('Conv2D', [picture, r(2, 3, 3, 4)], { ...valid, dilations: [1, 2, 2, 1] })
use('Conv2D', [map, r(1, 1, 4, 2)], valid)
use('Conv2D', [use('Reshape', [x, k([2, 3, 1, 4])]), r(1, 1, 4, 5)], valid)
use('Conv2D', [picture, r(3, 2, 3, 2)], {
  ...same,
  padding: 'EXPLICIT',
  explicit_paddings: [0, 0, 1, 2, 0, 1, 0, 0],
})
use('Conv2D', [picture, use('Mul', [r(2, 2, 3, 2), f(2)])], same)
use('_FusedConv2D', [map, r(3, 3, 4, 4), r(4)], {
  ...valid,
  padding: 'SAME',
  fused_ops: ['BiasAdd', 'Relu6'],
  num_args: 1,
})
use('_FusedConv2D', [map, r(1, 1, 4, 2), r(2), r(2)], {
  ...valid,
  fused_ops: ['BiasAdd', 'Prelu'],
  num_args: 2,
})
use('_FusedConv2D', [map, r(1, 1, 4, 2), r(2)], {
  ...valid,
  fused_ops: ['BiasAdd', 'LeakyRelu'],
  num_args: 1,
  leakyrelu_alpha: 0.3,
})
use('DepthwiseConv2dNative', [map, r(3, 3, 4, 2)], same)
use('DepthwiseConv2dNative', [picture, use('Add', [r(2, 2, 3, 1), f(0.5)])], valid)
use('FusedDepthwiseConv2dNative', [map, r(2, 2, 4, 1), r(4)], {
  ...valid,
  fused_ops: ['BiasAdd', 'Relu'],
  num_args: 1,
})
use('Conv2DBackpropInput', [k([1, 8, 6, 2]), r(3, 3, 2, 4), map], same)
use('Conv2DBackpropInput', [k([1, 9, 7, 2]), r(3, 3, 2, 4), map], { ...same, padding: 'VALID' })
use('MaxPool', [map], { ...same, ksize: [1, 2, 2, 1] })
use('MaxPool', [picture], { ...valid, ksize: [1, 3, 2, 1] })
use('AvgPool', [map], { ...same, ksize: [1, 3, 3, 1], strides: [1, 1, 1, 1] })
for (const op of ['FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3']) {
  use(op, [map, r(4), r(4), r(4), f([1, 2, 0.5, 3])], { epsilon: 0.01, is_training: false })
}
for (const op of ['ResizeBilinear', 'ResizeNearestNeighbor']) {
  use(op, [picture, k([5, 9])], { align_corners: false, half_pixel_centers: false })
  use(op, [map, k([7, 7])], { align_corners: false, half_pixel_centers: true })
  use(op, [map, k([5, 7])], { align_corners: true, half_pixel_centers: false })
}
use('DepthToSpace', [map], { block_size: 2, data_format: 'NHWC' })
use('SpaceToBatchND', [picture, k([2, 2]), k([0, 1, 1, 1], [2, 2])])
use('BatchToSpaceND', [use('Tile', [picture, k([4, 1, 1, 1])]), k([2, 2]), k([1, 0, 0, 2], [2, 2])])

// Element by element, on both orders of axes.
for (const op of [
  'Abs',
  'Ceil',
  'Cos',
  'Elu',
  'Erf',
  'Exp',
  'Floor',
  'LeakyRelu',
  'Neg',
  'Relu',
  'Relu6',
  'Selu',
  'Sigmoid',
]) {
  use(op, [x], op === 'LeakyRelu' ? { alpha: 0.1 } : {})
}
for (const op of [
  'Sign',
  'Sin',
  'Softplus',
  'Square',
  'Tan',
  'Tanh',
  'Expm1',
  'Sinh',
  'Cosh',
  'Atan',
  'Asinh',
  'Round',
])
  use(op, [v])
for (const op of ['Acos', 'Asin', 'Atanh', 'Log', 'Log1p', 'Reciprocal', 'Rsqrt', 'Sqrt']) use(op, [positive])
use('Acosh', [use('Add', [positive, f(1)])])
use('IsNan', [use('Log', [x])])
use('Relu', [map])
use('LogicalNot', [b])
for (const DstT of ['DT_FLOAT', 'DT_BOOL']) use('Cast', [i], { DstT: { dtype: DstT } })
use('Cast', [use('Mul', [x, f(3)])], { DstT: { dtype: 'DT_INT32' } })
use('ClipByValue', [x, f(-0.25), f(0.5)])
for (const op of [
  'Add',
  'AddV2',
  'Sub',
  'Mul',
  'RealDiv',
  'Div',
  'Maximum',
  'Minimum',
  'SquaredDifference',
  'Prelu',
]) {
  use(op, [x, v])
}
for (const op of ['Add', 'Mul', 'Sub', 'Maximum']) use(op, [map, r(4)])
use('Mul', [map, r(1, 4, 3, 4)])
use('Add', [map, r(3, 1)])
use('Sub', [f(1), map])
use('Mul', [map, use('Mean', [map, k([1, 2])], { keep_dims: true })])
use('Mul', [map, use('Reshape', [v, k([1, 1, 1, 4])])])
use('Add', [map, v])
use('Prelu', [map, r(1, 1, 4)])
use('BiasAdd', [map, r(4)], { data_format: 'NHWC' })
use('BiasAdd', [x, r(4)], { data_format: 'NHWC' })
use('AddN', [map, map, use('Relu', [map])])
use('DivNoNan', [positive, use('Cast', [i], { DstT: { dtype: 'DT_FLOAT' } })])
use('Pow', [positive, f(1.5)])
for (const op of ['FloorDiv', 'FloorMod']) {
  use(op, [i, j])
  use(op, [x, f(0.3)])
}
use('Mod', [i, j])
for (const op of ['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual']) use(op, [i, j])
for (const op of ['LogicalAnd', 'LogicalOr']) use(op, [b, use('Less', [i, j])])
for (const op of ['Select', 'SelectV2']) use(op, [b, i, j])
use('SelectV2', [use('Greater', [map, f(0)]), map, f(0)])

// Matrix products.
use('MatMul', [positive, r(3, 2)], { transpose_a: false, transpose_b: false })
use('MatMul', [positive, r(2, 3)], { transpose_a: false, transpose_b: true })
use('MatMul', [positive, r(2, 4)], { transpose_a: true, transpose_b: false })
use('_FusedMatMul', [positive, r(3, 2), r(2)], { fused_ops: ['BiasAdd', 'Elu'], num_args: 1 })
use('BatchMatMul', [x, x], { adj_x: false, adj_y: true })
use('BatchMatMulV2', [x, r(2, 3, 2)], { adj_x: true, adj_y: false })
use('Einsum', [x, r(4, 5)], { equation: 'abc, cd -> abd', N: 2 })

// Reductions.
for (const op of ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'EuclideanNorm']) {
  use(op, [x, k([-1])], { keep_dims: false })
  use(op, [x, k([0, 2])], { keep_dims: true })
}
for (const axes of [[1, 2], [1], [3], [0, 3]]) {
  use('Mean', [map, k(axes)], { keep_dims: false })
  use('Max', [map, k(axes)], { keep_dims: true })
}
for (const op of ['All', 'Any']) use(op, [b, k([1])], { keep_dims: false })
for (const op of ['ArgMax', 'ArgMin']) use(op, [x, k(1)])
use('ArgMax', [map, k(3)])
use('Cumsum', [x, k(1)], { exclusive: false, reverse: false })
use('Cumsum', [x, k(2)], { exclusive: true, reverse: true })
for (const op of ['Softmax', 'LogSoftmax']) {
  use(op, [x])
  use(op, [map])
}
use('TopKV2', [x, k(2)], { sorted: true }, 2)

// Shapes.
for (const op of ['Identity', 'Snapshot', 'StopGradient', 'PlaceholderWithDefault']) use(op, [x])
use('EnsureShape', [x, k([2, 3, 4])])
use('IdentityN', [x, i], {}, 2)
use('BroadcastTo', [v, k([2, 4])])
use('ConcatV2', [x, x, k(-1)], { N: 2 })
use('ConcatV2', [map, use('Relu', [map]), k(3)], { N: 2 })
use('ConcatV2', [map, map, k(1)], { N: 2 })
use('ConcatV2', [wide, use('Reshape', [x, k([1, 6, 2, 2])]), k(3)].slice(0, 1).concat(k(0)), { N: 1 })
use('ExpandDims', [x, k(1)])
use('ExpandDims', [map, k(-1)])
use('Fill', [k([2, 2]), f(0.5)])
use('Range', [k(2), use('Max', [i, k([0, 1])]), k(1)])
for (const op of ['OnesLike', 'ZerosLike']) use(op, [i])
use('Pack', [i, j], { axis: 1, N: 2 })
use('Unpack', [x], { axis: -1, num: 4 }, 4)
use('Pad', [x, k([0, 1, 2, 0, 0, 0], [3, 2])])
use('Pad', [map, k([0, 0, 1, 2, 0, 1, 0, 3], [4, 2])])
use('PadV2', [x, k([1, 0, 0, 0, 0, 2], [3, 2]), f(9)])
use('PadV2', [map, k([0, 0, 1, 0, 0, 1, 0, 0], [4, 2]), f(-1)])
use('MirrorPad', [map, k([0, 0, 1, 1, 2, 0, 0, 0], [4, 2])], { mode: 'REFLECT' })
for (const op of ['Rank', 'Size', 'Shape']) use(op, [map])
use('Reshape', [map, k([-1, 4])])
use('Reshape', [x, use('Pack', [use('Size', [i]), k(-1)], { axis: 0, N: 2 })])
use('ReverseV2', [x, k([0, -1])])
use('Split', [k(2), x], { num_split: 2 }, 2)
use('Split', [k(-1), map], { num_split: 2 }, 2)
use('SplitV', [x, k([1, -1]), k(1)], { num_split: 2 }, 2)
use('Squeeze', [use('ExpandDims', [x, k(0)])], { squeeze_dims: [0] })
use('Squeeze', [use('Reshape', [x, k([1, 6, 1, 4])])])
use('Tile', [i, k([2, 2])])
use('Transpose', [x, k([2, 0, 1])])
use('Transpose', [map, k([0, 3, 1, 2])])
use('Relu', [use('Transpose', [use('Reshape', [x, k([2, 3, 2, 2])]), k([0, 2, 3, 1])])])
use('Slice', [x, k([0, 1, 1]), k([1, -1, 2])])
use('Slice', [x, use('Sub', [k([1, 1, 1]), k([1, 0, 1])]), k([-1, 2, 3])])
const masks = { begin_mask: 0, end_mask: 0, ellipsis_mask: 0, new_axis_mask: 0, shrink_axis_mask: 0 }
use('StridedSlice', [x, k([0, -1, 1]), k([0, 0, 4]), k([1, -1, 2])], { ...masks, begin_mask: 1, end_mask: 3 })
use('StridedSlice', [x, k([-1, 0, 1]), k([0, 0, 0]), k([1, 1, 1])], {
  ...masks,
  ellipsis_mask: 2,
  shrink_axis_mask: 5,
})
use('StridedSlice', [x, k([0, 1, 1]), k([0, 3, 2]), k([1, 1, 1])], { ...masks, new_axis_mask: 1 })
use('StridedSlice', [map, k([0, 1, 0, 0]), k([0, 3, 0, 0]), k([1, 1, 1, 1])], {
  ...masks,
  begin_mask: 13,
  end_mask: 13,
})
use('StridedSlice', [x, use('Sub', [k([1]), k([2])]), k([0]), k([1])], { ...masks, shrink_axis_mask: 1 })
use('StridedSlice', [x, k([0]), use('Sub', [k([2]), k([1])]), k([1])], masks)

// Gathering and scattering.
use('GatherV2', [x, k([2, 0, 2]), k(1)], { batch_dims: 0 })
use('Gather', [x, k([1, 0])])
use('GatherNd', [x, k([1, 2, 0, 1], [2, 2])])
use('OneHot', [k([1, 3]), k(4), f(2), f(-1)], { axis: -1 })
const places = use('Where', [b])
use('ScatterNd', [k([4, 1, 4], [3, 1]), r(3, 2), k([6, 2])])
use('ScatterNd', [k([0, 1, 1, 0, 0, 1], [3, 2]), f([1, 2, 3]), k([2, 2])])
use('ScatterNd', [use('Cast', [places], { DstT: { dtype: 'DT_INT32' } }), f([1, 2, 3]), k([2, 3])])
use('SparseToDense', [k([0, 1, 1, 2], [2, 2]), k([2, 3]), f([5, 6]), f(-1)])
use('SparseToDense', [k([1, 3]), k([5]), f(2), f(0)])
// TensorFlow.js writes into what it is given.
use('TensorScatterUpdate', [node('written', 'Mul', [x, f(1)]), k([1, 0], [1, 2]), f([1, 2, 3, 4], [1, 4])])

const missing = Object.keys(OPERATORS).filter((op) => !used.has(op))
if (missing.length > 0) throw new Error(`These operators are in no case: ${missing.join(', ')}`)

const bytes = Buffer.concat(
  specs.map(({ dtype, values }) =>
    Buffer.from(
      dtype === 'float32'
        ? Float32Array.from(values).buffer
        : dtype === 'int32'
          ? Int32Array.from(values).buffer
          : Uint8Array.from(values).buffer,
    ),
  ),
)
const weights = specs.map(({ values: _, ...spec }) => spec)
const signature = { outputs: Object.fromEntries(outputs.map((name) => [name, { name: `${name}:0` }])) }
const model = {
  format: 'graph-model',
  signature,
  modelTopology: { node: nodes, versions: { producer: 1 } },
  weightsManifest: [{ paths: ['weights.bin'], weights }],
}
const peer = await tf.loadGraphModel(
  tf.io.fromMemory({
    modelTopology: model.modelTopology,
    weightSpecs: weights as tf.io.WeightsManifestEntry[],
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
  }),
)
const feeds = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => {
    const length = shape.reduce((a, size) => a * size, 1)
    const values = Array.from({ length }, (_, at) => {
      if (name === 'b') return Number(at % 2 === 0)
      if (name === 'i') return [7, -7, 5, 0, -4, 9][at]!
      if (name === 'j') return [2, 2, -3, 4, -3, 9][at]!
      return Math.round((name === 'positive' ? next() * 0.9 + 0.05 : next() * 4 - 2) * 100) / 100
    })
    return [name, { dtype: dtypes[name as keyof typeof shapes], shape, values }]
  }),
)
const tensors = Object.fromEntries(
  Object.entries(feeds).map(([name, { dtype, shape, values }]) => [
    name,
    tf.tensor(values, [...shape], dtype),
  ]),
)
const results = (await peer.executeAsync(tensors, outputs)) as tf.Tensor[]
const expected = await Promise.all(
  results.map(async (result, at) => ({
    output: outputs[at],
    shape: result.shape,
    values: Array.from(await result.data(), (value) =>
      Number.isFinite(value) ? Number(value.toPrecision(6)) : String(value),
    ),
  })),
)
await mkdir(folder, { recursive: true })
await writeFile(new URL('model.json', folder), JSON.stringify(model))
await writeFile(new URL('weights.bin', folder), bytes)
await writeFile(new URL('expected.json', folder), JSON.stringify({ feeds, expected }))
console.log(`${used.size} operators, ${outputs.length} outputs, ${specs.length} weights`)
