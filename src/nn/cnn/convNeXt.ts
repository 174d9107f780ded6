/**
 * ConvNeXt (https://arxiv.org/abs/2201.03545) and ConvNeXt V2 (https://arxiv.org/abs/2301.00808), with the parameter names of timm or
 * torchvision.
 */
import { op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { conv2d, type Drop, type LayerInit, layerNorm, linear, stochasticDepth } from '../layers/layers.ts'
import type { BuildModel, Stage } from '../model.ts'
import type { Parameters } from '../types.ts'
import { buildCnn, type CnnConfig, type CnnInputs, stage, tensorOf } from './cnn.ts'
import { act, globalPool, layerNorm2d, makeDivisible } from './cnnLayers.ts'

/** timm's arguments of `ConvNeXt`, by its names. */
export interface ConvNeXtConfig extends CnnConfig {
  /** Blocks and channels of the four stages. */
  readonly depths: readonly number[]
  readonly dims: readonly number[]
  /** Of the depthwise convolutions. Default 7 each. */
  readonly kernel_sizes?: readonly number[]
  /** Patches of 4 × 4, or two convolutions with stride that overlap. Default `patch`. */
  readonly stem_type?: 'patch' | 'overlap' | 'overlap_tiered' | 'overlap_act'
  /** Convolutions of 1 × 1 instead of linear layers over channels that stand last. Default `false`. */
  readonly conv_mlp?: boolean
  /** Global response normalisation (V2). Default `false`. */
  readonly use_grn?: boolean
  /** First value of the scale of a block's branch; `null`: no scale. Default 1e-6. */
  readonly ls_init_value?: number | null
  /** Normalise before pooling instead of after. Default `false`. */
  readonly head_norm_first?: boolean
  /** A hidden layer before the classifier. Default: none. */
  readonly head_hidden_size?: number
  /** Default `layer`. `simple` divides by the deviation without subtracting the mean. */
  readonly norm?: 'layer' | 'rms' | 'simple'
  /** Default 1e-6. */
  readonly norm_eps?: number
  /** Default `gelu`. */
  readonly act?: string
}

const INIT: LayerInit = { weight: { kind: 'truncated_normal', std: 0.02 }, bias: { kind: 'zeros' } }

/** Names of the modules in a library. */
interface Names {
  readonly stem: string
  readonly downsample: (stage: number) => string
  readonly block: (stage: number, block: number) => string
  readonly depthwise: string
  readonly norm: string
  readonly mlp: string
  readonly first: string
  readonly second: string
  readonly scale: string
  readonly pool: string
  readonly headNorm: string
}

const TIMM: Names = {
  stem: 'stem',
  downsample: (i) => `stages.${i}.downsample`,
  block: (i, j) => `stages.${i}.blocks.${j}`,
  depthwise: 'conv_dw',
  norm: 'norm',
  mlp: 'mlp',
  first: 'fc1',
  second: 'fc2',
  scale: 'gamma',
  pool: 'head.global_pool',
  headNorm: 'head.norm',
}

const TORCHVISION: Names = {
  stem: 'features.0',
  downsample: (i) => `features.${2 * i}`,
  block: (i, j) => `features.${2 * i + 1}.${j}`,
  depthwise: 'block.0',
  norm: 'block.2',
  mlp: 'block',
  first: '3',
  second: '5',
  scale: 'layer_scale',
  pool: 'avgpool',
  headNorm: 'classifier.0',
}

interface Net extends CnnInputs {
  readonly config: ConvNeXtConfig
  readonly names: Names
}

/**
 * A ConvNeXt as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where there are no
 * classes.
 *
 * @example
 * ```ts
 * const { graph } = buildConvNeXt(convNeXtPresets.get('convnextv2_tiny')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `stem`, `stages.0.blocks.0` and so on, `norm_pre`, `head.global_pool`, `head.norm`, `head.pre_logits`, `head.fc`; with
 * torchvision's checkpoints `features.0`, `features.1.0` and so on, `classifier.0`, `classifier.2`.
 *
 * @param checkpoint tensors by timm's or torchvision's names
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildConvNeXt: BuildModel<ConvNeXtConfig> = (config, checkpoint, options = {}) => {
  const torchvision = tensorOf(checkpoint, 'features.0.0.weight') !== undefined
  const names = torchvision ? TORCHVISION : TIMM
  const named = torchvision ? { ...config, classifier: 'classifier.2' } : config
  return buildCnn(named, checkpoint, options, { name: 'convnext', init: INIT }, (inputs) => {
    const drops = stochasticDepth(config.drop_path_rate ?? 0, config.depths, inputs.mode)
    const net: Net = { ...inputs, config, names }
    const { builder } = net.pixels
    const stages: Stage[] = []
    let x = stem(net)
    for (const [i, depth] of config.depths.entries()) {
      if (i > 0) x = downsample(net, x, i)
      for (let j = 0; j < depth; j++) x = block(net, x, i, j, drops(i, j))
      stages.push(stage(torchvision ? `features.${2 * i + 1}` : `stages.${i}`, x, 4 << i))
    }
    const features = config.head_norm_first ? channelNorm(net, 'norm_pre', x) : x
    // Checkpoints of masked autoencoders have no head at all.
    const headless =
      !tensorOf(checkpoint, `${named.classifier}.weight`) &&
      !inputs.parameters.has(`${names.headNorm}.weight`)
    const pooled = globalPool(names.pool, features)
    const normed = config.head_norm_first || headless ? pooled : channelNorm(net, names.headNorm, pooled)
    const hidden = config.head_hidden_size
    const penultimate =
      hidden === undefined
        ? normed
        : builder.scope('head.pre_logits', { kind: 'Sequential' }, () =>
            act('act', 'gelu', linear(inputs.parameters, 'fc', normed, hidden, { init: INIT })),
          )
    return { features, penultimate, stages }
  })
}

function stem(net: Net): Value {
  const { config, names, parameters, pixels } = net
  const { dims, stem_type = 'patch', act: kind = 'gelu' } = config
  const channels = dims[0]!
  return pixels.builder.scope(names.stem, { kind: 'Sequential' }, () => {
    if (stem_type === 'patch') {
      const patches = conv2d(parameters, '0', pixels, channels, { kernel: 4, stride: 4, init: INIT })
      return channelNorm(net, '1', patches)
    }
    const between = stem_type === 'overlap_tiered' ? makeDivisible(Math.floor(channels / 2)) : channels
    const overlap = { kernel: 3, stride: 2, padding: 1, init: INIT }
    const one = conv2d(parameters, '0', pixels, between, overlap)
    if (stem_type !== 'overlap_act')
      return channelNorm(net, '2', conv2d(parameters, '1', one, channels, overlap))
    return channelNorm(net, '3', conv2d(parameters, '2', act('1', kind, one), channels, overlap))
  })
}

function downsample(net: Net, x: Value, i: number): Value {
  const { config, names, parameters } = net
  return x.builder.scope(names.downsample(i), { kind: 'Sequential' }, () =>
    conv2d(parameters, '1', channelNorm(net, '0', x), config.dims[i]!, { kernel: 2, stride: 2, init: INIT }),
  )
}

function block(net: Net, x: Value, i: number, j: number, drop: Drop): Value {
  const { config, names, parameters } = net
  const { kernel_sizes, conv_mlp = false, ls_init_value = 1e-6 } = config
  const { builder } = x
  const channels = x.shape[1] as number
  const kernel = kernel_sizes?.[i] ?? 7
  return builder.scope(names.block(i, j), { kind: 'ConvNeXtBlock' }, () => {
    const depthwise = conv2d(parameters, names.depthwise, x, channels, {
      kernel,
      padding: (kernel - 1) / 2,
      groups: channels,
      init: INIT,
    })
    const moved = conv_mlp ? depthwise : op.transpose(depthwise, [0, 2, 3, 1])
    const branch = mlp(net, channelNorm(net, names.norm, moved, conv_mlp ? 1 : 3))
    const scaled = ls_init_value === null ? branch : op.mul(branch, scale(net, channels, ls_init_value))
    return op.add(drop(conv_mlp ? scaled : op.transpose(scaled, [0, 3, 1, 2])), x)
  })
}

/** The scale of a branch, as it broadcasts. */
function scale({ config, names, parameters, pixels }: Net, channels: number, value: number): Value {
  const stored = names === TORCHVISION ? [channels, 1, 1] : [channels]
  const wanted = config.conv_mlp ? [channels, 1, 1] : [channels]
  const gamma = parameters.weight(`${pixels.builder.path}.${names.scale}`, stored, {
    kind: 'constant',
    value,
  })
  return stored.length === wanted.length ? gamma : op.reshape(gamma, wanted)
}

function mlp(net: Net, x: Value): Value {
  const { config, names, parameters } = net
  const { conv_mlp, use_grn, act: kind = 'gelu' } = config
  const axis = conv_mlp ? 1 : 3
  const channels = x.shape[axis] as number
  const layer = (name: string, value: Value, features: number) =>
    conv_mlp
      ? conv2d(parameters, name, value, features, { kernel: 1, init: INIT })
      : linear(parameters, name, value, features, { init: INIT })
  return x.builder.scope(names.mlp, { kind: 'Mlp' }, () => {
    const inner = activation(kind)(layer(names.first, x, 4 * channels))
    return layer(names.second, use_grn ? responseNorm(parameters, 'grn', inner, axis) : inner, channels)
  })
}

/** Global response normalisation: channels compete by their norms over all of space. */
function responseNorm(parameters: Parameters, name: string, x: Value, axis: number): Value {
  const { builder } = x
  return builder.scope(name, { kind: 'GlobalResponseNorm' }, () => {
    const channels = x.shape[axis] as number
    const weigh = (what: string) => {
      const parameter = parameters.weight(`${builder.path}.${what}`, [channels], { kind: 'zeros' })
      return axis === 1 ? op.reshape(parameter, [channels, 1, 1]) : parameter
    }
    const norms = op.reduceL2(x, axis === 1 ? [2, 3] : [1, 2], { keepDims: true })
    const ratio = op.div(norms, op.add(op.reduceMean(norms, [axis], { keepDims: true }), 1e-6))
    // x + bias + weight · x · ratio, with the small factors multiplied first.
    return op.add(op.mul(x, op.add(op.mul(weigh('weight'), ratio), 1)), weigh('bias'))
  })
}

/** The configured norm over channels at `axis`. */
function channelNorm({ config, parameters }: Net, name: string, x: Value, axis = 1): Value {
  const { norm = 'layer', norm_eps = 1e-6 } = config
  const last = axis === x.shape.length - 1
  if (norm === 'layer') {
    return last ? layerNorm(parameters, name, x, norm_eps) : layerNorm2d(parameters, name, x, norm_eps)
  }
  const { builder } = x
  return builder.scope(name, { kind: norm === 'rms' ? 'RmsNorm' : 'SimpleNorm' }, () => {
    const channels = x.shape[axis] as number
    const weight = parameters.weight(`${builder.path}.weight`, [channels], { kind: 'ones' })
    const mean = (value: Value) => op.reduceMean(value, [axis], { keepDims: true })
    const squares = (value: Value) => mean(op.mul(value, value))
    // PyTorch's variance divides by n - 1.
    const power = norm === 'rms' ? squares(x) : op.mul(squares(op.sub(x, mean(x))), channels / (channels - 1))
    const normed = op.div(x, op.sqrt(op.add(power, norm_eps)))
    return op.mul(normed, last ? weight : op.reshape(weight, [channels, 1, 1]))
  })
}
