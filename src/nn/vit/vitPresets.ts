/**
 * Sizes of vision transformers by timm's names (https://github.com/huggingface/pytorch-image-models, version 1.0.31). Features, blocks and
 * heads follow from the word in the name (`base`), the size of patches from `patch16`, that of pictures from the number at its
 * end; what else differs from timm's defaults stands here.
 */
import { EVA_PRESETS } from './evaPresets.ts'
import type { VitConfig } from './vit.ts'
import { HYBRID_PRESETS } from './vitHybridPresets.ts'

type Preset = Partial<VitConfig>

/** Features, blocks, heads, and hidden features of the MLP over features. */
const SIZES: Readonly<Record<string, readonly [number, number, number, number]>> = {
  tiny: [192, 12, 3, 4],
  xsmall: [256, 10, 4, 4],
  dwee: [256, 14, 4, 5],
  wee: [256, 14, 4, 5],
  dpwee: [256, 16, 4, 5],
  pwee: [256, 16, 4, 5],
  dlittle: [320, 14, 5, 5.6],
  little: [320, 14, 5, 5.6],
  small: [384, 12, 6, 4],
  medium: [512, 12, 8, 4],
  mediumd: [512, 20, 8, 4],
  betwixt: [640, 12, 10, 4],
  base: [768, 12, 12, 4],
  so150m2: [832, 21, 13, 2.6153846153846154],
  so150m: [896, 18, 14, 2.572],
  intern300m: [1024, 24, 16, 4],
  large: [1024, 24, 16, 4],
  so400m: [1152, 27, 16, 3.7362],
  huge: [1280, 32, 16, 4],
  giant: [1408, 40, 16, 4.363636363636363],
  giantopt: [1536, 40, 16, 4],
  gigantic: [1664, 48, 16, 4.923076923076923],
}

/** torchvision's names say less. */
function torchvision(word: string, patch_size: number): Preset {
  const [embed_dim, depth, num_heads] = SIZES[word]!
  return { embed_dim, depth, num_heads, patch_size, img_size: [224, 224], names: 'torchvision' }
}

const headless: Preset = { num_classes: 0 }
const clip: Preset = { norm_eps: 1e-5, pre_norm: true }
const map: Preset = { class_token: false, global_pool: 'map' }
const gap: Preset = { class_token: false, global_pool: 'avg', fc_norm: false }
const tanh: Preset = { act: 'gelu_pytorch_tanh' }
const quick: Preset = { act: 'quick_gelu' }
const deit3: Preset = { no_embed_class: true, init_values: 1e-6 }
const reg4: Preset = {
  init_values: 1e-5,
  class_token: false,
  no_embed_class: true,
  reg_tokens: 4,
  global_pool: 'avg',
}
const reg1: Preset = {
  init_values: 1e-5,
  class_token: false,
  no_embed_class: true,
  reg_tokens: 1,
  global_pool: 'avg',
}
const reg1Placed: Preset = {
  init_values: 1e-5,
  qkv_bias: false,
  class_token: false,
  reg_tokens: 1,
  global_pool: 'avg',
}
const beit3: Preset = { norm_eps: 1e-5, scale_attn_norm: true, scale_mlp_norm: true, global_pool: 'avg' }
const beit: Preset = { block: 'beit', rel_pos: 'table', pos_embed: false, global_pool: 'avg' }
const dinov2Reg4: Preset = { init_values: 1e-5, reg_tokens: 4, no_embed_class: true, img_size: [518, 518] }
const dinov2: Preset = { init_values: 1e-5, img_size: [518, 518] }
const tips: Preset = { init_values: 1.0, reg_tokens: 1, no_embed_class: true, img_size: [448, 448] }
const glu: Preset = { act: 'silu', mlp: 'glu' }
const radioV3: Preset = { reg_tokens: 7, no_embed_class: true, final_norm: false, img_size: [512, 512] }
const radioV4: Preset = { reg_tokens: 9, no_embed_class: true, final_norm: false, img_size: [512, 512] }
const xp: Preset = {
  norm: 'rms',
  block: 'parallel',
  pre_norm: true,
  no_embed_class: true,
  qkv_bias: false,
  qk_norm: true,
}
const relposGap: Preset = {
  rel_pos: 'mlp',
  pos_embed: false,
  class_token: false,
  global_pool: 'avg',
  qkv_bias: false,
}
const relpos: Preset = { rel_pos: 'mlp', pos_embed: false, init_values: 1e-6, qkv_bias: false }
const tiny: Preset = { img_size: [160, 160], embed_dim: 64, num_heads: 2, mlp_ratio: 3 }
const tinyReg: Preset = { class_token: false, reg_tokens: 1, global_pool: 'avg', init_values: 1e-5 }
const tiny3: Preset = { embed_dim: 96, depth: 9, num_heads: 3 }
/** Autoregressive pretraining (https://arxiv.org/abs/2411.14402). */
const aimv2: Preset = {
  ...gap,
  ...headless,
  norm: 'rms',
  norm_eps: 1e-5,
  embed_norm: true,
  qkv_bias: false,
  proj_bias: false,
  act: 'silu',
  mlp: 'swiglu',
  mlp_ratio: 2.75,
}

