/** ModernBERT (https://arxiv.org/abs/2412.13663), with the parameter names of transformers' `ModernBertModel`. */
import { type Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { additiveMask, attend, splitHeads } from '../layers/attention.ts'
import { dropout, embedding, type LayerInit, layerNorm, linear } from '../layers/layers.ts'
import {
  distanceMask,
  type RotaryConfig,
  type Rotation,
  rotaryConfig,
  rotate,
  rotation,
} from '../layers/rotary.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Initialization, Mode, Parameters } from '../types.ts'
import { fieldsOf, invalid, type LayerType, layerTypes, readConfig } from './textConfig.ts'
import { buildTextModel, numbered, type TextInputs } from './textModel.ts'

/** Fields of transformers' `config.json`, by its names; `layer_types` and `rotary` from either of its spellings. */
export interface ModernBertConfig {
  readonly vocab_size: number
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly hidden_activation: string
  readonly norm_eps: number
  readonly norm_bias: boolean
  readonly attention_bias: boolean
  readonly mlp_bias: boolean
  /** Width of the window of local attention: half of it to each side. */
  readonly local_attention: number
  readonly embedding_dropout: number
  readonly attention_dropout: number
  readonly mlp_dropout: number
  readonly initializer_range: number
  /** Fresh weights lie within so many deviations. */
  readonly initializer_cutoff_factor: number
  readonly layer_types: readonly LayerType[]
  readonly rotary: Readonly<Record<LayerType, RotaryConfig>>
}

const NAME = 'ModernBERT'

/**
 * Checks the contents of a `config.json`.
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`
 */
export function modernBertConfig(json: unknown): ModernBertConfig {
  const config = readConfig<Omit<ModernBertConfig, 'layer_types' | 'rotary'>>(json, {
    architecture: NAME,
    sizes: ['vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'],
    defaults: {
      hidden_activation: 'gelu',
      norm_eps: 1e-5,
      norm_bias: false,
      attention_bias: false,
      mlp_bias: false,
      local_attention: 128,
      embedding_dropout: 0,
      attention_dropout: 0,
      mlp_dropout: 0,
      initializer_range: 0.02,
      initializer_cutoff_factor: 2,
    },
    divides: [['hidden_size', 'num_attention_heads']],
    activations: ['hidden_activation'],
  })
  const depth = config.hidden_size / config.num_attention_heads
  if (depth % 2 !== 0)
    throw invalid(NAME, 'num_attention_heads', config.num_attention_heads, 'Heads must have an even size.')
  const given = fieldsOf(json)
  const every = given['global_attn_every_n_layers'] ?? 3
  if (!Number.isSafeInteger(every) || (every as number) < 1)
    throw invalid(NAME, 'global_attn_every_n_layers', every, 'It must be a positive integer.')
  const fallback = (i: number): LayerType =>
    i % (every as number) === 0 ? 'full_attention' : 'sliding_attention'
  return {
    ...config,
    layer_types: layerTypes(NAME, given['layer_types'], config.num_hidden_layers, fallback),
    rotary: rotaries(json, given),
  }
}

function rotaries(json: unknown, given: Readonly<Record<string, unknown>>): ModernBertConfig['rotary'] {
  const own = fieldsOf(given['rope_parameters'])
  const global = (given['global_rope_theta'] as number | undefined) ?? 160_000
  // An explicit null means the global one; a silent file the default.
  const silent = (json as Record<string, unknown>)['local_rope_theta'] === undefined
  const local = (given['local_rope_theta'] as number | undefined) ?? (silent ? 10_000 : global)
  const scaling = given['rope_scaling']
  return {
    full_attention: rotaryConfig(NAME, own['full_attention'] ?? scaling, global),
    sliding_attention: rotaryConfig(NAME, own['sliding_attention'] ?? scaling, local),
  }
}

/**
 * ModernBERT as a graph: inputs `input_ids`, `attention_mask`, output `last_hidden_state`.
 *
 * @example
 * ```ts
 * const { graph, unused } = buildModernBert(JSON.parse(config), tensors)
 * ```
 *
 * @remarks
 * Texts stay padded, which gives the numbers of transformers' unpadded implementation. Hidden states are `embeddings`, `layers.<i>`
 * and, instead of the last of these, `final_norm`; attention maps `layers.<i>.attn.attention_probs`.
 *
 * @param json contents of `config.json`, see {@link ModernBertConfig}
 * @param checkpoint tensors by transformers' names, below `model.` or not; without one, parameters are drawn
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildModernBert(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  const config = modernBertConfig(json)
  const { num_hidden_layers: count } = config
  return buildTextModel(
    {
      name: 'modernbert',
      build: (builder, parameters, inputs, mode) => ({
        last_hidden_state: modernBert(builder, config, parameters, inputs, mode),
      }),
      layers: {
        hiddenStates: ['embeddings', ...numbered('layers', count - 1), 'final_norm'],
        attentions: numbered('layers', count, '.attn.attention_probs'),
        tokenEmbeddings: 'embeddings.tok_embeddings',
      },
    },
    checkpoint,
    options,
  )
}

/** Mask and rotation of a layer. */
interface Positions {
  /** [batch, 1, queries or 1, keys] */
  readonly mask: Value
  readonly rotation: Rotation
}

function modernBert(
  builder: Builder,
  config: ModernBertConfig,
  parameters: Parameters,
  { input_ids, attention_mask }: TextInputs,
  mode: Mode,
): Value {
  const { hidden_size, norm_eps, norm_bias, num_attention_heads } = config
  const embeddings = builder.scope('embeddings', { kind: 'ModernBertEmbeddings' }, () => {
    const init = truncated(config, config.initializer_range)
    const tokens = embedding(parameters, 'tok_embeddings', input_ids, config.vocab_size, hidden_size, init)
    const normalized = layerNorm(parameters, 'norm', tokens, norm_eps, { bias: norm_bias })
    return dropout(normalized, config.embedding_dropout, mode)
  })
  const positions = new Map<LayerType, Positions>()
  builder.scope('rotary_emb', { kind: 'ModernBertRotaryEmbedding' }, () => {
    const padding = additiveMask(attention_mask)
    const reach = Math.floor(config.local_attention / 2)
    for (const type of new Set(config.layer_types)) {
      const mask =
        type === 'full_attention'
          ? padding
          : op.min(
              padding,
              distanceMask(embeddings, (distance) => op.lessOrEqual(op.abs(distance), reach)),
            )
      const turn = rotation(embeddings, hidden_size / num_attention_heads, config.rotary[type])
      positions.set(type, { mask, rotation: turn })
    }
  })
  let hidden = embeddings
  for (const [i, type] of config.layer_types.entries()) {
    hidden = builder.scope(`layers.${i}`, { kind: 'ModernBertEncoderLayer' }, () =>
      layer(config, parameters, hidden, positions.get(type)!, i === 0, mode),
    )
  }
  return layerNorm(parameters, 'final_norm', hidden, norm_eps, { bias: norm_bias })
}

function layer(
  config: ModernBertConfig,
  parameters: Parameters,
  x: Value,
  { mask, rotation }: Positions,
  first: boolean,
  mode: Mode,
): Value {
  const { builder } = x
  const { hidden_size, intermediate_size, num_attention_heads: heads, attention_dropout } = config
  const inner = linearInit(config, config.initializer_range)
  const outer = linearInit(config, config.initializer_range / Math.sqrt(2 * config.num_hidden_layers))
  const norm = (name: string, value: Value) =>
    layerNorm(parameters, name, value, config.norm_eps, { bias: config.norm_bias })

  // The embeddings are normalised already.
  const normalized = first ? x : norm('attn_norm', x)
  const attended = builder.scope('attn', { kind: 'ModernBertAttention' }, () => {
    const bias = config.attention_bias
    const projected = linear(parameters, 'Wqkv', normalized, 3 * hidden_size, { bias, init: inner })
    const [query, key, value] = op.split(projected, 3, -1).map((part) => splitHeads(part, heads)) as [
      Value,
      Value,
      Value,
    ]
    const turnedKey = op.transpose(rotate(key, rotation), [0, 1, 3, 2])
    const context = attend(rotate(query, rotation), turnedKey, value, {
      mask,
      dropout: attention_dropout,
      mode,
    })
    return dropout(
      linear(parameters, 'Wo', context, hidden_size, { bias, init: outer }),
      attention_dropout,
      mode,
    )
  })
  const sum = op.add(x, attended)
  const widened = norm('mlp_norm', sum)
  const fed = builder.scope('mlp', { kind: 'ModernBertMLP' }, () => {
    const bias = config.mlp_bias
    const both = linear(parameters, 'Wi', widened, 2 * intermediate_size, { bias, init: inner })
    const [input, gate] = op.split(both, 2, -1) as [Value, Value]
    const gated = op.mul(activation(config.hidden_activation)(input), gate)
    const kept = dropout(gated, config.mlp_dropout, mode)
    return linear(parameters, 'Wo', kept, hidden_size, { bias, init: outer })
  })
  return op.add(sum, fed)
}

function truncated(config: ModernBertConfig, std: number): Initialization {
  const bound = config.initializer_cutoff_factor * std
  return { kind: 'truncated_normal', std, a: -bound, b: bound }
}

function linearInit(config: ModernBertConfig, std: number): LayerInit {
  return { weight: truncated(config, std), bias: { kind: 'zeros' } }
}
