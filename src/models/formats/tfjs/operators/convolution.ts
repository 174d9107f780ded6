/** Convolutions, pooling and resizing. */
import { op, type Shape, type Value } from '../../../../graph/index.ts'
import { FeatureMap, type Laid, OwnOrder, Weight } from '../laid.ts'
import type { NodeCall, OperatorRule, Rules } from '../nodeCall.ts'
import { type Pair, samePads } from '../window.ts'
import { finish } from './elementwise.ts'

const conv: OperatorRule = (call) => finish(call, convolve(call), 2)
const depthwise: OperatorRule = (call) => finish(call, convolve(call, true), 2)

function convolve(call: NodeCall, isDepthwise = false): Laid {
  const [x, filter] = [map(call, 0), call.laid(1)]
  const [height, width, channels, multiplier] = filter.shape.map((size) => call.size(size)) as Four
  const inputs = call.size(x.shape[3])
  const window = windowOf(call, [height, width], x.shape.slice(1, 3))
  const pointwise = !isDepthwise && height * width * window.strides[0] * window.strides[1] === 1
  // On what is no feature map a convolution of single positions is a matrix product, as runtimes and int8 like it.
  if (pointwise && x.order === 'own' && channels === inputs) {
    return new OwnOrder(op.matMul(x.value, asMatrix(filter, channels, multiplier)))
  }
  const group = isDepthwise ? channels : inputs / channels
  return new FeatureMap(op.conv(x.map, kernelOf(filter, isDepthwise), undefined, { ...window, group }))
}

type Four = [number, number, number, number]

function asMatrix(filter: Laid, rows: number, columns: number): Value {
  return filter instanceof Weight
    ? filter.as('as is', [rows, columns])
    : op.reshape(filter.value, [rows, columns])
}

/** [height, width, in, out] → [out, in, height, width]; for depthwise ones [in × multiplier, 1, height, width]. */
function kernelOf(filter: Laid, isDepthwise: boolean): Value {
  if (filter instanceof Weight) return filter.as(isDepthwise ? 'depthwise' : 'oihw')
  if (!isDepthwise) return op.transpose(filter.value, [3, 2, 0, 1])
  const [height, width] = filter.shape as Four
  return op.reshape(op.transpose(filter.value, [2, 3, 0, 1]), [-1, 1, height, width])
}

/** An input that has to be a picture or feature map. */
function map(call: NodeCall, index: number): Laid {
  const laid = call.laid(index)
  if (call.text('data_format', 'NHWC') !== 'NHWC') return call.unsupported('channels that come first')
  return laid.rank === 4 ? laid : call.unsupported(`an input of ${laid.rank} axes`)
}

/** The middle two of an attribute such as [1, 2, 2, 1]; of a depthwise convolution's dilations, which are two, both. */
function middle(call: NodeCall, name: string): Pair {
  const values = call.ints(name)
  const pair = values.length === 4 ? values.slice(1, 3) : values.length === 2 ? values : [1, 1]
  return pair.every((value) => value > 0) ? (pair as [number, number]) : call.wrong(`has no sizes "${name}"`)
}

/** @param space height and width of what the windows stand on */
function windowOf(call: NodeCall, window: Pair, space: Shape) {
  const [strides, dilations] = [middle(call, 'strides'), middle(call, 'dilations')]
  const known = space.map((size) => (typeof size === 'number' ? size : undefined))
  switch (call.text('padding')) {
    case 'VALID':
      return { strides, dilations, pads: [0, 0, 0, 0] }
    case 'SAME': {
      const pads = samePads(known, window, strides, dilations)
      return pads ? { strides, dilations, pads } : { strides, dilations, autoPad: 'SAME_UPPER' as const }
    }
    case 'EXPLICIT': {
      const [, , top = 0, bottom = 0, left = 0, right = 0] = call.ints('explicit_paddings')
      return { strides, dilations, pads: [top, left, bottom, right] }
    }
    default:
      return call.unsupported(`the padding "${call.text('padding')}"`)
  }
}

/** The gradient of a convolution for its input, which is a transposed convolution: [output shape, filter, x]. */
function transposed(call: NodeCall): Laid {
  const [filter, x] = [call.laid(1), map(call, 2)]
  const [height, width] = filter.shape.map((size) => call.size(size)) as Four
  const target = call.laid(0).value.fact.content ?? call.numbers(0)
  const sizes = [call.size(target[1]), call.size(target[2])] as const
  const forward = windowOf(call, [height, width], sizes)
  const { strides, pads = [0, 0, 0, 0] } = forward
  const kernel = op.transpose(filter.value, [3, 2, 0, 1])
  const outputPadding = ([0, 1] as const).map((axis) => {
    const input = call.size(x.shape[axis + 1])
    const reached = (input - 1) * strides[axis] + [height, width][axis]! - pads[axis]! - pads[axis + 2]!
    return sizes[axis] - reached
  })
  return new FeatureMap(op.convTranspose(x.map, kernel, undefined, { ...forward, outputPadding }))
}

type PoolWindow = Omit<ReturnType<typeof windowOf>, 'dilations'>

function pooled(apply: (x: Value, size: Pair, window: PoolWindow) => Value): OperatorRule {
  return (call) => {
    const [x, size] = [map(call, 0), middle(call, 'ksize')]
    const { dilations: _, ...window } = windowOf(call, size, x.shape.slice(1, 3))
    return new FeatureMap(apply(x.map, size, window))
  }
}

function batchNormalization(call: NodeCall): Laid {
  const x = map(call, 0)
  if (call.flag('is_training', false)) return call.unsupported("the batch's own statistics")
  const [scale, offset, mean, variance] = [1, 2, 3, 4].map((index) => call.value(index)) as [
    Value,
    Value,
    Value,
    Value,
  ]
  const epsilon = call.float('epsilon', 1e-4)
  return new FeatureMap(op.batchNormalization(x.map, scale, offset, mean, variance, { epsilon }))
}

function resize(mode: 'linear' | 'nearest'): OperatorRule {
  return (call) => {
    const x = map(call, 0)
    const sizes = op.concat([op.shape(x.map, 0, 2), call.value(1)], 0)
    const aligned = call.flag('align_corners')
    const centred = call.flag('half_pixel_centers')
    return new FeatureMap(
      op.resize(
        x.map,
        { sizes },
        {
          mode,
          coordinates: aligned ? 'align_corners' : centred ? 'half_pixel' : 'asymmetric',
          nearest: aligned || centred ? 'round_prefer_ceil' : 'floor',
        },
      ),
    )
  }
}

function depthToSpace(call: NodeCall): Laid {
  return new FeatureMap(op.depthToSpace(map(call, 0).map, call.int('block_size', 1), 'DCR'))
}

export const convolutionRules: Rules = {
  Conv2D: conv,
  _FusedConv2D: conv,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: depthwise,
  Conv2DBackpropInput: transposed,
  MaxPool: pooled(op.maxPool),
  AvgPool: pooled(op.averagePool),
  FusedBatchNorm: batchNormalization,
  FusedBatchNormV2: batchNormalization,
  FusedBatchNormV3: batchNormalization,
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
  DepthToSpace: depthToSpace,
}