const aimv2Presets = [224, 336, 448].flatMap((side): [string, Preset][] => [
  [`aimv2_large_patch14_${side}`, { ...aimv2, num_heads: 8 }],
  [`aimv2_huge_patch14_${side}`, { ...aimv2, embed_dim: 1536, depth: 24, num_heads: 12, mlp_ratio: 2.6667 }],
  [`aimv2_1b_patch14_${side}`, { ...aimv2, embed_dim: 2048, depth: 24, num_heads: 16 }],
  [`aimv2_3b_patch14_${side}`, { ...aimv2, embed_dim: 3072, depth: 24, num_heads: 24, mlp_ratio: 2.6667 }],
])

const PRESETS: Readonly<Record<string, Preset>> = {
  ...Object.fromEntries(aimv2Presets),
  beit3_base_patch16_224: beit3,
  beit3_giant_patch14_224: { ...beit3, mlp_ratio: 4.3637 },
  beit3_giant_patch14_336: { ...beit3, mlp_ratio: 4.3637 },
  beit3_large_patch16_224: beit3,
  beit_base_patch16_224: { ...beit, init_values: 0.1 },
  beit_base_patch16_384: { ...beit, init_values: 0.1 },
  beit_large_patch16_224: { ...beit, init_values: 1e-5 },
  beit_large_patch16_384: { ...beit, init_values: 1e-5 },
  beit_large_patch16_512: { ...beit, init_values: 1e-5 },
  beitv2_base_patch16_224: { ...beit, init_values: 1e-5 },
  beitv2_large_patch16_224: { ...beit, init_values: 1e-5 },
  deit3_base_patch16_224: deit3,
  deit3_base_patch16_384: deit3,
  deit3_huge_patch14_224: deit3,
  deit3_large_patch16_224: deit3,
  deit3_large_patch16_384: deit3,
  deit3_medium_patch16_224: deit3,
  deit3_small_patch16_224: deit3,
  deit3_small_patch16_384: deit3,
  deit_base_distilled_patch16_224: { distilled: true },
  deit_base_distilled_patch16_384: { distilled: true },
  deit_base_patch16_224: {},
  deit_base_patch16_384: {},
  deit_small_distilled_patch16_224: { distilled: true },
  deit_small_patch16_224: {},
  deit_tiny_distilled_patch16_224: { distilled: true },
  deit_tiny_patch16_224: {},
  eva_large_patch14_196: { global_pool: 'avg' },
  eva_large_patch14_336: { global_pool: 'avg' },
  flexivit_base: { no_embed_class: true, img_size: [240, 240] },
  flexivit_large: { no_embed_class: true, img_size: [240, 240] },
  flexivit_small: { no_embed_class: true, img_size: [240, 240] },
  test_vit: { ...tiny, depth: 6 },
  test_vit2: { ...tiny, ...tinyReg, depth: 8 },
  test_vit3: { ...tiny, ...tinyReg, ...tiny3, mlp_ratio: 2, global_pool: 'map', pool_include_prefix: true },
  test_vit4: { ...tiny, ...tinyReg, ...tiny3, norm: 'rms' },
  test_vit_relpos: { ...relposGap, ...tiny, ...tiny3, mlp_ratio: 2, fc_norm: true, init_values: 1e-6 },
  vit_b_16: torchvision('base', 16),
  vit_b_32: torchvision('base', 32),
  vit_base_patch14_dinov2: { ...dinov2, ...headless },
  vit_base_patch14_reg1_tipsv2: { ...tips, ...headless },
  vit_base_patch14_reg4_dinov2: { ...dinov2Reg4, ...headless },
  vit_base_patch16_18x2_224: { block: 'twofold', init_values: 1e-5, depth: 18 },
  vit_base_patch16_224: {},
  vit_base_patch16_224_miil: { qkv_bias: false, num_classes: 11221 },
  vit_base_patch16_384: {},
  vit_base_patch16_clip_224: clip,
  vit_base_patch16_clip_384: clip,
  vit_base_patch16_clip_quickgelu_224: { ...clip, ...quick, num_classes: 512 },
  vit_base_patch16_gap_224: { ...gap, num_heads: 16 },
  vit_base_patch16_plus_240: { init_values: 1e-5, embed_dim: 896, num_heads: 14 },
  vit_base_patch16_plus_clip_240: { ...clip, num_classes: 640, embed_dim: 896, num_heads: 14 },
  vit_base_patch16_radio_v3: { ...radioV3, ...headless, init_values: 1e-5 },
  vit_base_patch16_reg4_gap_256: {
    class_token: false,
    no_embed_class: true,
    global_pool: 'avg',
    reg_tokens: 4,
  },
  vit_base_patch16_rpn_224: {
    block: 'post_norm',
    qkv_bias: false,
    init_values: 1e-5,
    class_token: false,
    global_pool: 'avg',
  },
  vit_base_patch16_siglip_224: { ...map, ...headless },
  vit_base_patch16_siglip_256: { ...map, ...headless },
  vit_base_patch16_siglip_384: { ...map, ...headless },
  vit_base_patch16_siglip_512: { ...map, ...headless },
  vit_base_patch16_siglip_gap_224: { ...gap, ...headless },
  vit_base_patch16_siglip_gap_256: { ...gap, ...headless },
  vit_base_patch16_siglip_gap_384: { ...gap, ...headless },
  vit_base_patch16_siglip_gap_512: { ...gap, ...headless },
  vit_base_patch16_xp_224: xp,
  vit_base_patch32_224: {},
  vit_base_patch32_384: {},
  vit_base_patch32_clip_224: clip,
  vit_base_patch32_clip_256: { ...clip, num_classes: 512 },
  vit_base_patch32_clip_384: clip,
  vit_base_patch32_clip_448: clip,
  vit_base_patch32_clip_quickgelu_224: { ...clip, ...quick, num_classes: 512 },
  vit_base_patch32_plus_256: { init_values: 1e-5, embed_dim: 896, num_heads: 14 },
  vit_base_patch32_siglip_256: { ...map, ...headless, ...tanh },
  vit_base_patch32_siglip_gap_256: { ...gap, ...headless, ...tanh },
  vit_base_patch8_224: {},
  vit_betwixt_patch16_gap_256: { ...gap, qkv_bias: false, init_values: 1e-6 },
  vit_betwixt_patch16_reg1_gap_256: reg1,
  vit_betwixt_patch16_reg4_gap_256: reg4,
  vit_betwixt_patch16_reg4_gap_384: reg4,
  vit_betwixt_patch32_clip_224: { ...clip, num_classes: 512 },
  vit_dlittle_patch16_reg1_gap_256: { ...reg1, attn: 'diff' },
  vit_dpwee_patch16_reg1_gap_256: { ...reg1, block: 'parallel', attn: 'diff' },
  vit_dwee_patch16_reg1_gap_256: { ...reg1, attn: 'diff' },
  vit_giant_patch14_224: {},
  vit_giant_patch14_clip_224: { ...clip, num_classes: 1024 },
  vit_giant_patch14_dinov2: {
    ...dinov2,
    ...glu,
    ...headless,
    embed_dim: 1536,
    num_heads: 24,
    mlp_ratio: 5.33334,
  },
  vit_giant_patch14_reg1_tipsv2: {
    ...tips,
    ...glu,
    ...headless,
    embed_dim: 1536,
    num_heads: 24,
    mlp_ratio: 5.33334,
  },
  vit_giant_patch14_reg4_dinov2: {
    ...dinov2Reg4,
    ...glu,
    ...headless,
    embed_dim: 1536,
    num_heads: 24,
    mlp_ratio: 5.33334,
  },
  vit_giant_patch16_gap_224: { ...gap, ...headless },
  vit_giant_patch16_radio_v3: { ...radioV3, ...headless, embed_dim: 1536, num_heads: 24, mlp_ratio: 4 },
  vit_giantopt_patch16_siglip_256: { ...map, ...headless, ...tanh },
  vit_giantopt_patch16_siglip_384: { ...map, ...headless, ...tanh },
  vit_giantopt_patch16_siglip_gap_256: { ...gap, ...headless, ...tanh },
  vit_giantopt_patch16_siglip_gap_384: { ...gap, ...headless, ...tanh },
  vit_gigantic_patch14_224: {},
  vit_gigantic_patch14_clip_224: { ...clip, num_classes: 1280 },
  vit_gigantic_patch14_clip_378: { ...clip, num_classes: 1280 },
  vit_gigantic_patch14_clip_quickgelu_224: { ...clip, ...quick, num_classes: 1280 },
  vit_h_14: torchvision('huge', 14),
  vit_huge_patch14_224: { num_classes: 0 },
  vit_huge_patch14_clip_224: clip,
  vit_huge_patch14_clip_336: clip,
  vit_huge_patch14_clip_378: { ...clip, num_classes: 1024 },
  vit_huge_patch14_clip_quickgelu_224: { ...clip, ...quick, num_classes: 1024 },
  vit_huge_patch14_clip_quickgelu_378: { ...clip, ...quick, num_classes: 1024 },
  vit_huge_patch14_gap_224: { ...gap, ...headless },
  vit_huge_patch14_xp_224: xp,
  vit_huge_patch16_gap_448: { ...gap, ...headless },
  vit_huge_patch16_radio_v3: { ...radioV3, ...headless },
  vit_huge_patch16_radio_v4: { ...radioV4, ...headless },
  vit_intern300m_patch14_448: { init_values: 0.1, final_norm: false, num_classes: 0 },
  vit_l_16: torchvision('large', 16),
  vit_l_32: torchvision('large', 32),
  vit_large_patch14_224: {},
  vit_large_patch14_clip_224: clip,
  vit_large_patch14_clip_336: clip,
  vit_large_patch14_clip_quickgelu_224: { ...clip, ...quick, num_classes: 768 },
  vit_large_patch14_clip_quickgelu_336: { ...clip, ...quick, num_classes: 768 },
  vit_large_patch14_dinov2: { ...dinov2, ...headless },
  vit_large_patch14_reg1_tipsv2: { ...tips, ...headless },
  vit_large_patch14_reg4_dinov2: { ...dinov2Reg4, ...headless },
  vit_large_patch14_xp_224: xp,
  vit_large_patch16_224: {},
  vit_large_patch16_384: {},
  vit_large_patch16_radio_v3: { ...radioV3, ...headless, init_values: 1e-5 },
  vit_large_patch16_siglip_256: { ...map, ...headless },
  vit_large_patch16_siglip_384: { ...map, ...headless },
  vit_large_patch16_siglip_512: { ...map, ...headless, ...tanh },
  vit_large_patch16_siglip_gap_256: { ...gap, ...headless },
  vit_large_patch16_siglip_gap_384: { ...gap, ...headless },
  vit_large_patch16_siglip_gap_512: { ...gap, ...headless, ...tanh },
  vit_large_patch32_224: { num_classes: 0 },
  vit_large_patch32_384: {},
  vit_little_patch16_reg1_gap_256: reg1,
  vit_little_patch16_reg4_gap_256: reg4,
  vit_medium_patch16_clip_224: { ...clip, num_classes: 512 },
  vit_medium_patch16_gap_240: { ...gap, qkv_bias: false, init_values: 1e-6, num_classes: 11821 },
  vit_medium_patch16_gap_256: { ...gap, qkv_bias: false, init_values: 1e-6 },
  vit_medium_patch16_gap_384: { ...gap, qkv_bias: false, init_values: 1e-6 },
  vit_medium_patch16_reg1_gap_256: reg1,
  vit_medium_patch16_reg4_gap_256: reg4,
  vit_medium_patch32_clip_224: { ...clip, num_classes: 512 },
  vit_mediumd_patch16_reg4_gap_256: reg4,
  vit_mediumd_patch16_reg4_gap_384: reg4,
  vit_pwee_patch16_reg1_gap_256: { ...reg1, block: 'parallel' },
  vit_relpos_base_patch16_224: { ...relposGap, fc_norm: true, init_values: 1e-6 },
  vit_relpos_base_patch16_cls_224: { ...relpos, fc_norm: false },
  vit_relpos_base_patch16_clsgap_224: { ...relpos, global_pool: 'avg', fc_norm: true },
  vit_relpos_base_patch16_plus_240: {
    ...gap,
    rel_pos: 'mlp',
    pos_embed: false,
    init_values: 1e-6,
    embed_dim: 896,
    num_heads: 14,
  },
  vit_relpos_base_patch16_rpn_224: { ...relposGap, block: 'post_norm', fc_norm: false, init_values: 0 },
  vit_relpos_base_patch32_plus_rpn_256: {
    ...gap,
    block: 'post_norm',
    rel_pos: 'mlp',
    pos_embed: false,
    init_values: 0,
    embed_dim: 896,
    num_heads: 14,
  },
  vit_relpos_medium_patch16_224: { ...relposGap, fc_norm: true, init_values: 1e-6 },
  vit_relpos_medium_patch16_cls_224: { ...relpos, fc_norm: false, rel_pos_dim: 256 },
  vit_relpos_medium_patch16_rpn_224: { ...relposGap, block: 'post_norm', fc_norm: false, init_values: 0 },
  vit_relpos_small_patch16_224: { ...relposGap, fc_norm: true, init_values: 1e-6 },
  vit_relpos_small_patch16_rpn_224: { ...relposGap, block: 'post_norm', fc_norm: false, init_values: 0 },
  vit_small_patch14_dinov2: { ...dinov2, ...headless },
  vit_small_patch14_reg4_dinov2: { ...dinov2Reg4, ...headless },
  vit_small_patch16_18x2_224: { block: 'twofold', init_values: 1e-5, depth: 18 },
  vit_small_patch16_224: {},
  vit_small_patch16_36x1_224: { init_values: 1e-5, depth: 36 },
  vit_small_patch16_384: {},
  vit_small_patch32_224: {},
  vit_small_patch32_384: {},
  vit_small_patch8_224: { num_classes: 0 },
  vit_so150m2_patch16_reg1_gap_256: reg1Placed,
  vit_so150m2_patch16_reg1_gap_384: reg1Placed,
  vit_so150m2_patch16_reg1_gap_448: reg1Placed,
  vit_so150m_patch16_reg4_gap_256: { ...gap, reg_tokens: 4 },
  vit_so150m_patch16_reg4_gap_384: { ...gap, reg_tokens: 4 },
  vit_so150m_patch16_reg4_map_256: { ...map, reg_tokens: 4 },
  vit_so400m_patch14_reg1_tipsv2: { ...tips, ...headless, mlp_ratio: 3.736111111111111 },
  vit_so400m_patch14_siglip_224: { ...map, ...headless },
  vit_so400m_patch14_siglip_378: { ...map, ...headless },
  vit_so400m_patch14_siglip_384: { ...map, ...headless },
  vit_so400m_patch14_siglip_gap_224: { ...gap, ...headless },
  vit_so400m_patch14_siglip_gap_378: { ...gap, ...headless },
  vit_so400m_patch14_siglip_gap_384: { ...gap, ...headless },
  vit_so400m_patch14_siglip_gap_448: { ...gap, ...headless },
  vit_so400m_patch14_siglip_gap_896: { ...gap, ...headless },
  vit_so400m_patch16_radio_v4: { ...radioV4, ...headless, mlp_ratio: 3.736111111111111 },
  vit_so400m_patch16_siglip_256: { ...map, ...headless, ...tanh },
  vit_so400m_patch16_siglip_384: { ...map, ...headless, ...tanh },
  vit_so400m_patch16_siglip_512: { ...map, ...headless, ...tanh },
  vit_so400m_patch16_siglip_gap_256: { ...gap, ...headless, ...tanh },
  vit_so400m_patch16_siglip_gap_384: { ...gap, ...headless, ...tanh },
  vit_so400m_patch16_siglip_gap_512: { ...gap, ...headless, ...tanh },
  vit_srelpos_medium_patch16_224: {
    ...relposGap,
    fc_norm: false,
    init_values: 1e-6,
    shared_rel_pos: true,
    rel_pos_dim: 512,
  },
  vit_srelpos_small_patch16_224: {
    ...relposGap,
    fc_norm: false,
    init_values: 1e-6,
    shared_rel_pos: true,
    rel_pos_dim: 384,
  },
  vit_tiny_patch16_224: {},
  vit_tiny_patch16_384: {},
  vit_wee_patch16_reg1_gap_256: reg1,
  vit_xsmall_patch16_clip_224: { ...clip, num_classes: 512 },
}

