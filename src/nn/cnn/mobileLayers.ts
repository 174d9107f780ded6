/** Layers of the EfficientNet and MobileNet families. */
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { activation } from '../layers/activations.ts'
import { batchNorm2d, conv2d, type LayerInit, linear, samePads } from '../layers/layers.ts'
import type { Initialization } from '../types.ts'
import { type Checkpoint, type CnnConfig, type CnnInputs, tensorOf } from './cnn.ts'
import {
  type AntiAliasing,
  antiAlias,
  evoNorm,
  groupNorm,
  layerNorm2d,
  makeDivisible,
  squeezeExcite,
} from './cnnLayers.ts'
import { roundEven, type SpecOptions } from './mobileSpecs.ts'

/** timm's arguments of `EfficientNet` and `MobileNetV3`, by its names. */
export interface MobileConfig extends CnnConfig, SpecOptions {
  /** The blocks of each stage, see `decodeStages`. */
  readonly arch_def: readonly string[]
  /** Times the channels. Default 1. */
  readonly channel_multiplier?: number
  /** Channels are multiples of it. Default 8. */
  readonly channel_divisor?: number
  /** Least share of the channels that rounding leaves. Default 0.9. */
  readonly round_limit?: number
  /** Default 32. */
  readonly stem_size?: number
  readonly stem_kernel_size?: number
  /** The stem's channels are not scaled. Default `false`. */
  readonly fix_stem?: boolean
  /** Channels of the last convolution; 0: none. Default 1280. */
  readonly num_features?: number
  /** TensorFlow's padding, or PyTorch's. Default `''`. */
  readonly pad_type?: '' | 'same'
  /** Default `relu`. */
  readonly act?: string
  /** Default `batch`. */
  readonly norm?: 'batch' | 'group' | 'layer' | 'evo'
  /** Channels of a group, for `group` and `evo`. */
  readonly norm_group?: number
  /** Default 1e-5. */
  readonly bn_eps?: number
  /** Share of the batch in new running statistics, while training. Default 0.1. */
  readonly bn_momentum?: number
  readonly aa_layer?: AntiAliasing
  /** Channel attention. Default `se`. */
  readonly attn?: 'se' | 'gc'
  /** Its activation, where it is not the block's. */
  readonly se_act?: string
  /** Default `sigmoid`. */
  readonly se_gate?: string
  /** Its channels are rounded to multiples of 8, losing at most this share's rest. Default: to integers. */
  readonly se_round_limit?: number
  /** Its share is of the expanded channels. Default `false`. */
  readonly se_from_exp?: boolean
  /** First value of the scale of a branch. Default: no scale. */
  readonly layer_scale?: number
  /** The last convolution stands behind the pooling, as in MobileNetV3. Default `false`. */
  readonly efficient_head?: boolean
  /** That convolution has a bias. Default `true`. */
  readonly head_bias?: boolean
  /** That convolution has a norm. Default `false`. */
  readonly head_norm?: boolean
  /** Fresh kernels count the outputs of their group only; torchvision's those of all groups. Default `true`. */
  readonly init_by_group?: boolean
  /** Channels are those of the checkpoint. Default `false`. */
  readonly pruned?: boolean
}

/** Inputs and configuration that the layers read. */
export interface Net extends CnnInputs {
  readonly config: MobileConfig
  readonly checkpoint: Checkpoint | undefined
}

export interface ConvUnit {
  /** Several are for equal parts of the channels. */
  readonly kernel: readonly number[]
  /** Default 1. */
  readonly stride?: number
  /** Channels of a group; 1 is depthwise. Default: all. */
  readonly group?: number
  /** Default: the network's. */
  readonly padding?: '' | 'same'
  readonly bias?: boolean
  /** Weights of experts, [batch, experts]. */
  readonly routing?: Value | undefined
}

/** Channels as the network scales them. */
export function roundChannels(config: MobileConfig, channels: number): number {
  const { channel_multiplier = 1, channel_divisor = 8, round_limit = 0.9 } = config
  return makeDivisible(channels * channel_multiplier, channel_divisor, round_limit)
}

/** A path below the current scope. */
const below = (x: Value, name: string) => (x.builder.path ? `${x.builder.path}.${name}` : name)

const normal = (net: Net, kernel: number, channels: number, groups: number): Initialization => ({
  kind: 'normal',
  std: Math.sqrt(
    2 / Math.floor((kernel * kernel * channels) / (net.config.init_by_group === false ? 1 : groups)),
  ),
})

/** How a convolution of 1 × 1 is drawn. */
const pointwise = (net: Net, channels: number): LayerInit => ({
  weight: normal(net, 1, channels, 1),
  bias: { kind: 'zeros' },
})

