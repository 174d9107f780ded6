/** Operators that read or change shapes. */
import { op, type Value } from '../../../../graph/index.ts'
import { FeatureMap, type Laid, OwnOrder } from '../laid.ts'
import type { NodeCall, OperatorRule, Rules } from '../nodeCall.ts'
import { slice, stridedSlice } from './slice.ts'

const MAP_AXES = [0, 2, 3, 1]

const same: OperatorRule = (call) => call.laid(0)

function reshape(call: NodeCall): Value {
  const [x, known] = [call.value(0), call.known(1)]
  // ONNX copies the size where the target has a 0, which in TensorFlow means none.
  if (known && !known.includes(0)) return op.reshape(x, known)
  return op.reshape(x, call.value(1), { allowZero: true })
}

function squeeze(call: NodeCall): Value {
  const x = call.value(0)
  const axes = [...call.ints('squeeze_dims'), ...call.ints('axis')].map((axis) =>
    call.front(axis, x.shape.length),
  )
  const ones = x.shape.flatMap((size, axis) => (size === 1 ? [axis] : []))
  return op.squeeze(x, axes.length > 0 ? axes : ones)
}

function expandDims(call: NodeCall): Value {
  const x = call.value(0)
  return op.unsqueeze(x, [call.axis(1, x.shape.length + 1)])
}

function transpose(call: NodeCall): Laid {
  const [x, order] = [call.laid(0), call.numbers(1)]
  // To or from channels that come first: the same numbers under another name.
  if (x.order === 'map' && order.join() === '0,3,1,2') return new OwnOrder(x.map)
  if (x.order !== 'map' && order.join() === '0,2,3,1') return new FeatureMap(x.value)
  return new OwnOrder(op.transpose(x.value, order))
}

function concat(values: readonly Laid[], axis: number): Laid {
  if (values.length === 1) return values[0]!
  return values.some(({ order }) => order === 'map')
    ? new FeatureMap(
        op.concat(
          values.map(({ map }) => map),
          MAP_AXES[axis]!,
        ),
      )
    : new OwnOrder(
        op.concat(
          values.map(({ value }) => value),
          axis,
        ),
      )
}

function pack(call: NodeCall): Value {
  const axis = call.front(call.int('axis', 0), call.laid(0).rank + 1)
  return op.concat(
    call.inputs.map(({ value }) => op.unsqueeze(value, [axis])),
    axis,
  )
}

/** Parts along an axis: of feature maps they stay feature maps. */
function parts(x: Laid, axis: number, sizes: readonly number[]): Laid[] {
  if (sizes.length === 1) return [x]
  return x.order === 'map'
    ? op.split(x.map, sizes, MAP_AXES[axis]!).map((part) => new FeatureMap(part))
    : op.split(x.value, sizes, axis).map((part) => new OwnOrder(part))
}

/**
 * Equal parts. Their sizes are stated all the same: ONNX Runtime takes two splits of one value for the same when only their
 * number of outputs differs.
 */
function equalParts(call: NodeCall, x: Laid, axis: number, count: number): Laid[] {
  const size = call.size(x.shape[axis]) / count
  if (!Number.isInteger(size)) return call.wrong(`parts ${x.shape[axis]} in ${count}`)
  return parts(x, axis, Array<number>(count).fill(size))
}

function splitSizes(call: NodeCall): Laid[] {
  const x = call.laid(0)
  const axis = call.axis(2, x.rank)
  const sizes = call.numbers(1)
  if (!sizes.includes(-1)) return parts(x, axis, sizes)
  const rest = call.size(x.shape[axis]) - sizes.reduce((sum, size) => sum + Math.max(0, size), 0)
  return parts(
    x,
    axis,
    sizes.map((size) => (size === -1 ? rest : size)),
  )
}

function unpack(call: NodeCall): Value[] {
  const x = call.laid(0)
  const axis = call.front(call.int('axis', 0), x.rank)
  return equalParts(call, x, axis, call.size(x.shape[axis])).map(({ value }) => op.squeeze(value, [axis]))
}

/** [axes, 2] as ONNX's [begin of each axis…, end of each axis…]. */
function pads(call: NodeCall, order: readonly number[]): number[] {
  const amounts = call.numbers(1)
  return [...order.map((axis) => amounts[2 * axis] ?? 0), ...order.map((axis) => amounts[2 * axis + 1] ?? 0)]
}