const WORDS = new RegExp(
  `_(${Object.keys(SIZES)
    .sort((a, b) => b.length - a.length)
    .join('|')})(?=_|$)`,
)

function complete(name: string, preset: Preset): Preset {
  const [embed_dim, depth, num_heads, mlp_ratio] = SIZES[WORDS.exec(name)?.[1] ?? 'base']!
  const patch_size = Number(/patch(\d+)/.exec(name)?.[1] ?? 16)
  const side = Number(/_(\d{3})(?:$|_)/.exec(name)?.[1] ?? 224)
  return { embed_dim, depth, num_heads, mlp_ratio, patch_size, img_size: [side, side], ...preset }
}

const timmPresets = new Map(
  Object.entries({ ...PRESETS, ...EVA_PRESETS, ...HYBRID_PRESETS }).map(([name, preset]) => [
    name,
    complete(name, preset),
  ]),
)

/** DINOv2 by the names of Facebook's hub (`dinov2_vits14_reg`) and of its files (`dinov2_vits14_reg4`): timm has the same networks. */
const dinov2Presets = ['small', 'base', 'large', 'giant'].flatMap((word): [string, Preset][] => {
  const of = (registers: string): Preset => ({
    ...timmPresets.get(`vit_${word}_patch14${registers}_dinov2`),
    init_values: 1,
    names: 'dinov2',
  })
  const name = `dinov2_vit${word[0]}14`
  return [
    [name, { ...of(''), interpolate_antialias: false, interpolate_offset: 0.1 }],
    [`${name}_reg`, of('_reg4')],
    [`${name}_reg4`, of('_reg4')],
  ]
})

/**
 * Configurations by the names of timm, torchvision and Facebook's DINOv2, what differs from timm's defaults.
 *
 * @example
 * ```ts
 * buildVit(vitPresets.get('vit_small_patch16_224')!, tensors)
 * ```
 */
export const vitPresets: ReadonlyMap<string, Preset> = new Map([...timmPresets, ...dinov2Presets])
