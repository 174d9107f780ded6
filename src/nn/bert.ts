/** BERT (https://arxiv.org/abs/1810.04805), with the parameter names of transformers' `BertModel`. */
import { Builder, type Graph, type Initializer, op, type Value } from '../graph/index.ts'
import { PipiloError } from '../tensor/index.ts'
import { activation } from './activations.ts'
import { additiveMask, multiHeadAttention } from './attention.ts'
import { dropout, embedding, type LayerInit, layerNorm, linear } from './layers.ts'
import { parametersFrom } from './parameters.ts'
import type { Architecture, Mode, Parameters } from './types.ts'

/** What transformers' `config.json` says, by its names. */
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
}

const DEFAULTS = {
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  initializer_range: 0.02,
}

const SIZES = [
  'vocab_size',
  'hidden_size',
  'num_hidden_layers',
  'num_attention_heads',
  'intermediate_size',
  'max_position_embeddings',
] as const

/**
 * Checks the contents of a `config.json`.
 *
 * @throws PipiloError `MODEL_INVALID` where a size is missing or no positive integer, `OPERATOR_UNSUPPORTED` for position
 *   embeddings that are not absolute, decoders and unknown activations
 */
export function bertConfig(json: unknown): BertConfig {
  const given = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>
  for (const name of SIZES) {
    const value = given[name]
    if (Number.isSafeInteger(value) && (value as number) > 0) continue
    throw new PipiloError('MODEL_INVALID', `BERT's configuration has no valid ${name}: ${value}.`, {
      input: name,
      hint: `It must be a positive integer.`,
    })
  }
  const position = given['position_embedding_type'] ?? 'absolute'
  if (position !== 'absolute') {
    throw new PipiloError(
      'OPERATOR_UNSUPPORTED',
      `Position embeddings of type ${position} are not supported.`,
      {
        input: 'position_embedding_type',
        hint: 'Only absolute ones are.',
      },
    )
  }
  if (given['is_decoder'] === true) {
    throw new PipiloError('OPERATOR_UNSUPPORTED', 'A BERT that is a decoder is not supported.', {
      input: 'is_decoder',
    })
  }
  const known = Object.entries({ ...DEFAULTS, ...given }).filter(([name]) => isField(name))
  const config = Object.fromEntries(known) as unknown as BertConfig
  activation(config.hidden_act)
  return config
}

function isField(name: string): boolean {
  return name in DEFAULTS || (SIZES as readonly string[]).includes(name)
}

/** int64 [batch, sequence] each. */
export interface BertInputs {
  readonly input_ids: Value
  /** 1 for tokens, 0 for padding. */
  readonly attention_mask: Value
  readonly token_type_ids: Value
}

export interface BertOutputs {
  /** [batch, sequence, hidden_size] */
  readonly last_hidden_state: Value
  /** [batch, hidden_size], where there is a pooler. */
  readonly pooler_output?: Value
}

/** BERT's encoder; its pooler where `config.pooler` is set. */
export const bert: Architecture<BertConfig & { readonly pooler?: boolean }, BertInputs, BertOutputs> = (
  builder,
  config,
  parameters,
  inputs,
  mode,
) => {
  const embeddings = builder.scope('embeddings', { kind: 'BertEmbeddings' }, () =>
    embed(config, parameters, inputs, mode),
  )
  const last_hidden_state = builder.scope('encoder', { kind: 'BertEncoder' }, () => {
    const mask = additiveMask(inputs.attention_mask)
    let hidden = embeddings
    for (let i = 0; i < config.num_hidden_layers; i++) {
      hidden = builder.scope(`layer.${i}`, { kind: 'BertLayer' }, () =>
        layer(config, parameters, hidden, mask, mode),
      )
    }
    return hidden
  })
  if (!config.pooler) return { last_hidden_state }
  const pooler_output = builder.scope('pooler', { kind: 'BertPooler' }, () => {
    const first = op.gather(last_hidden_state, 0, 1)
    return op.tanh(linear(parameters, 'dense', first, config.hidden_size, { init: init(config) }))
  })
  return { last_hidden_state, pooler_output }
}

const init = (config: BertConfig): LayerInit => ({
  weight: { kind: 'normal', std: config.initializer_range },
  bias: { kind: 'zeros' },
})

