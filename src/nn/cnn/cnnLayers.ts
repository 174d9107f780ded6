/** Layers of convolutional networks: pooling as PyTorch's and timm's modules do it, blur, norms over channels, channel attention. */
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { activation } from '../layers/activations.ts'
import { conv2d, type LayerInit, layerNorm, samePads } from '../layers/layers.ts'
import type { Parameters } from '../types.ts'

const channelsOf = (x: Value) => x.shape[1] as number
const imageOf = (x: Value) => [x.shape[2] as number, x.shape[3] as number] as const

/** An activation as a module, in a scope of its own. */
export function act(name: string, kind: string, x: Value): Value {
  return x.builder.scope(name, () => activation(kind)(x))
}

/** Pads behind that let windows reach beyond the end, as PyTorch's `ceil_mode` does. */
function ceilPads(image: readonly number[], kernel: number, stride: number): number[] {
  return image.map((size) => {
    const steps = Math.ceil((size - kernel) / stride)
    // A window must begin inside.
    const windows = steps * stride >= size ? steps - 1 : steps
    return Math.max(0, windows * stride + kernel - size)
  })
}

/**
 * `MaxPool2d`.
 *
 * @param options.padding `same` is TensorFlow's, for a picture of known size; default 0
 * @param options.ceil a last window may reach beyond the end; default `false`
 */
export function maxPool2d(
  name: string,
  x: Value,
  kernel: number,
  stride: number,
  options: { readonly padding?: number | 'same'; readonly ceil?: boolean } = {},
): Value {
  const { padding = 0, ceil = false } = options
  const pads = () => {
    if (padding === 'same') return samePads(imageOf(x), [kernel, kernel], [stride, stride], [1, 1])
    return [padding, padding, ...(ceil ? ceilPads(imageOf(x), kernel, stride) : [padding, padding])]
  }
  return x.builder.scope(name, { kind: 'MaxPool2d' }, () =>
    op.maxPool(x, [kernel, kernel], { strides: [stride, stride], pads: pads() }),
  )
}

/**
 * `AvgPool2d` with windows that do not overlap; what lies beyond the end is not counted.
 *
 * @param options.ceil a last window may reach beyond the end; default `false`
 */
export function avgPool2d(
  name: string,
  x: Value,
  kernel: number,
  options: { readonly ceil?: boolean } = {},
): Value {
  return x.builder.scope(name, { kind: 'AvgPool2d' }, () => {
    const behind = options.ceil ? ceilPads(imageOf(x), kernel, kernel) : [0, 0]
    return op.averagePool(x, [kernel, kernel], { strides: [kernel, kernel], pads: [0, 0, ...behind] })
  })
}

/** Mean over all of space: [batch, channels]. */
export function globalPool(name: string, x: Value): Value {
  return x.builder.scope(name, { kind: 'AdaptiveAvgPool2d' }, () => op.flatten(op.globalAveragePool(x)))
}

/** `AdaptiveAvgPool2d` to another size, as two products with matrices of window means. */
export function adaptiveAvgPool2d(name: string, x: Value, size: readonly [number, number]): Value {
  const [height, width] = imageOf(x)
  if (height === size[0] && width === size[1]) return x
  const { builder } = x
  return builder.scope(name, { kind: 'AdaptiveAvgPool2d' }, () => {
    const rows = builder.constant(tensor('float32', [size[0], height], windows(height, size[0])))
    const columns = builder.constant(tensor('float32', [size[1], width], windows(width, size[1])))
    return op.matMul(op.matMul(rows, x), op.transpose(columns, [1, 0]))
  })
}

/** Row i takes the mean over its part of `from` places. */
function windows(from: number, to: number): number[] {
  return Array.from({ length: to * from }, (_, i) => {
    const [row, column] = [Math.floor(i / from), i % from]
    const start = Math.floor((row * from) / to)
    const end = Math.ceil(((row + 1) * from) / to)
    return column >= start && column < end ? 1 / (end - start) : 0
  })
}

