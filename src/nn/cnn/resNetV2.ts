/**
 * Residual networks that normalise before their convolutions (https://arxiv.org/abs/1603.05027), Big Transfer's among them
 * (https://arxiv.org/abs/1912.11370), and those in front of hybrid vision transformers, with the parameter names of timm's `ResNetV2`.
 */
import { op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { batchNorm2d, conv2d, type Drop, type LayerInit, stochasticDepth } from '../layers/layers.ts'
import type { BuildModel, Stage } from '../model.ts'
import { buildCnn, type CnnConfig, type CnnInputs, stage } from './cnn.ts'
import {
  act,
  avgPool2d,
  evoNorm,
  filterResponseNorm,
  globalPool,
  groupNorm,
  makeDivisible,
  maxPool2d,
} from './cnnLayers.ts'

/** timm's arguments of `ResNetV2`, by its names. */
export interface ResNetV2Options {
  /** Blocks of each stage. None: the stem alone, without its scope. */
  readonly layers: readonly number[]
  /** Channels of each stage. Default 256, 512, 1024, 2048. */
  readonly channels?: readonly number[]
  /** Times all channels. Default 1. */
  readonly width_factor?: number
  /**
   * One convolution of 7 × 7, three of 3 × 3 (`deep`), the first of them narrower (`tiered`); with `same` the network has TensorFlow's
   * padding, with `fixed` the stem's pooling sees zeros around the map. Default `''`.
   */
  readonly stem_type?: '' | 'fixed' | 'same' | 'deep' | 'tiered'
  /** Mean-pool the shortcut before its convolution. Default `false`. */
  readonly avg_down?: boolean
  /** Normalise before convolutions, not after. Default `true`. */
  readonly preact?: boolean
  /** Blocks of two convolutions. Default `false`: bottlenecks. */
  readonly basic?: boolean
  /** Channels inside a block over those of its output. Default 0.25. */
  readonly bottle_ratio?: number
  /** Convolutions standardise their weights (https://arxiv.org/abs/1903.10520). Default `false`. */
  readonly standardized?: boolean
  /** Default `group`. */
  readonly norm?: 'group' | 'batch' | 'evo' | 'frn'
}

export interface ResNetV2Config extends CnnConfig, ResNetV2Options {}

const CONV: LayerInit = {
  weight: { kind: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' },
}
const HEAD: LayerInit = { weight: { kind: 'normal', std: 0.01 }, bias: { kind: 'zeros' } }

/** Inputs and configuration of the network in front of a larger one. */
export interface ResNetV2Net extends CnnInputs {
  readonly config: ResNetV2Options & Pick<CnnConfig, 'drop_path_rate'>
}

/**
 * Such a network as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where there are no
 * classes.
 *
 * @example
 * ```ts
 * const { graph, penultimate } = buildResNetV2(resNetV2Presets.get('resnetv2_50x1_bit')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `stem`, `stages.0`, `stages.0.blocks.0` and so on, `norm` (ReLU included), `head.global_pool`, `head.fc`.
 *
 * @param checkpoint tensors by timm's names; without one, parameters are drawn as timm does
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildResNetV2: BuildModel<ResNetV2Config> = (config, checkpoint, options = {}) =>
  buildCnn(config, checkpoint, options, { name: 'resnetv2', init: HEAD, convolutional: true }, (inputs) => {
    const net: ResNetV2Net = { ...inputs, config }
    const { map, stages } = resNetV2Map(net)
    const features = config.preact === false ? map : normAct(net, 'norm', map)
    return { features, penultimate: globalPool('head.global_pool', features), stages }
  })

/** Stem and stages alone, in the current scope. */
export function resNetV2Map(net: ResNetV2Net): { map: Value; stages: Stage[] } {
  const { pixels, config, mode } = net
  const { layers, channels = [256, 512, 1024, 2048], drop_path_rate = 0 } = config
  if (layers.length === 0) return { map: stem(net).pooled, stages: [] }
  const { builder } = pixels
  const { name, convolved, pooled } = builder.scope('stem', { kind: 'Sequential' }, () => stem(net))
  const stages = [stage(`stem.${name}`, convolved, 2)]
  const drops = stochasticDepth(drop_path_rate, layers, mode)
  let map = pooled
  for (const [i, blocks] of layers.entries()) {
    map = builder.scope(`stages.${i}`, { kind: 'ResNetStage' }, () => {
      let y = map
      for (let j = 0; j < blocks; j++) {
        const stride = i > 0 && j === 0 ? 2 : 1
        const place = { channels: scaled(net, channels[i]!), stride, first: j === 0, drop: drops(i, j) }
        y = residual(net, `blocks.${j}`, y, place)
      }
      return y
    })
    stages.push(stage(`stages.${i}`, map, 4 << i))
  }
  return { map, stages }
}

/** Channels of a network that may be widened. */
const scaled = ({ config }: ResNetV2Net, channels: number) =>
  makeDivisible(channels * (config.width_factor ?? 1))

function conv(net: ResNetV2Net, name: string, x: Value, channels: number, kernel: number, stride = 1): Value {
  const { stem_type, standardized, layers } = net.config
  return conv2d(net.parameters, name, x, channels, {
    kernel,
    stride,
    padding: stem_type === 'same' ? 'same' : (kernel - 1) >> 1,
    bias: false,
    ...(standardized ? { standardize: 1e-8 } : {}),
    // timm leaves a stem alone as PyTorch draws it.
    ...(layers.length > 0 ? { init: CONV } : {}),
  })
}

/** A norm, and ReLU within it. */
function normAct(
  net: ResNetV2Net,
  name: string,
  x: Value,
  active = true,
  scale: 'ones' | 'zeros' = 'ones',
): Value {
  const { parameters } = net
  const { norm = 'group' } = net.config
  if (norm === 'evo') return evoNorm(parameters, name, x, 32, active)
  if (norm === 'frn') return filterResponseNorm(parameters, name, x, active)
  const normed =
    norm === 'group'
      ? groupNorm(parameters, name, x, 32, scale)
      : batchNorm2d(parameters, name, x, { init: { kind: scale } })
  return active ? x.builder.scope(name, () => activation('relu')(normed)) : normed
}

/** The stem: its value before pooling with the layer's name, and the pooled value. */
function stem(net: ResNetV2Net): { name: string; convolved: Value; pooled: Value } {
  const { stem_type = '', preact = true } = net.config
  const channels = scaled(net, 64)
  const deep = stem_type === 'deep' || stem_type === 'tiered'
  let x = net.pixels
  if (deep) {
    const first = stem_type === 'tiered' ? Math.floor((3 * channels) / 8) : channels / 2
    x = normAct(net, 'norm1', conv(net, 'conv1', x, first, 3, 2))
    x = normAct(net, 'norm2', conv(net, 'conv2', x, channels / 2, 3))
  }
  const [name, last] = deep ? ['conv3', 'norm3'] : ['conv', 'norm']
  const convolved = deep ? conv(net, name, x, channels, 3) : conv(net, name, x, channels, 7, 2)
  const active = preact ? convolved : normAct(net, last, convolved)
  return { name: preact ? name : last, convolved: active, pooled: poolStem(stem_type, active) }
}

function poolStem(stem_type: string, x: Value): Value {
  if (stem_type === 'same') return maxPool2d('pool', x, 3, 2, { padding: 'same' })
  if (stem_type !== 'fixed') return maxPool2d('pool', x, 3, 2, { padding: 1 })
  // ONNX Runtime makes zeros before a MaxPool a part of it, where they count as minus infinity; almost zeros it leaves alone.
  const options = { value: 1e-7 }
  const padded = x.builder.scope('pad', { kind: 'ConstantPad2d' }, () =>
    op.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], options),
  )
  return maxPool2d('pool', padded, 3, 2)
}

