/**
 * Masked autoencoders (MAE, https://arxiv.org/abs/2111.06377): a vision transformer that sees some patches, and a small one that paints
 * the others, with the parameter names of facebookresearch/mae, which for the encoder are timm's.
 */
import { PipiloError } from '../../base/index.ts'
import { Builder, op, type Value } from '../../graph/index.ts'
import { layerNorm, linear } from '../layers/layers.ts'
import { built, parametersFrom } from '../layers/parameters.ts'
import type { Grid } from '../layers/positions.ts'
import type { BuildModel } from '../model.ts'
import type { Initialization, Parameters } from '../types.ts'
import { patchGrid } from '../vit/visionConfig.ts'
import { VIT_DEFAULTS } from '../vit/vit.ts'
import { type BlockConfig, vitBlocks } from '../vit/vitBlocks.ts'
import { normOf, patchEmbed, prependTokens } from '../vit/vitLayers.ts'
import { drawnAsMae } from './drawing.ts'
import { gatherTokens } from './patches.ts'

export interface MaeConfig {
  /** One number is height and width. */
  readonly img_size: number | readonly [height: number, width: number]
  readonly patch_size: number
  readonly in_chans: number
  /** Features, blocks and heads of the encoder. */
  readonly embed_dim: number
  readonly depth: number
  readonly num_heads: number
  /** Features, blocks and heads of the decoder. */
  readonly decoder_embed_dim: number
  readonly decoder_depth: number
  readonly decoder_num_heads: number
  /** Hidden features of the MLPs over those of the tokens. */
  readonly mlp_ratio: number
}

/** `mae_vit_base_patch16` with its decoder of 512 features and 8 blocks. */
export const MAE_DEFAULTS: MaeConfig = {
  img_size: 224,
  patch_size: 16,
  in_chans: 3,
  embed_dim: 768,
  depth: 12,
  num_heads: 12,
  decoder_embed_dim: 512,
  decoder_depth: 8,
  decoder_num_heads: 16,
  mlp_ratio: 4,
}

/**
 * A masked autoencoder as a graph.
 *
 * @example
 * ```ts
 * const { graph } = buildMae({ img_size: 64, patch_size: 8, embed_dim: 192, depth: 4, num_heads: 3 }, undefined, { mode: 'training' })
 * // feeds: pixel_values, and of a random order of the patches its first quarter and its inverse: ids_keep, ids_restore
 * ```
 *
 * @remarks
 * Inputs: `pixel_values` (float32 [batch, channels, height, width]), `ids_keep` (int64 [batch, kept], places of the patches that the
 * encoder sees), `ids_restore` (int64 [batch, patches], for each patch its place among those seen, in the order of `ids_keep`, and
 * any number from `kept` on for one that is not). Output `prediction` (float32 [batch, patches, patch² · channels]), to be compared with
 * {@link patchify} where `ids_restore` is at least `kept`.
 *
 * Layers: `patch_embed`, `blocks.0` and so on, `norm`, `decoder_embed`, `decoder_blocks.0` and so on, `decoder_norm`, `decoder_pred`.
 * The tables of positions are sines and cosines and are not trained. The encoder's tensors are those of timm's vision transformer:
 * `architecture('vit_base_patch16_224').build({ … }, tensors, { classes: 0 })` opens them.
 *
 * @param config what differs from {@link MAE_DEFAULTS}
 * @throws PipiloError `OPTION_INVALID`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export const buildMae: BuildModel<Partial<MaeConfig>> = (given, checkpoint, options = {}) => {
  const config = { ...MAE_DEFAULTS, ...given }
  const side = config.img_size
  const size = options.size ?? (typeof side === 'number' ? ([side, side] as const) : side)
  const grid = filled(size, config.patch_size)
  const patches = grid[0] * grid[1]
  const builder = new Builder({ name: 'mae' })
  const parameters = parametersFrom(builder, checkpoint, options)
  const drawn = drawnAsMae(parameters)
  const pixels = builder.input('pixel_values', 'float32', ['batch', config.in_chans, ...size])
  const keep = builder.input('ids_keep', 'int64', ['batch', 'kept'])
  const restore = builder.input('ids_restore', 'int64', ['batch', patches])
  const features = encode(drawn, config, grid, pixels, keep)
  const prediction = decode(drawn, config, grid, features, keep, restore)
  const classToken = builder.scope('class_token', () => op.gather(features, 0, 1))
  builder.output('prediction', prediction)
  return {
    ...built(builder, parameters),
    penultimate: classToken.name,
    features: features.name,
    classToken: classToken.name,
  }
}

/** The grid of patches, which fill the picture: what is left at the border could not be predicted. */
function filled(size: readonly [number, number], patch: number): Grid {
  const grid = patchGrid(size, patch)
  if (size.every((side, axis) => side === grid[axis]! * patch)) return grid
  throw new PipiloError(
    'OPTION_INVALID',
    `Patches of ${patch} × ${patch} do not fill a picture of ${size.join(' × ')}.`,
    { input: 'img_size', hint: `Choose multiples of ${patch}.` },
  )
}

