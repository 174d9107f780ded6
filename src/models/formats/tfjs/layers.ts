/**
 * Keras' layers as nodes of ONNX, one function a kind.
 *
 * Keras lays pictures out as [batch, height, width, channels], ONNX as [batch, channels, height, width]. Here every value
 * of rank 4 is in ONNX's order, every other value in Keras', and each function keeps it so.
 */

import { PipiloError } from '../../../base/index.ts'
import { op, type Value } from '../../../graph/index.ts'
import { activate } from './activations.ts'
import type { LayerCall } from './layerCall.ts'
import { channelsFirst, channelsLast } from './layout.ts'
import { Settings } from './settings.ts'
import { type Pair, samePads } from './window.ts'

/** Adds the nodes of a layer and returns its output. */
export type LayerRule = (call: LayerCall) => Value

const same: LayerRule = ({ input }) => input

/** By Keras' class name. */
export const LAYERS: Readonly<Record<string, LayerRule>> = {
  ActivityRegularization: same,
  AlphaDropout: same,
  GaussianDropout: same,
  GaussianNoise: same,
  Identity: same,
  Rescaling: ({ settings, input }) =>
    op.add(op.mul(input, settings.number('scale')), settings.number('offset', 0)),
  Activation: (call) => finish(call, call.input),
  Add: ({ inputs }) => inputs.reduce((sum, value) => op.add(sum, value)),
  AveragePooling2D: (call) => op.averagePool(call.map, ...poolWindow(call)),
  BatchNormalization: batchNormalization,
  Concatenate: (call) => op.concat(call.inputs, axisOf(call)),
  Conv2D: convolution,
  Dense: dense,
  DepthwiseConv2D: (call) => finish(call, depthwise(call, bias(call, depthwiseChannels(call)))),
  Dropout: same,
  Flatten: flatten,
  GlobalAveragePooling2D: (call) => squeezed(call, op.globalAveragePool(call.map)),
  GlobalMaxPooling2D: (call) => squeezed(call, op.globalMaxPool(call.map)),
  LeakyReLU: ({ settings, input }) =>
    op.leakyRelu(input, settings.number('negative_slope', settings.number('alpha', 0.3))),
  MaxPooling2D: (call) => op.maxPool(call.map, ...poolWindow(call)),
  Multiply: ({ inputs }) => inputs.reduce((product, value) => op.mul(product, value)),
  ReLU: relu,
  Reshape: reshape,
  SeparableConv2D: separable,
  Softmax: (call) => op.softmax(call.input, axisOf(call)),
  SpatialDropout2D: same,
  ZeroPadding2D: (call) => {
    const [[top, bottom], [left, right]] = call.settings.margins('padding')
    return op.pad(call.map, [0, 0, top, left, 0, 0, bottom, right])
  },
}

/** The setting `axis`, Keras' number for it, as ONNX's; the last by default. */
function axisOf({ settings, input }: LayerCall): number {
  const { axis = -1 } = settings.layer.config
  // Some versions of Keras write a list of one.
  const number = Number(Array.isArray(axis) ? axis[0] : axis)
  const rank = input.shape.length
  const order = rank === 4 ? [0, 2, 3, 1] : Array.from({ length: rank }, (_, i) => i)
  return order[number < 0 ? number + rank : number] ?? settings.unsupported(`the axis ${String(axis)}`)
}

function convolution(call: LayerCall): Value {
  const filters = call.settings.count('filters')
  const shape = [...call.settings.pair('kernel_size'), call.channels, filters]
  return finish(
    call,
    op.conv(call.map, call.weight('kernel', shape, 'oihw'), bias(call, filters), convWindow(call)),
  )
}

/** A kernel of its own for each channel, `depth_multiplier` of them. */
function depthwise(call: LayerCall, addend?: Value): Value {
  const { settings, channels } = call
  const shape = [...settings.pair('kernel_size'), channels, settings.count('depth_multiplier', 1)]
  const kernel = call.weight('depthwise_kernel', shape, 'depthwise')
  return op.conv(call.map, kernel, addend, { ...convWindow(call), group: channels })
}

function depthwiseChannels({ settings, channels }: LayerCall): number {
  return channels * settings.count('depth_multiplier', 1)
}

function separable(call: LayerCall): Value {
  const filters = call.settings.count('filters')
  const pointwise = call.weight('pointwise_kernel', [1, 1, depthwiseChannels(call), filters], 'oihw')
  return finish(call, op.conv(depthwise(call), pointwise, bias(call, filters)))
}

function bias(call: LayerCall, size: number): Value | undefined {
  return call.settings.flag('use_bias', true) ? call.weight('bias', [size]) : undefined
}

/** Layers that can be an activation of others. */
const ACTIVATION_LAYERS = ['LeakyReLU', 'ReLU', 'Softmax']

