/**
 * Residual networks (ResNet, https://arxiv.org/abs/1512.03385) and their relatives: ResNeXt (https://arxiv.org/abs/1611.05431), wide
 * ones (https://arxiv.org/abs/1605.07146), squeeze and excitation, ECA, deep stems and mean-pooled shortcuts
 * (https://arxiv.org/abs/1812.01187), with the parameter names of timm and torchvision, which agree.
 */
import { op, type Value } from '../../graph/index.ts'
import { batchNorm2d, conv2d, type Drop, stochasticDepth } from '../layers/layers.ts'
import type { BuildModel, Stage } from '../model.ts'
import type { Initialization } from '../types.ts'
import { buildCnn, type Checkpoint, type CnnConfig, type CnnInputs, stage, tensorOf } from './cnn.ts'
import {
  type AntiAliasing,
  act,
  antiAlias,
  avgPool2d,
  efficientChannelAttention,
  globalPool,
  groupNorm,
  makeDivisible,
  maxPool2d,
  squeezeExcite,
} from './cnnLayers.ts'

type BlockKind = 'basic' | 'bottleneck'

/** timm's arguments of `ResNet`, by its names. */
export interface ResNetConfig extends CnnConfig {
  /** One for all stages, or one each. */
  readonly block: BlockKind | readonly BlockKind[]
  /** Blocks of each stage. */
  readonly layers: readonly number[]
  /** Channels of each stage, before a bottleneck's expansion by 4. Default 64, 128, 256, 512. */
  readonly channels?: readonly number[]
  /** Groups of the 3 × 3 convolutions of bottlenecks. Default 1. */
  readonly cardinality?: number
  /** Channels of these, for 64 of the stage and each group. Default 64. */
  readonly base_width?: number
  /**
   * One convolution of 7 × 7, three of 3 × 3 (`deep`), the first of them narrower (`deep_tiered`), or, for pictures of 32 to 64 pixels,
   * one of 3 × 3 without stride and no pooling behind it (`small`). Default `''`.
   */
  readonly stem_type?: '' | 'deep' | 'deep_tiered' | 'small'
  /**
   * Shortcuts where sizes change: a convolution of 1 × 1 (`B` of the paper), or every second place with zeros for the new channels, half
   * before and half behind (`A`, without parameters). Default `B`.
   */
  readonly shortcut?: 'A' | 'B'
  /** The scale of a block's last norm is drawn as zeros: blocks begin as shortcuts. Default `true`, as in timm. */
  readonly zero_init_last?: boolean
  /** How convolutions, and with `fan_in` the classifier, are drawn: He's normal distribution. Default `fan_out`, as in timm. */
  readonly init_mode?: 'fan_in' | 'fan_out'
  /** Channels of a deep stem's first convolutions. Default 64. */
  readonly stem_width?: number
  /** Channels after the stem. Default: twice `stem_width` for deep stems, else 64. */
  readonly inplanes?: number
  /** A convolution with stride instead of the stem's pooling. Default `false`. */
  readonly replace_stem_pool?: boolean
  /** Divides the channels of a block's first convolution. Default 1. */
  readonly block_reduce_first?: number
  /** Kernel of the shortcut's convolution where it has a stride. Default 1. */
  readonly down_kernel_size?: number
  /** Mean-pool the shortcut before its convolution. Default `false`. */
  readonly avg_down?: boolean
  readonly aa_layer?: AntiAliasing
  readonly attn_layer?: 'se' | 'eca'
  /** Share of the channels that squeeze and excitation keeps. Default 1/16. */
  readonly se_ratio?: number
  /** Default `batch`. */
  readonly norm?: 'batch' | 'group'
  /** Channels are those of the checkpoint. Default `false`. */
  readonly pruned?: boolean
}

const he = (mode: 'fan_in' | 'fan_out' = 'fan_out'): Initialization => ({
  kind: 'kaiming_normal',
  mode,
  nonlinearity: 'relu',
})

interface Net extends CnnInputs {
  readonly config: ResNetConfig
  readonly checkpoint: Checkpoint | undefined
}

