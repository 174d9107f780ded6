/** ALBERT (https://arxiv.org/abs/1909.11942), with the parameter names of transformers' `AlbertModel`. */
import { type Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { additiveMask, multiHeadAttention } from '../layers/attention.ts'
import { dropout, embedding, layerNorm, linear } from '../layers/layers.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Mode, Parameters } from '../types.ts'
import { BERT_DEFAULTS, BERT_ONLY, BERT_SIZES, type BertConfig } from './bert.ts'
import { invalid, readConfig } from './textConfig.ts'
import {
  absolutePositions,
  buildTextModel,
  firstTokenPooler,
  normalInit,
  numbered,
  type TextInputs,
} from './textModel.ts'

/** Fields of transformers' `config.json`, by its names. */
export interface AlbertConfig extends BertConfig {
  /** Features of the embeddings, mapped to `hidden_size` before the first layer. */
  readonly embedding_size: number
  /** Groups of layers; layers of a group share their parameters. */
  readonly num_hidden_groups: number
  /** Layers within one step of a group. */
  readonly inner_group_num: number
}

/**
 * Checks the contents of a `config.json`.
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`
 */
export function albertConfig(json: unknown): AlbertConfig {
  const config = readConfig<AlbertConfig>(json, {
    architecture: 'ALBERT',
    sizes: [...BERT_SIZES, 'embedding_size'],
    defaults: {
      ...BERT_DEFAULTS,
      hidden_act: 'gelu_new',
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
      num_hidden_groups: 1,
      inner_group_num: 1,
    },
    only: BERT_ONLY,
    divides: [['hidden_size', 'num_attention_heads']],
    activations: ['hidden_act'],
  })
  for (const name of ['num_hidden_groups', 'inner_group_num'] as const) {
    const value = config[name]
    const most = name === 'num_hidden_groups' ? config.num_hidden_layers : Number.POSITIVE_INFINITY
    if (!Number.isSafeInteger(value) || value < 1 || value > most)
      throw invalid('ALBERT', name, value, 'It must be a positive integer, and a group have a layer.')
  }
  return config
}

/**
 * ALBERT as a graph: inputs `input_ids`, `attention_mask`, `token_type_ids`, outputs `last_hidden_state` and, where the
 * checkpoint has a pooler, `pooler_output`.
 *
 * @example
 * ```ts
 * const { graph, unused } = buildAlbert(JSON.parse(config), tensors)
 * ```
 *
 * @remarks
 * Parameters are shared (`encoder.albert_layer_groups.0.albert_layers.0.…` serves every layer of its group) and in the graph once;
 * the layers that they make are told apart: hidden states are `encoder.embedding_hidden_mapping_in` and `encoder.layer.<i>` in the
 * order of computation, attention maps `encoder.layer.<i>.attention.attention_probs`. `embeddings` has `embedding_size`
 * features.
 *
 * @param json contents of `config.json`, see {@link AlbertConfig}
 * @param checkpoint tensors by transformers' names, below `albert.` or not; without one, parameters are drawn
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildAlbert(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  const config = albertConfig(json)
  const count = config.num_hidden_layers * config.inner_group_num
  return buildTextModel(
    {
      name: 'albert',
      tokenTypes: true,
      build: (builder, parameters, inputs, mode) => {
        const last_hidden_state = albert(builder, config, parameters, inputs, mode)
        if (!checkpoint || !parameters.has('pooler.weight')) return { last_hidden_state }
        const std = config.initializer_range
        return {
          last_hidden_state,
          pooler_output: firstTokenPooler(parameters, last_hidden_state, std, 'pooler'),
        }
      },
      layers: {
        hiddenStates: ['encoder.embedding_hidden_mapping_in', ...numbered('encoder.layer', count)],
        attentions: numbered('encoder.layer', count, '.attention.attention_probs'),
        tokenEmbeddings: 'embeddings.word_embeddings',
      },
    },
    checkpoint,
    options,
  )
}

function albert(
  builder: Builder,
  config: AlbertConfig,
  parameters: Parameters,
  inputs: TextInputs,
  mode: Mode,
): Value {
  const { inner_group_num, num_hidden_groups, num_hidden_layers, initializer_range: std } = config
  const embeddings = builder.scope('embeddings', { kind: 'AlbertEmbeddings' }, () =>
    embed(config, parameters, inputs, mode),
  )
  return builder.scope('encoder', { kind: 'AlbertTransformer' }, () => {
    const mask = additiveMask(inputs.attention_mask)
    let hidden = linear(parameters, 'embedding_hidden_mapping_in', embeddings, config.hidden_size, {
      init: normalInit(std),
    })
    for (let i = 0; i < num_hidden_layers * inner_group_num; i++) {
      const step = Math.floor(i / inner_group_num)
      const group = Math.floor(step / (num_hidden_layers / num_hidden_groups))
      const shared = `encoder.albert_layer_groups.${group}.albert_layers.${i % inner_group_num}.`
      const own = `encoder.layer.${i}.`
      const sharing: Parameters = {
        ...parameters,
        weight: (name, shape, init) => parameters.weight(name.replace(own, shared), shape, init),
      }
      hidden = builder.scope(`layer.${i}`, { kind: 'AlbertLayer' }, () =>
        layer(config, sharing, hidden, mask, mode),
      )
    }
    return hidden
  })
}

function embed(config: AlbertConfig, parameters: Parameters, inputs: TextInputs, mode: Mode): Value {
  const { embedding_size: size, initializer_range: std, max_position_embeddings } = config
  const init = { kind: 'normal', std } as const
  const table = (name: string, ids: Value, count: number) =>
    embedding(parameters, name, ids, count, size, init)
  const words = table('word_embeddings', inputs.input_ids, config.vocab_size)
  const types = table('token_type_embeddings', inputs.token_type_ids!, config.type_vocab_size)
  const positions = absolutePositions(parameters, words, max_position_embeddings, size, init)
  const sum = op.add(op.add(words, types), positions)
  const normalized = layerNorm(parameters, 'LayerNorm', sum, config.layer_norm_eps)
  return dropout(normalized, config.hidden_dropout_prob, mode)
}

function layer(config: AlbertConfig, parameters: Parameters, x: Value, mask: Value, mode: Mode): Value {
  const { builder } = x
  const { hidden_size, hidden_dropout_prob, layer_norm_eps } = config
  const project = (name: string, value: Value, features = hidden_size) =>
    linear(parameters, name, value, features, { init: normalInit(config.initializer_range) })
  const attended = builder.scope('attention', { kind: 'AlbertAttention' }, () => {
    const context = multiHeadAttention(project('query', x), project('key', x), project('value', x), {
      heads: config.num_attention_heads,
      mask,
      dropout: config.attention_probs_dropout_prob,
      mode,
    })
    const dense = dropout(project('dense', context), hidden_dropout_prob, mode)
    return layerNorm(parameters, 'LayerNorm', op.add(x, dense), layer_norm_eps)
  })
  const inner = activation(config.hidden_act)(project('ffn', attended, config.intermediate_size))
  const fed = project('ffn_output', inner)
  return layerNorm(parameters, 'full_layer_layer_norm', op.add(fed, attended), layer_norm_eps)
}
