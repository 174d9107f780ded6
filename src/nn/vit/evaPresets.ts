/**
 * Sizes of timm's `Eva` models by their names (https://github.com/huggingface/pytorch-image-models, version 1.0.31), completed as in
 * vitPresets.ts.
 */
import type { ImageRotaryConfig } from './imageRotary.ts'
import type { VitConfig } from './vit.ts'

type Preset = Partial<VitConfig>

const headless: Preset = { num_classes: 0 }
const eva: Preset = { block: 'eva', global_pool: 'avg' }
const token: Preset = { ...eva, global_pool: 'token' }
const square = (side: number) => [side, side] as const

/** SwiGLU of two thirds of the usual width, and positions of a grid of 16 × 16. */
const eva02: Preset = {
  ...eva,
  mlp_ratio: 8 / 3,
  swiglu_mlp: true,
  rope: { type: 'cat', temperature: 10_000, ref_feat_shape: [16, 16] },
}
const eva02Large: Preset = { ...eva02, qkv_fused: false, scale_mlp: true }
const eva02Clip: Preset = { ...eva02Large, scale_attn_inner: true, global_pool: 'token' }
const giant: Preset = { depth: 40, num_heads: 16, mlp_ratio: 6144 / 1408 }

const ropeReg = (reg_tokens: number, more: Preset = {}): Preset => ({
  ...eva,
  init_values: 1e-5,
  class_token: false,
  reg_tokens,
  pos_embed: false,
  rope: { type: 'cat', temperature: 10_000, ref_feat_shape: [16, 16] },
  ...more,
})

const axial: ImageRotaryConfig = { type: 'cat', temperature: 100, grid_indexing: 'xy' }
const mixed: ImageRotaryConfig = { type: 'mixed', temperature: 10, grid_indexing: 'xy' }
const rope = (rotary: ImageRotaryConfig, placed: boolean, more: Preset = {}): Preset => ({
  ...token,
  attn_type: 'rope',
  init_values: 1e-5,
  pos_embed: placed,
  no_embed_class: placed,
  rope: rotary,
  ...more,
})

const dinov3: Preset = {
  ...eva,
  ...headless,
  img_size: square(256),
  norm_eps: 1e-5,
  qkv_bias: false,
  init_values: 1e-5,
  reg_tokens: 4,
  pos_embed: false,
  fc_norm: false,
  rope: { type: 'dinov3', temperature: 100, rotate_half: true },
}
const biased: Preset = { ...dinov3, qkv_bias: true }
const plus: Preset = { swiglu_mlp: true, swiglu_align_to: 8 }
const hugePlus: Preset = { ...plus, embed_dim: 1280, depth: 32, num_heads: 20 }
const lingbot: Preset = { ...biased, global_pool: 'token', img_size: square(512) }

/** Blocks in the middle half have half as many heads of keys and values. */
function sapiens2(embed_dim: number, depth: number, heads: number, share = 2): Preset {
  const inside = (block: number) => block >= 8 && block < depth - 8
  return {
    ...dinov3,
    global_pool: 'token',
    img_size: [1024, 768],
    embed_dim,
    depth,
    num_heads: heads,
    num_kv_heads: Array.from({ length: depth }, (_, block) => (inside(block) ? heads / share : heads)),
    norm: 'rms',
    norm_eps: 1e-6,
    attn_type: 'rope',
    qkv_fused: false,
    qkv_bias: true,
    qk_norm: true,
    mlp_ratio: 4,
    swiglu_mlp: true,
    init_values: 1,
    attn_only_layer_scale: true,
    reg_tokens: 8,
  }
}

/** The Perception Encoder: rotary positions over a grid of `side`, which start at `grid_offset`. */
const perception = (side: number, grid_offset: number, more: Preset): Preset => ({
  ...eva,
  norm_eps: 1e-5,
  attn_type: 'rope',
  pre_norm: true,
  rope: { type: 'cat', temperature: 10_000, ref_feat_shape: square(side), grid_offset, grid_indexing: 'xy' },
  ...more,
})
const core: Preset = {
  global_pool: 'map',
  pool_include_prefix: true,
  attn_pool_num_heads: 8,
  attn_pool_mlp_ratio: 4,
}
const inner: Preset = { ...headless, fc_norm: false, final_norm: false }
const scaled: Preset = { ...inner, init_values: 0.1 }
const wide: Preset = { embed_dim: 1536, depth: 50, num_heads: 16, mlp_ratio: 8960 / 1536, class_token: false }

