/**
 * Models that are BERT's network under another `model_type`, or nearly so: ELECTRA (https://arxiv.org/abs/2003.10555), ERNIE
 * (https://arxiv.org/abs/1904.09223), Splinter (https://arxiv.org/abs/2101.00438), and the encoder of BertGeneration
 * (https://arxiv.org/abs/1907.12461). Names of parameters are transformers'.
 */
import type { BuildModel } from '../model.ts'
import {
  BERT_DEFAULTS,
  BERT_ONLY,
  BERT_SIZES,
  type BertConfig,
  type BertRelative,
  bertConfig,
  buildBertOf,
} from './bert.ts'
import { readConfig } from './textConfig.ts'

/** The configuration of one of them, as `buildBertOf` takes it. */
const readers: Readonly<Record<string, (json: unknown) => BertConfig>> = {
  Electra: (json) =>
    readConfig<BertConfig>(json, {
      architecture: 'ELECTRA',
      sizes: BERT_SIZES,
      defaults: { ...BERT_DEFAULTS, embedding_size: 128 },
      only: BERT_ONLY,
      divides: [['hidden_size', 'num_attention_heads']],
      activations: ['hidden_act'],
    }),
  Ernie(json) {
    type ErnieConfig = BertConfig & { use_task_id: boolean; task_type_vocab_size: number }
    const { use_task_id, task_type_vocab_size, ...config } = readConfig<ErnieConfig>(json, {
      architecture: 'ERNIE',
      sizes: BERT_SIZES,
      defaults: { ...BERT_DEFAULTS, use_task_id: false, task_type_vocab_size: 3 },
      only: BERT_ONLY,
      divides: [['hidden_size', 'num_attention_heads']],
      activations: ['hidden_act'],
    })
    return use_task_id ? { ...config, task_types: task_type_vocab_size } : config
  },
}

const relative =
  (kind: BertRelative): BuildModel =>
  (json, checkpoint, options) =>
    buildBertOf(kind, (readers[kind.family] ?? bertConfig)(json), checkpoint, options)

/** ELECTRA's discriminator, whose embeddings may be narrower than its layers. */
export const buildElectra = relative({ name: 'electra', family: 'Electra', pooler: false })

/** ERNIE, with its table of tasks where `use_task_id` is set: of these, transformers takes the first. */
export const buildErnie = relative({ name: 'ernie', family: 'Ernie' })

/** Splinter: BERT without a pooler. */
export const buildSplinter = relative({ name: 'splinter', family: 'Splinter', pooler: false })

/** The encoder of BertGeneration: BERT without types of tokens and without a pooler. */
export const buildBertGeneration = relative({
  name: 'bert-generation',
  family: 'BertGeneration',
  prefixes: ['bert.'],
  tokenTypes: false,
  pooler: false,
})
