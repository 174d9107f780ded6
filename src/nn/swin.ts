/**
 * Swin Transformer (https://arxiv.org/abs/2103.14030): attention inside windows that shift from block to block. With the parameter
 * names of timm's `SwinTransformer`.
 */
import { Builder, op, type Value } from '../graph/index.ts'
import { PipiloError } from '../tensor/index.ts'
import { conv2d, layerNorm, linear } from './layers.ts'
import type { BuildModel } from './model.ts'
import { parametersFrom } from './parameters.ts'
import { type Grid, relativePositionBias, relativePositionIndex } from './positions.ts'
import type { Parameters } from './types.ts'
import { classesOf } from './vit.ts'
import { mlp, tokensOf, VIT_INIT } from './vitLayers.ts'
import { attendInWindows, mergeSquares, type Windows, windowOf, windowsOf } from './windows.ts'

/** The arguments of timm's `SwinTransformer`, by its names. */
export interface SwinConfig {
  readonly img_size: readonly [height: number, width: number]
  readonly patch_size: number
  readonly embed_dim: number
  readonly depths: readonly number[]
  readonly num_heads: readonly number[]
  /** Side of a window, or of those of each stage. */
  readonly window_size: number | readonly number[]
  readonly mlp_ratio: number
  readonly qkv_bias: boolean
  readonly num_classes: number
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
}

/** Width, blocks and heads of each stage of Swin models. */
export const swinSizes = {
  tiny: { embed_dim: 96, depths: [2, 2, 6, 2], num_heads: [3, 6, 12, 24] },
  small: { embed_dim: 96, depths: [2, 2, 18, 2], num_heads: [3, 6, 12, 24] },
  base: { embed_dim: 128, depths: [2, 2, 18, 2], num_heads: [4, 8, 16, 32] },
  large: { embed_dim: 192, depths: [2, 2, 18, 2], num_heads: [6, 12, 24, 48] },
} as const

const large = { img_size: [384, 384], window_size: 12 } as const

/** Configurations by timm's names, what differs from its defaults. `s3` are those of https://arxiv.org/abs/2111.14725. */
export const swinPresets: ReadonlyMap<string, Partial<SwinConfig>> = new Map<string, Partial<SwinConfig>>([
  ['swin_tiny_patch4_window7_224', swinSizes.tiny],
  ['swin_small_patch4_window7_224', swinSizes.small],
  ['swin_base_patch4_window7_224', swinSizes.base],
  ['swin_base_patch4_window12_384', { ...swinSizes.base, ...large }],
  ['swin_large_patch4_window7_224', swinSizes.large],
  ['swin_large_patch4_window12_384', { ...swinSizes.large, ...large }],
  ['swin_s3_tiny_224', { ...swinSizes.tiny, window_size: [7, 7, 14, 7] }],
  ['swin_s3_small_224', { ...swinSizes.small, window_size: [14, 14, 14, 7] }],
  ['swin_s3_base_224', { ...swinSizes.small, depths: [2, 2, 30, 2], window_size: [7, 7, 14, 7] }],
])

/**
 * A Swin Transformer as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where
 * there are no classes. `features` are as in timm: [batch, height, width, channels].
 *
 * ```ts
 * buildSwin(swinPresets.get('swin_tiny_patch4_window7_224')!, tensors)
 * ```
 *
 * @param config what differs from {@link SWIN_DEFAULTS}
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`; `OPTION_INVALID` for a size that patches do not fill
 */
