/** Text networks with pooling and normalisation behind them (Sentence-BERT, https://arxiv.org/abs/1908.10084), to be trained or used. */
import { PipiloError } from '../../base/index.ts'
import { Builder, type Initializer, parametersOf, prune } from '../../graph/index.ts'
import { findArchitecture } from '../architectures.ts'
import { l2Normalize, type PoolKind, pool } from '../layers/pooling.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import { fieldsOf } from './textConfig.ts'

export interface SentenceEncoderOptions extends BuildOptions {
  /** Default `mean`, over the tokens that are not padding. */
  readonly pooling?: Exclude<PoolKind, 'none'>
  /** Vectors of length 1. Default `true`. */
  readonly normalize?: boolean
}

/**
 * A text network as a graph that gives one vector a text: inputs `input_ids`, `attention_mask` and perhaps `token_type_ids` (int64
 * [batch, sequence]), output `sentence_embedding` (float32 [batch, features]).
 *
 * @example
 * ```ts
 * const { graph } = buildSentenceEncoder(JSON.parse(config), tensors, { mode: 'training' })
 * ```
 *
 * @remarks
 * While training, dropout is that of the configuration (`hidden_dropout_prob`, `attention_probs_dropout_prob`); set both to 0 for none.
 * Weights of half precision in memory become float32; those in a file do so by `widen`. What the vector does not need (a pooler) is not in the
 * graph. Parameters have transformers' names.
 *
 * @param json transformers' `config.json`; its `model_type` says which network
 * @throws PipiloError `MODEL_INVALID`, `PARAMETER_MISSING`, `SHAPE_MISMATCH`
 */
export function buildSentenceEncoder(
  json: unknown,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: SentenceEncoderOptions = {},
): BuiltModel {
  const { pooling = 'mean', normalize = true, ...rest } = options
  const config = fieldsOf(json)
  const type = `${config['model_type']}`
  const found = findArchitecture(type, 'transformers')
  if (found?.modality !== 'text') {
    throw new PipiloError('MODEL_INVALID', `${type} (model_type) is no text network that is known here.`, {
      input: 'model_type',
    })
  }
  const model = found.build(config, checkpoint, rest)
  const builder = Builder.from(model.graph, { outputs: 'clear' })
  const pooled = builder.scope('pooling', { kind: 'Pooling' }, () =>
    pool(builder.value('last_hidden_state'), pooling, builder.value('attention_mask')),
  )
  const vector = normalize
    ? builder.scope('normalization', { kind: 'Normalize' }, () => l2Normalize(pooled))
    : pooled
  builder.output('sentence_embedding', vector)
  const graph = prune(builder.build(), { keepInputs: true })
  return { ...model, graph, parameters: parametersOf(graph), penultimate: 'sentence_embedding' }
}
