/**
 * Swin Transformer (https://arxiv.org/abs/2103.14030) and its second version (https://arxiv.org/abs/2111.09883): attention inside
 * windows that shift from block to block. With the parameter names of timm's `SwinTransformer`, `SwinTransformerV2` and
 * `SwinTransformerV2Cr`.
 */
import { Builder, op } from '../../graph/index.ts'
import { conv2d, layerNorm, linear, stochasticDepth } from '../layers/layers.ts'
import { built, parametersFrom } from '../layers/parameters.ts'
import type { Grid } from '../layers/positions.ts'
import type { BuildModel } from '../model.ts'
import {
  mergePatches,
  planStage,
  type SwinBlockConfig,
  swinBlock,
  swinCrBlock,
  swinStages,
  swinV2Block,
} from './swinBlocks.ts'
import { patchGrid } from './visionConfig.ts'
import { classesOf } from './vit.ts'
import { tokensOf, VIT_INIT } from './vitLayers.ts'
import { timmNaming, torchvisionSwin } from './vitNamings.ts'

/** The arguments of timm's `SwinTransformer`, `SwinTransformerV2` and `SwinTransformerV2Cr`, by their names. */
export interface SwinConfig extends SwinBlockConfig {
  readonly img_size: readonly [height: number, width: number]
  readonly patch_size: number
  readonly embed_dim: number
  readonly depths: readonly number[]
  readonly num_heads: readonly number[]
  /** Side of a window, or of those of each stage. Default 7; version `cr`: an eighth of the first map's, for all stages. */
  readonly window_size?: number | readonly number[]
  readonly num_classes: number
  /** Stochastic depth of the last block, while training. */
  readonly drop_path_rate: number
  /** 2: https://arxiv.org/abs/2111.09883; `cr`: that of timm's `swinv2_cr_*`. */
  readonly version: 1 | 2 | 'cr'
  /** Of so many blocks of a stage, the last one normalises what it gives; 0: none. Version `cr`. */
  readonly extra_norm_period: number
  /** The last block of every stage does, not only that of the last stage. Version `cr`. */
  readonly extra_norm_stage: boolean
  /** Library whose names layers and parameters have where no checkpoint tells. Default timm. */
  readonly names?: 'torchvision'
}

/** Defaults of timm, which are those of the smallest model of the paper. */
export const SWIN_DEFAULTS: SwinConfig = {
  img_size: [224, 224],
  patch_size: 4,
  embed_dim: 96,
  depths: [2, 2, 6, 2],
  num_heads: [3, 6, 12, 24],
  mlp_ratio: 4,
  qkv_bias: true,
  num_classes: 1000,
  drop_path_rate: 0,
  version: 1,
  extra_norm_period: 0,
  extra_norm_stage: false,
}

const BLOCKS = { 1: swinBlock, 2: swinV2Block, cr: swinCrBlock }

/**
 * A Swin Transformer as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where
 * there are no classes. `features` and stages are maps [batch, height, width, channels], as in timm and torchvision; of version `cr`,
 * [batch, channels, height, width].
 *
 * @example
 * ```ts
 * buildSwin(swinPresets.get('swin_tiny_patch4_window7_224')!, tensors)
 * ```
 *
 * @remarks
 * Layers: `patch_embed`, `layers.0`, `layers.0.blocks.0` and so on, `norm`, `head.global_pool`, `head.fc`; of version `cr`
 * `stages.0`, `stages.0.blocks.0` and so on, and no `norm`; with torchvision's names
 * `features.0`, `features.1`, `features.1.0` and so on, `norm`, `avgpool`, `head`.
 *
 * @param config what differs from {@link SWIN_DEFAULTS}
 * @param checkpoint tensors by timm's or torchvision's names; without one, parameters are drawn
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`; `OPTION_INVALID` for a size below that of a patch
 */
export const buildSwin: BuildModel<Partial<SwinConfig>> = (given, checkpoint, options = {}) => {
  const torchvision = checkpoint?.has('features.0.0.weight') ?? given.names === 'torchvision'
  const naming = torchvision ? torchvisionSwin : timmNaming
  const { version = SWIN_DEFAULTS.version } = given
  const cr = version === 'cr'
  // Parameters that timm's `cr` leaves to PyTorch are drawn as PyTorch does.
  const config: SwinConfig = { ...SWIN_DEFAULTS, ...given, torchvision, ...(cr ? { init: {} } : {}) }
  const { init = VIT_INIT } = config
  const { mode = 'inference', size = config.img_size } = options
  const classes = options.classes ?? classesOf(checkpoint, config.num_classes, naming.name('head.fc'))
  const builder = new Builder({ name: 'swin', layerName: naming.name })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    rename: naming.name,
    ignore: [
      /\b(attn_mask|relative_coords_table|relative_coordinates_log)$/,
      ...(options.classes === 0 ? [/\bhead\./] : []),
    ],
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', 3, ...size])
  const { embed_dim, patch_size, depths } = config
  const embedded = builder.scope('patch_embed', { kind: 'PatchEmbed' }, () => {
    const options = { kernel: patch_size, stride: patch_size }
    return layerNorm(parameters, 'norm', tokensOf(conv2d(parameters, 'proj', pixels, embed_dim, options)))
  })
  const drops = stochasticDepth(config.drop_path_rate, depths, mode)
  const first = patchGrid(size, patch_size)
  const { map, stages } = swinStages(embedded, first, {
    depths,
    patch: patch_size,
    ...(cr ? { scope: (i) => `stages.${i}`, channelsFirst: true } : {}),
    plan: (grid, i) => {
      const window = targetWindow(config, first, i)
      return planStage(builder, grid, config.num_heads[i]!, window, { fillFirst: torchvision })
    },
    block: (y, plan, shifted, i, index) => {
      const extraNorm = cr && normsAfter(config, i, index)
      const place = { plan, shifted, stage: i, drop: drops(i, index), extraNorm, mode }
      return BLOCKS[version](parameters, config, y, place)
    },
    merge: (y, grid) => mergePatches(parameters, y, grid, version === 2 ? 2 : 1, init),
  })
  const features = cr ? map : layerNorm(parameters, 'norm', map)
  const penultimate = builder.scope('head.global_pool', () => op.reduceMean(features, cr ? [2, 3] : [1, 2]))
  const logits = classes === 0 ? undefined : linear(parameters, 'head.fc', penultimate, classes, { init })
  builder.output(logits ? 'logits' : 'embedding', logits ?? penultimate)
  return {
    ...built(builder, parameters),
    penultimate: penultimate.name,
    features: features.name,
    ...(cr ? {} : { channelsLast: true }),
    patchEmbeddings: embedded.name,
    stages: stages.map((stage) => ({ ...stage, name: naming.name(stage.name) })),
  }
}

/** Windows of a stage where its map is no smaller. */
function targetWindow({ window_size, version }: SwinConfig, first: Grid, stage: number): Grid {
  const eighth = (side: number) => Math.max(1, Math.trunc(side / 8))
  if (window_size === undefined && version === 'cr') return [eighth(first[0]), eighth(first[1])]
  const side = (typeof window_size === 'number' ? window_size : window_size?.[stage]) ?? 7
  return [side, side]
}

function normsAfter(config: SwinConfig, stage: number, block: number): boolean {
  const { depths, extra_norm_period: period, extra_norm_stage: always } = config
  if (period > 0 && (block + 1) % period === 0) return true
  return block + 1 === depths[stage] && (always || stage + 1 === depths.length)
}
