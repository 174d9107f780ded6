/**
 * Vision transformers (ViT, https://arxiv.org/abs/2010.11929, and its relatives DeiT, MAE, DINO, DINOv2, the towers of CLIP and SigLIP, BEiT,
 * EVA-02, DINOv3) with the parameter names of timm's `VisionTransformer`, `Beit` and `Eva`.
 */
import { PipiloError } from '../../base/index.ts'
import { Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { dropout, type LayerInit, linear, stochasticDepth } from '../layers/layers.ts'
import { built, type CheckpointParameters, parametersFrom } from '../layers/parameters.ts'
import { pool } from '../layers/pooling.ts'
import { type Grid, resamplePositions } from '../layers/positions.ts'
import type { BuildModel } from '../model.ts'
import type { Mode, Parameters } from '../types.ts'
import { beitBlock } from './beit.ts'
import { evaBlock, evaPostNormBlock } from './eva.ts'
import { patchGrid, storedTensor } from './visionConfig.ts'
import { type BlockConfig, EVA_DEFAULTS, vitBlocks } from './vitBlocks.ts'
import { type Backbone, backboneStride, hybridEmbed } from './vitHybrid.ts'
import { attentionPool, type Norm, normOf, patchEmbed, prependTokens, VIT_INIT } from './vitLayers.ts'
import { type VitNames, vitNaming } from './vitNamings.ts'
import { blockPositions, type PositionConfig } from './vitPositions.ts'

/** The arguments of timm's `VisionTransformer`, by its names. */
export interface VitConfig extends BlockConfig, PositionConfig {
  readonly img_size: readonly [height: number, width: number]
  /** Pixels, or places of the map of `backbone`, that a side of a patch has. */
  readonly patch_size: number
  /** Channels of the pictures. */
  readonly in_chans: number
  /** A convolutional network in front. */
  readonly backbone?: Backbone
  readonly num_classes: number
  readonly global_pool: 'token' | 'avg' | 'max' | 'avgmax' | 'map'
  readonly class_token: boolean
  /** A second token, with a head of its own (https://arxiv.org/abs/2012.12877). */
  readonly distilled: boolean
  /** Register tokens (https://arxiv.org/abs/2309.16588). */
  readonly reg_tokens: number
  /** Learned absolute positions. */
  readonly pos_embed: boolean
  /** Class token and registers have no positions. */
  readonly no_embed_class: boolean
  /** Normalise before the first block (`norm_pre`); the patch embedding then has no bias. */
  readonly pre_norm: boolean
  readonly final_norm: boolean
  /** Normalise after pooling instead of before. Default: unless the class token or attention pools. */
  readonly fc_norm?: boolean
  readonly norm: 'layer' | 'rms'
  readonly norm_eps: number
  readonly block: keyof typeof BLOCKS
  /** Stochastic depth of the last block, while training. */
  readonly drop_path_rate: number
  /** Dropout before the classifier, while training. */
  readonly drop_rate: number
  /** Dropout of what the first block gets, while training. */
  readonly pos_drop_rate: number
  /** The patch embedding is normalised. */
  readonly embed_norm: boolean
  /** Attention pools all tokens, not only those of patches. */
  readonly pool_include_prefix: boolean
  /** Heads of the attention that pools. Default: those of the blocks. */
  readonly attn_pool_num_heads?: number
  /** Hidden features of its MLP over those of the tokens. Default: as in the blocks. */
  readonly attn_pool_mlp_ratio?: number
  /** Library whose names layers and parameters have where no checkpoint tells. */
  readonly names: VitNames
  /** Registers have no positions, but the class token does: DINOv2's own checkpoints. */
  readonly no_embed_reg: boolean
  /** Positions for other sizes are resampled with antialiasing. */
  readonly interpolate_antialias: boolean
  /** Amount that DINOv2 adds to the sides of the grid for which positions are resampled. */
  readonly interpolate_offset: number
}

const BLOCKS = { ...vitBlocks, beit: beitBlock, eva: evaBlock, eva_post_norm: evaPostNormBlock }

/** timm's defaults. */
export const VIT_DEFAULTS: VitConfig = {
  img_size: [224, 224],
  patch_size: 16,
  in_chans: 3,
  embed_dim: 768,
  depth: 12,
  num_heads: 12,
  mlp_ratio: 4,
  num_classes: 1000,
  global_pool: 'token',
  qkv_bias: true,
  qk_norm: false,
  scale_attn_norm: false,
  scale_mlp_norm: false,
  proj_bias: true,
  init_values: 0,
  class_token: true,
  distilled: false,
  reg_tokens: 0,
  pos_embed: true,
  no_embed_class: false,
  pre_norm: false,
  final_norm: true,
  norm: 'layer',
  norm_eps: 1e-6,
  act: 'gelu',
  mlp: 'mlp',
  attn: 'attn',
  block: 'pre_norm',
  drop_path_rate: 0,
  drop_rate: 0,
  pos_drop_rate: 0,
  proj_drop_rate: 0,
  attn_drop_rate: 0,
  embed_norm: false,
  pool_include_prefix: false,
  shared_rel_pos: false,
  rel_pos_dim: 128,
  names: 'timm',
  no_embed_reg: false,
  interpolate_antialias: true,
  interpolate_offset: 0,
  ...EVA_DEFAULTS,
}

/** Settings that differ from {@link VIT_DEFAULTS}; one number for `img_size` is height and width. */
export type VitSettings = Partial<Omit<VitConfig, 'img_size'>> & {
  readonly img_size?: number | readonly [height: number, width: number]
}

/** The whole configuration. @throws PipiloError `OPTION_INVALID` for dropout that the blocks do not have */
export function vitConfig({ img_size = VIT_DEFAULTS.img_size, ...given }: VitSettings): VitConfig {
  const size = typeof img_size === 'number' ? ([img_size, img_size] as const) : img_size
  const config = { ...VIT_DEFAULTS, ...given, img_size: size }
  checkDropping(config)
  return config
}

type Checkpoint = ReadonlyMap<string, Initializer>

/** Tensors of use in pretraining alone. */
const PRETRAINING = [/\bmask_token$/, /^(decoder_|regression_head\.)/]

/** Prefixes that larger models put before the names of the vision transformer's parameters. */
const PREFIXES = ['', 'module.', 'visual.trunk.']

/**
 * A vision transformer as a graph: input `pixel_values` (float32 [batch, 3, height, width]), output `logits`, or `embedding` where
 * there are no classes.
 *
 * @example
 * ```ts
 * const { graph, penultimate } = buildVit({ patch_size: 32 }, tensors, { size: [256, 256] })
 * ```
 *
 * @remarks
 * Positions are resampled where the checkpoint's are for another size. Layers: `patch_embed`, `pos_drop` or `norm_pre` (what the
 * first block gets, which can be fed), `blocks.0` and so on, `norm`, `fc_norm`, `head`; with a network in front
 * `patch_embed.backbone` and its layers; with torchvision's names `conv_proj`,
 * `encoder.dropout` (what the first block gets), `encoder.layers.encoder_layer_0` and so on, `encoder.ln`, `heads.head`; in DINOv2's
 * own checkpoints blocks that were trained in chunks are called `blocks.0.0` and so on.
 *
 * @param config what differs from {@link VIT_DEFAULTS}
 * @param checkpoint tensors by the names of timm, torchvision or Facebook's DINOv2; without one, parameters are drawn
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`; `OPTION_INVALID` for a size below that of a patch
 */
export const buildVit: BuildModel<VitSettings> = (given, checkpoint, options = {}) => {
  const stated = vitConfig(given)
  const { mode = 'inference', size = stated.img_size } = options
  const asked = { wanted: stated.names, gated: stated.mlp === 'glu' }
  const { names, naming } = vitNaming(checkpoint, PREFIXES, asked)
  const config = names === 'dinov2' ? { ...stated, no_embed_class: false, no_embed_reg: true } : stated
  const classes = options.classes ?? classesOf(checkpoint, config.num_classes, naming.name('head'))
  const builder = new Builder({ name: 'vit', layerName: naming.name })
  const parameters = parametersFrom(builder, checkpoint, {
    ...options,
    prefixes: PREFIXES,
    rename: naming.name,
    ...(naming.aliases ? { aliases: naming.aliases } : {}),
    // Of pretraining, or of heads that are not wanted.
    ignore: [...PRETRAINING, ...(options.classes === 0 ? [/\bhead(_dist)?\./] : [])],
  })
  const pixels = builder.input('pixel_values', 'float32', ['batch', config.in_chans, ...size])
  const stored = storedTensor(checkpoint, PREFIXES, naming.name('pos_embed'))?.shape[1]
  const trunk = vitTrunk(parameters, config, pixels, { mode, checkpoint, stored })
  const { features, classToken, patchTokens, entering } = trunk
  const heads = head(parameters, config, trunk, classes)
  builder.output(heads.logits ? 'logits' : 'embedding', heads.logits ?? heads.penultimate)
  return {
    ...built(builder, parameters),
    penultimate: heads.penultimate.name,
    features: features.name,
    ...(classToken ? { classToken: classToken.name } : {}),
    patchTokens: patchTokens.name,
    patchEmbeddings: entering.name,
    stages: trunk.blocks.map((_, i) => ({
      name: naming.name(`blocks.${i}`),
      stride: strideOf(config),
      channels: config.embed_dim,
    })),
  }
}

/** A vision transformer below its pooling. */
export interface VitTrunk extends Tokens {
  /** Input of the first block. */
  readonly entering: Value
  /** Output of each block, all tokens. */
  readonly blocks: readonly Value[]
  readonly norm: Norm
  /** The norm stands behind the pooling, and `features` are as the last block gave them. */
  readonly late: boolean
  /** Tokens before those of the patches. */
  readonly prefix: number
}

/** Options of {@link vitTrunk}. */
export interface VitTrunkOptions {
  readonly mode: Mode
  readonly checkpoint?: Checkpoint | undefined
  /** Positions that the checkpoint has, tokens before the patches included. */
  readonly stored?: number | undefined
  /** Changes the embedded patches [batch, patches, features] before they get positions. */
  readonly replace?: (patches: Value) => Value
}

/** Patches, positions, further tokens, blocks, and the norm behind them. */
export function vitTrunk(
  parameters: CheckpointParameters,
  config: VitConfig,
  pixels: Value,
  { mode, checkpoint, stored, replace = (patches) => patches }: VitTrunkOptions,
): VitTrunk {
  const { builder } = pixels
  const norm = normOf(config.norm, config.norm_eps)
  const prefix = prefixTokens(config)
  const { patches, grid } = embedPatches(parameters, config, pixels, mode, checkpoint)
  const entering = enter(parameters, config, stored, norm, replace(patches), grid)
  const positions = blockPositions(parameters, config, builder, grid, prefix)
  const drops = stochasticDepth(config.drop_path_rate, [config.depth], mode)
  let x = entering
  const blocks: Value[] = []
  for (let i = 0; i < config.depth; i++) {
    x = builder.scope(`blocks.${i}`, { kind: 'Block' }, () =>
      BLOCKS[config.block](parameters, config, norm, x, i, { ...positions(i), drop: drops(0, i) }),
    )
    blocks.push(x)
  }
  const late = config.fc_norm ?? ['avg', 'max', 'avgmax'].includes(config.global_pool)
  const features = config.final_norm && !late ? norm(parameters, 'norm', x) : x
  const classToken = config.class_token
    ? builder.scope('class_token', () => pool(features, 'cls'))
    : undefined
  const patchTokens = builder.scope('patch_tokens', () => behind(features, prefix))
  return { entering, blocks, features, classToken, patchTokens, norm, late, prefix }
}

/** The tokens [batch, tokens, features] behind the first few. */
export function behind(x: Value, prefix: number): Value {
  return prefix > 0 ? op.slice(x, [prefix], [x.shape[1] as number], { axes: [1] }) : x
}

/** Settings that {@link VIT_DEFAULTS} leaves open. */
const OPEN = [
  'backbone',
  'fc_norm',
  'attn_pool_num_heads',
  'attn_pool_mlp_ratio',
  'rope',
  'rel_pos',
  'num_kv_heads',
]

/** Every setting that {@link buildVit} knows. */
export const VIT_SETTINGS: readonly string[] = [...Object.keys(VIT_DEFAULTS), ...OPEN]

/** Dropout within blocks is a matter of the usual ones alone: elsewhere it would be left out in silence. */
function checkDropping({ block, attn, mlp, attn_drop_rate, proj_drop_rate }: VitConfig): void {
  const usual = (block === 'pre_norm' || block === 'post_norm') && attn === 'attn'
  if (usual || (attn_drop_rate === 0 && proj_drop_rate === 0)) return
  throw new PipiloError(
    'OPTION_INVALID',
    `Blocks of kind ${block} with ${attn} and ${mlp} have no dropout (attn_drop_rate, proj_drop_rate).`,
    { input: attn_drop_rate === 0 ? 'proj_drop_rate' : 'attn_drop_rate', hint: 'Use drop_path_rate.' },
  )
}

/** True if fresh parameters are drawn as those of BEiT and EVA. */
const deep = ({ block }: VitConfig) => block === 'beit' || block.startsWith('eva')

const SMALL_HEAD: LayerInit = {
  weight: { kind: 'truncated_normal', std: 0.02, factor: 0.001 },
  bias: { kind: 'zeros' },
}

/** Class token, second token, registers. */
function prefixTokens(config: VitConfig): number {
  return Number(config.class_token) + Number(config.distilled) + config.reg_tokens
}

/** The classes that a checkpoint tells apart by its layer `head`; those of the configuration without one. */
export function classesOf(checkpoint: Checkpoint | undefined, otherwise: number, head: string): number {
  if (!checkpoint) return otherwise
  return storedTensor(checkpoint, PREFIXES, `${head}.weight`)?.shape[0] ?? 0
}

/** Pixels of the picture that a side of a patch has. */
export function strideOf({ patch_size, backbone }: VitConfig): number {
  return patch_size * (backbone ? backboneStride(backbone) : 1)
}

function embedPatches(
  parameters: CheckpointParameters,
  config: VitConfig,
  pixels: Value,
  mode: Mode,
  checkpoint: Checkpoint | undefined,
): { patches: Value; grid: Grid } {
  const { patch_size: patch, embed_dim, pre_norm, backbone } = config
  if (backbone) {
    const options = { backbone, features: embed_dim, patch, bias: !pre_norm, mode, checkpoint }
    return hybridEmbed(parameters, 'patch_embed', pixels, options)
  }
  const grid = patchGrid(pixels.shape.slice(2) as [number, number], patch)
  const patches = patchEmbed(parameters, 'patch_embed', pixels, embed_dim, patch, {
    bias: !pre_norm,
    norm: config.embed_norm ? normOf(config.norm, config.norm_eps) : undefined,
  })
  return { patches, grid }
}

/** Positions, further tokens, and the norm before the first block. */
function enter(
  parameters: CheckpointParameters,
  config: VitConfig,
  stored: number | undefined,
  norm: Norm,
  patches: Value,
  grid: Grid,
): Value {
  const { builder } = patches
  const entered = builder.scope('pos_drop', () => {
    const tokens = tokenParameters(parameters, config)
    const positions = config.pos_embed ? positionTable(parameters, config, stored, grid) : undefined
    const drop = (x: Value) => dropout(x, config.pos_drop_rate, parameters.mode)
    if (!positions) return drop(tokens ? prependTokens(tokens, patches) : patches)
    const prefix = (positions.shape[1] as number) - grid[0] * grid[1]
    const [ahead, behind] =
      prefix > 0
        ? (op.split(positions, [prefix, grid[0] * grid[1]], 1) as [Value, Value])
        : [undefined, positions]
    const placed = op.add(patches, behind)
    if (!tokens) return drop(placed)
    const bare = (tokens.shape[1] as number) - prefix
    const places = ahead && bare > 0 ? op.pad(ahead, [0, 0, 0, 0, bare, 0]) : ahead
    return drop(prependTokens(places ? op.add(tokens, places) : tokens, placed))
  })
  return config.pre_norm ? norm(parameters, 'norm_pre', entered) : entered
}

/** The tokens before those of the patches, [1, count, features]. */
function tokenParameters(parameters: Parameters, config: VitConfig): Value | undefined {
  const { embed_dim, reg_tokens, class_token, distilled } = config
  const tokens: Value[] = []
  const normal = { kind: 'normal', std: 1e-6 } as const
  const truncated = { kind: 'truncated_normal', std: 0.02 } as const
  const start = deep(config) ? truncated : normal
  if (class_token) tokens.push(parameters.weight('cls_token', [1, 1, embed_dim], start))
  if (distilled) {
    tokens.push(parameters.weight('dist_token', [1, 1, embed_dim], truncated))
  }
  if (reg_tokens) tokens.push(parameters.weight('reg_token', [1, reg_tokens, embed_dim], start))
  return tokens.length > 1 ? op.concat(tokens, 1) : tokens[0]
}

/** The checkpoint's positions, of which it has `stored`, for the grid of this picture. */
function positionTable(
  parameters: Parameters,
  config: VitConfig,
  stored: number | undefined,
  grid: Grid,
): Value {
  const { interpolate_antialias: antialias, interpolate_offset: offset } = config
  const placed = prefixTokens(config) - (config.no_embed_reg ? config.reg_tokens : 0)
  const prefix = config.no_embed_class ? 0 : placed
  const own = patchGrid(config.img_size, strideOf(config))
  const count = stored ?? own[0] * own[1] + prefix
  const from = gridOf(count - prefix, [grid, own]) ?? own
  const shape = [1, from[0] * from[1] + prefix, config.embed_dim]
  const table = parameters.weight('pos_embed', shape, { kind: 'truncated_normal', std: 0.02 })
  const scales = [from[0] / (grid[0] + offset), from[1] / (grid[1] + offset)] as const
  return resamplePositions(table, from, grid, { prefix, antialias, scales })
}

/** The grid that has so many positions: one of the candidates, else a square. */
export function gridOf(count: number, candidates: readonly Grid[]): Grid | undefined {
  const found = candidates.find(([rows, columns]) => rows * columns === count)
  if (found) return found
  const side = Math.sqrt(count)
  return Number.isInteger(side) && side > 0 ? [side, side] : undefined
}

interface Tokens {
  readonly features: Value
  readonly classToken: Value | undefined
  readonly patchTokens: Value
}

/** Pooling, the norm after it, and the classifiers. */
function head(
  parameters: Parameters,
  config: VitConfig,
  { features, classToken, patchTokens, norm, late }: VitTrunk,
  classes: number,
): { penultimate: Value; logits?: Value } {
  const { builder } = features
  const init = deep(config) ? SMALL_HEAD : VIT_INIT
  const classify = (name: string, x: Value) => linear(parameters, name, x, classes, { init })
  if (config.distilled && classToken) {
    const second = builder.scope('distillation_token', () => op.gather(features, 1, 1))
    const penultimate = builder.scope('pooled', () => op.mul(op.add(classToken, second), 0.5))
    if (classes === 0) return { penultimate }
    const sum = op.add(classify('head', classToken), classify('head_dist', second))
    return { penultimate, logits: op.mul(sum, 0.5) }
  }
  const pooled = poolTokens(parameters, config, norm, { features, classToken, patchTokens })
  const penultimate = late && config.final_norm ? norm(parameters, 'fc_norm', pooled) : pooled
  if (classes === 0) return { penultimate }
  const kept = dropout(penultimate, config.drop_rate, parameters.mode)
  return { penultimate, logits: classify('head', kept) }
}

function poolTokens(
  parameters: Parameters,
  config: VitConfig,
  norm: Norm,
  { features, classToken, patchTokens }: Tokens,
): Value {
  const { builder } = features
  const { global_pool } = config
  if (global_pool === 'token' && classToken) return classToken
  if (global_pool === 'map') {
    return attentionPool(parameters, 'attn_pool', config.pool_include_prefix ? features : patchTokens, {
      heads: config.attn_pool_num_heads ?? config.num_heads,
      hidden: Math.trunc(config.embed_dim * (config.attn_pool_mlp_ratio ?? config.mlp_ratio)),
      act: config.act,
      norm,
    })
  }
  return builder.scope('pooled', () => {
    if (global_pool === 'max') return pool(patchTokens, 'max')
    const mean = pool(patchTokens, 'mean')
    return global_pool === 'avgmax' ? op.mul(op.add(pool(patchTokens, 'max'), mean), 0.5) : mean
  })
}
