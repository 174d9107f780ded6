// Refuses checkpoints with tensors that the network does not use, except for known heads.
import { PipiloError } from '../../base/index.ts'

/**
 * Heads that checkpoints carry beside the encoder that is built here, by transformers', timm's and OpenCLIP's names: for
 * masked words, next sentences, classes, answers, the decoder of a masked autoencoder, tokens that only training needs.
 */
const heads: readonly RegExp[] = [
  /(?:^|\.)(?:cls|lm_head|mlm_head|nsp_head|score|pre_classifier|qa_outputs|splinter_qass|seq_relationship|sop_classifier)\./,
  /(?:^|\.)(?:predictions|discriminator_predictions|generator_predictions|generator_lm_head)\./,
  /(?:^|\.)(?:vocab_\w+|span_\w+)\./,
  /(?:^|\.)(?:pooler|classifier|head|head_dist|fc|fc_norm|prediction_head|projection_head|contrastive_head)\./,
  /^(?:mlp_tokens|aux_logits|AuxLogits|aux1|aux2)\./,
  /^(?:decoder|decoder_blocks|decoder_embed|decoder_norm|decoder_pred)\./,
  /(?:^|\.)(?:mask_token|decoder_pos_embed|lm_head_bias)$/,
  /^(?:cls|lm_head|score|logit_scale|logit_bias)$/,
  // How many weights PyTorch's AveragedModel has averaged.
  /^n_averaged$/,
  // Numbers that OpenAI's CLIP keeps beside its weights.
  /^(?:input_resolution|context_length|vocab_size)$/,
]

/**
 * Takes care of tensors that no part of an architecture asked for: heads of other tasks are known, the rest is an error.
 *
 * @throws PipiloError `PARAMETER_UNUSED`, with all names
 */
export function refuseUnused(unused: readonly string[], label: string, architecture: string): void {
  const strange = unused.filter((name) => !heads.some((pattern) => pattern.test(name)))
  if (strange.length === 0) return
  throw new PipiloError(
    'PARAMETER_UNUSED',
    `${label} holds ${strange.length} tensor${strange.length > 1 ? 's' : ''} that no part of ${architecture} asked for: ${strange.join(', ')}.`,
    {
      input: label,
      hint: 'Check that the configuration belongs to these weights, or go on without them with { strict: false }.',
    },
  )
}