/** A convolution with the network's padding; without a bias by default. */
export function conv(net: Net, name: string, x: Value, channels: number, unit: ConvUnit): Value {
  const { kernel, stride = 1, group, padding = net.config.pad_type, bias = false, routing } = unit
  if (kernel.length > 1) return mixedConv(net, name, x, channels, unit)
  if (routing) return expertConv(net, name, x, channels, unit, routing)
  const [size] = kernel as [number]
  const stored = net.config.pruned && tensorOf(net.checkpoint, `${below(x, name)}.weight`)?.shape[0]
  const inputs = x.shape[1] as number
  const outputs = stored || channels
  const groups = group ? groupsOf(group, inputs, outputs) : 1
  return conv2d(net.parameters, name, x, outputs, {
    kernel: size,
    stride,
    padding: padding === 'same' ? 'same' : (stride - 1 + size - 1) >> 1,
    groups,
    bias,
    init: { weight: normal(net, size, outputs, groups), bias: { kind: 'zeros' } },
  })
}

/** Number of groups: one for each input channel of a depthwise convolution, else output channels over those of a group. */
function groupsOf(group: number, inputs: number, outputs: number): number {
  return (group === 1 ? inputs : outputs) / group
}

/** Equal parts of `count`, the first one larger by the rest. */
function parts(count: number, into: number): number[] {
  const part = Math.floor(count / into)
  return Array.from({ length: into }, (_, i) => (i === 0 ? count - part * (into - 1) : part))
}

/** Parts of the channels, each with a kernel of its own (https://arxiv.org/abs/1907.09595). */
function mixedConv(net: Net, name: string, x: Value, channels: number, unit: ConvUnit): Value {
  const { kernel } = unit
  return x.builder.scope(name, { kind: 'MixedConv2d' }, () => {
    const inputs = op.split(x, parts(x.shape[1] as number, kernel.length), 1)
    const outputs = parts(channels, kernel.length)
    const convolved = inputs.map((input, i) =>
      conv(net, `${i}`, input, outputs[i]!, { ...unit, kernel: [kernel[i]!] }),
    )
    return op.concat(convolved, 1)
  })
}

/**
 * A convolution whose weights each picture mixes from those of experts (https://arxiv.org/abs/1904.04971). As convolution is linear, the
 * experts' results are mixed instead.
 */
function expertConv(
  net: Net,
  name: string,
  x: Value,
  channels: number,
  unit: ConvUnit,
  routing: Value,
): Value {
  const { kernel, stride = 1, group } = unit
  const { builder } = x
  const [size] = kernel as [number]
  const experts = routing.shape[1] as number
  const depthwise = group === 1
  const inputs = depthwise ? 1 : (x.shape[1] as number)
  return builder.scope(name, { kind: 'CondConv2d' }, () => {
    const init = normal(net, size, channels, depthwise ? channels : 1)
    const stored = net.parameters.weight(
      `${builder.path}.weight`,
      [experts, channels * inputs * size * size],
      init,
    )
    const perChannel = op.reshape(stored, [experts, channels, inputs * size * size])
    const ordered = depthwise ? op.transpose(perChannel, [1, 0, 2]) : perChannel
    const weight = op.reshape(ordered, [experts * channels, inputs, size, size])
    const image = [x.shape[2] as number, x.shape[3] as number] as const
    const pad = (stride - 1 + size - 1) >> 1
    const all = op.conv(x, weight, undefined, {
      strides: [stride, stride],
      pads:
        net.config.pad_type === 'same'
          ? samePads(image, [size, size], [stride, stride], [1, 1])
          : [pad, pad, pad, pad],
      group: depthwise ? channels : 1,
    })
    const [, , height, width] = all.shape as readonly [string, number, number, number]
    const places = height * width
    const mixed = depthwise
      ? op.matMul(op.unsqueeze(routing, [1, 2]), op.reshape(all, [0, channels, experts, places]))
      : op.matMul(op.unsqueeze(routing, [1]), op.reshape(all, [0, experts, channels * places]))
    return op.reshape(mixed, [0, channels, height, width])
  })
}

/** A norm, and the activation within it as in timm's `BatchNormAct2d`. */
export function normAct(net: Net, name: string, x: Value, act?: string): Value {
  const { norm = 'batch', norm_group = 8, bn_eps, bn_momentum } = net.config
  const groups = (x.shape[1] as number) / norm_group
  if (norm === 'evo') return evoNorm(net.parameters, name, x, groups, act !== undefined)
  const normed =
    norm === 'batch'
      ? batchNorm2d(net.parameters, name, x, {
          ...(bn_eps ? { epsilon: bn_eps } : {}),
          ...(bn_momentum ? { momentum: bn_momentum } : {}),
        })
      : norm === 'group'
        ? groupNorm(net.parameters, name, x, groups)
        : layerNorm2d(net.parameters, name, x, 1e-5)
  return act === undefined ? normed : x.builder.scope(name, () => activation(act)(normed))
}