/** Binomial weights of 3 × 3 with stride 2 (https://arxiv.org/abs/1904.11486). */
export function blurPool2d(name: string, x: Value, padding: 'reflect' | 'constant' = 'reflect'): Value {
  const { builder } = x
  return builder.scope(name, { kind: 'BlurPool2d' }, () => {
    const channels = channelsOf(x)
    const line = [0.25, 0.5, 0.25]
    const filter = line.flatMap((row) => line.map((column) => row * column))
    const data = Array.from({ length: channels * 9 }, (_, i) => filter[i % 9]!)
    const weight = builder.constant(tensor('float32', [channels, 1, 3, 3], data))
    const reflected = padding === 'reflect'
    const padded = reflected ? op.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], { mode: 'reflect' }) : x
    const pad = reflected ? 0 : 1
    return op.conv(padded, weight, undefined, {
      strides: [2, 2],
      pads: [pad, pad, pad, pad],
      group: channels,
    })
  })
}

/** How a feature map is halved without aliasing: mean, or blur with mirrored (`blur`) or zero (`blurpc`) borders. */
export type AntiAliasing = 'avg' | 'blur' | 'blurpc'

/** Halves a feature map. */
export function antiAlias(name: string, x: Value, kind: AntiAliasing): Value {
  if (kind === 'avg') return avgPool2d(name, x, 2)
  return blurPool2d(name, x, kind === 'blur' ? 'reflect' : 'constant')
}

/** Moves channels last and back around `norm`. */
function channelsLast(x: Value, norm: (x: Value) => Value): Value {
  return op.transpose(norm(op.transpose(x, [0, 2, 3, 1])), [0, 3, 1, 2])
}

/** Layer normalisation over the channels of each position. */
export function layerNorm2d(parameters: Parameters, name: string, x: Value, epsilon = 1e-6): Value {
  return channelsLast(x, (moved) => layerNorm(parameters, name, moved, epsilon))
}

/** Parameters of a norm, one number for each channel, below the current scope. */
const channelParameters = (parameters: Parameters, x: Value) => (what: string, kind: OnesOrZeros) =>
  op.reshape(parameters.weight(`${x.builder.path}.${what}`, [channelsOf(x)], { kind }), [channelsOf(x), 1, 1])

type OnesOrZeros = 'ones' | 'zeros'

/**
 * Group normalisation (https://arxiv.org/abs/1803.08494).
 *
 * @param scale how the scale is drawn when there is no checkpoint
 */
export function groupNorm(
  parameters: Parameters,
  name: string,
  x: Value,
  groups: number,
  scale: OnesOrZeros = 'ones',
): Value {
  const { builder } = x
  return builder.scope(name, { kind: 'GroupNorm' }, () => {
    const channels = channelsOf(x)
    const perChannel = channelParameters(parameters, x)
    const filled = (value: number) => builder.constant(tensor('float32', [groups], Array(groups).fill(value)))
    const grouped = op.reshape(x, [0, groups, -1])
    const normed = op.instanceNormalization(grouped, filled(1), filled(0))
    const back = op.reshape(normed, [0, channels, ...imageOf(x)])
    return op.add(op.mul(back, perChannel('weight', scale)), perChannel('bias', 'zeros'))
  })
}

/** EvoNorm-S0 (https://arxiv.org/abs/2004.02967): an activation over the deviation of its group; scale and shift alone if not `active`. */
export function evoNorm(
  parameters: Parameters,
  name: string,
  x: Value,
  groups: number,
  active: boolean,
): Value {
  return x.builder.scope(name, { kind: 'EvoNorm2dS0' }, () => {
    const perChannel = channelParameters(parameters, x)
    let y = x
    if (active) {
      const grouped = op.reshape(x, [0, groups, -1])
      const centred = op.sub(grouped, op.reduceMean(grouped, [2], { keepDims: true }))
      const variance = op.reduceMean(op.mul(centred, centred), [2], { keepDims: true })
      const gated = op.mul(x, op.sigmoid(op.mul(x, perChannel('v', 'ones'))))
      const scaled = op.div(op.reshape(gated, [0, groups, -1]), op.sqrt(op.add(variance, 1e-5)))
      y = op.reshape(scaled, [0, channelsOf(x), ...imageOf(x)])
    }
    return op.add(op.mul(y, perChannel('weight', 'ones')), perChannel('bias', 'zeros'))
  })
}