/**
 * A residual network as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where
 * there are no classes.
 *
 * @example
 * ```ts
 * const { graph, penultimate } = buildResNet(resNetPresets.get('resnet50')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `conv1`, `bn1`, `act1`, `maxpool`, `layer1.0` and so on, `global_pool`, `fc`.
 *
 * @param checkpoint tensors by timm's or torchvision's names; without one, parameters are drawn as timm does
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildResNet: BuildModel<ResNetConfig> = (config, checkpoint, options = {}) => {
  const cnn = { name: 'resnet', ...(config.init_mode === 'fan_in' ? { init: { weight: he('fan_in') } } : {}) }
  return buildCnn(config, checkpoint, options, cnn, (inputs) => {
    const { map, stages } = resNetMap({ ...inputs, config, checkpoint })
    return { features: map, penultimate: globalPool('global_pool', map), stages }
  })
}

/** Stem and stages alone, as many as there are `layers`, in the current scope. */
export function resNetMap(net: Net): { map: Value; stages: Stage[] } {
  const { pixels, config, mode } = net
  const drops = stochasticDepth(config.drop_path_rate ?? 0, config.layers, mode)
  const stem = stemOf(net)
  const small = config.stem_type === 'small'
  const stages: Stage[] = [stage('act1', stem, small ? 1 : 2)]
  const { channels = [64, 128, 256, 512], layers, block } = config
  let map = small ? stem : poolStem(net, stem)
  for (const [i, blocks] of layers.entries()) {
    const name = `layer${i + 1}`
    const planes = channels[i]!
    const kind = typeof block === 'string' ? block : block[i]!
    map = pixels.builder.scope(name, () => {
      let y = map
      for (let j = 0; j < blocks; j++) {
        const stride = i > 0 && j === 0 ? 2 : 1
        y = residual(net, `${j}`, kind, y, { planes, stride, first: j === 0, drop: drops(i, j) })
      }
      return y
    })
    stages.push(stage(name, map, (small ? 1 : 4) << i))
  }
  return { map, stages }
}

function conv(
  net: Net,
  name: string,
  x: Value,
  channels: number,
  kernel: number,
  { stride = 1, groups = 1 }: { readonly stride?: number; readonly groups?: number } = {},
): Value {
  return conv2d(net.parameters, name, x, stored(net, x, name)?.[0] ?? channels, {
    kernel,
    stride,
    padding: (kernel - 1) >> 1,
    groups,
    bias: false,
    init: { weight: he(net.config.init_mode) },
  })
}

/** The shape of a weight of a pruned network, which only its checkpoint knows. */
function stored(net: Net, x: Value, name: string): readonly number[] | undefined {
  if (!net.config.pruned) return undefined
  const { path } = x.builder
  return tensorOf(net.checkpoint, `${path ? `${path}.` : ''}${name}.weight`)?.shape
}

function norm(net: Net, name: string, x: Value, scale: 'ones' | 'zeros' = 'ones'): Value {
  if (net.config.norm === 'group') return groupNorm(net.parameters, name, x, 32, scale)
  return batchNorm2d(net.parameters, name, x, { init: { kind: scale } })
}

function stemOf(net: Net): Value {
  const { stem_type = '', stem_width = 64 } = net.config
  const deep = stem_type.startsWith('deep')
  const [kernel, stride] = stem_type === 'small' ? [3, 1] : [7, 2]
  const inplanes = net.config.inplanes ?? (deep ? 2 * stem_width : 64)
  const first = stem_type === 'deep_tiered' ? 3 * Math.floor(stem_width / 4) : stem_width
  const x = net.pixels
  const convolved = deep
    ? x.builder.scope('conv1', { kind: 'Sequential' }, () => {
        const one = act('2', 'relu', norm(net, '1', conv(net, '0', x, first, 3, { stride: 2 })))
        const two = act('5', 'relu', norm(net, '4', conv(net, '3', one, stem_width, 3)))
        return conv(net, '6', two, inplanes, 3)
      })
    : conv(net, 'conv1', x, inplanes, kernel, { stride })
  return act('act1', 'relu', norm(net, 'bn1', convolved))
}

function poolStem(net: Net, x: Value): Value {
  const { replace_stem_pool, aa_layer } = net.config
  const { builder } = x
  if (replace_stem_pool) {
    return builder.scope('maxpool', { kind: 'Sequential' }, () => {
      const convolved = conv(net, '0', x, x.shape[1] as number, 3, { stride: aa_layer ? 1 : 2 })
      const halved = aa_layer ? antiAlias('1', convolved, aa_layer) : convolved
      const at = aa_layer ? 2 : 1
      return act(`${at + 1}`, 'relu', norm(net, `${at}`, halved))
    })
  }
  if (!aa_layer) return maxPool2d('maxpool', x, 3, 2, { padding: 1 })
  if (aa_layer === 'avg') return avgPool2d('maxpool', x, 2)
  return builder.scope('maxpool', { kind: 'Sequential' }, () =>
    antiAlias('1', maxPool2d('0', x, 3, 1, { padding: 1 }), aa_layer),
  )
}

