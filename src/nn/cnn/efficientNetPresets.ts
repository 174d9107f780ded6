/**
 * Sizes of EfficientNets and MixNets by timm's names (https://github.com/huggingface/pytorch-image-models, version 1.0.31), in the notation
 * of mobileSpecs.ts.
 */
import type { MobileConfig } from './mobileLayers.ts'

type Variant = Partial<MobileConfig>

const B = [
  'ds_r1_k3_s1_e1_c16_se0.25',
  'ir_r2_k3_s2_e6_c24_se0.25',
  'ir_r2_k5_s2_e6_c40_se0.25',
  'ir_r3_k3_s2_e6_c80_se0.25',
  'ir_r3_k5_s1_e6_c112_se0.25',
  'ir_r4_k5_s2_e6_c192_se0.25',
  'ir_r1_k3_s1_e6_c320_se0.25',
]

const CONDCONV = [
  'ds_r1_k3_s1_e1_c16_se0.25',
  'ir_r2_k3_s2_e6_c24_se0.25',
  'ir_r2_k5_s2_e6_c40_se0.25',
  'ir_r3_k3_s2_e6_c80_se0.25',
  'ir_r3_k5_s1_e6_c112_se0.25_cc4',
  'ir_r4_k5_s2_e6_c192_se0.25_cc4',
  'ir_r1_k3_s1_e6_c320_se0.25_cc4',
]

const EDGE = [
  'er_r1_k3_s1_e4_c24_fc24_noskip',
  'er_r2_k3_s2_e8_c32',
  'er_r4_k3_s2_e8_c48',
  'ir_r5_k5_s2_e8_c96',
  'ir_r4_k5_s1_e8_c144',
  'ir_r2_k5_s2_e8_c192',
]

const H = [
  'ds_r1_k3_s1_e1_c16_se0.25_d1',
  'er_r2_k3_s2_e4_c24_se0.25_nre',
  'er_r2_k5_s2_e4_c40_se0.25_nre',
  'ir_r3_k3_s2_e4_c80_se0.25',
  'ir_r3_k5_s1_e6_c112_se0.25',
  'ir_r4_k5_s2_e6_c192_se0.25',
  'ir_r1_k3_s1_e6_c320_se0.25',
]

const LITE = [
  'ds_r1_k3_s1_e1_c16',
  'ir_r2_k3_s2_e6_c24',
  'ir_r2_k5_s2_e6_c40',
  'ir_r3_k3_s2_e6_c80',
  'ir_r3_k5_s1_e6_c112',
  'ir_r4_k5_s2_e6_c192',
  'ir_r1_k3_s1_e6_c320',
]

const X = [
  'ds_r1_k3_s1_e1_c16_se0.25_d1',
  'er_r2_k3_s2_e6_c24_se0.25_nre',
  'er_r2_k5_s2_e6_c40_se0.25_nre',
  'ir_r3_k3_s2_e6_c80_se0.25',
  'ir_r3_k5_s1_e6_c112_se0.25',
  'ir_r4_k5_s2_e6_c192_se0.25',
  'ir_r1_k3_s1_e6_c320_se0.25',
]

const V2_L = [
  'cn_r4_k3_s1_e1_c32_skip',
  'er_r7_k3_s2_e4_c64',
  'er_r7_k3_s2_e4_c96',
  'ir_r10_k3_s2_e4_c192_se0.25',
  'ir_r19_k3_s1_e6_c224_se0.25',
  'ir_r25_k3_s2_e6_c384_se0.25',
  'ir_r7_k3_s1_e6_c640_se0.25',
]

const V2_M = [
  'cn_r3_k3_s1_e1_c24_skip',
  'er_r5_k3_s2_e4_c48',
  'er_r5_k3_s2_e4_c80',
  'ir_r7_k3_s2_e4_c160_se0.25',
  'ir_r14_k3_s1_e6_c176_se0.25',
  'ir_r18_k3_s2_e6_c304_se0.25',
  'ir_r5_k3_s1_e6_c512_se0.25',
]

const V2_RW = [
  'er_r2_k3_s1_e1_c24',
  'er_r4_k3_s2_e4_c48',
  'er_r4_k3_s2_e4_c64',
  'ir_r6_k3_s2_e4_c128_se0.25',
  'ir_r9_k3_s1_e6_c160_se0.25',
  'ir_r15_k3_s2_e6_c272_se0.25',
]