function finish({ settings }: LayerCall, value: Value): Value {
  const activation = settings.activation()
  if (typeof activation === 'string') return activate(settings, activation, value)
  const { kind, config } = activation
  const own = { settings: new Settings(activation), input: value, inputs: [value] }
  if (ACTIVATION_LAYERS.includes(kind)) return LAYERS[kind]!(own as unknown as LayerCall)
  const isPlain = Object.keys(config).every((name) => ['name', 'trainable', 'dtype'].includes(name))
  return isPlain
    ? activate(settings, kind, value)
    : settings.unsupported(`the activation ${kind} with settings of its own`)
}

function convWindow(call: LayerCall) {
  const { settings } = call
  const dilations = settings.pair('dilation_rate', [1, 1])
  const strides = settings.pair('strides', [1, 1])
  return { strides, dilations, pads: pads(call, settings.pair('kernel_size'), strides, dilations) }
}

/** A pooling steps by its own size unless it says otherwise. */
function poolWindow(call: LayerCall) {
  const { settings } = call
  const size = settings.pair('pool_size', [2, 2])
  const strides = settings.layer.config['strides'] === null ? size : settings.pair('strides', size)
  return [size, { strides, pads: pads(call, size, strides, [1, 1]) }] as const
}

/** [top, left, bottom, right]. */
function pads(call: LayerCall, window: Pair, strides: Pair, dilations: Pair): number[] {
  const padding = call.settings.text('padding', 'valid').toLowerCase()
  if (padding === 'valid') return [0, 0, 0, 0]
  if (padding !== 'same') return call.settings.unsupported(`the padding "${padding}"`)
  return samePads([call.size(2), call.size(3)], window, strides, dilations) ?? []
}

/** [batch, channels, 1, 1] → [batch, channels], unless the layer keeps the axes. */
function squeezed({ settings }: LayerCall, value: Value): Value {
  return settings.flag('keepdims', false) ? value : op.flatten(value)
}

function batchNormalization(call: LayerCall): Value {
  const { settings, input, channels } = call
  // ONNX normalises along axis 1, which is Keras' last in maps and vectors only.
  if (axisOf(call) !== 1 || (input.shape.length !== 4 && input.shape.length !== 2)) {
    return settings.unsupported('another axis than that of the channels')
  }
  const scale = settings.flag('scale', true)
    ? call.weight('gamma', [channels])
    : call.filled('gamma', channels, 1)
  const offset = settings.flag('center', true)
    ? call.weight('beta', [channels])
    : call.filled('beta', channels, 0)
  const mean = call.weight('moving_mean', [channels])
  const variance = call.weight('moving_variance', [channels])
  return op.batchNormalization(input, scale, offset, mean, variance, {
    epsilon: settings.number('epsilon', 1e-3),
  })
}

/** Along Keras' last axis. */
function dense(call: LayerCall): Value {
  const units = call.settings.count('units')
  const kernel = call.weight('kernel', [call.channels, units])
  const addend = bias(call, units)
  if (call.input.shape.length === 2) return finish(call, op.gemm(call.input, kernel, addend))
  const product = op.matMul(channelsLast(call.input), kernel)
  return finish(call, channelsFirst(addend ? op.add(product, addend) : product))
}

/** In Keras' order; a map of one position is in it already. */
function flatten({ input }: LayerCall): Value {
  const [, , height, width] = input.shape
  return op.flatten(height === 1 && width === 1 ? input : channelsLast(input))
}

/** max(0, x), cut at `max_value`, with a slope below 0 where there is one. */
function relu({ settings, input }: LayerCall): Value {
  const limit = settings.layer.config['max_value'] == null ? undefined : settings.number('max_value')
  const slope = settings.number('negative_slope', 0)
  if (settings.number('threshold', 0) !== 0) return settings.unsupported('a threshold')
  if (slope === 0) return limit === undefined ? op.relu(input) : op.clip(input, 0, limit)
  const rectified = op.leakyRelu(input, slope)
  return limit === undefined ? rectified : op.clip(rectified, undefined, limit)
}

function reshape({ settings, input }: LayerCall): Value {
  const target = settings.shape('target_shape')
  const total = input.shape.slice(1).reduce<number>((product, size) => product * Number(size), 1)
  const known = target.filter((size) => size !== -1).reduce((product, size) => product * size, 1)
  const shape = target.map((size) => (size === -1 ? total / known : size))
  if (
    shape.some((size) => !Number.isInteger(size)) ||
    shape.reduce((product, size) => product * size, 1) !== total
  ) {
    throw new PipiloError(
      'MODEL_INVALID',
      `The layer ${settings.layer.name} cannot give [${input.shape.slice(1)}] the shape [${target}].`,
      { input: settings.layer.name },
    )
  }
  return channelsFirst(op.reshape(channelsLast(input), [0, ...shape]))
}