/**
 * Filter response normalisation (https://arxiv.org/abs/1911.09737): each channel over the root of its mean square, cut off below a
 * learned threshold if `active`.
 */
export function filterResponseNorm(parameters: Parameters, name: string, x: Value, active: boolean): Value {
  return x.builder.scope(name, { kind: 'FilterResponseNormTlu2d' }, () => {
    const perChannel = channelParameters(parameters, x)
    const meanSquare = op.reduceMean(op.mul(x, x), [2, 3], { keepDims: true })
    const normed = op.div(x, op.sqrt(op.add(meanSquare, 1e-5)))
    const y = op.add(op.mul(normed, perChannel('weight', 'ones')), perChannel('bias', 'zeros'))
    return active ? op.max(y, perChannel('tau', 'zeros')) : y
  })
}

/** Nearest multiple of `divisor`, but not less than `limit` of the number itself (the rule of the MobileNets). */
export function makeDivisible(value: number, divisor = 8, limit = 0.9): number {
  const rounded = Math.max(divisor, Math.floor((value + divisor / 2) / divisor) * divisor)
  return rounded < limit * value ? rounded + divisor : rounded
}

export interface SqueezeExciteOptions {
  /** Channels between the two convolutions. */
  readonly squeezed: number
  /** Names of the two convolutions. Default `fc1`, `fc2`. */
  readonly names?: readonly [reduce: string, expand: string]
  /** Default `relu`. */
  readonly act?: string
  /** Default `sigmoid`. */
  readonly gate?: string
  /** How a convolution with so many outputs is drawn. Default: PyTorch's way. */
  readonly init?: (outputs: number) => LayerInit
}

/** Channels weighted by what all of space says (https://arxiv.org/abs/1709.01507). */
export function squeezeExcite(
  parameters: Parameters,
  name: string,
  x: Value,
  options: SqueezeExciteOptions,
): Value {
  const { squeezed, names = ['fc1', 'fc2'], act: between = 'relu', gate = 'sigmoid', init } = options
  return x.builder.scope(name, { kind: 'SqueezeExcite' }, () => {
    const convolution = (which: string, input: Value, channels: number) =>
      conv2d(parameters, which, input, channels, { kernel: 1, ...(init ? { init: init(channels) } : {}) })
    const mean = op.globalAveragePool(x)
    const reduced = activation(between)(convolution(names[0], mean, squeezed))
    const weights = convolution(names[1], reduced, channelsOf(x))
    return op.mul(x, activation(gate)(weights))
  })
}

/**
 * Channels weighted by what their neighbours say (https://arxiv.org/abs/1910.03151).
 *
 * @param kernelSize default: what the paper derives from the number of channels
 */
export function efficientChannelAttention(
  parameters: Parameters,
  name: string,
  x: Value,
  kernelSize?: number,
): Value {
  const { builder } = x
  return builder.scope(name, { kind: 'EcaModule' }, () => {
    const channels = channelsOf(x)
    const adapted = Math.floor((Math.log2(channels) + 1) / 2)
    const kernel = kernelSize ?? Math.max(3, adapted % 2 === 1 ? adapted : adapted + 1)
    const weights = builder.scope('conv', { kind: 'Conv1d' }, () => {
      const weight = parameters.weight(`${builder.path}.weight`, [1, 1, kernel], {
        kind: 'kaiming_uniform',
        a: Math.sqrt(5),
      })
      const pad = (kernel - 1) / 2
      return op.conv(op.reshape(op.globalAveragePool(x), [0, 1, channels]), weight, undefined, {
        pads: [pad, pad],
      })
    })
    return op.mul(x, op.reshape(op.sigmoid(weights), [0, channels, 1, 1]))
  })
}