const V2_S = [
  'cn_r2_k3_s1_e1_c24_skip',
  'er_r4_k3_s2_e4_c48',
  'er_r4_k3_s2_e4_c64',
  'ir_r6_k3_s2_e4_c128_se0.25',
  'ir_r9_k3_s1_e6_c160_se0.25',
  'ir_r15_k3_s2_e6_c256_se0.25',
]

const V2_XL = [
  'cn_r4_k3_s1_e1_c32_skip',
  'er_r8_k3_s2_e4_c64',
  'er_r8_k3_s2_e4_c96',
  'ir_r16_k3_s2_e4_c192_se0.25',
  'ir_r24_k3_s1_e6_c256_se0.25',
  'ir_r32_k3_s2_e6_c512_se0.25',
  'ir_r8_k3_s1_e6_c640_se0.25',
]

const MIXNET_M = [
  'ds_r1_k3_s1_e1_c24',
  'ir_r1_k3.5.7_a1.1_p1.1_s2_e6_c32 ir_r1_k3_a1.1_p1.1_s1_e3_c32',
  'ir_r1_k3.5.7.9_s2_e6_c40_se0.5_nsw ir_r3_k3.5_a1.1_p1.1_s1_e6_c40_se0.5_nsw',
  'ir_r1_k3.5.7_s2_e6_c80_se0.25_nsw ir_r3_k3.5.7.9_a1.1_p1.1_s1_e6_c80_se0.25_nsw',
  'ir_r1_k3_s1_e6_c120_se0.5_nsw ir_r3_k3.5.7.9_a1.1_p1.1_s1_e3_c120_se0.5_nsw',
  'ir_r1_k3.5.7.9_s2_e6_c200_se0.5_nsw ir_r3_k3.5.7.9_p1.1_s1_e6_c200_se0.5_nsw',
]

const MIXNET_S = [
  'ds_r1_k3_s1_e1_c16',
  'ir_r1_k3_a1.1_p1.1_s2_e6_c24 ir_r1_k3_a1.1_p1.1_s1_e3_c24',
  'ir_r1_k3.5.7_s2_e6_c40_se0.5_nsw ir_r3_k3.5_a1.1_p1.1_s1_e6_c40_se0.5_nsw',
  'ir_r1_k3.5.7_p1.1_s2_e6_c80_se0.25_nsw ir_r2_k3.5_p1.1_s1_e6_c80_se0.25_nsw',
  'ir_r1_k3.5.7_a1.1_p1.1_s1_e6_c120_se0.5_nsw ir_r2_k3.5.7.9_a1.1_p1.1_s1_e3_c120_se0.5_nsw',
  'ir_r1_k3.5.7.9.11_s2_e6_c200_se0.5_nsw ir_r2_k3.5.7.9_p1.1_s1_e6_c200_se0.5_nsw',
]

const TEST = [
  'cn_r1_k3_s1_e1_c16_skip',
  'er_r1_k3_s2_e4_c24',
  'er_r1_k3_s2_e4_c32',
  'ir_r1_k3_s2_e4_c48_se0.25',
  'ir_r1_k3_s2_e4_c64_se0.25',
]

const V2_B = [
  'cn_r1_k3_s1_e1_c16_skip',
  'er_r2_k3_s2_e4_c32',
  'er_r2_k3_s2_e4_c48',
  'ir_r3_k3_s2_e4_c96_se0.25',
  'ir_r5_k3_s1_e6_c112_se0.25',
  'ir_r8_k3_s2_e6_c192_se0.25',
]

/** As the checkpoints that were trained with TensorFlow need it. */
const TF: Variant = { pad_type: 'same', bn_eps: 1e-3 }

/** Without attention, and with stem and ends of one size. */
const LITE_OPTIONS: Variant = { act: 'relu6', fix_stem: true, fix_first_last: true }

const at = (size: number): Variant => ({ input_size: [size, size] })

function of(arch_def: readonly string[], variant: Variant = {}): MobileConfig {
  return {
    arch_def,
    act: 'silu',
    num_classes: 1000,
    input_size: [224, 224],
    first_conv: 'conv_stem',
    classifier: 'classifier',
    ...variant,
  }
}

/**
 * Configurations by name.
 *
 * @example
 * ```ts
 * buildEfficientNet(efficientNetPresets.get('efficientnet_b0')!, tensors)
 * ```
 */
