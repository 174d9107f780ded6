/**
 * Vision transformers with the parameter names of transformers: `ViTModel`, `DeiTModel`, `ViTMAEModel` (the encoder of
 * https://arxiv.org/abs/2111.06377), `Dinov2Model` (https://arxiv.org/abs/2304.07193) and the one with registers, `BeitModel`, and
 * their classifiers.
 */
import { Builder, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { multiHeadAttention } from '../layers/attention.ts'
import { type LayerInit, layerNorm, linear } from '../layers/layers.ts'
import { built, type CheckpointParameters, parametersFrom } from '../layers/parameters.ts'
import { pool } from '../layers/pooling.ts'
import {
  type Grid,
  relativePositionBias,
  relativePositionIndex,
  resamplePositions,
} from '../layers/positions.ts'
import type { BuildModel } from '../model.ts'
import type { Initialization, Parameters } from '../types.ts'
import { classCount, type PictureConfig, patchGrid, readVisionConfig, storedTensor } from './visionConfig.ts'
import { gridOf } from './vit.ts'
import { patchEmbed, prependTokens, type ScoreBias } from './vitLayers.ts'

/** Fields of a `config.json` that these architectures read. */
export interface TransformersVitConfig {
  readonly hidden_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly intermediate_size: number
  readonly hidden_act: string
  readonly layer_norm_eps: number
  readonly initializer_range: number
  readonly qkv_bias: boolean
  /** DINOv2: hidden features of the MLP over those of the tokens. */
  readonly mlp_ratio: number
  readonly use_swiglu_ffn: boolean
  /** DINOv2's and BEiT's initial layer scale. */
  readonly layerscale_value: number
  readonly layer_scale_init_value: number
  readonly num_register_tokens: number
  readonly use_absolute_position_embeddings: boolean
  readonly use_relative_position_bias: boolean
  readonly use_shared_relative_position_bias: boolean
  readonly use_mean_pooling: boolean
  readonly pooler_act: string
}

type Config = TransformersVitConfig & PictureConfig

const DEFAULTS: TransformersVitConfig = {
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  initializer_range: 0.02,
  qkv_bias: true,
  mlp_ratio: 4,
  use_swiglu_ffn: false,
  layerscale_value: 1,
  layer_scale_init_value: 0.1,
  num_register_tokens: 4,
  use_absolute_position_embeddings: true,
  use_relative_position_bias: false,
  use_shared_relative_position_bias: false,
  use_mean_pooling: true,
  pooler_act: 'tanh',
}

/** How a `model_type` differs from the others. */
interface Family {
  readonly title: string
  /** Name of the model within a classifier, as the prefix of its parameters. */
  readonly prefix: string
  readonly defaults?: Partial<TransformersVitConfig>
  readonly block: (parameters: Parameters, config: Config, x: Value, bias: ScoreBias | undefined) => Value
  /** How positions for other sizes are resampled. */
  readonly antialias: boolean
  readonly distilled?: boolean
  readonly registers?: boolean
  /** Positions are relative, and what is pooled are the patches, as in BEiT. */
  readonly isBeit?: boolean
  /** Tokens and positions that start as zeros. Default: drawn as weights are. */
  readonly zeros?: RegExp
  /** Positions start as sines, and patches are drawn as those of a linear layer (MAE). */
  readonly sines?: boolean
  /** Tensors of pretraining that the encoder does without. */
  readonly ignore?: readonly RegExp[]
}

/** The block of ViT and BEiT, whose names are those of BERT. */
function bertBlock(
  parameters: Parameters,
  config: Config,
  x: Value,
  bias: ScoreBias | undefined,
  beit: boolean,
): Value {
  const { builder } = x
  const scale = (name: string, y: Value) =>
    beit ? scaled(parameters, name, y, config.layer_scale_init_value) : y
  const attended = attention(parameters, config, norm(parameters, config, 'layernorm_before', x), bias, !beit)
  const y = op.add(x, scale('lambda_1', attended))
  const normed = norm(parameters, config, 'layernorm_after', y)
  const inner = builder.scope('intermediate', { kind: 'ViTIntermediate' }, () =>
    activation(config.hidden_act)(
      linear(parameters, 'dense', normed, config.intermediate_size, { init: init(config) }),
    ),
  )
  const dense = builder.scope('output', { kind: 'ViTOutput' }, () =>
    linear(parameters, 'dense', inner, config.hidden_size, { init: init(config) }),
  )
  return op.add(y, scale('lambda_2', dense))
}

/** The block of DINOv2. */
function dinoBlock(parameters: Parameters, config: Config, x: Value): Value {
  const { builder } = x
  const scale = (name: string, y: Value) =>
    builder.scope(name, { kind: 'LayerScale' }, () =>
      scaled(parameters, 'lambda1', y, config.layerscale_value),
    )
  const attended = attention(parameters, config, norm(parameters, config, 'norm1', x), undefined, true)
  const y = op.add(x, scale('layer_scale1', attended))
  const normed = norm(parameters, config, 'norm2', y)
  const inner = builder.scope('mlp', { kind: 'Mlp' }, () => dinoMlp(parameters, config, normed))
  return op.add(y, scale('layer_scale2', inner))
}

function dinoMlp(parameters: Parameters, config: Config, x: Value): Value {
  const { hidden_size } = config
  const wide = Math.trunc(hidden_size * config.mlp_ratio)
  const dense = (name: string, y: Value, features: number) =>
    linear(parameters, name, y, features, { init: init(config) })
  if (!config.use_swiglu_ffn) {
    return dense('fc2', activation(config.hidden_act)(dense('fc1', x, wide)), hidden_size)
  }
  const hidden = Math.trunc((Math.trunc((wide * 2) / 3) + 7) / 8) * 8
  const [gate, value] = op.split(dense('weights_in', x, 2 * hidden), [hidden, hidden], 2) as [Value, Value]
  return dense('weights_out', op.mul(op.silu(gate), value), hidden_size)
}

/** BEiT, whose network data2vec has as well. */
const BEIT = {
  isBeit: true,
  defaults: { use_absolute_position_embeddings: false },
  block: (parameters, config, x, bias) => bertBlock(parameters, config, x, bias, true),
  antialias: false,
  zeros: /token|position/,
  ignore: [/^lm_head\./],
} satisfies Omit<Family, 'title' | 'prefix'>

const FAMILIES = {
  vit: {
    title: 'ViT',
    prefix: 'vit.',
    block: (parameters, config, x) => bertBlock(parameters, config, x, undefined, false),
    antialias: false,
  },
  deit: {
    title: 'DeiT',
    prefix: 'deit.',
    block: (parameters, config, x) => bertBlock(parameters, config, x, undefined, false),
    antialias: false,
    distilled: true,
    zeros: /token|position/,
  },
  vit_mae: {
    title: 'ViTMAE',
    prefix: 'vit.',
    block: (parameters, config, x) => bertBlock(parameters, config, x, undefined, false),
    antialias: false,
    sines: true,
    ignore: [/^decoder\./],
  },
  dinov2: {
    title: 'DINOv2',
    prefix: 'dinov2.',
    defaults: { layer_norm_eps: 1e-6 },
    block: dinoBlock,
    antialias: false,
  },
  dinov2_with_registers: {
    title: 'DINOv2',
    prefix: 'dinov2_with_registers.',
    defaults: { layer_norm_eps: 1e-6 },
    block: dinoBlock,
    antialias: true,
    registers: true,
    zeros: /register/,
  },
  vit_msn: {
    title: 'ViTMSN',
    prefix: 'vit.',
    defaults: { layer_norm_eps: 1e-6 },
    block: (parameters, config, x) => bertBlock(parameters, config, x, undefined, false),
    antialias: false,
  },
  beit: { title: 'BEiT', prefix: 'beit.', ...BEIT },
  'data2vec-vision': { title: 'Data2VecVision', prefix: 'data2vec_vision.', ...BEIT },
} satisfies Record<string, Family>

const CLASSIFIERS = ['classifier.weight', 'cls_classifier.weight']

/**
 * The builder of a `model_type` of transformers: input `pixel_values` (float32 [batch, 3, height, width]), outputs
 * `last_hidden_state`, `pooler_output` where there is a pooler, and `logits` where there is a classifier.
 *
 * @example
 * ```ts
 * transformersVit('dinov2')(JSON.parse(text), tensors, { size: [224, 224] })
 * ```
 */
export function transformersVit(type: keyof typeof FAMILIES): BuildModel {
  const family: Family = FAMILIES[type]
  return (json, checkpoint, options = {}) => {
    const config: Config = readVisionConfig<TransformersVitConfig>(json, {
      architecture: family.title,
      sizes: ['hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size'],
      defaults: { ...DEFAULTS, ...family.defaults },
      divides: [['hidden_size', 'num_attention_heads']],
      activations: ['hidden_act', 'pooler_act'],
      pictures: { image_size: 224, patch_size: 16 },
    })
    const { size = config.image_size } = options
    const classes = classCount(json, checkpoint, options.classes, CLASSIFIERS)
    const builder = new Builder({ name: type })
    const prefixes = ['', family.prefix]
    const parameters = parametersFrom(builder, checkpoint, {
      ...options,
      prefixes,
      ignore: [/\bmask_token$/, ...(family.ignore ?? []), ...(options.classes === 0 ? [/classifier\./] : [])],
    })
    const pixels = builder.input('pixel_values', 'float32', ['batch', 3, ...size])
    const grid = patchGrid(size, config.patch_size)
    const stored = storedTensor(checkpoint, prefixes, 'embeddings.position_embeddings')?.shape[1]
    const entering = builder.scope('embeddings', { kind: 'Embeddings' }, () =>
      embed(parameters, config, family, pixels, grid, stored),
    )
    let x = entering
    const stages = builder.scope('encoder', { kind: 'Encoder' }, () => {
      const bias = family.isBeit ? scoreBias(parameters, config, builder, grid) : undefined
      return Array.from({ length: config.num_hidden_layers }, (_, i) => {
        const name = `layer.${i}`
        x = builder.scope(name, { kind: 'Layer' }, () => family.block(parameters, config, x, bias))
        return { name: `encoder.${name}`, stride: config.patch_size, channels: config.hidden_size }
      })
    })
    const plain = family.isBeit === true && config.use_mean_pooling
    const features = plain ? x : norm(parameters, config, 'layernorm', x)
    const heads = head(parameters, config, family, type, features, grid, classes)
    builder.output('last_hidden_state', features)
    if (heads.pooled) builder.output('pooler_output', heads.pooled)
    if (heads.logits) builder.output('logits', heads.logits)
    return {
      ...built(builder, parameters),
      penultimate: heads.penultimate.name,
      features: features.name,
      classToken: heads.classToken.name,
      patchTokens: heads.patchTokens.name,
      patchEmbeddings: entering.name,
      stages,
    }
  }
}

const init = (config: Config): LayerInit => ({
  weight: { kind: 'truncated_normal', std: config.initializer_range },
  bias: { kind: 'zeros' },
})

/** MAE's: Xavier's bounds for the kernel seen as a matrix. */
function flatInit(features: number, patch: number): LayerInit {
  const bound = Math.sqrt(6 / (3 * patch * patch + features))
  const bias = 1 / Math.sqrt(3 * patch * patch)
  return { weight: { kind: 'uniform', a: -bound, b: bound }, bias: { kind: 'uniform', a: -bias, b: bias } }
}

function norm(parameters: Parameters, config: Config, name: string, x: Value): Value {
  return layerNorm(parameters, name, x, config.layer_norm_eps)
}

function scaled(parameters: Parameters, name: string, x: Value, value: number): Value {
  const { path } = x.builder
  return op.mul(
    x,
    parameters.weight(`${path}.${name}`, [x.shape.at(-1) as number], { kind: 'constant', value }),
  )
}

function attention(
  parameters: Parameters,
  config: Config,
  x: Value,
  bias: ScoreBias | undefined,
  keyBias: boolean,
): Value {
  const { builder } = x
  const { hidden_size, num_attention_heads: heads, qkv_bias } = config
  return builder.scope('attention', { kind: 'Attention' }, () => {
    const context = builder.scope('attention', { kind: 'SelfAttention' }, () => {
      const project = (name: string, biased: boolean) =>
        linear(parameters, name, x, hidden_size, { bias: biased, init: init(config) })
      const mask = typeof bias === 'function' ? bias() : bias
      return multiHeadAttention(
        project('query', qkv_bias),
        project('key', qkv_bias && keyBias),
        project('value', qkv_bias),
        { heads, ...(mask ? { mask } : {}) },
      )
    })
    return builder.scope('output', { kind: 'SelfOutput' }, () =>
      linear(parameters, 'dense', context, hidden_size, { init: init(config) }),
    )
  })
}

/** Tokens that enter the first block. `stored`: how many positions the checkpoint has. */
function embed(
  parameters: CheckpointParameters,
  config: Config,
  family: Family,
  pixels: Value,
  grid: Grid,
  stored: number | undefined,
): Value {
  const { builder } = pixels
  const { hidden_size, patch_size, image_size, initializer_range: std } = config
  const token = (name: string, count = 1, start: Initialization = { kind: 'truncated_normal', std }) =>
    parameters.weight(
      `${builder.path}.${name}`,
      [1, count, hidden_size],
      family.zeros?.test(name) ? { kind: 'zeros' } : start,
    )
  const patches = patchEmbed(parameters, 'patch_embeddings', pixels, hidden_size, patch_size, {
    projection: 'projection',
    init: family.sines ? flatInit(hidden_size, patch_size) : init(config),
  })
  let tokens = token('cls_token')
  if (family.distilled) tokens = op.concat([tokens, token('distillation_token')], 1)
  const prefix = tokens.shape[1] as number
  const registers = family.registers ? token('register_tokens', config.num_register_tokens) : undefined
  const withRegisters = () => (registers ? op.concat([tokens, registers], 1) : tokens)
  if (!config.use_absolute_position_embeddings) return prependTokens(withRegisters(), patches)
  const own: Grid = [Math.trunc(image_size[0] / patch_size), Math.trunc(image_size[1] / patch_size)]
  const count = stored ?? own[0] * own[1] + prefix
  const from = gridOf(count - prefix, [own]) ?? own
  const sines = { kind: 'sinusoidal_2d', columns: from[1], prefix } as const
  const table = token('position_embeddings', from[0] * from[1] + prefix, ...(family.sines ? [sines] : []))
  const positions = resamplePositions(table, from, grid, { prefix, antialias: family.antialias })
  const [ahead, behind] = op.split(positions, [prefix, grid[0] * grid[1]], 1) as [Value, Value]
  tokens = op.add(tokens, ahead)
  return prependTokens(withRegisters(), op.add(patches, behind))
}

/** BEiT's relative positions: made once, or by each layer. */
function scoreBias(
  parameters: Parameters,
  config: Config,
  builder: Builder,
  grid: Grid,
): ScoreBias | undefined {
  const { use_relative_position_bias: each, use_shared_relative_position_bias: shared } = config
  if (!each && !shared) return undefined
  const index = relativePositionIndex(builder, grid, true)
  const shape = [(2 * grid[0] - 1) * (2 * grid[1] - 1) + 3, config.num_attention_heads]
  const make = () =>
    builder.scope('relative_position_bias', () =>
      relativePositionBias(
        parameters.weight(`${builder.path}.relative_position_bias_table`, shape, { kind: 'zeros' }),
        index,
      ),
    )
  const common = shared ? make() : undefined
  if (!each) return common
  return common ? () => op.add(make(), common) : make
}

interface Heads {
  readonly classToken: Value
  readonly patchTokens: Value
  readonly penultimate: Value
  readonly pooled?: Value
  readonly logits?: Value
}

function head(
  parameters: CheckpointParameters,
  config: Config,
  family: Family,
  type: string,
  features: Value,
  grid: Grid,
  classes: number,
): Heads {
  const { builder } = features
  const prefix = 1 + Number(family.distilled ?? false) + (family.registers ? config.num_register_tokens : 0)
  const classToken = builder.scope('class_token', () => op.gather(features, 0, 1))
  const patchTokens = builder.scope('patch_tokens', () =>
    op.slice(features, [prefix], [prefix + grid[0] * grid[1]], { axes: [1] }),
  )
  const tokens = { classToken, patchTokens }
  const classify = (name: string, x: Value) => linear(parameters, name, x, classes, { init: init(config) })
  // data2vec's checkpoints without a classifier have no pooler.
  const pools = type === 'beit' || !config.use_mean_pooling || parameters.has('pooler.layernorm.weight')
  if (family.isBeit && pools) {
    const pooled = config.use_mean_pooling
      ? builder.scope('pooler', { kind: 'BeitPooler' }, () =>
          norm(parameters, config, 'layernorm', pool(patchTokens, 'mean')),
        )
      : classToken
    const logits = classes > 0 ? { logits: classify('classifier', pooled) } : {}
    return { ...tokens, penultimate: pooled, pooled, ...logits }
  }
  if (type.startsWith('dinov2') && classes > 0) {
    const penultimate = builder.scope('pooled', () => op.concat([classToken, pool(patchTokens, 'mean')], 1))
    return { ...tokens, penultimate, pooled: classToken, logits: classify('classifier', penultimate) }
  }
  if (type.startsWith('dinov2')) return { ...tokens, penultimate: classToken, pooled: classToken }
  if (
    family.distilled &&
    classes > 0 &&
    parameters.has('cls_classifier.weight') &&
    !parameters.has('classifier.weight')
  ) {
    const second = builder.scope('distillation_token', () => op.gather(features, 1, 1))
    const sum = op.add(classify('cls_classifier', classToken), classify('distillation_classifier', second))
    const penultimate = builder.scope('pooled', () => op.mul(op.add(classToken, second), 0.5))
    return { ...tokens, penultimate, logits: op.mul(sum, 0.5) }
  }
  if (classes > 0) return { ...tokens, penultimate: classToken, logits: classify('classifier', classToken) }
  const weight = 'pooler.dense.weight'
  if (type !== 'vit_mae' && type !== 'vit_msn' && parameters.has(weight)) {
    const pooled = builder.scope('pooler', { kind: 'Pooler' }, () =>
      activation(config.pooler_act)(
        linear(parameters, 'dense', classToken, config.hidden_size, { init: init(config) }),
      ),
    )
    return { ...tokens, penultimate: classToken, pooled }
  }
  return { ...tokens, penultimate: classToken }
}