/** Settings that differ from timm's defaults of vision transformers, and do not follow from the name. */
export const EVA_PRESETS: Readonly<Record<string, Preset>> = {
  eva02_base_patch14_224: { ...eva02Large, ...headless },
  eva02_base_patch14_448: eva02Large,
  eva02_base_patch16_clip_224: { ...eva02Clip, num_classes: 512 },
  eva02_enormous_patch14_clip_224: {
    ...token,
    block: 'eva_post_norm',
    num_classes: 1024,
    embed_dim: 1792,
    depth: 64,
    num_heads: 16,
    mlp_ratio: 15360 / 1792,
  },
  eva02_large_patch14_224: { ...eva02Large, ...headless },
  eva02_large_patch14_448: eva02Large,
  eva02_large_patch14_clip_224: { ...eva02Clip, num_classes: 768 },
  eva02_large_patch14_clip_336: { ...eva02Clip, num_classes: 768 },
  eva02_small_patch14_224: { ...eva02, ...headless },
  eva02_small_patch14_336: eva02,
  eva02_tiny_patch14_224: { ...eva02, ...headless },
  eva02_tiny_patch14_336: eva02,
  eva_giant_patch14_224: { ...eva, ...giant },
  eva_giant_patch14_336: { ...eva, ...giant },
  eva_giant_patch14_560: { ...eva, ...giant },
  eva_giant_patch14_clip_224: { ...token, ...giant, num_classes: 1024 },
  vit_5b_patch16_sapiens2: sapiens2(2432, 56, 32),
  vit_7b_patch16_dinov3: {
    ...dinov3,
    embed_dim: 4096,
    depth: 40,
    num_heads: 32,
    mlp_ratio: 2,
    swiglu_mlp: true,
    swiglu_align_to: 64,
  },
  vit_base_patch16_dinov3: dinov3,
  vit_base_patch16_dinov3_qkvb: biased,
  vit_base_patch16_lingbot: lingbot,
  vit_base_patch16_rope_224: rope(axial, false, { fc_norm: false }),
  vit_base_patch16_rope_ape_224: rope(axial, true),
  vit_base_patch16_rope_mixed_224: rope(mixed, false),
  vit_base_patch16_rope_mixed_ape_224: rope(mixed, true),
  vit_base_patch16_rope_reg1_gap_256: ropeReg(1),
  vit_base_patch16_sapiens2: sapiens2(768, 12, 12, 1),
  vit_betwixt_patch16_rope_reg4_gap_256: ropeReg(4),
  vit_giant_patch16_lingbot: {
    ...lingbot,
    ...plus,
    qkv_bias: false,
    embed_dim: 1536,
    num_heads: 24,
    mlp_ratio: 8 / 3,
  },
  vit_giant_patch16_sapiens2: sapiens2(1536, 40, 24),
  vit_huge_patch16_sapiens2: sapiens2(1280, 32, 16),
  vit_huge_plus_patch16_dinov3: { ...dinov3, ...hugePlus },
  vit_huge_plus_patch16_dinov3_qkvb: { ...biased, ...hugePlus },
  vit_large_patch16_dinov3: dinov3,
  vit_large_patch16_dinov3_qkvb: biased,
  vit_large_patch16_lingbot: lingbot,
  vit_large_patch16_rope_224: rope(axial, false),
  vit_large_patch16_rope_ape_224: rope(axial, true),
  vit_large_patch16_rope_mixed_224: rope(mixed, false),
  vit_large_patch16_rope_mixed_ape_224: rope(mixed, true),
  vit_large_patch16_sapiens2: sapiens2(1024, 24, 16),
  vit_medium_patch16_rope_reg1_gap_256: ropeReg(1),
  vit_mediumd_patch16_rope_reg1_gap_256: ropeReg(1, { qkv_bias: false }),
  vit_pe_core_base_patch16_224: perception(14, 1, { ...core, num_classes: 1024 }),
  vit_pe_core_gigantic_patch14_448: perception(32, 0, { ...core, ...wide, num_classes: 1280 }),
  vit_pe_core_large_patch14_336: perception(24, 1, { ...core, num_classes: 1024 }),
  vit_pe_core_small_patch16_384: perception(24, 1, { ...core, num_classes: 512 }),
  vit_pe_core_tiny_patch16_384: perception(24, 1, { ...core, num_classes: 512 }),
  vit_pe_lang_gigantic_patch14_448: perception(32, 0, { ...scaled, ...wide, depth: 47 }),
  vit_pe_lang_large_patch14_448: perception(32, 1, { ...scaled, depth: 23 }),
  vit_pe_spatial_base_patch16_512: perception(32, 1, inner),
  vit_pe_spatial_gigantic_patch14_448: perception(32, 0, { ...scaled, ...wide }),
  vit_pe_spatial_large_patch14_448: perception(32, 1, inner),
  vit_pe_spatial_small_patch16_512: perception(32, 1, inner),
  vit_pe_spatial_tiny_patch16_512: perception(32, 1, inner),
  vit_small_patch16_dinov3: dinov3,
  vit_small_patch16_dinov3_qkvb: biased,
  vit_small_patch16_lingbot: lingbot,
  vit_small_patch16_rope_224: rope(axial, false),
  vit_small_patch16_rope_ape_224: rope(axial, true),
  vit_small_patch16_rope_mixed_224: rope(mixed, false),
  vit_small_patch16_rope_mixed_ape_224: rope(mixed, true),
  vit_small_plus_patch16_dinov3: { ...dinov3, ...plus },
  vit_small_plus_patch16_dinov3_qkvb: { ...biased, ...plus },
  vit_tiny_patch16_dinov3_qkvb: biased,
}
