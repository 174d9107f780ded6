/**
 * RoBERTa (https://arxiv.org/abs/1907.11692) and XLM-RoBERTa (https://arxiv.org/abs/1911.02116), with the parameter names of
 * transformers' `RobertaModel` and `XLMRobertaModel`. It is BERT with positions that are counted beside the padding.
 */
import { type Builder, type Initializer, op, type Value } from '../../graph/index.ts'
import { dropout, embedding, layerNorm } from '../layers/layers.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Mode, Parameters } from '../types.ts'
import { BERT_DEFAULTS, BERT_ONLY, BERT_SIZES, type BertConfig, bertEncoder, bertLayers } from './bert.ts'
import { invalid, readConfig } from './textConfig.ts'
import { buildTextModel, positionsBesidePadding, type TextInputs } from './textModel.ts'

/** Fields of transformers' `config.json`, by its names. */
export interface RobertaConfig extends BertConfig {
  /** Id of the padding, after which positions are counted: row `pad_token_id + 1` is the first. */
  readonly pad_token_id: number
}

/**
 * Checks the contents of a `config.json`.
 *
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`
 */
export function robertaConfig(json: unknown): RobertaConfig {
  const config = readConfig<RobertaConfig>(json, {
    architecture: 'RoBERTa',
    sizes: BERT_SIZES,
    defaults: { ...BERT_DEFAULTS, pad_token_id: 1 },
    only: BERT_ONLY,
    divides: [['hidden_size', 'num_attention_heads']],
    activations: ['hidden_act'],
  })
  const { pad_token_id: padding } = config
  if (Number.isSafeInteger(padding) && padding >= 0) return config
  throw invalid('RoBERTa', 'pad_token_id', padding, 'It must be an id.')
}

/**
 * RoBERTa as a graph: inputs `input_ids`, `attention_mask` (and `token_type_ids` where `type_vocab_size` is above 1), outputs
 * `last_hidden_state` and, where the checkpoint has a pooler, `pooler_output`.
 *
 * @example
 * ```ts
 * const { graph, unused } = buildRoberta(JSON.parse(config), tensors)
 * ```
 *
 * @remarks
 * Positions depend on the padding as in transformers: padding is told by its id, so padded places of `input_ids` must hold
 * `pad_token_id`. Layers are named as in `buildBert`.
 *
 * @param json contents of `config.json`, see {@link RobertaConfig}
 * @param checkpoint tensors by transformers' names, below `roberta.` or not; without one, parameters are drawn
 * @throws PipiloError `MODEL_INVALID`, `OPERATOR_UNSUPPORTED`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildRoberta(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  return build('roberta', 'Roberta', json, checkpoint, options)
}

/** {@link buildRoberta} for `model_type` `xlm-roberta`. */
export function buildXlmRoberta(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  return build('xlm-roberta', 'XLMRoberta', json, checkpoint, options)
}

/** {@link buildRoberta} for `model_type` `camembert` (https://arxiv.org/abs/1911.03894), the same network. */
export function buildCamembert(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  return build('camembert', 'Camembert', json, checkpoint, options)
}

/** {@link buildRoberta} for `model_type` `data2vec-text` (https://arxiv.org/abs/2202.03555), the same network. */
export function buildData2VecText(
  json: Readonly<Record<string, unknown>>,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  return build('data2vec-text', 'Data2VecText', json, checkpoint, options, ['data2vec_text.'])
}

function build(
  name: string,
  family: string,
  json: Readonly<Record<string, unknown>>,
  checkpoint: ReadonlyMap<string, Initializer> | undefined,
  options: BuildOptions,
  prefixes: readonly string[] = [],
): BuiltModel {
  const config = robertaConfig(json)
  return buildTextModel(
    {
      name,
      prefixes: ['roberta.', ...prefixes],
      tokenTypes: config.type_vocab_size > 1,
      build: (builder, parameters, inputs, mode) => {
        const pooler = checkpoint !== undefined && parameters.has('pooler.dense.weight')
        const embeddings = builder.scope('embeddings', { kind: `${family}Embeddings` }, () =>
          embed(builder, config, parameters, inputs, mode),
        )
        const { attention_mask } = inputs
        return bertEncoder(
          builder,
          { ...config, pooler },
          parameters,
          embeddings,
          attention_mask,
          mode,
          family,
        )
      },
      layers: bertLayers(config),
    },
    checkpoint,
    options,
  )
}

function embed(
  builder: Builder,
  config: RobertaConfig,
  parameters: Parameters,
  { input_ids, token_type_ids }: TextInputs,
  mode: Mode,
): Value {
  const { hidden_size, initializer_range: std } = config
  const table = (name: string, ids: Value, count: number) =>
    embedding(parameters, name, ids, count, hidden_size, { kind: 'normal', std })
  const words = table('word_embeddings', input_ids, config.vocab_size)
  // With one type there is nothing to tell apart: its row, [features], is added everywhere.
  const typeIds = token_type_ids ?? builder.constant(0)
  const types = table('token_type_embeddings', typeIds, config.type_vocab_size)
  const positionIds = positionsBesidePadding(input_ids, config.pad_token_id)
  const positions = table('position_embeddings', positionIds, config.max_position_embeddings)
  const sum = op.add(op.add(words, types), positions)
  const normalized = layerNorm(parameters, 'LayerNorm', sum, config.layer_norm_eps)
  return dropout(normalized, config.hidden_dropout_prob, mode)
}