const TOKEN: Initialization = { kind: 'normal', std: 0.02 }

/** Fixed sines and cosines for a class token and a grid: [1, 1 + patches, features]. */
function positions(parameters: Parameters, name: string, grid: Grid, features: number): [Value, Value] {
  const patches = grid[0] * grid[1]
  const table = parameters.buffer(name, [1, 1 + patches, features], {
    kind: 'sinusoidal_2d',
    columns: grid[1],
    prefix: 1,
  })
  return op.split(table, [1, patches], 1) as [Value, Value]
}

/** Class token and the patches seen, encoded: [batch, 1 + kept, features]. */
function encode(parameters: Parameters, config: MaeConfig, grid: Grid, pixels: Value, keep: Value): Value {
  const { embed_dim, patch_size } = config
  const [first, others] = positions(parameters, 'pos_embed', grid, embed_dim)
  const embedded = patchEmbed(parameters, 'patch_embed', pixels, embed_dim, patch_size)
  const seen = gatherTokens(op.add(embedded, others), keep)
  const token = op.add(parameters.weight('cls_token', [1, 1, embed_dim], TOKEN), first)
  const x = prependTokens(token, seen)
  return layerNorm(parameters, 'norm', blocks(parameters, 'blocks', config, x), 1e-6)
}

/** Every patch painted, [batch, patches, patch² · channels]. */
function decode(
  parameters: Parameters,
  config: MaeConfig,
  grid: Grid,
  features: Value,
  keep: Value,
  restore: Value,
): Value {
  const { decoder_embed_dim: width, decoder_depth: depth, decoder_num_heads: num_heads } = config
  const embedded = linear(parameters, 'decoder_embed', features, width, { init: ZERO_BIAS })
  const token = op.slice(embedded, [0], [1], { axes: [1] })
  const seen = op.slice(embedded, [1], [2 ** 31], { axes: [1] })
  const hidden = op.greaterOrEqual(restore, op.shape(keep, 1, 2))
  const known = gatherTokens(seen, op.where(hidden, 0, restore))
  const mask = parameters.weight('mask_token', [1, 1, width], TOKEN)
  const [first, others] = positions(parameters, 'decoder_pos_embed', grid, width)
  const patches = op.add(op.where(op.unsqueeze(hidden, [2]), mask, known), others)
  const x = op.concat([op.add(token, first), patches], 1)
  const y = blocks(parameters, 'decoder_blocks', { ...config, depth, num_heads }, x)
  const normed = layerNorm(parameters, 'decoder_norm', y, 1e-6)
  const pixels = config.patch_size ** 2 * config.in_chans
  const painted = linear(parameters, 'decoder_pred', normed, pixels, { init: ZERO_BIAS })
  return op.slice(painted, [1], [2 ** 31], { axes: [1] })
}

const ZERO_BIAS = { bias: { kind: 'zeros' } } as const

function blocks(
  parameters: Parameters,
  name: string,
  config: Pick<MaeConfig, 'depth' | 'num_heads' | 'mlp_ratio'>,
  x: Value,
): Value {
  const norm = normOf('layer', 1e-6)
  const { depth, num_heads, mlp_ratio } = config
  const block: BlockConfig = { ...VIT_DEFAULTS, num_heads, mlp_ratio }
  let y = x
  for (let i = 0; i < depth; i++) {
    y = x.builder.scope(`${name}.${i}`, { kind: 'Block' }, () =>
      vitBlocks.pre_norm(parameters, block, norm, y, i, { drop: (branch) => branch }),
    )
  }
  return y
}
