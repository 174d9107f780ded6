/** Qwen3 (https://arxiv.org/abs/2505.09388) as used for embeddings, with the parameter names of transformers' `Qwen3Model`. */
import { type Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { additiveMask, attend, splitHeads } from '../layers/attention.ts'
import { embedding, linear, rmsNorm } from '../layers/layers.ts'
import {
  distanceMask,
  type RotaryConfig,
  type Rotation,
  rotaryConfig,
  rotate,
  rotation,
} from '../layers/rotary.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Mode, Parameters } from '../types.ts'
import { fieldsOf, invalid, type LayerType, layerTypes, readConfig } from './textConfig.ts'
import { buildTextModel, normalInit, numbered, type TextInputs } from './textModel.ts'

/** Fields of transformers' `config.json`, by its names; `layer_types` and `rotary` from either of its spellings. */
export interface Qwen3Config {
  readonly vocab_size: number
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  /** Fewer than `num_attention_heads`: groups of heads share keys and values. */
  readonly num_key_value_heads: number
  /** Features of a head. */
  readonly head_dim: number
  readonly hidden_act: string
  readonly rms_norm_eps: number
  readonly attention_bias: boolean
  readonly attention_dropout: number
  readonly initializer_range: number
  /** How many tokens back layers of `sliding_attention` see, their own included. */
  readonly sliding_window: number
  readonly layer_types: readonly LayerType[]
  readonly rotary: RotaryConfig
}

const NAME = 'Qwen3'

/**
 * Checks the contents of a `config.json`.
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`
 */
export function qwen3Config(json: unknown): Qwen3Config {
  const read = readConfig<
    Omit<Qwen3Config, 'layer_types' | 'rotary'> & {
      use_sliding_window: boolean
      max_window_layers: number
      rope_theta: number
    }
  >(json, {
    architecture: NAME,
    sizes: [
      'vocab_size',
      'hidden_size',
      'intermediate_size',
      'num_hidden_layers',
      'num_attention_heads',
      'num_key_value_heads',
    ],
    defaults: {
      head_dim: 128,
      hidden_act: 'silu',
      rms_norm_eps: 1e-6,
      attention_bias: false,
      attention_dropout: 0,
      initializer_range: 0.02,
      use_sliding_window: false,
      sliding_window: 4096,
      max_window_layers: 28,
      rope_theta: 10_000,
    },
    divides: [['num_attention_heads', 'num_key_value_heads']],
    activations: ['hidden_act'],
  })
  const { use_sliding_window, max_window_layers, rope_theta, ...config } = read
  const { head_dim, sliding_window } = config
  if (!Number.isSafeInteger(head_dim) || head_dim < 2 || head_dim % 2 !== 0)
    throw invalid(NAME, 'head_dim', head_dim, 'It must be a positive even integer.')
  if (!Number.isSafeInteger(sliding_window) || sliding_window < 1)
    throw invalid(NAME, 'sliding_window', sliding_window, 'It must be a positive integer.')
  const given = fieldsOf(json)
  if (given['is_causal'] === false) throw invalid(NAME, 'is_causal', false, 'Only causal attention is built.')
  const slides = use_sliding_window && given['sliding_window'] !== undefined
  const fallback = (i: number): LayerType =>
    slides && i >= max_window_layers ? 'sliding_attention' : 'full_attention'
  return {
    ...config,
    layer_types: layerTypes(NAME, given['layer_types'], config.num_hidden_layers, fallback),
    rotary: rotaryConfig(NAME, given['rope_parameters'] ?? given['rope_scaling'], rope_theta),
  }
}

/**
 * Qwen3 as a graph: inputs `input_ids`, `attention_mask`, output `last_hidden_state`. Its embedding is the last token's: pool with
 * `last`, whichever side is padded.
 *
 * @example
 * ```ts
 * const { graph, unused } = buildQwen3(JSON.parse(config), tensors)
 * ```
 *
 * @remarks
 * Hidden states are `embed_tokens`, `layers.<i>` and, instead of the last of these, `norm`; attention maps
 * `layers.<i>.self_attn.attention_probs`.
 *
 * @param json contents of `config.json`, see {@link Qwen3Config}
 * @param checkpoint tensors by transformers' names, below `model.` or not; without one, parameters are drawn
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildQwen3(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  const config = qwen3Config(json)
  const { num_hidden_layers: count } = config
  return buildTextModel(
    {
      name: 'qwen3',
      build: (builder, parameters, inputs, mode) => ({
        last_hidden_state: qwen3(builder, config, parameters, inputs, mode),
      }),
      layers: {
        hiddenStates: ['embed_tokens', ...numbered('layers', count - 1), 'norm'],
        attentions: numbered('layers', count, '.self_attn.attention_probs'),
        tokenEmbeddings: 'embed_tokens',
      },
    },
    checkpoint,
    options,
  )
}

function qwen3(
  builder: Builder,
  config: Qwen3Config,
  parameters: Parameters,
  { input_ids, attention_mask }: TextInputs,
  mode: Mode,
): Value {
  const { hidden_size, initializer_range: std, sliding_window } = config
  let hidden = embedding(parameters, 'embed_tokens', input_ids, config.vocab_size, hidden_size, {
    kind: 'normal',
    std,
  })
  const tokens = hidden
  const masks = new Map<LayerType, Value>()
  const turn = builder.scope('rotary_emb', { kind: 'Qwen3RotaryEmbedding' }, () => {
    const padding = additiveMask(attention_mask)
    for (const type of new Set(config.layer_types)) {
      const visible = distanceMask(tokens, (distance) => {
        const past = op.greaterOrEqual(distance, 0)
        return type === 'full_attention' ? past : op.and(past, op.less(distance, sliding_window))
      })
      masks.set(type, op.min(padding, visible))
    }
    return rotation(tokens, config.head_dim, config.rotary)
  })
  for (const [i, type] of config.layer_types.entries()) {
    hidden = builder.scope(`layers.${i}`, { kind: 'Qwen3DecoderLayer' }, () =>
      layer(config, parameters, hidden, masks.get(type)!, turn, mode),
    )
  }
  return rmsNorm(parameters, 'norm', hidden, config.rms_norm_eps)
}

function layer(
  config: Qwen3Config,
  parameters: Parameters,
  x: Value,
  mask: Value,
  turn: Rotation,
  mode: Mode,
): Value {
  const { builder } = x
  const { hidden_size, head_dim, intermediate_size, rms_norm_eps } = config
  const init = normalInit(config.initializer_range)
  const project = (name: string, value: Value, features: number, bias = false) =>
    linear(parameters, name, value, features, { bias, init })

  const normalized = rmsNorm(parameters, 'input_layernorm', x, rms_norm_eps)
  const attended = builder.scope('self_attn', { kind: 'Qwen3Attention' }, () => {
    const { num_attention_heads: heads, num_key_value_heads: keyHeads, attention_bias } = config
    const part = (name: string, count: number) => project(name, normalized, count * head_dim, attention_bias)
    /** Normalised head by head and turned: [batch, heads, sequence, depth]. */
    const turned = (name: string, count: number) => {
      const split = op.reshape(part(`${name}_proj`, count), [0, 0, count, head_dim])
      const normed = rmsNorm(parameters, `${name}_norm`, split, rms_norm_eps)
      return rotate(op.transpose(normed, [0, 2, 1, 3]), turn)
    }
    const key = op.transpose(turned('k', keyHeads), [0, 1, 3, 2])
    const value = splitHeads(part('v_proj', keyHeads), keyHeads)
    const context = attend(turned('q', heads), key, value, {
      mask,
      dropout: config.attention_dropout,
      mode,
    })
    return project('o_proj', context, hidden_size, attention_bias)
  })
  const sum = op.add(x, attended)
  const renormalized = rmsNorm(parameters, 'post_attention_layernorm', sum, rms_norm_eps)
  const fed = builder.scope('mlp', { kind: 'Qwen3MLP' }, () => {
    const gate = activation(config.hidden_act)(project('gate_proj', renormalized, intermediate_size))
    const up = project('up_proj', renormalized, intermediate_size)
    return project('down_proj', op.mul(gate, up), hidden_size)
  })
  return op.add(sum, fed)
}