function embed(config: BertConfig, parameters: Parameters, inputs: BertInputs, mode: Mode): Value {
  const { input_ids, token_type_ids } = inputs
  const { builder } = input_ids
  const { hidden_size, initializer_range, max_position_embeddings } = config
  const normal = { kind: 'normal', std: initializer_range } as const
  const words = embedding(parameters, 'word_embeddings', input_ids, config.vocab_size, hidden_size, normal)
  const types = embedding(
    parameters,
    'token_type_embeddings',
    token_type_ids,
    config.type_vocab_size,
    hidden_size,
    normal,
  )
  const positions = builder.scope('position_embeddings', { kind: 'Embedding' }, () => {
    const table = parameters(`${builder.path}.weight`, [max_position_embeddings, hidden_size], normal)
    // Position i is row i: a slice of the table, not a Gather of a Range, which ONNX Runtime's optimiser breaks.
    return op.slice(table, [0], op.shape(input_ids, 1, 2), { axes: [0] })
  })
  const sum = op.add(op.add(words, types), positions)
  const normalized = layerNorm(parameters, 'LayerNorm', sum, config.layer_norm_eps)
  return dropout(normalized, config.hidden_dropout_prob, mode)
}

function layer(config: BertConfig, parameters: Parameters, x: Value, mask: Value, mode: Mode): Value {
  const { builder } = x
  const { hidden_size, hidden_dropout_prob, layer_norm_eps } = config
  const project = (name: string, value: Value, features = hidden_size) =>
    linear(parameters, name, value, features, { init: init(config) })
  /** Projection, dropout, sum with what came in, norm: the end of both halves. */
  const output = (value: Value, residual: Value) =>
    builder.scope('output', { kind: 'BertOutput' }, () => {
      const dense = dropout(project('dense', value), hidden_dropout_prob, mode)
      return layerNorm(parameters, 'LayerNorm', op.add(dense, residual), layer_norm_eps)
    })

  const attended = builder.scope('attention', { kind: 'BertAttention' }, () => {
    const context = builder.scope('self', { kind: 'BertSelfAttention' }, () =>
      multiHeadAttention(project('query', x), project('key', x), project('value', x), {
        heads: config.num_attention_heads,
        mask,
        dropout: config.attention_probs_dropout_prob,
        mode,
      }),
    )
    return output(context, x)
  })
  const intermediate = builder.scope('intermediate', { kind: 'BertIntermediate' }, () =>
    activation(config.hidden_act)(project('dense', attended, config.intermediate_size)),
  )
  return output(intermediate, attended)
}

export interface BuildBertOptions {
  /** Default `inference`. */
  readonly mode?: Mode
  /** Seed of fresh parameters, where there is no checkpoint. Default 0. */
  readonly seed?: number
  /** Build the pooler. Default: where the checkpoint has one; not without a checkpoint. */
  readonly pooler?: boolean
  /** Name of the graph. Default `bert`. */
  readonly name?: string
}

/** Where checkpoints of larger models, and of sentence-transformers, keep the encoder. */
const PREFIXES = ['', 'bert.', 'model.', 'auto_model.', '0.auto_model.']

/**
 * BERT as a graph: inputs `input_ids`, `attention_mask`, `token_type_ids` (int64 [batch, sequence]), outputs
 * `last_hidden_state` and, with a pooler, `pooler_output`.
 *
 * ```ts
 * const { graph, unused } = buildBert(bertConfig(JSON.parse(text)), tensors)
 * ```
 *
 * @param checkpoint tensors by transformers' names; without one, parameters are drawn
 * @returns the graph, and the checkpoint's tensors that BERT did not ask for
 * @throws PipiloError `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildBert(
  config: BertConfig,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildBertOptions = {},
): { graph: Graph; unused: string[] } {
  const { mode = 'inference', seed = 0, name = 'bert' } = options
  const builder = new Builder({ name })
  const parameters = parametersFrom(builder, checkpoint, { prefixes: PREFIXES, seed })
  const pooler = options.pooler ?? (checkpoint !== undefined && parameters.has('pooler.dense.weight'))
  const tokens = (input: string) => builder.input(input, 'int64', ['batch', 'sequence'])
  const inputs = {
    input_ids: tokens('input_ids'),
    attention_mask: tokens('attention_mask'),
    token_type_ids: tokens('token_type_ids'),
  }
  const outputs = bert(builder, { ...config, pooler }, parameters, inputs, mode)
  for (const [output, value] of Object.entries(outputs)) builder.output(output, value)
  return { graph: builder.build(), unused: parameters.unused() }
}
