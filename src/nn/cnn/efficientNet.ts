/**
 * EfficientNet (https://arxiv.org/abs/1905.11946) and V2 (https://arxiv.org/abs/2104.00298), MobileNetV1 to V4
 * (https://arxiv.org/abs/1801.04381, https://arxiv.org/abs/1905.02244, https://arxiv.org/abs/2404.10518), MnasNet, MixNet and their
 * relatives, with timm's parameter names (torchvision's are in torchvisionMobile.ts).
 */
import { op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { dropPath } from '../layers/layers.ts'
import type { BuildModel, Stage } from '../model.ts'
import { buildCnn, stage } from './cnn.ts'
import { globalPool, makeDivisible } from './cnnLayers.ts'
import {
  attend,
  conv,
  convNorm,
  type MobileConfig,
  multiQueryAttention,
  type Net,
  normAct,
  roundChannels,
  routingOf,
} from './mobileLayers.ts'
import { type BlockSpec, decodeStages } from './mobileSpecs.ts'

/** A block as it is built: channels scaled, strides settled. */
interface Block extends BlockSpec {
  readonly inputs: number
  readonly outputs: number
  /** 1: this block moves space to channels; 2: it stands behind such a one. */
  readonly spaceDepth: 0 | 1 | 2
}

/**
 * A network of this family as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where
 * there are no classes.
 *
 * @example
 * ```ts
 * const { graph } = buildEfficientNet(efficientNetPresets.get('efficientnet_b0')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `conv_stem`, `bn1` (activation included), `blocks.0.0` and so on, `conv_head`, `bn2` (activation included; behind `global_pool`
 * in MobileNetV3 and V4), `global_pool`, `classifier`.
 *
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildEfficientNet: BuildModel<MobileConfig> = (config, checkpoint, options = {}) => {
  const range = 1 / Math.sqrt(Math.max(1, options.classes ?? config.num_classes))
  const init = { weight: { kind: 'uniform', a: -range, b: range }, bias: { kind: 'zeros' } } as const
  return buildCnn(config, checkpoint, options, { name: 'efficientnet', init }, (inputs) => {
    const net: Net = { ...inputs, config, checkpoint }
    const { act = 'relu', stem_size = 32, stem_kernel_size = 3, fix_stem = false } = config
    const stemChannels = fix_stem ? stem_size : roundChannels(config, stem_size)
    let x = convNorm(net, ['conv_stem', 'bn1'], net.pixels, stemChannels, {
      kernel: [stem_kernel_size],
      stride: 2,
      act,
    })
    const { blocks, ends } = plan(config, stemChannels)
    const stages: Stage[] = []
    if (ends.stem) stages.push(stage('bn1', x, 2))
    const count = blocks.flat().length
    let index = 0
    for (const [i, blocksOfStage] of blocks.entries()) {
      x = net.pixels.builder.scope(`blocks.${i}`, { kind: 'Sequential' }, () => {
        let y = x
        for (const [j, block] of blocksOfStage.entries()) y = build(net, `${j}`, y, block, index++ / count)
        return y
      })
      const stride = ends.stages.get(i)
      if (stride) stages.push(stage(`blocks.${i}`, x, stride))
    }
    return config.efficient_head ? efficientHead(net, x, stages) : plainHead(net, x, stages)
  })
}

/** The last convolution, then pooling. */
function plainHead(net: Net, x: Value, stages: readonly Stage[]) {
  const { act = 'relu', num_features = 1280 } = net.config
  const unit = { kernel: [1], act }
  const features = num_features ? convNorm(net, ['conv_head', 'bn2'], x, num_features, unit) : x
  return { features, penultimate: globalPool('global_pool', features), stages }
}

/** Pooling, then the last convolution, as in MobileNetV3. */
function efficientHead(net: Net, features: Value, stages: readonly Stage[]) {
  const { act = 'relu', num_features = 1280, head_bias = true, head_norm = false } = net.config
  const { builder } = features
  const pooled = builder.scope('global_pool', { kind: 'AdaptiveAvgPool2d' }, () =>
    op.globalAveragePool(features),
  )
  const wide = conv(net, 'conv_head', pooled, num_features, { kernel: [1], bias: head_bias && !head_norm })
  const active = head_norm
    ? normAct(net, 'norm_head', wide, act)
    : builder.scope('act2', () => activation(act)(wide))
  return { features, penultimate: builder.scope('flatten', () => op.flatten(active)), stages }
}

/** Scales channels and settles strides, and says where features of a stride end. */
function plan(config: MobileConfig, stemChannels: number) {
  const specs = decodeStages(config.arch_def, config)
  const first = specs[0]![0]!
  const ends = { stem: first.stride > 1 || first.spaceToDepth, stages: new Map<number, number>() }
  let inputs = stemChannels
  let stride = 2
  let moved: 0 | 1 | 2 = 0
  const blocks = specs.map((stageSpecs, i) =>
    stageSpecs.map((spec, j): Block => {
      const wanted = j === 0 ? spec.stride : 1
      let own: Partial<Block> = { stride: wanted }
      if (moved === 0 && spec.spaceToDepth) {
        moved = 1
        stride *= 2
      }
      if (moved === 2 && wanted === 2) {
        // Space was moved to channels instead of this stride: the expansion counts from a quarter of them.
        own = { stride: 1, expand: spec.expand / 4 }
        moved = 0
      }
      const spaceDepth = moved
      stride *= own.stride!
      if (j === stageSpecs.length - 1) {
        const next = specs[i + 1]?.[0]
        if (!next || (next.stride > 1 && moved === 0)) ends.stages.set(i, stride)
      }
      const outputs = roundChannels(config, spec.channels) * (spaceDepth > 0 ? 4 : 1)
      const block = { ...spec, ...own, inputs, outputs, spaceDepth }
      inputs = outputs
      if (moved === 1) moved = 2
      return block
    }),
  )
  return { blocks, ends }
}

const BUILDERS: Readonly<
  Record<BlockSpec['type'], (net: Net, x: Value, block: Block, act: string) => Value>
> = {
  ir: invertedResidual,
  ds: depthwiseSeparable,
  dsa: depthwiseSeparable,
  er: edgeResidual,
  cn: (net, x, { kernel, stride, group, outputs }, act) =>
    convNorm(net, ['conv', 'bn1', 'aa'], x, outputs, { kernel, stride, act, ...(group ? { group } : {}) }),
  uir: universal,
  mqa: attention,
}

const KINDS: Readonly<Record<BlockSpec['type'], string>> = {
  ir: 'InvertedResidual',
  ds: 'DepthwiseSeparableConv',
  dsa: 'DepthwiseSeparableConv',
  er: 'EdgeResidual',
  cn: 'ConvBnAct',
  uir: 'UniversalInvertedResidual',
  mqa: 'MobileAttention',
}

/** @param depth share of the blocks that stand before this one */
function build(net: Net, name: string, x: Value, block: Block, depth: number): Value {
  const { type, stride, inputs, outputs, skip } = block
  const act = block.act ?? net.config.act ?? 'relu'
  return x.builder.scope(name, { kind: KINDS[type] }, () => {
    const y = BUILDERS[type](net, x, block, act)
    const wanted = type === 'cn' ? skip === true : skip !== false && type !== 'dsa'
    if (!wanted || stride !== 1 || inputs !== outputs || block.spaceDepth === 1) return y
    return op.add(dropPath(y, (net.config.drop_path_rate ?? 0) * depth, net.mode), x)
  })
}

/** Squeeze and excitation where the block has it. */
function excite(net: Net, x: Value, { se, expand, type, spaceDepth }: Block, act: string): Value {
  if (!se) return x
  const expanded = type === 'ds' || type === 'dsa' || net.config.se_from_exp
  const share = (expanded ? se : se / expand) / (spaceDepth === 1 ? 4 : 1)
  return attend(net, 'se', x, share, act)
}

/** Moves 2 × 2 positions to channels, by a convolution that learns how; the depthwise kernel then halves. */
function enter(net: Net, x: Value, { inputs, kernel, spaceDepth }: Block, act: string) {
  if (spaceDepth !== 1) return { entered: x, channels: inputs, kernel, padding: {} }
  const entered = convNorm(net, ['conv_s2d', 'bn_s2d'], x, 4 * inputs, {
    kernel: [2],
    stride: 2,
    padding: 'same',
    act,
  })
  const smaller = (kernel[0]! + 1) >> 1
  const padding = smaller === 2 ? ({ padding: 'same' } as const) : {}
  return { entered, channels: 4 * inputs, kernel: [smaller], padding }
}

function depthwiseSeparable(net: Net, x: Value, block: Block, act: string): Value {
  const { type, behind, stride, outputs, group = 1 } = block
  const { entered, channels, kernel, padding } = enter(net, x, block, act)
  const depthwise = convNorm(net, ['conv_dw', 'bn1', 'aa'], entered, channels, {
    kernel,
    stride,
    group,
    act,
    ...padding,
  })
  const excited = excite(net, depthwise, block, act)
  return convNorm(net, ['conv_pw', 'bn2'], excited, outputs, {
    kernel: behind,
    act: type === 'dsa' ? act : undefined,
  })
}

function invertedResidual(net: Net, x: Value, block: Block, act: string): Value {
  const { before, behind, stride, expand, outputs, group = 1, experts } = block
  const routing = experts > 0 ? routingOf(net, x, experts) : undefined
  const { entered, channels, kernel, padding } = enter(net, x, block, act)
  const middle = makeDivisible(channels * expand)
  const wide = convNorm(net, ['conv_pw', 'bn1'], entered, middle, { kernel: before, act, routing })
  const depthwise = convNorm(net, ['conv_dw', 'bn2', 'aa'], wide, middle, {
    kernel,
    stride,
    group,
    act,
    routing,
    ...padding,
  })
  const excited = excite(net, depthwise, block, act)
  return convNorm(net, ['conv_pwl', 'bn3'], excited, outputs, { kernel: behind, routing })
}

function edgeResidual(net: Net, x: Value, block: Block, act: string): Value {
  const { kernel, behind, stride, expand, inputs, outputs, group, expandFrom } = block
  const from = expandFrom ? roundChannels(net.config, expandFrom) : inputs
  const wide = convNorm(net, ['conv_exp', 'bn1', 'aa'], x, makeDivisible(from * expand), {
    kernel,
    stride,
    act,
    ...(group ? { group } : {}),
  })
  return convNorm(net, ['conv_pwl', 'bn2'], excite(net, wide, block, act), outputs, { kernel: behind })
}

function universal(net: Net, x: Value, block: Block, act: string): Value {
  const { before, kernel, behind, stride, expand, inputs, outputs, group = 1 } = block
  const { builder } = x
  const has = ([size]: readonly number[]) => size !== 0
  const part = (name: string, value: Value, channels: number, unit: Parameters<typeof convNorm>[4]) =>
    builder.scope(name, { kind: 'ConvNormAct' }, () =>
      convNorm(net, ['conv', 'bn', 'aa'], value, channels, unit),
    )
  const middle = makeDivisible(inputs * expand)
  let y = x
  if (has(before))
    y = part('dw_start', y, inputs, { kernel: before, stride: has(kernel) ? 1 : stride, group })
  y = part('pw_exp', y, middle, { kernel: [1], act })
  if (has(kernel)) y = part('dw_mid', y, middle, { kernel, stride, group, act })
  y = part('pw_proj', excite(net, y, block, act), outputs, { kernel: [1] })
  if (has(behind)) {
    y = part('dw_end', y, outputs, { kernel: behind, stride: has(before) || has(kernel) ? 1 : stride, group })
  }
  return layerScale(net, y)
}

function attention(net: Net, x: Value, { heads, keys, keyStride, kernel, outputs }: Block): Value {
  const normed = normAct(net, 'norm', x)
  return layerScale(
    net,
    multiQueryAttention(net, 'attn', normed, outputs, { heads, keys, stride: keyStride, kernel }),
  )
}

function layerScale({ config, parameters }: Net, x: Value): Value {
  const { layer_scale: value } = config
  if (value === undefined) return x
  const { builder } = x
  return builder.scope('layer_scale', { kind: 'LayerScale2d' }, () => {
    const channels = x.shape[1] as number
    const gamma = parameters.weight(`${builder.path}.gamma`, [channels], { kind: 'constant', value })
    return op.mul(x, op.reshape(gamma, [channels, 1, 1]))
  })
}
