/** BERT (https://arxiv.org/abs/1810.04805), with the parameter names of transformers' `BertModel`. */
import { type Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { additiveMask, multiHeadAttention } from '../layers/attention.ts'
import { dropout, embedding, layerNorm, linear } from '../layers/layers.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Architecture, Mode, Parameters } from '../types.ts'
import { readConfig } from './textConfig.ts'
import {
  absolutePositions,
  buildTextModel,
  firstTokenPooler,
  normalInit,
  numbered,
  type TextInputs,
  type TextModel,
  type TextOutputs,
} from './textModel.ts'

/** Fields of transformers' `config.json`, by its names. */
export interface BertConfig {
  readonly vocab_size: number
  readonly hidden_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly intermediate_size: number
  readonly max_position_embeddings: number
  readonly type_vocab_size: number
  readonly hidden_act: string
  readonly layer_norm_eps: number
  readonly hidden_dropout_prob: number
  readonly attention_probs_dropout_prob: number
  /** Deviation of fresh weights. */
  readonly initializer_range: number
  /** Features of the embeddings, which a linear layer then leads to `hidden_size` (ELECTRA). Default: `hidden_size` itself. */
  readonly embedding_size?: number
  /** Rows of a table of tasks, of which the first is added to every token (ERNIE). Default 0: there is none. */
  readonly task_types?: number
}

/** Defaults of BERT and its relatives for fields that a configuration lacks. */
export const BERT_DEFAULTS = {
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  initializer_range: 0.02,
} as const

/** The sizes that {@link BERT_DEFAULTS} leaves open. */
export const BERT_SIZES = [
  'vocab_size',
  'hidden_size',
  'num_hidden_layers',
  'num_attention_heads',
  'intermediate_size',
  'max_position_embeddings',
] as const

/** Options of transformers' BERT and its relatives that are built with one value only. */
export const BERT_ONLY = {
  position_embedding_type: 'absolute',
  is_decoder: false,
  add_cross_attention: false,
} as const

/**
 * Checks the contents of a `config.json`.
 *
 * @throws PipiloError `MODEL_INVALID` where a size is missing or no positive integer, `OPERATOR_UNSUPPORTED` for position
 *   embeddings that are not absolute, decoders and unknown activations
 */
export function bertConfig(json: unknown): BertConfig {
  return readConfig<BertConfig>(json, {
    architecture: 'BERT',
    sizes: BERT_SIZES,
    defaults: BERT_DEFAULTS,
    only: BERT_ONLY,
    divides: [['hidden_size', 'num_attention_heads']],
    activations: ['hidden_act'],
  })
}

/** int64 [batch, sequence] each. */
export type BertInputs = Required<TextInputs>

export type BertOutputs = TextOutputs

/** BERT's encoder; its pooler where `config.pooler` is set. */
export const bert: Architecture<BertConfig & { readonly pooler?: boolean }, BertInputs, BertOutputs> = (
  builder,
  config,
  parameters,
  inputs,
  mode,
) => {
  return bertOf('Bert', builder, config, parameters, inputs, mode)
}

function bertOf(
  family: string,
  builder: Builder,
  config: BertConfig & { readonly pooler?: boolean },
  parameters: Parameters,
  inputs: TextInputs,
  mode: Mode,
): BertOutputs {
  const { embedding_size: size, hidden_size } = config
  const narrow = builder.scope('embeddings', { kind: `${family}Embeddings` }, () =>
    embed(config, parameters, inputs, mode),
  )
  const init = normalInit(config.initializer_range)
  const embeddings =
    (size ?? hidden_size) === hidden_size
      ? narrow
      : linear(parameters, 'embeddings_project', narrow, hidden_size, { init })
  return bertEncoder(builder, config, parameters, embeddings, inputs.attention_mask, mode, family)
}

function embed(config: BertConfig, parameters: Parameters, inputs: TextInputs, mode: Mode): Value {
  const { initializer_range: std, max_position_embeddings, task_types: tasks = 0 } = config
  const { embedding_size: size = config.hidden_size } = config
  const init = { kind: 'normal', std } as const
  const table = (name: string, ids: Value, count: number) =>
    embedding(parameters, name, ids, count, size, init)
  const words = table('word_embeddings', inputs.input_ids, config.vocab_size)
  const typed = inputs.token_type_ids
    ? op.add(words, table('token_type_embeddings', inputs.token_type_ids, config.type_vocab_size))
    : words
  const positions = absolutePositions(parameters, words, max_position_embeddings, size, init)
  const placed = op.add(typed, positions)
  // transformers takes task 0 where none is said: its row, [features], is added everywhere.
  const sum =
    tasks > 0 ? op.add(placed, table('task_type_embeddings', words.builder.constant(0), tasks)) : placed
  const normalized = layerNorm(parameters, 'LayerNorm', sum, config.layer_norm_eps)
  return dropout(normalized, config.hidden_dropout_prob, mode)
}

/** The part of a configuration that concerns what comes after the embeddings. */
type EncoderConfig = Omit<BertConfig, 'vocab_size' | 'max_position_embeddings' | 'type_vocab_size'> & {
  readonly pooler?: boolean
}

/**
 * The encoder of BERT and RoBERTa: all after the embeddings.
 *
 * @param embeddings [batch, sequence, hidden_size]
 * @param attentionMask [batch, sequence], 1 for tokens and 0 for padding
 * @param family begins the modules' kinds. Default `Bert`
 */
export function bertEncoder(
  builder: Builder,
  config: EncoderConfig,
  parameters: Parameters,
  embeddings: Value,
  attentionMask: Value,
  mode: Mode,
  family = 'Bert',
): BertOutputs {
  const last_hidden_state = builder.scope('encoder', { kind: `${family}Encoder` }, () => {
    const mask = additiveMask(attentionMask)
    let hidden = embeddings
    for (let i = 0; i < config.num_hidden_layers; i++) {
      hidden = builder.scope(`layer.${i}`, { kind: `${family}Layer` }, () =>
        layer(config, parameters, hidden, mask, mode, family),
      )
    }
    return hidden
  })
  if (!config.pooler) return { last_hidden_state }
  const pooler_output = builder.scope('pooler', { kind: `${family}Pooler` }, () =>
    firstTokenPooler(parameters, last_hidden_state, config.initializer_range),
  )
  return { last_hidden_state, pooler_output }
}

function layer(
  config: EncoderConfig,
  parameters: Parameters,
  x: Value,
  mask: Value,
  mode: Mode,
  family: string,
): Value {
  const { builder } = x
  const { hidden_size, hidden_dropout_prob, layer_norm_eps } = config
  const project = (name: string, value: Value, features = hidden_size) =>
    linear(parameters, name, value, features, { init: normalInit(config.initializer_range) })
  /** Projection, dropout, sum with what came in, norm: the end of both halves. */
  const output = (value: Value, residual: Value) =>
    builder.scope('output', { kind: `${family}Output` }, () => {
      const dense = dropout(project('dense', value), hidden_dropout_prob, mode)
      return layerNorm(parameters, 'LayerNorm', op.add(dense, residual), layer_norm_eps)
    })

  const attended = builder.scope('attention', { kind: `${family}Attention` }, () => {
    const context = builder.scope('self', { kind: `${family}SelfAttention` }, () =>
      multiHeadAttention(project('query', x), project('key', x), project('value', x), {
        heads: config.num_attention_heads,
        mask,
        dropout: config.attention_probs_dropout_prob,
        mode,
      }),
    )
    return output(context, x)
  })
  const intermediate = builder.scope('intermediate', { kind: `${family}Intermediate` }, () =>
    activation(config.hidden_act)(project('dense', attended, config.intermediate_size)),
  )
  return output(intermediate, attended)
}

export interface BuildBertOptions extends BuildOptions {
  /** Build the pooler. Default: where the checkpoint has one; not without a checkpoint. */
  readonly pooler?: boolean
}

/** The layers of BERT and RoBERTa that users ask for. */
export function bertLayers(
  config: Pick<BertConfig, 'num_hidden_layers' | 'hidden_size' | 'embedding_size'>,
): TextModel['layers'] {
  const { num_hidden_layers, hidden_size, embedding_size = hidden_size } = config
  const entering = embedding_size === hidden_size ? 'embeddings' : 'embeddings_project'
  return {
    hiddenStates: [entering, ...numbered('encoder.layer', num_hidden_layers)],
    attentions: numbered('encoder.layer', num_hidden_layers, '.attention.self.attention_probs'),
    tokenEmbeddings: 'embeddings.word_embeddings',
  }
}

/**
 * BERT as a graph: inputs `input_ids`, `attention_mask`, `token_type_ids` (int64 [batch, sequence]), outputs
 * `last_hidden_state` and, with a pooler, `pooler_output`.
 *
 * @example
 * ```ts
 * const { graph, unused } = buildBert(bertConfig(JSON.parse(text)), tensors)
 * tap(graph, 'embeddings', 'encoder.layer.3', 'encoder.layer.3.attention.self.attention_probs')
 * feed(graph, { 'embeddings.word_embeddings': 'inputs_embeds' })
 * ```
 *
 * @remarks
 * Hidden states are the layers `embeddings` and `encoder.layer.<i>`, attention maps [batch, heads, queries, keys]
 * `encoder.layer.<i>.attention.self.attention_probs`.
 *
 * @param checkpoint tensors by transformers' names; without one, parameters are drawn
 * @returns the graph, and the checkpoint's tensors that BERT did not ask for
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildBert(
  config: BertConfig,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildBertOptions = {},
): BuiltModel {
  return buildBertOf({ name: 'bert', family: 'Bert' }, config, checkpoint, options)
}

/** A model that is BERT's network under another name. */
export interface BertRelative {
  /** transformers' `model_type`, as the prefix of names has it. */
  readonly name: string
  /** Begins the modules' kinds. */
  readonly family: string
  /** Further prefixes of names in checkpoints. */
  readonly prefixes?: readonly string[]
  /** It tells two texts apart. Default `true`. */
  readonly tokenTypes?: boolean
  /** It may have a pooler. Default `true`. */
  readonly pooler?: boolean
}

/** {@link buildBert} for BERT and its relatives. */
export function buildBertOf(
  { name, family, prefixes = [], tokenTypes = true, pooler: mayPool = true }: BertRelative,
  config: BertConfig,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildBertOptions = {},
): BuiltModel {
  const model: TextModel = {
    name,
    prefixes,
    tokenTypes,
    build: (builder, parameters, inputs, mode) => {
      const stored = checkpoint !== undefined && parameters.has('pooler.dense.weight')
      const pooler = mayPool && (options.pooler ?? stored)
      return bertOf(family, builder, { ...config, pooler }, parameters, inputs, mode)
    },
    layers: bertLayers(config),
  }
  return buildTextModel(model, checkpoint, options)
}
