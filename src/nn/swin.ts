/**
 * Swin Transformer (https://arxiv.org/abs/2103.14030) and its second version (https://arxiv.org/abs/2111.09883): attention inside
 * windows that shift from block to block. With the parameter names of timm's `SwinTransformer` and `SwinTransformerV2`.
 */
import { Builder, op } from '../graph/index.ts'
import { conv2d, layerNorm, linear, stochasticDepth } from './layers.ts'
import type { BuildModel } from './model.ts'
import { parametersFrom } from './parameters.ts'
import {
  mergePatches,
  planStage,
  type SwinBlockConfig,
  swinBlock,
  swinStages,
  swinV2Block,
} from './swinBlocks.ts'
import { patchGrid } from './visionConfig.ts'
import { classesOf } from './vit.ts'
import { tokensOf, VIT_INIT } from './vitLayers.ts'
import { timmNaming, torchvisionSwin } from './vitNamings.ts'

/** The arguments of timm's `SwinTransformer` and `SwinTransformerV2`, by their names. */
export interface SwinConfig extends SwinBlockConfig {
  readonly img_size: readonly [height: number, width: number]
  readonly patch_size: number
  readonly embed_dim: number
  readonly depths: readonly number[]
  readonly num_heads: readonly number[]
  /** Side of a window, or of those of each stage. */
  readonly window_size: number | readonly number[]
  readonly num_classes: number
  /** Stochastic depth of the last block, while training. */
  readonly drop_path_rate: number
  /** 2: https://arxiv.org/abs/2111.09883 */
  readonly version: 1 | 2
  /** Whose names layers and parameters have where no checkpoint tells. Default timm's. */
  readonly names?: 'torchvision'
}

/** Defaults of timm, which are those of the smallest model of the paper. */
export const SWIN_DEFAULTS: SwinConfig = {
  img_size: [224, 224],
  patch_size: 4,
  embed_dim: 96,
  depths: [2, 2, 6, 2],
  num_heads: [3, 6, 12, 24],
  window_size: 7,
  mlp_ratio: 4,
  qkv_bias: true,
  num_classes: 1000,
  drop_path_rate: 0,
  version: 1,
}

/** Width, blocks and heads of each stage of Swin models. */
export const swinSizes = {
  tiny: { embed_dim: 96, depths: [2, 2, 6, 2], num_heads: [3, 6, 12, 24] },
  small: { embed_dim: 96, depths: [2, 2, 18, 2], num_heads: [3, 6, 12, 24] },
  base: { embed_dim: 128, depths: [2, 2, 18, 2], num_heads: [4, 8, 16, 32] },
  large: { embed_dim: 192, depths: [2, 2, 18, 2], num_heads: [6, 12, 24, 48] },
} as const

type Preset = Partial<SwinConfig>

const side = (pixels: number) => [pixels, pixels] as const
const large: Preset = { img_size: side(384), window_size: 12 }

/** Version 2: pictures of `pixels`, windows of `window`. */
const second = (pixels: number, window: number, more: Preset = {}): Preset => ({
  version: 2,
  img_size: side(pixels),
  window_size: window,
  ...more,
})
const further: Preset = { pretrained_window_sizes: [12, 12, 12, 6] }
const wide: Preset = { num_classes: 21841 }
const torchvision: Preset = { names: 'torchvision' }

/** Configurations by timm's names, what differs from its defaults. `s3` are those of https://arxiv.org/abs/2111.14725. */
export const swinPresets: ReadonlyMap<string, Preset> = new Map<string, Preset>([
  ['swin_tiny_patch4_window7_224', swinSizes.tiny],
  ['swin_small_patch4_window7_224', swinSizes.small],
  ['swin_base_patch4_window7_224', swinSizes.base],
  ['swin_base_patch4_window12_384', { ...swinSizes.base, ...large }],
  ['swin_large_patch4_window7_224', swinSizes.large],
  ['swin_large_patch4_window12_384', { ...swinSizes.large, ...large }],
  ['swin_t', { ...swinSizes.tiny, ...torchvision }],
  ['swin_s', { ...swinSizes.small, ...torchvision }],
  ['swin_b', { ...swinSizes.base, ...torchvision }],
  ['swin_v2_t', { ...swinSizes.tiny, ...second(256, 8, torchvision) }],
  ['swin_v2_s', { ...swinSizes.small, ...second(256, 8, torchvision) }],
  ['swin_v2_b', { ...swinSizes.base, ...second(256, 8, torchvision) }],
  ['swin_s3_tiny_224', { ...swinSizes.tiny, window_size: [7, 7, 14, 7] }],
  ['swin_s3_small_224', { ...swinSizes.small, window_size: [14, 14, 14, 7] }],
  ['swin_s3_base_224', { ...swinSizes.small, depths: [2, 2, 30, 2], window_size: [7, 7, 14, 7] }],
  ['swinv2_tiny_window8_256', { ...swinSizes.tiny, ...second(256, 8) }],
  ['swinv2_tiny_window16_256', { ...swinSizes.tiny, ...second(256, 16) }],
  ['swinv2_small_window8_256', { ...swinSizes.small, ...second(256, 8) }],
  ['swinv2_small_window16_256', { ...swinSizes.small, ...second(256, 16) }],
  ['swinv2_base_window8_256', { ...swinSizes.base, ...second(256, 8) }],
  ['swinv2_base_window16_256', { ...swinSizes.base, ...second(256, 16) }],
  ['swinv2_base_window12_192', { ...swinSizes.base, ...second(192, 12, wide) }],
  ['swinv2_base_window12to16_192to256', { ...swinSizes.base, ...second(256, 16, further) }],
  ['swinv2_base_window12to24_192to384', { ...swinSizes.base, ...second(384, 24, further) }],
  ['swinv2_large_window12_192', { ...swinSizes.large, ...second(192, 12, wide) }],
  ['swinv2_large_window12to16_192to256', { ...swinSizes.large, ...second(256, 16, further) }],
  ['swinv2_large_window12to24_192to384', { ...swinSizes.large, ...second(384, 24, further) }],
])