function pad(mode: 'constant' | 'reflect', value: (call: NodeCall) => Value | undefined): OperatorRule {
  return (call) => {
    const x = call.laid(0)
    const filling = value(call)
    const options = filling ? { mode, value: filling } : { mode }
    if (x.order === 'map') return new FeatureMap(op.pad(x.map, pads(call, [0, 3, 1, 2]), options))
    const axes = Array.from({ length: x.rank }, (_, axis) => axis)
    return op.pad(x.value, pads(call, axes), options)
  }
}

const mirror: OperatorRule = (call) =>
  call.text('mode') === 'REFLECT'
    ? pad('reflect', () => undefined)(call)
    : call.unsupported(call.text('mode'))

/** Blocks of space moved to the batch, as converted dilated convolutions have them, and back. */
function spaceToBatch(call: NodeCall): Value {
  const [height, width] = blockOf(call)
  const [top = 0, bottom = 0, left = 0, right = 0] = call.numbers(2)
  const x = op.pad(call.value(0), [0, top, left, 0, 0, bottom, right, 0])
  const [, rows, columns, channels] = x.shape.map((size, axis) => (axis === 0 ? 0 : call.size(size))) as Four
  const cut = op.reshape(x, [-1, rows / height, height, columns / width, width, channels])
  return op.reshape(op.transpose(cut, [2, 4, 0, 1, 3, 5]), [-1, rows / height, columns / width, channels])
}

type Four = [number, number, number, number]

function batchToSpace(call: NodeCall): Value {
  const [height, width] = blockOf(call)
  const [top = 0, bottom = 0, left = 0, right = 0] = call.numbers(2)
  const [, rows, columns, channels] = call
    .laid(0)
    .shape.map((size, axis) => (axis === 0 ? 0 : call.size(size))) as Four
  const cut = op.reshape(call.value(0), [height, width, -1, rows, columns, channels])
  const whole = op.reshape(op.transpose(cut, [2, 3, 0, 4, 1, 5]), [
    -1,
    rows * height,
    columns * width,
    channels,
  ])
  return op.slice(whole, [top, left], [rows * height - bottom, columns * width - right], { axes: [1, 2] })
}

function blockOf(call: NodeCall): readonly [number, number] {
  const block = call.numbers(1)
  return block.length === 2 && call.laid(0).rank === 4
    ? [block[0]!, block[1]!]
    : call.unsupported('blocks of other than two axes')
}

/** A tensor of one value in the shape of another. */
const filledLike =
  (value: number): OperatorRule =>
  (call) => {
    const x = call.value(0)
    return op.constantOfShape(op.shape(x), value, x.dtype)
  }

export const shapeRules: Rules = {
  EnsureShape: same,
  Identity: same,
  IdentityN: (call) => call.inputs,
  PlaceholderWithDefault: same,
  Snapshot: same,
  StopGradient: same,
  BatchToSpaceND: batchToSpace,
  BroadcastTo: (call) => op.expand(call.value(0), call.value(1)),
  ConcatV2: (call) => {
    const values = call.inputs.slice(0, -1)
    return concat(values, call.axis(call.inputs.length - 1, values[0]?.rank))
  },
  ExpandDims: expandDims,
  Fill: (call) => op.expand(call.value(1), call.value(0)),
  MirrorPad: mirror,
  OnesLike: filledLike(1),
  Pack: pack,
  Pad: pad('constant', () => undefined),
  PadV2: pad('constant', (call) => call.value(2)),
  Range: (call) => op.range(call.value(0), call.value(1), call.value(2)),
  Rank: (call) => call.builder.constant(call.laid(0).rank),
  Reshape: reshape,
  ReverseV2: (call) => {
    const x = call.value(0)
    const axes = call.numbers(1).map((axis) => call.front(axis, x.shape.length))
    const lowest = axes.map(() => -(2 ** 31))
    return op.slice(
      x,
      axes.map(() => -1),
      lowest,
      { axes, steps: axes.map(() => -1) },
    )
  },
  Shape: (call) => op.shape(call.value(0)),
  Size: (call) => op.size(call.value(0)),
  Slice: slice,
  SpaceToBatchND: spaceToBatch,
  Split: (call) => {
    const x = call.laid(1)
    return equalParts(call, x, call.axis(0, x.rank), call.int('num_split', 1))
  },
  SplitV: splitSizes,
  Squeeze: squeeze,
  StridedSlice: stridedSlice,
  Tile: (call) => op.tile(call.value(0), call.value(1)),
  Transpose: transpose,
  Unpack: unpack,
  ZerosLike: filledLike(0),
}