export const efficientNetPresets: ReadonlyMap<string, MobileConfig> = new Map(
  Object.entries({
    efficientnet_b0: of(B),
    efficientnet_b0_g8_gn: of(B, { norm: 'group', norm_group: 8, group_size: 8 }),
    efficientnet_b0_g16_evos: of(B, { channel_divisor: 16, group_size: 16 }),
    efficientnet_b0_gn: of(B, { norm: 'group', norm_group: 8 }),
    efficientnet_b1: of(B, { depth_multiplier: 1.1, ...at(240) }),
    efficientnet_b1_pruned: of(B, {
      bn_eps: 1e-3,
      depth_multiplier: 1.1,
      pad_type: 'same',
      pruned: true,
      ...at(240),
    }),
    efficientnet_b2: of(B, {
      channel_multiplier: 1.1,
      depth_multiplier: 1.2,
      num_features: 1408,
      ...at(256),
    }),
    efficientnet_b2_pruned: of(B, {
      bn_eps: 1e-3,
      channel_multiplier: 1.1,
      depth_multiplier: 1.2,
      num_features: 1408,
      pad_type: 'same',
      pruned: true,
      ...at(260),
    }),
    efficientnet_b3: of(B, {
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      num_features: 1536,
      ...at(288),
    }),
    efficientnet_b3_g8_gn: of(B, {
      norm: 'group',
      norm_group: 16,
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      channel_divisor: 16,
      num_features: 1536,
      group_size: 8,
      ...at(288),
    }),
    efficientnet_b3_gn: of(B, {
      norm: 'group',
      norm_group: 16,
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      channel_divisor: 16,
      num_features: 1536,
      ...at(288),
    }),
    efficientnet_b3_pruned: of(B, {
      bn_eps: 1e-3,
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      num_features: 1536,
      pad_type: 'same',
      pruned: true,
      ...at(300),
    }),
    efficientnet_b4: of(B, {
      channel_multiplier: 1.4,
      depth_multiplier: 1.8,
      num_features: 1792,
      ...at(320),
    }),
    efficientnet_b5: of(B, {
      channel_multiplier: 1.6,
      depth_multiplier: 2.2,
      num_features: 2048,
      ...at(448),
    }),
    efficientnet_b6: of(B, {
      channel_multiplier: 1.8,
      depth_multiplier: 2.6,
      num_features: 2304,
      ...at(528),
    }),
    efficientnet_b7: of(B, { channel_multiplier: 2, depth_multiplier: 3.1, num_features: 2560, ...at(600) }),
    efficientnet_b8: of(B, {
      channel_multiplier: 2.2,
      depth_multiplier: 3.6,
      num_features: 2816,
      ...at(672),
    }),
    efficientnet_blur_b0: of(B, { aa_layer: 'blurpc' }),
    efficientnet_cc_b0_4e: of(CONDCONV),
    efficientnet_cc_b0_8e: of(CONDCONV, { experts_multiplier: 2 }),
    efficientnet_cc_b1_8e: of(CONDCONV, { depth_multiplier: 1.1, experts_multiplier: 2, ...at(240) }),
    efficientnet_el: of(EDGE, {
      act: 'relu',
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      num_features: 1536,
      ...at(300),
    }),
    efficientnet_el_pruned: of(EDGE, {
      act: 'relu',
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      num_features: 1536,
      ...at(300),
    }),
    efficientnet_em: of(EDGE, { act: 'relu', depth_multiplier: 1.1, ...at(240) }),
    efficientnet_es: of(EDGE, { act: 'relu' }),
    efficientnet_es_pruned: of(EDGE, { act: 'relu' }),
    efficientnet_h_b5: of(H, {
      channel_multiplier: 1.92,
      depth_multiplier: 2.2,
      num_features: 2456,
      ...at(448),
    }),
    efficientnet_l2: of(B, {
      channel_multiplier: 4.3,
      depth_multiplier: 5.3,
      num_features: 5504,
      ...at(800),
    }),
    efficientnet_lite0: of(LITE, { ...LITE_OPTIONS }),
    efficientnet_lite1: of(LITE, { ...LITE_OPTIONS, depth_multiplier: 1.1, ...at(240) }),
    efficientnet_lite2: of(LITE, {
      ...LITE_OPTIONS,
      channel_multiplier: 1.1,
      depth_multiplier: 1.2,
      ...at(260),
    }),
    efficientnet_lite3: of(LITE, {
      ...LITE_OPTIONS,
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      ...at(300),
    }),
    efficientnet_lite4: of(LITE, {
      ...LITE_OPTIONS,
      channel_multiplier: 1.4,
      depth_multiplier: 1.8,
      ...at(380),
    }),
    efficientnet_x_b3: of(X, {
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      num_features: 1536,
      ...at(288),
    }),
    efficientnet_x_b5: of(X, {
      channel_multiplier: 1.6,
      depth_multiplier: 2.2,
      num_features: 2048,
      ...at(448),
    }),
    efficientnetv2_l: of(V2_L, { ...at(384) }),
    efficientnetv2_m: of(V2_M, { stem_size: 24, ...at(320) }),
    efficientnetv2_rw_m: of(V2_RW, {
      channel_multiplier: 1.2,
      depth_multiplier: [1.2, 1.2, 1.2, 1.2, 1.6, 1.6],
      stem_size: 24,
      num_features: 2152,
      ...at(320),
    }),
    efficientnetv2_rw_s: of(V2_RW, { stem_size: 24, num_features: 1792, ...at(288) }),
    efficientnetv2_rw_t: of(V2_S, {
      channel_multiplier: 0.8,
      depth_multiplier: 0.9,
      stem_size: 24,
      num_features: 1024,
    }),
    efficientnetv2_s: of(V2_S, { stem_size: 24, ...at(288) }),
    efficientnetv2_xl: of(V2_XL, { ...at(384) }),
    gc_efficientnetv2_rw_t: of(V2_S, {
      attn: 'gc',
      channel_multiplier: 0.8,
      depth_multiplier: 0.9,
      stem_size: 24,
      num_features: 1024,
    }),
    mixnet_l: of(MIXNET_M, {
      act: 'relu',
      channel_multiplier: 1.3,
      stem_size: 24,
      num_features: 1536,
      depth_trunc: 'round',
    }),
    mixnet_m: of(MIXNET_M, { act: 'relu', stem_size: 24, num_features: 1536, depth_trunc: 'round' }),
    mixnet_s: of(MIXNET_S, { act: 'relu', stem_size: 16, num_features: 1536 }),
    mixnet_xl: of(MIXNET_M, {
      act: 'relu',
      channel_multiplier: 1.6,
      depth_multiplier: 1.2,
      stem_size: 24,
      num_features: 1536,
      depth_trunc: 'round',
    }),
    mixnet_xxl: of(MIXNET_M, {
      act: 'relu',
      channel_multiplier: 2.4,
      depth_multiplier: 1.3,
      stem_size: 24,
      num_features: 1536,
      depth_trunc: 'round',
    }),
    test_efficientnet: of(TEST, { round_limit: 0, stem_size: 24, num_features: 256, ...at(160) }),
    test_efficientnet_evos: of(TEST, {
      norm: 'evo',
      norm_group: 8,
      round_limit: 0,
      stem_size: 24,
      num_features: 256,
      ...at(160),
    }),
    test_efficientnet_gn: of(TEST, {
      norm: 'group',
      norm_group: 8,
      round_limit: 0,
      stem_size: 24,
      num_features: 256,
      ...at(160),
    }),
    test_efficientnet_ln: of(TEST, {
      norm: 'layer',
      round_limit: 0,
      stem_size: 24,
      num_features: 256,
      ...at(160),
    }),
    tf_efficientnet_b0: of(B, { ...TF }),
    tf_efficientnet_b1: of(B, { ...TF, depth_multiplier: 1.1, ...at(240) }),
    tf_efficientnet_b2: of(B, {
      ...TF,
      channel_multiplier: 1.1,
      depth_multiplier: 1.2,
      num_features: 1408,
      ...at(260),
    }),
    tf_efficientnet_b3: of(B, {
      ...TF,
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      num_features: 1536,
      ...at(300),
    }),
    tf_efficientnet_b4: of(B, {
      ...TF,
      channel_multiplier: 1.4,
      depth_multiplier: 1.8,
      num_features: 1792,
      ...at(380),
    }),
    tf_efficientnet_b5: of(B, {
      ...TF,
      channel_multiplier: 1.6,
      depth_multiplier: 2.2,
      num_features: 2048,
      ...at(456),
    }),
    tf_efficientnet_b6: of(B, {
      ...TF,
      channel_multiplier: 1.8,
      depth_multiplier: 2.6,
      num_features: 2304,
      ...at(528),
    }),
    tf_efficientnet_b7: of(B, {
      ...TF,
      channel_multiplier: 2,
      depth_multiplier: 3.1,
      num_features: 2560,
      ...at(600),
    }),
    tf_efficientnet_b8: of(B, {
      ...TF,
      channel_multiplier: 2.2,
      depth_multiplier: 3.6,
      num_features: 2816,
      ...at(672),
    }),
    tf_efficientnet_cc_b0_4e: of(CONDCONV, { ...TF }),
    tf_efficientnet_cc_b0_8e: of(CONDCONV, { ...TF, experts_multiplier: 2 }),
    tf_efficientnet_cc_b1_8e: of(CONDCONV, {
      ...TF,
      depth_multiplier: 1.1,
      experts_multiplier: 2,
      ...at(240),
    }),
    tf_efficientnet_el: of(EDGE, {
      ...TF,
      act: 'relu',
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      num_features: 1536,
      ...at(300),
    }),
    tf_efficientnet_em: of(EDGE, { ...TF, act: 'relu', depth_multiplier: 1.1, ...at(240) }),
    tf_efficientnet_es: of(EDGE, { ...TF, act: 'relu' }),
    tf_efficientnet_l2: of(B, {
      ...TF,
      channel_multiplier: 4.3,
      depth_multiplier: 5.3,
      num_features: 5504,
      ...at(475),
    }),
    tf_efficientnet_lite0: of(LITE, { ...TF, ...LITE_OPTIONS }),
    tf_efficientnet_lite1: of(LITE, { ...TF, ...LITE_OPTIONS, depth_multiplier: 1.1, ...at(240) }),
    tf_efficientnet_lite2: of(LITE, {
      ...TF,
      ...LITE_OPTIONS,
      channel_multiplier: 1.1,
      depth_multiplier: 1.2,
      ...at(260),
    }),
    tf_efficientnet_lite3: of(LITE, {
      ...TF,
      ...LITE_OPTIONS,
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      ...at(300),
    }),
    tf_efficientnet_lite4: of(LITE, {
      ...TF,
      ...LITE_OPTIONS,
      channel_multiplier: 1.4,
      depth_multiplier: 1.8,
      ...at(380),
    }),
    tf_efficientnetv2_b0: of(V2_B, { ...TF, round_limit: 0, ...at(192) }),
    tf_efficientnetv2_b1: of(V2_B, { ...TF, depth_multiplier: 1.1, round_limit: 0, ...at(192) }),
    tf_efficientnetv2_b2: of(V2_B, {
      ...TF,
      channel_multiplier: 1.1,
      depth_multiplier: 1.2,
      round_limit: 0,
      num_features: 1408,
      ...at(208),
    }),
    tf_efficientnetv2_b3: of(V2_B, {
      ...TF,
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      round_limit: 0,
      num_features: 1536,
      ...at(240),
    }),
    tf_efficientnetv2_l: of(V2_L, { ...TF, ...at(384) }),
    tf_efficientnetv2_m: of(V2_M, { ...TF, stem_size: 24, ...at(384) }),
    tf_efficientnetv2_s: of(V2_S, { ...TF, stem_size: 24, ...at(300) }),
    tf_efficientnetv2_xl: of(V2_XL, { ...TF, ...at(384) }),
    tf_mixnet_l: of(MIXNET_M, {
      ...TF,
      act: 'relu',
      channel_multiplier: 1.3,
      stem_size: 24,
      num_features: 1536,
      depth_trunc: 'round',
    }),
    tf_mixnet_m: of(MIXNET_M, {
      ...TF,
      act: 'relu',
      stem_size: 24,
      num_features: 1536,
      depth_trunc: 'round',
    }),
    tf_mixnet_s: of(MIXNET_S, { ...TF, act: 'relu', stem_size: 16, num_features: 1536 }),
    tinynet_a: of(B, { depth_multiplier: 1.2, fix_stem: true, depth_trunc: 'round', ...at(192) }),
    tinynet_b: of(B, {
      channel_multiplier: 0.75,
      depth_multiplier: 1.1,
      fix_stem: true,
      depth_trunc: 'round',
      ...at(188),
    }),
    tinynet_c: of(B, {
      channel_multiplier: 0.54,
      depth_multiplier: 0.85,
      fix_stem: true,
      depth_trunc: 'round',
      ...at(184),
    }),
    tinynet_d: of(B, {
      channel_multiplier: 0.54,
      depth_multiplier: 0.695,
      fix_stem: true,
      depth_trunc: 'round',
      ...at(152),
    }),
    tinynet_e: of(B, {
      channel_multiplier: 0.51,
      depth_multiplier: 0.6,
      fix_stem: true,
      depth_trunc: 'round',
      ...at(106),
    }),
  }),
)