/**
 * A Swin Transformer as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where
 * there are no classes. `features` and stages are maps [batch, height, width, channels], as in timm and torchvision.
 *
 * ```ts
 * buildSwin(swinPresets.get('swin_tiny_patch4_window7_224')!, tensors)
 * ```
 *
 * Layers: `patch_embed`, `layers.0`, `layers.0.blocks.0` and so on, `norm`, `head.global_pool`, `head.fc`; with torchvision's names
 * `features.0`, `features.1`, `features.1.0` and so on, `norm`, `avgpool`, `head`.
 *
 * @param config what differs from {@link SWIN_DEFAULTS}
 * @param checkpoint tensors by timm's or torchvision's names; without one, parameters are drawn
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`; `OPTION_INVALID` for a size below that of a patch
 */
export const buildSwin: BuildModel<Partial<SwinConfig>> = (given, checkpoint, options = {}) => {
  const torchvision = checkpoint?.has('features.0.0.weight') ?? given.names === 'torchvision'
  const naming = torchvision ? torchvisionSwin : timmNaming
  const config: SwinConfig = { ...SWIN_DEFAULTS, ...given, torchvision }
  const { mode = 'inference', seed = 0, strict = true, size = config.img_size } = options
  const classes = options.classes ?? classesOf(checkpoint, config.num_classes, naming.name('head.fc'))
  const builder = new Builder({ name: 'swin', layerName: naming.name })
  const parameters = parametersFrom(builder, checkpoint, {
    rename: naming.name,
    seed,
    strict,
    ignore: [/\b(attn_mask|relative_coords_table)$/, ...(options.classes === 0 ? [/\bhead\./] : [])],
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', 3, ...size])
  const { embed_dim, patch_size, depths } = config
  const embedded = builder.scope('patch_embed', { kind: 'PatchEmbed' }, () => {
    const options = { kernel: patch_size, stride: patch_size }
    return layerNorm(parameters, 'norm', tokensOf(conv2d(parameters, 'proj', pixels, embed_dim, options)))
  })
  const version = config.version
  const drops = stochasticDepth(config.drop_path_rate, depths, mode)
  const { map, stages } = swinStages(embedded, patchGrid(size, patch_size), {
    depths,
    patch: patch_size,
    plan: (grid, i) =>
      planStage(builder, grid, config.num_heads[i]!, windowSide(config, i), { fillFirst: torchvision }),
    block: (y, plan, shifted, i, index) => {
      const block = { plan, shifted, stage: i, drop: drops(i, index) }
      return (version === 1 ? swinBlock : swinV2Block)(parameters, config, y, block)
    },
    merge: (y, grid) => mergePatches(parameters, y, grid, version),
  })
  const features = layerNorm(parameters, 'norm', map)
  const penultimate = builder.scope('head.global_pool', () => op.reduceMean(features, [1, 2]))
  const logits =
    classes === 0 ? undefined : linear(parameters, 'head.fc', penultimate, classes, { init: VIT_INIT })
  builder.output(logits ? 'logits' : 'embedding', logits ?? penultimate)
  return {
    graph: builder.build(),
    unused: parameters.unused(),
    penultimate: penultimate.name,
    features: features.name,
    channelsLast: true,
    patchEmbeddings: embedded.name,
    stages: stages.map((stage) => ({ ...stage, name: naming.name(stage.name) })),
  }
}

function windowSide({ window_size }: SwinConfig, stage: number): number {
  return typeof window_size === 'number' ? window_size : window_size[stage]!
}
