/** Sizes of BERT models that are known by name. */
import { type BertConfig, bertConfig } from './bert.ts'

const preset = (
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  vocab_size = 30522,
): BertConfig =>
  bertConfig({
    vocab_size,
    hidden_size,
    num_hidden_layers,
    num_attention_heads,
    intermediate_size: 4 * hidden_size,
    max_position_embeddings: 512,
  })

/**
 * Configurations for fresh models: the two of the paper, the small ones of https://arxiv.org/abs/1908.08962, and MiniLM's.
 *
 * @example
 * ```ts
 * const { graph } = buildBert(bertPresets['bert-tiny'], undefined, { seed: 1 })
 * ```
 */
export const bertPresets = {
  'bert-tiny': preset(128, 2, 2),
  'bert-mini': preset(256, 4, 4),
  'bert-small': preset(512, 4, 8),
  'bert-medium': preset(512, 8, 8),
  'minilm-l6': preset(384, 6, 12),
  'minilm-l12': preset(384, 12, 12),
  'bert-base-uncased': preset(768, 12, 12),
  'bert-base-cased': preset(768, 12, 12, 28996),
  'bert-large-uncased': preset(1024, 24, 16),
} as const
