/** The text architectures by transformers' `model_type`. */
import type { BuildModel } from '../model.ts'
import { buildAlbert } from './albert.ts'
import { bertConfig, buildBert } from './bert.ts'
import { buildBertGeneration, buildElectra, buildErnie, buildSplinter } from './bertRelatives.ts'
import { buildDistilBert } from './distilBert.ts'
import { buildModernBert } from './modernBert.ts'
import { buildMpnet } from './mpnet.ts'
import { buildQwen3 } from './qwen3.ts'
import { buildCamembert, buildData2VecText, buildRoberta, buildXlmRoberta } from './roberta.ts'

/**
 * Builders of text models, by the `model_type` of their `config.json`.
 *
 * @example
 * ```ts
 * const { graph, unused, hiddenStates } = textArchitectures['distilbert']!(config, tensors)
 * ```
 *
 * @remarks
 * Inputs are `input_ids`, `attention_mask`, and `token_type_ids` where the model has them (int64 [batch, sequence]); the
 * output is `last_hidden_state`, and `pooler_output` where the checkpoint has a pooler. `hiddenStates`, `attentions` and
 * `tokenEmbeddings` of the result name the layers to `tap`, `cut` or `feed`.
 */
export const textArchitectures: Readonly<Record<string, BuildModel>> = {
  albert: buildAlbert,
  bert: (config, checkpoint, options) => buildBert(bertConfig(config), checkpoint, options),
  'bert-generation': buildBertGeneration,
  camembert: buildCamembert,
  'data2vec-text': buildData2VecText,
  distilbert: buildDistilBert,
  electra: buildElectra,
  ernie: buildErnie,
  modernbert: buildModernBert,
  mpnet: buildMpnet,
  qwen3: buildQwen3,
  roberta: buildRoberta,
  splinter: buildSplinter,
  'xlm-roberta': buildXlmRoberta,
}
