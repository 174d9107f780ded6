/** Configurations of text models that are known by name, as their `config.json` says them. */

/** A configuration with the `model_type` that it belongs to. */
export type TextPreset = Readonly<Record<string, unknown>> & { readonly model_type: string }

const distilBert = (vocab_size: number): TextPreset => ({
  model_type: 'distilbert',
  vocab_size,
  max_position_embeddings: 512,
  dim: 768,
  n_layers: 6,
  n_heads: 12,
  hidden_dim: 3072,
})

const sizes = (hidden_size: number, num_hidden_layers: number, num_attention_heads: number) => ({
  hidden_size,
  num_hidden_layers,
  num_attention_heads,
  intermediate_size: 4 * hidden_size,
})

const roberta = (
  model_type: 'roberta' | 'xlm-roberta',
  vocab_size: number,
  ...size: Parameters<typeof sizes>
): TextPreset => ({
  model_type,
  vocab_size,
  ...sizes(...size),
  max_position_embeddings: 514,
  type_vocab_size: 1,
  layer_norm_eps: 1e-5,
  pad_token_id: 1,
})

const mpnet: TextPreset = {
  model_type: 'mpnet',
  vocab_size: 30527,
  ...sizes(768, 12, 12),
  max_position_embeddings: 514,
  layer_norm_eps: 1e-5,
  relative_attention_num_buckets: 32,
}

const albert = (...size: Parameters<typeof sizes>): TextPreset => ({
  model_type: 'albert',
  vocab_size: 30000,
  embedding_size: 128,
  ...sizes(...size),
  hidden_act: 'gelu_new',
  max_position_embeddings: 512,
})

const modernBert = (
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  intermediate_size: number,
): TextPreset => ({
  model_type: 'modernbert',
  vocab_size: 50368,
  hidden_size,
  num_hidden_layers,
  num_attention_heads,
  intermediate_size,
  max_position_embeddings: 8192,
  global_attn_every_n_layers: 3,
  local_attention: 128,
  global_rope_theta: 160_000,
  local_rope_theta: 10_000,
})

const qwen3 = (
  vocab_size: number,
  hidden_size: number,
  num_hidden_layers: number,
  num_attention_heads: number,
  intermediate_size: number,
): TextPreset => ({
  model_type: 'qwen3',
  vocab_size,
  hidden_size,
  num_hidden_layers,
  num_attention_heads,
  num_key_value_heads: 8,
  head_dim: 128,
  intermediate_size,
  max_position_embeddings: 32768,
  rope_theta: 1_000_000,
  tie_word_embeddings: true,
})

/**
 * Configurations for fresh models, by the names on the hub. BERT's are in `bertPresets`.
 *
 * @example
 * ```ts
 * const preset = textPresets['distilbert-base-cased']
 * const { graph } = textArchitectures[preset.model_type]!(preset, undefined, { seed: 1 })
 * ```
 */
export const textPresets = {
  'distilbert-base-uncased': distilBert(30522),
  'distilbert-base-cased': distilBert(28996),
  'distilbert-base-multilingual-cased': distilBert(119547),
  'distilroberta-base': roberta('roberta', 50265, 768, 6, 12),
  'roberta-base': roberta('roberta', 50265, 768, 12, 12),
  'roberta-large': roberta('roberta', 50265, 1024, 24, 16),
  'xlm-roberta-base': roberta('xlm-roberta', 250002, 768, 12, 12),
  'xlm-roberta-large': roberta('xlm-roberta', 250002, 1024, 24, 16),
  'mpnet-base': mpnet,
  'albert-base-v2': albert(768, 12, 12),
  'albert-large-v2': albert(1024, 24, 16),
  'albert-xlarge-v2': albert(2048, 24, 16),
  'albert-xxlarge-v2': albert(4096, 12, 64),
  'ModernBERT-base': modernBert(768, 22, 12, 1152),
  'ModernBERT-large': modernBert(1024, 28, 16, 2624),
  'Qwen3-Embedding-0.6B': qwen3(151669, 1024, 28, 16, 3072),
  'Qwen3-Embedding-4B': qwen3(151665, 2560, 36, 32, 9728),
  'Qwen3-Embedding-8B': qwen3(151665, 4096, 36, 32, 12288),
} as const satisfies Readonly<Record<string, TextPreset>>