/** A convolution, its norm, and an anti-aliased stride behind them. */
export function convNorm(
  net: Net,
  names: readonly [conv: string, norm: string, aa?: string],
  x: Value,
  channels: number,
  unit: ConvUnit & { readonly act?: string | undefined },
): Value {
  const { aa_layer } = net.config
  const [convName, normName, aa] = names
  const blurred = aa !== undefined && aa_layer !== undefined && (unit.stride ?? 1) > 1
  const convolved = conv(net, convName, x, channels, blurred ? { ...unit, stride: 1 } : unit)
  const active = normAct(net, normName, convolved, unit.act)
  return blurred ? antiAlias(aa, active, aa_layer) : active
}

/** The network's channel attention, keeping `share` of the channels. */
export function attend(
  net: Net,
  name: string,
  x: Value,
  share: number,
  act: string,
  names: readonly [string, string] = ['conv_reduce', 'conv_expand'],
): Value {
  const { attn = 'se', se_act = act, se_gate = 'sigmoid', se_round_limit } = net.config
  const channels = x.shape[1] as number
  if (attn === 'gc') return globalContext(net, name, x, makeDivisible(channels * share, 1, 0), act)
  const wanted =
    se_round_limit === undefined
      ? roundEven(channels * share)
      : makeDivisible(channels * share, 8, se_round_limit)
  const stored =
    net.config.pruned && tensorOf(net.checkpoint, `${below(x, name)}.${names[0]}.weight`)?.shape[0]
  const squeezed = stored || wanted
  return squeezeExcite(net.parameters, name, x, {
    squeezed,
    names,
    act: se_act,
    gate: se_gate,
    init: (outputs) => pointwise(net, outputs),
  })
}

/** Attention over all of space that weighs channels (https://arxiv.org/abs/1904.11492). */
function globalContext(net: Net, name: string, x: Value, hidden: number, act: string): Value {
  const { builder } = x
  const { parameters } = net
  const [, channels, height, width] = x.shape as readonly [string, number, number, number]
  return builder.scope(name, { kind: 'GlobalContext' }, () => {
    const project = (which: string, y: Value, outputs: number) =>
      conv2d(parameters, which, y, outputs, { kernel: 1, init: pointwise(net, outputs) })
    const scores = project('conv_attn', x, 1)
    const weights = op.softmax(op.reshape(scores, [0, height * width, 1]), 1)
    const context = op.reshape(op.matMul(op.reshape(x, [0, channels, -1]), weights), [0, channels, 1, 1])
    const scale = builder.scope('mlp_scale', { kind: 'ConvMlp' }, () => {
      const inner = layerNorm2d(parameters, 'norm', project('fc1', context, hidden))
      return project('fc2', activation(act)(inner), channels)
    })
    return op.mul(x, op.sigmoid(scale))
  })
}

/** Weights of experts from the mean over all of space. */
export function routingOf(net: Net, x: Value, experts: number): Value {
  const pooled = op.flatten(op.globalAveragePool(x))
  return op.sigmoid(linear(net.parameters, 'routing_fn', pooled, experts))
}

/** Multi-query attention over positions (https://arxiv.org/abs/2404.10518): heads share keys and values. */
export function multiQueryAttention(
  net: Net,
  name: string,
  x: Value,
  channels: number,
  options: {
    readonly heads: number
    readonly keys: number
    readonly stride: number
    readonly kernel: readonly number[]
  },
): Value {
  const { heads, keys, stride, kernel } = options
  const { builder } = x
  const [, , height, width] = x.shape as readonly [string, number, number, number]
  const shared = (which: string) =>
    builder.scope(which, { kind: 'Sequential' }, () => {
      const smaller =
        stride > 1
          ? convNorm(net, ['down_conv', 'norm'], x, x.shape[1] as number, { kernel, stride, group: 1 })
          : x
      return op.reshape(conv(net, 'proj', smaller, keys, { kernel: [1] }), [0, 1, keys, -1])
    })
  return builder.scope(name, { kind: 'MultiQueryAttention2d' }, () => {
    const queries = builder.scope('query', { kind: 'Sequential' }, () =>
      op.reshape(conv(net, 'proj', x, heads * keys, { kernel: [1] }), [0, heads, keys, height * width]),
    )
    const [key, value] = [shared('key'), shared('value')]
    const scale = builder.constant(tensor('float32', [], [keys ** -0.5]))
    // Positions stay last, [batch, heads, keys' positions, queries' positions], so that nothing large is transposed.
    const scores = op.matMul(op.transpose(op.mul(key, scale), [0, 1, 3, 2]), queries)
    const attended = op.matMul(value, op.softmax(scores, 2))
    return builder.scope('output', { kind: 'Sequential' }, () =>
      conv(net, 'proj', op.reshape(attended, [0, heads * keys, height, width]), channels, { kernel: [1] }),
    )
  })
}