export const buildSwin: BuildModel<Partial<SwinConfig>> = (given, checkpoint, options = {}) => {
  const config: SwinConfig = { ...SWIN_DEFAULTS, ...given }
  const { seed = 0, strict = true, size = config.img_size } = options
  const classes = options.classes ?? classesOf(checkpoint, config.num_classes, 'head.fc.weight')
  const builder = new Builder({ name: 'swin' })
  const parameters = parametersFrom(builder, checkpoint, {
    seed,
    strict,
    ignore: [/\battn_mask$/, ...(options.classes === 0 ? [/\bhead\.fc\./] : [])],
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', 3, ...size])
  const { embed_dim, patch_size, depths } = config
  const embedded = builder.scope('patch_embed', { kind: 'PatchEmbed' }, () => {
    const options = { kernel: patch_size, stride: patch_size }
    return layerNorm(parameters, 'norm', tokensOf(conv2d(parameters, 'proj', pixels, embed_dim, options)))
  })
  let x = embedded
  let grid = patchGrid(size, patch_size)
  const stages = depths.map((depth, i) => {
    const name = `layers.${i}`
    const map = builder.scope(name, { kind: 'SwinTransformerStage' }, () => {
      if (i > 0) {
        x = builder.scope('downsample', { kind: 'PatchMerging' }, () => merge(parameters, x, grid))
        grid = [Math.ceil(grid[0] / 2), Math.ceil(grid[1] / 2)]
      }
      const plan = planStage(builder, config, grid, i)
      for (let block = 0; block < depth; block++) {
        x = builder.scope(`blocks.${block}`, { kind: 'SwinTransformerBlock' }, () =>
          swinBlock(parameters, config, x, plan, block % 2 === 1),
        )
      }
      return op.reshape(x, [0, ...grid, x.shape[2] as number])
    })
    return { name, stride: patch_size * 2 ** i, channels: map.shape[3] as number }
  })
  const features = op.reshape(layerNorm(parameters, 'norm', x), [0, ...grid, x.shape[2] as number])
  const penultimate = builder.scope('head.global_pool', () => op.reduceMean(features, [1, 2]))
  const logits =
    classes === 0 ? undefined : linear(parameters, 'head.fc', penultimate, classes, { init: VIT_INIT })
  builder.output(logits ? 'logits' : 'embedding', logits ?? penultimate)
  return {
    graph: builder.build(),
    unused: parameters.unused(),
    penultimate: penultimate.name,
    features: features.name,
    patchEmbeddings: embedded.name,
    stages,
  }
}

/** Rows and columns of patches. @throws PipiloError `OPTION_INVALID` where they do not fill the picture */
export function patchGrid(size: readonly [number, number], patch: number): Grid {
  const [height, width] = size
  if (height % patch === 0 && width % patch === 0) return [height / patch, width / patch]
  throw new PipiloError(
    'OPTION_INVALID',
    `Patches of ${patch} × ${patch} do not fill ${height} × ${width}.`,
    {
      input: 'size',
      hint: `Choose multiples of ${patch}.`,
    },
  )
}

/** timm's `PatchMerging`: four neighbours as one vector, normalised and halved. */
function merge(parameters: Parameters, x: Value, grid: Grid): Value {
  const channels = x.shape[2] as number
  return linear(parameters, 'reduction', layerNorm(parameters, 'norm', mergeSquares(x, grid)), 2 * channels, {
    bias: false,
    init: VIT_INIT,
  })
}

/** What the blocks of a stage have in common. */
interface StagePlan {
  readonly heads: number
  readonly window: Grid
  readonly index: Value
  readonly plain: Windows
  readonly shifted: Windows
}

function planStage(builder: Builder, config: SwinConfig, grid: Grid, stage: number): StagePlan {
  const { window_size } = config
  const side = typeof window_size === 'number' ? window_size : window_size[stage]!
  const { window, shift } = windowOf(grid, [side, side], true)
  return {
    heads: config.num_heads[stage]!,
    window,
    index: relativePositionIndex(builder, window),
    plain: windowsOf(builder, grid, window, [0, 0]),
    shifted: windowsOf(builder, grid, window, shift),
  }
}

function swinBlock(
  parameters: Parameters,
  config: SwinConfig,
  x: Value,
  plan: StagePlan,
  shifted: boolean,
): Value {
  const channels = x.shape[2] as number
  const windows = shifted ? plan.shifted : plan.plain
  const attended = attention(
    parameters,
    config,
    windows.partition(layerNorm(parameters, 'norm1', x)),
    plan,
    windows,
  )
  const y = op.add(x, windows.reverse(attended))
  const inner = mlp(parameters, 'mlp', layerNorm(parameters, 'norm2', y), {
    hidden: Math.trunc(channels * config.mlp_ratio),
    act: 'gelu',
  })
  return op.add(y, inner)
}

/** timm's `WindowAttention`. `x` is [batch, windows, tokens, channels]. */
function attention(
  parameters: Parameters,
  config: SwinConfig,
  x: Value,
  { heads, window, index }: StagePlan,
  { mask }: Windows,
): Value {
  const { builder } = x
  return builder.scope('attn', { kind: 'WindowAttention' }, () => {
    const channels = x.shape[3] as number
    const fused = linear(parameters, 'qkv', x, 3 * channels, { bias: config.qkv_bias, init: VIT_INIT })
    const [query, key, value] = op.split(fused, [channels, channels, channels], 3) as [Value, Value, Value]
    const table = parameters(
      `${builder.path}.relative_position_bias_table`,
      [(2 * window[0] - 1) * (2 * window[1] - 1), heads],
      { kind: 'truncated_normal', std: 0.02 },
    )
    const positions = relativePositionBias(table, index)
    const bias = mask ? op.add(positions, mask) : positions
    const attended = attendInWindows(query, key, value, { heads, bias })
    return linear(parameters, 'proj', attended, channels, { init: VIT_INIT })
  })
}