/** Position and sizes of a block. */
interface BlockPlace {
  readonly channels: number
  readonly stride: number
  /** Of its stage. */
  readonly first: boolean
  readonly drop: Drop
}

function residual(
  net: ResNetV2Net,
  name: string,
  x: Value,
  { channels, stride, first, drop }: BlockPlace,
): Value {
  const { basic = false, preact = true, bottle_ratio = 0.25 } = net.config
  const inner = makeDivisible(channels * bottle_ratio)
  const convolutions = basic
    ? ([
        [inner, 3, stride],
        [channels, 3, 1],
      ] as const)
    : ([
        [inner, 1, 1],
        [inner, 3, stride],
        [channels, 1, 1],
      ] as const)
  const kind = `${preact ? 'PreAct' : ''}${basic ? 'Basic' : 'Bottleneck'}`
  return x.builder.scope(name, { kind }, () => {
    const entering = preact ? normAct(net, 'norm1', x) : x
    const projects = first && (!basic || stride !== 1 || x.shape[1] !== channels)
    const shortcut = projects ? downsample(net, entering, channels, stride) : x
    let y = entering
    for (const [i, [outputs, kernel, step]] of convolutions.entries()) {
      if (preact && i > 0) y = normAct(net, `norm${i + 1}`, y)
      y = conv(net, `conv${i + 1}`, y, outputs, kernel, step)
      const last = i + 1 === convolutions.length
      // A new block adds nothing.
      if (!preact) y = normAct(net, `norm${i + 1}`, y, !last, last ? 'zeros' : 'ones')
    }
    const sum = op.add(drop(y), shortcut)
    return preact ? sum : act('act3', 'relu', sum)
  })
}

function downsample(net: ResNetV2Net, x: Value, channels: number, stride: number): Value {
  const { avg_down = false, preact = true } = net.config
  return x.builder.scope('downsample', { kind: avg_down ? 'DownsampleAvg' : 'DownsampleConv' }, () => {
    const pooled = avg_down && stride > 1 ? avgPool2d('pool', x, stride, { ceil: true }) : x
    const convolved = conv(net, 'conv', pooled, channels, 1, avg_down ? 1 : stride)
    return preact ? convolved : normAct(net, 'norm', convolved, false)
  })
}
