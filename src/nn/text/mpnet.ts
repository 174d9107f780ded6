/** MPNet (https://arxiv.org/abs/2004.09297), with the parameter names of transformers' `MPNetModel`. */
import { type Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { additiveMask, multiHeadAttention } from '../layers/attention.ts'
import { dropout, embedding, layerNorm, linear } from '../layers/layers.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Mode, Parameters } from '../types.ts'
import { BERT_DEFAULTS, BERT_ONLY, BERT_SIZES, type BertConfig } from './bert.ts'
import { invalid, readConfig } from './textConfig.ts'
import {
  buildTextModel,
  firstTokenPooler,
  normalInit,
  numbered,
  positionsBesidePadding,
  sequencePositions,
  type TextInputs,
} from './textModel.ts'

/** Fields of transformers' `config.json`, by its names. */
export interface MpnetConfig extends Omit<BertConfig, 'type_vocab_size'> {
  /** Rows of the table of relative positions; transformers uses the first 32, whatever it says. */
  readonly relative_attention_num_buckets: number
}

/** Fixed in transformers, whatever a configuration says. */
const PADDING = 1
const BUCKETS = 32
const MAX_DISTANCE = 128

/**
 * Checks the contents of a `config.json`.
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`
 */
export function mpnetConfig(json: unknown): MpnetConfig {
  const { type_vocab_size: _, ...defaults } = BERT_DEFAULTS
  const config = readConfig<MpnetConfig>(json, {
    architecture: 'MPNet',
    sizes: BERT_SIZES,
    defaults: { ...defaults, relative_attention_num_buckets: BUCKETS },
    only: BERT_ONLY,
    divides: [['hidden_size', 'num_attention_heads']],
    activations: ['hidden_act'],
  })
  const { relative_attention_num_buckets: buckets } = config
  if (Number.isSafeInteger(buckets) && buckets >= BUCKETS) return config
  throw invalid('MPNet', 'relative_attention_num_buckets', buckets, `It must be at least ${BUCKETS}.`)
}

/**
 * MPNet as a graph: inputs `input_ids`, `attention_mask`, outputs `last_hidden_state` and, where the checkpoint has a pooler,
 * `pooler_output`.
 *
 * @example
 * ```ts
 * const { graph, unused } = buildMpnet(JSON.parse(config), tensors)
 * ```
 *
 * @remarks
 * Positions are counted as in RoBERTa, so padded places of `input_ids` must hold 1. Hidden states are the layers
 * `embeddings` and `encoder.layer.<i>`, attention maps `encoder.layer.<i>.attention.attn.attention_probs`.
 *
 * @param json contents of `config.json`, see {@link MpnetConfig}
 * @param checkpoint tensors by transformers' names, below `mpnet.` or not; without one, parameters are drawn
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildMpnet(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  const config = mpnetConfig(json)
  const { num_hidden_layers, initializer_range } = config
  return buildTextModel(
    {
      name: 'mpnet',
      build: (builder, parameters, inputs, mode) => {
        const last_hidden_state = mpnet(builder, config, parameters, inputs, mode)
        if (!checkpoint || !parameters.has('pooler.dense.weight')) return { last_hidden_state }
        const pooler_output = builder.scope('pooler', { kind: 'MPNetPooler' }, () =>
          firstTokenPooler(parameters, last_hidden_state, initializer_range),
        )
        return { last_hidden_state, pooler_output }
      },
      layers: {
        hiddenStates: ['embeddings', ...numbered('encoder.layer', num_hidden_layers)],
        attentions: numbered('encoder.layer', num_hidden_layers, '.attention.attn.attention_probs'),
        tokenEmbeddings: 'embeddings.word_embeddings',
      },
    },
    checkpoint,
    options,
  )
}

function mpnet(
  builder: Builder,
  config: MpnetConfig,
  parameters: Parameters,
  { input_ids, attention_mask }: TextInputs,
  mode: Mode,
): Value {
  const { hidden_size, initializer_range: std } = config
  const embeddings = builder.scope('embeddings', { kind: 'MPNetEmbeddings' }, () => {
    const table = (name: string, ids: Value, count: number) =>
      embedding(parameters, name, ids, count, hidden_size, { kind: 'normal', std })
    const words = table('word_embeddings', input_ids, config.vocab_size)
    const positionIds = positionsBesidePadding(input_ids, PADDING)
    const positions = table('position_embeddings', positionIds, config.max_position_embeddings)
    const normalized = layerNorm(parameters, 'LayerNorm', op.add(words, positions), config.layer_norm_eps)
    return dropout(normalized, config.hidden_dropout_prob, mode)
  })
  return builder.scope('encoder', { kind: 'MPNetEncoder' }, () => {
    // One sum for all layers: [batch, heads, sequence, sequence].
    const mask = op.add(relativeBias(config, parameters, embeddings), additiveMask(attention_mask))
    let hidden = embeddings
    for (let i = 0; i < config.num_hidden_layers; i++) {
      hidden = builder.scope(`layer.${i}`, { kind: 'MPNetLayer' }, () =>
        layer(config, parameters, hidden, mask, mode),
      )
    }
    return hidden
  })
}

/** Bias of relative positions, added to the scores of every layer: [heads, queries, keys]. */
function relativeBias(config: MpnetConfig, parameters: Parameters, x: Value): Value {
  const { builder } = x
  const { num_attention_heads, relative_attention_num_buckets: rows, initializer_range: std } = config
  return builder.scope('relative_attention_bias', { kind: 'Embedding' }, () => {
    const table = parameters.weight(`${builder.path}.weight`, [rows, num_attention_heads], {
      kind: 'normal',
      std,
    })
    // Beyond the largest distance all positions share a bucket, so the bias of each distance is a small constant table.
    const distances = Array.from({ length: 2 * MAX_DISTANCE + 1 }, (_, i) => bucket(i - MAX_DISTANCE))
    const biases = op.transpose(op.gather(table, builder.constant(distances)), [1, 0])
    const positions = sequencePositions(x)
    const relative = op.sub(op.unsqueeze(positions, [0]), op.unsqueeze(positions, [1]))
    const clipped = op.clip(relative, -MAX_DISTANCE, MAX_DISTANCE)
    return op.gather(biases, op.add(clipped, MAX_DISTANCE), 1)
  })
}

/** The bucket of a key that stands `relative` places behind the query: exact near by, logarithmic farther away, as in T5. */
export function bucket(relative: number): number {
  const half = BUCKETS / 2
  const exact = half / 2
  const side = relative > 0 ? half : 0
  const distance = Math.abs(relative)
  if (distance < exact) return side + distance
  // In float32, as transformers computes it: the edges of the buckets depend on the rounding.
  const { fround, log } = Math
  const scale = fround(log(MAX_DISTANCE / exact))
  const steps = fround(fround(fround(log(distance / exact)) / scale) * (half - exact))
  return side + Math.min(exact + Math.trunc(steps), half - 1)
}

function layer(config: MpnetConfig, parameters: Parameters, x: Value, mask: Value, mode: Mode): Value {
  const { builder } = x
  const { hidden_size, hidden_dropout_prob, layer_norm_eps } = config
  const project = (name: string, value: Value, features = hidden_size) =>
    linear(parameters, name, value, features, { init: normalInit(config.initializer_range) })
  const end = (value: Value, residual: Value) => {
    const sum = op.add(dropout(value, hidden_dropout_prob, mode), residual)
    return layerNorm(parameters, 'LayerNorm', sum, layer_norm_eps)
  }
  const attended = builder.scope('attention', { kind: 'MPNetAttention' }, () => {
    const context = builder.scope('attn', { kind: 'MPNetSelfAttention' }, () => {
      const heads = multiHeadAttention(project('q', x), project('k', x), project('v', x), {
        heads: config.num_attention_heads,
        mask,
        dropout: config.attention_probs_dropout_prob,
        mode,
      })
      return project('o', heads)
    })
    return end(context, x)
  })
  const intermediate = builder.scope('intermediate', { kind: 'MPNetIntermediate' }, () =>
    activation(config.hidden_act)(project('dense', attended, config.intermediate_size)),
  )
  return builder.scope('output', { kind: 'MPNetOutput' }, () => end(project('dense', intermediate), attended))
}
