/** DistilBERT (https://arxiv.org/abs/1910.01108), with the parameter names of transformers' `DistilBertModel`. */
import { type Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { additiveMask, multiHeadAttention } from '../layers/attention.ts'
import { dropout, embedding, layerNorm, linear } from '../layers/layers.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Mode, Parameters } from '../types.ts'
import { readConfig } from './textConfig.ts'
import { absolutePositions, buildTextModel, normalInit, numbered, type TextInputs } from './textModel.ts'

/** Fields of transformers' `config.json`, by its names. */
export interface DistilBertConfig {
  readonly vocab_size: number
  readonly max_position_embeddings: number
  readonly dim: number
  readonly n_layers: number
  readonly n_heads: number
  readonly hidden_dim: number
  readonly activation: string
  readonly dropout: number
  readonly attention_dropout: number
  /** Fresh position embeddings are sines and cosines. */
  readonly sinusoidal_pos_embds: boolean
  readonly initializer_range: number
}

/**
 * Checks the contents of a `config.json`.
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`
 */
export function distilBertConfig(json: unknown): DistilBertConfig {
  return readConfig<DistilBertConfig>(json, {
    architecture: 'DistilBERT',
    sizes: ['vocab_size', 'max_position_embeddings', 'dim', 'n_layers', 'n_heads', 'hidden_dim'],
    defaults: {
      activation: 'gelu',
      dropout: 0.1,
      attention_dropout: 0.1,
      sinusoidal_pos_embds: false,
      initializer_range: 0.02,
    },
    divides: [['dim', 'n_heads']],
    activations: ['activation'],
  })
}

/**
 * DistilBERT as a graph: inputs `input_ids`, `attention_mask`, output `last_hidden_state`.
 *
 * @example
 * ```ts
 * const { graph, unused } = buildDistilBert(JSON.parse(config), tensors)
 * ```
 *
 * @remarks
 * Hidden states are the layers `embeddings` and `transformer.layer.<i>`, attention maps
 * `transformer.layer.<i>.attention.attention_probs`, the token embeddings alone `embeddings.word_embeddings`.
 *
 * @param json contents of `config.json`, see {@link DistilBertConfig}
 * @param checkpoint tensors by transformers' names, below `distilbert.` or not; without one, parameters are drawn
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildDistilBert(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  const config = distilBertConfig(json)
  const { n_layers } = config
  return buildTextModel(
    {
      name: 'distilbert',
      build: (builder, parameters, inputs, mode) => ({
        last_hidden_state: distilBert(builder, config, parameters, inputs, mode),
      }),
      layers: {
        hiddenStates: ['embeddings', ...numbered('transformer.layer', n_layers)],
        attentions: numbered('transformer.layer', n_layers, '.attention.attention_probs'),
        tokenEmbeddings: 'embeddings.word_embeddings',
      },
    },
    checkpoint,
    options,
  )
}

/** Fixed in transformers, whatever a configuration says. */
const EPSILON = 1e-12

function distilBert(
  builder: Builder,
  config: DistilBertConfig,
  parameters: Parameters,
  { input_ids, attention_mask }: TextInputs,
  mode: Mode,
): Value {
  const { dim, initializer_range: std } = config
  const embeddings = builder.scope('embeddings', { kind: 'Embeddings' }, () => {
    const init = { kind: 'normal', std } as const
    const words = embedding(parameters, 'word_embeddings', input_ids, config.vocab_size, dim, init)
    const positions = absolutePositions(
      parameters,
      words,
      config.max_position_embeddings,
      dim,
      config.sinusoidal_pos_embds ? { kind: 'sinusoidal' } : init,
    )
    return dropout(
      layerNorm(parameters, 'LayerNorm', op.add(words, positions), EPSILON),
      config.dropout,
      mode,
    )
  })
  return builder.scope('transformer', { kind: 'Transformer' }, () => {
    const mask = additiveMask(attention_mask)
    let hidden = embeddings
    for (let i = 0; i < config.n_layers; i++) {
      hidden = builder.scope(`layer.${i}`, { kind: 'TransformerBlock' }, () =>
        block(config, parameters, hidden, mask, mode),
      )
    }
    return hidden
  })
}

function block(config: DistilBertConfig, parameters: Parameters, x: Value, mask: Value, mode: Mode): Value {
  const { builder } = x
  const project = (name: string, value: Value, features = config.dim) =>
    linear(parameters, name, value, features, { init: normalInit(config.initializer_range) })
  const context = builder.scope('attention', { kind: 'DistilBertSelfAttention' }, () => {
    const attended = multiHeadAttention(project('q_lin', x), project('k_lin', x), project('v_lin', x), {
      heads: config.n_heads,
      mask,
      dropout: config.attention_dropout,
      mode,
    })
    return project('out_lin', attended)
  })
  const attended = layerNorm(parameters, 'sa_layer_norm', op.add(context, x), EPSILON)
  const fed = builder.scope('ffn', { kind: 'FFN' }, () => {
    const inner = activation(config.activation)(project('lin1', attended, config.hidden_dim))
    return dropout(project('lin2', inner), config.dropout, mode)
  })
  return layerNorm(parameters, 'output_layer_norm', op.add(fed, attended), EPSILON)
}