/** Position and sizes of a block. */
interface BlockPlace {
  readonly planes: number
  readonly stride: number
  /** Of its stage. */
  readonly first: boolean
  readonly drop: Drop
}

function residual(
  net: Net,
  name: string,
  kind: BlockKind,
  x: Value,
  { planes, stride, first, drop }: BlockPlace,
): Value {
  const { builder } = x
  const bottleneck = kind === 'bottleneck'
  const channels = bottleneck ? 4 * planes : planes
  return builder.scope(name, { kind: bottleneck ? 'Bottleneck' : 'BasicBlock' }, () => {
    const branch = bottleneck ? bottleneckBranch(net, x, planes, stride) : basicBranch(net, x, planes, stride)
    const shortcut =
      first && (stride !== 1 || x.shape[1] !== channels) ? downsample(net, x, channels, stride) : x
    return act(bottleneck ? 'act3' : 'act2', 'relu', op.add(drop(attend(net, branch)), shortcut))
  })
}

const last = (net: Net) => (net.config.zero_init_last === false ? 'ones' : 'zeros')

function basicBranch(net: Net, x: Value, planes: number, stride: number): Value {
  const { aa_layer, block_reduce_first = 1 } = net.config
  const blurred = aa_layer !== undefined && stride === 2
  const first = conv(net, 'conv1', x, planes / block_reduce_first, 3, { stride: blurred ? 1 : stride })
  const active = act('act1', 'relu', norm(net, 'bn1', first))
  const halved = blurred ? antiAlias('aa', active, aa_layer) : active
  return norm(net, 'bn2', conv(net, 'conv2', halved, planes, 3), last(net))
}

function bottleneckBranch(net: Net, x: Value, planes: number, stride: number): Value {
  const { aa_layer, cardinality = 1, base_width = 64, block_reduce_first = 1 } = net.config
  const width = Math.floor((planes * base_width) / 64) * cardinality
  const blurred = aa_layer !== undefined && stride === 2
  const one = act('act1', 'relu', norm(net, 'bn1', conv(net, 'conv1', x, width / block_reduce_first, 1)))
  const convolved = conv(net, 'conv2', one, width, 3, { stride: blurred ? 1 : stride, groups: cardinality })
  const two = act('act2', 'relu', norm(net, 'bn2', convolved))
  const halved = blurred ? antiAlias('aa', two, aa_layer) : two
  return norm(net, 'bn3', conv(net, 'conv3', halved, 4 * planes, 1), last(net))
}

function attend(net: Net, x: Value): Value {
  const { attn_layer, se_ratio = 1 / 16 } = net.config
  if (attn_layer === 'eca') {
    return efficientChannelAttention(net.parameters, 'se', x, stored(net, x, 'se.conv')?.[2])
  }
  if (attn_layer !== 'se') return x
  const squeezed = makeDivisible((x.shape[1] as number) * se_ratio, 8, 0)
  return squeezeExcite(net.parameters, 'se', x, {
    squeezed,
    init: () => ({ weight: he(net.config.init_mode) }),
  })
}

/** Every second place, with channels of zeros on both sides. */
function padded(x: Value, channels: number, stride: number): Value {
  const added = channels - (x.shape[1] as number)
  const before = added >> 1
  return x.builder.scope('shortcut', () => {
    const places = op.slice(x, [0, 0], [2 ** 31, 2 ** 31], { axes: [2, 3], steps: [stride, stride] })
    return op.pad(places, [0, before, 0, 0, 0, added - before, 0, 0])
  })
}

function downsample(net: Net, x: Value, channels: number, stride: number): Value {
  const { avg_down, down_kernel_size = 1 } = net.config
  if (net.config.shortcut === 'A') return padded(x, channels, stride)
  return x.builder.scope('downsample', { kind: 'Sequential' }, () => {
    if (avg_down) {
      const pooled = stride === 1 ? x : avgPool2d('0', x, stride, { ceil: true })
      return norm(net, '2', conv(net, '1', pooled, channels, 1))
    }
    const kernel = stride === 1 ? 1 : down_kernel_size
    return norm(net, '1', conv(net, '0', x, channels, kernel, { stride }))
  })
}
