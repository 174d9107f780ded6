/**
 * Sizes of MobileNets, MnasNets and their relatives by timm's names (https://github.com/huggingface/pytorch-image-models, version 1.0.31), in the notation
 * of mobileSpecs.ts.
 */
import type { MobileConfig } from './mobileLayers.ts'

type Variant = Partial<MobileConfig>

const FBNET_C = [
  'ir_r1_k3_s1_e1_c16',
  'ir_r1_k3_s2_e6_c24 ir_r2_k3_s1_e1_c24',
  'ir_r1_k5_s2_e6_c32 ir_r1_k5_s1_e3_c32 ir_r1_k5_s1_e6_c32 ir_r1_k3_s1_e6_c32',
  'ir_r1_k5_s2_e6_c64 ir_r1_k5_s1_e3_c64 ir_r2_k5_s1_e6_c64',
  'ir_r3_k5_s1_e6_c112 ir_r1_k5_s1_e3_c112',
  'ir_r4_k5_s2_e6_c184',
  'ir_r1_k3_s1_e6_c352',
]

const MNASNET_B = [
  'ds_r1_k3_s1_c16_noskip',
  'ir_r3_k3_s2_e3_c24',
  'ir_r3_k5_s2_e3_c40',
  'ir_r3_k5_s2_e6_c80',
  'ir_r2_k3_s1_e6_c96',
  'ir_r4_k5_s2_e6_c192',
  'ir_r1_k3_s1_e6_c320_noskip',
]

const MNASNET_SMALL = [
  'ds_r1_k3_s1_c8',
  'ir_r1_k3_s2_e3_c16',
  'ir_r2_k3_s2_e6_c16',
  'ir_r4_k5_s2_e6_c32_se0.25',
  'ir_r3_k3_s1_e6_c32_se0.25',
  'ir_r3_k5_s2_e6_c88_se0.25',
  'ir_r1_k3_s1_e6_c144',
]

const EDGETPU = [
  'cn_r1_k1_s1_c16',
  'er_r1_k3_s2_e8_c32 er_r3_k3_s1_e4_c32',
  'er_r1_k3_s2_e8_c48 er_r3_k3_s1_e4_c48',
  'ir_r1_k3_s2_e8_c96 ir_r3_k3_s1_e4_c96',
  'ir_r1_k3_s1_e8_c96_noskip ir_r3_k3_s1_e4_c96',
  'ir_r1_k5_s2_e8_c160 ir_r3_k5_s1_e4_c160',
  'ir_r1_k3_s1_e8_c192',
]

const EDGETPU_V2_L = [
  'cn_r1_k1_s1_c32',
  'er_r1_k3_s2_e8_c64 er_r1_k3_s1_e4_gs128_c64',
  'er_r1_k3_s2_e8_c96 er_r1_k3_s1_e4_gs128_c96 er_r1_k3_s1_e4_c96 er_r1_k3_s1_e4_gs128_c96',
  'er_r1_k3_s2_e8_c192 ir_r3_k3_s1_e4_c192',
  'ir_r1_k3_s1_e8_c240 ir_r3_k3_s1_e4_c240',
  'ir_r1_k3_s2_e8_c256 ir_r3_k3_s1_e4_c256',
  'ir_r1_k3_s1_e8_c384',
]

const EDGETPU_V2_M = [
  'cn_r1_k1_s1_c32',
  'er_r1_k3_s2_e8_c64 er_r1_k3_s1_e4_gs64_c64',
  'er_r1_k3_s2_e8_c80 er_r1_k3_s1_e4_gs64_c80 er_r1_k3_s1_e4_c80 er_r1_k3_s1_e4_gs64_c80',
  'er_r1_k3_s2_e8_c160 ir_r3_k3_s1_e4_c160',
  'ir_r1_k3_s1_e8_c192 ir_r3_k3_s1_e4_c192',
  'ir_r1_k3_s2_e8_c240 ir_r3_k3_s1_e4_c240',
  'ir_r1_k3_s1_e8_c320',
]

const EDGETPU_V2_S = [
  'cn_r1_k1_s1_c24',
  'er_r1_k3_s2_e8_c48 er_r1_k3_s1_e4_gs64_c48',
  'er_r1_k3_s2_e8_c64 er_r1_k3_s1_e4_gs64_c64 er_r1_k3_s1_e4_c64 er_r1_k3_s1_e4_gs64_c64',
  'er_r1_k3_s2_e8_c128 ir_r3_k3_s1_e4_c128',
  'ir_r1_k3_s1_e8_c160 ir_r3_k3_s1_e4_c160',
  'ir_r1_k3_s2_e8_c192 ir_r3_k3_s1_e4_c192',
  'ir_r1_k3_s1_e8_c256',
]

const EDGETPU_V2_XS = [
  'cn_r1_k1_s1_c16',
  'er_r1_k3_s2_e8_c32 er_r1_k3_s1_e4_gs64_c32',
  'er_r1_k3_s2_e8_c48 er_r1_k3_s1_e4_gs64_c48 er_r1_k3_s1_e4_c48 er_r1_k3_s1_e4_gs64_c48',
  'er_r1_k3_s2_e8_c96 ir_r3_k3_s1_e4_c96',
  'ir_r1_k3_s1_e8_c144 ir_r3_k3_s1_e4_c144',
  'ir_r1_k3_s2_e8_c160 ir_r3_k3_s1_e4_c160',
  'ir_r1_k3_s1_e8_c192',
]

const V1 = [
  'dsa_r1_k3_s1_c64',
  'dsa_r2_k3_s2_c128',
  'dsa_r2_k3_s2_c256',
  'dsa_r6_k3_s2_c512',
  'dsa_r2_k3_s2_c1024',
]

const V2 = [
  'ds_r1_k3_s1_c16',
  'ir_r2_k3_s2_e6_c24',
  'ir_r3_k3_s2_e6_c32',
  'ir_r4_k3_s2_e6_c64',
  'ir_r3_k3_s1_e6_c96',
  'ir_r3_k3_s2_e6_c160',
  'ir_r1_k3_s1_e6_c320',
]

const MNASNET_A = [
  'ds_r1_k3_s1_e1_c16_noskip',
  'ir_r2_k3_s2_e6_c24',
  'ir_r3_k5_s2_e3_c40_se0.25',
  'ir_r4_k3_s2_e6_c80',
  'ir_r2_k3_s1_e6_c112_se0.25',
  'ir_r3_k5_s2_e6_c160_se0.25',
  'ir_r1_k3_s1_e6_c320',
]

const SINGLE_PATH = [
  'ds_r1_k3_s1_c16_noskip',
  'ir_r3_k3_s2_e3_c24',
  'ir_r1_k5_s2_e6_c40 ir_r3_k3_s1_e3_c40',
  'ir_r1_k5_s2_e6_c80 ir_r3_k3_s1_e3_c80',
  'ir_r1_k5_s1_e6_c96 ir_r3_k5_s1_e3_c96',
  'ir_r4_k5_s2_e6_c192',
  'ir_r1_k3_s1_e6_c320_noskip',
]

const FBNETV3_B = [
  'ds_r2_k3_s1_e1_c16',
  'ir_r1_k5_s2_e4_c24 ir_r3_k5_s1_e2_c24',
  'ir_r1_k5_s2_e5_c40_se0.25 ir_r4_k5_s1_e3_c40_se0.25',
  'ir_r1_k5_s2_e5_c72 ir_r4_k3_s1_e3_c72',
  'ir_r1_k3_s1_e5_c120_se0.25 ir_r5_k5_s1_e3_c120_se0.25',
  'ir_r1_k3_s2_e6_c184_se0.25 ir_r5_k5_s1_e4_c184_se0.25 ir_r1_k5_s1_e6_c224_se0.25',
  'cn_r1_k1_s1_c1344',
]

const FBNETV3_D = [
  'ds_r2_k3_s1_e1_c16',
  'ir_r1_k3_s2_e5_c24 ir_r5_k3_s1_e2_c24',
  'ir_r1_k5_s2_e4_c40_se0.25 ir_r4_k3_s1_e3_c40_se0.25',
  'ir_r1_k3_s2_e5_c72 ir_r4_k3_s1_e3_c72',
  'ir_r1_k3_s1_e5_c128_se0.25 ir_r6_k5_s1_e3_c128_se0.25',
  'ir_r1_k3_s2_e6_c208_se0.25 ir_r5_k5_s1_e5_c208_se0.25 ir_r1_k5_s1_e6_c240_se0.25',
  'cn_r1_k1_s1_c1440',
]

const FBNETV3_G = [
  'ds_r3_k3_s1_e1_c24',
  'ir_r1_k5_s2_e4_c40 ir_r4_k5_s1_e2_c40',
  'ir_r1_k5_s2_e4_c56_se0.25 ir_r4_k5_s1_e3_c56_se0.25',
  'ir_r1_k5_s2_e5_c104 ir_r4_k3_s1_e3_c104',
  'ir_r1_k3_s1_e5_c160_se0.25 ir_r8_k5_s1_e3_c160_se0.25',
  'ir_r1_k3_s2_e6_c264_se0.25 ir_r6_k5_s1_e5_c264_se0.25 ir_r2_k5_s1_e6_c288_se0.25',
  'cn_r1_k1_s1_c1728',
]

const LCNET = [
  'dsa_r1_k3_s1_c32',
  'dsa_r2_k3_s2_c64',
  'dsa_r2_k3_s2_c128',
  'dsa_r1_k3_s2_c256 dsa_r1_k5_s1_c256',
  'dsa_r4_k5_s1_c256',
  'dsa_r2_k5_s2_c512_se0.25',
]

const V3_LARGE = [
  'ds_r1_k3_s1_e1_c16_nre',
  'ir_r1_k3_s2_e4_c24_nre ir_r1_k3_s1_e3_c24_nre',
  'ir_r3_k5_s2_e3_c40_se0.25_nre',
  'ir_r1_k3_s2_e6_c80 ir_r1_k3_s1_e2.5_c80 ir_r2_k3_s1_e2.3_c80',
  'ir_r2_k3_s1_e6_c112_se0.25',
  'ir_r3_k5_s2_e6_c160_se0.25',
  'cn_r1_k1_s1_c960',
]

const V3_RW = [
  'ds_r1_k3_s1_e1_c16_nre_noskip',
  'ir_r1_k3_s2_e4_c24_nre ir_r1_k3_s1_e3_c24_nre',
  'ir_r3_k5_s2_e3_c40_se0.25_nre',
  'ir_r1_k3_s2_e6_c80 ir_r1_k3_s1_e2.5_c80 ir_r2_k3_s1_e2.3_c80',
  'ir_r2_k3_s1_e6_c112_se0.25',
  'ir_r3_k5_s2_e6_c160_se0.25',
  'cn_r1_k1_s1_c960',
]

const V3_SMALL = [
  'ds_r1_k3_s2_e1_c16_se0.25_nre',
  'ir_r1_k3_s2_e4.5_c24_nre ir_r1_k3_s1_e3.67_c24_nre',
  'ir_r1_k5_s2_e4_c40_se0.25 ir_r2_k5_s1_e6_c40_se0.25',
  'ir_r2_k5_s1_e3_c48_se0.25',
  'ir_r3_k5_s2_e6_c96_se0.25',
  'cn_r1_k1_s1_c576',
]

const V4_CONV_LARGE = [
  'er_r1_k3_s2_e4_c48',
  'uir_r1_a3_k5_s2_e4_c96 uir_r1_a3_k3_s1_e4_c96',
  'uir_r1_a3_k5_s2_e4_c192 uir_r3_a3_k3_s1_e4_c192 uir_r1_a3_k5_s1_e4_c192 uir_r5_a5_k3_s1_e4_c192 uir_r1_a3_k0_s1_e4_c192',
  'uir_r4_a5_k5_s2_e4_c512 uir_r1_a5_k0_s1_e4_c512 uir_r1_a5_k3_s1_e4_c512 uir_r2_a5_k0_s1_e4_c512 uir_r1_a5_k3_s1_e4_c512 uir_r1_a5_k5_s1_e4_c512 uir_r3_a5_k0_s1_e4_c512',
  'cn_r1_k1_s1_c960',
]

const V4_CONV_MEDIUM = [
  'er_r1_k3_s2_e4_c48',
  'uir_r1_a3_k5_s2_e4_c80 uir_r1_a3_k3_s1_e2_c80',
  'uir_r1_a3_k5_s2_e6_c160 uir_r2_a3_k3_s1_e4_c160 uir_r1_a3_k5_s1_e4_c160 uir_r1_a3_k3_s1_e4_c160 uir_r1_a3_k0_s1_e4_c160 uir_r1_a0_k0_s1_e2_c160 uir_r1_a3_k0_s1_e4_c160',
  'uir_r1_a5_k5_s2_e6_c256 uir_r1_a5_k5_s1_e4_c256 uir_r2_a3_k5_s1_e4_c256 uir_r1_a0_k0_s1_e4_c256 uir_r1_a3_k0_s1_e4_c256 uir_r1_a3_k5_s1_e2_c256 uir_r1_a5_k5_s1_e4_c256 uir_r2_a0_k0_s1_e4_c256 uir_r1_a5_k0_s1_e2_c256',
  'cn_r1_k1_s1_c960',
]

const V4_CONV_SMALL = [
  'cn_r1_k3_s2_e1_c32 cn_r1_k1_s1_e1_c32',
  'cn_r1_k3_s2_e1_c96 cn_r1_k1_s1_e1_c64',
  'uir_r1_a5_k5_s2_e3_c96 uir_r4_a0_k3_s1_e2_c96 uir_r1_a3_k0_s1_e4_c96',
  'uir_r1_a3_k3_s2_e6_c128 uir_r1_a5_k5_s1_e4_c128 uir_r1_a0_k5_s1_e4_c128 uir_r1_a0_k5_s1_e3_c128 uir_r2_a0_k3_s1_e4_c128',
  'cn_r1_k1_s1_c960',
]

const V4_HYBRID_LARGE = [
  'er_r1_k3_s2_e4_c48',
  'uir_r1_a3_k5_s2_e4_c96 uir_r1_a3_k3_s1_e4_c96',
  'uir_r1_a3_k5_s2_e4_c192 uir_r3_a3_k3_s1_e4_c192 uir_r1_a3_k5_s1_e4_c192 uir_r2_a5_k3_s1_e4_c192 mqa_r1_k3_h8_s1_v2_d48_c192 uir_r1_a5_k3_s1_e4_c192 mqa_r1_k3_h8_s1_v2_d48_c192 uir_r1_a5_k3_s1_e4_c192 mqa_r1_k3_h8_s1_v2_d48_c192 uir_r1_a5_k3_s1_e4_c192 mqa_r1_k3_h8_s1_v2_d48_c192 uir_r1_a3_k0_s1_e4_c192',
  'uir_r4_a5_k5_s2_e4_c512 uir_r1_a5_k0_s1_e4_c512 uir_r1_a5_k3_s1_e4_c512 uir_r2_a5_k0_s1_e4_c512 uir_r1_a5_k3_s1_e4_c512 uir_r1_a5_k5_s1_e4_c512 mqa_r1_k3_h8_s1_d64_c512 uir_r1_a5_k0_s1_e4_c512 mqa_r1_k3_h8_s1_d64_c512 uir_r1_a5_k0_s1_e4_c512 mqa_r1_k3_h8_s1_d64_c512 uir_r1_a5_k0_s1_e4_c512 mqa_r1_k3_h8_s1_d64_c512 uir_r1_a5_k0_s1_e4_c512',
  'cn_r1_k1_s1_c960',
]

const V4_HYBRID_MEDIUM = [
  'er_r1_k3_s2_e4_c48',
  'uir_r1_a3_k5_s2_e4_c80 uir_r1_a3_k3_s1_e2_c80',
  'uir_r1_a3_k5_s2_e6_c160 uir_r1_a0_k0_s1_e2_c160 uir_r1_a3_k3_s1_e4_c160 uir_r1_a3_k5_s1_e4_c160 mqa_r1_k3_h4_s1_v2_d64_c160 uir_r1_a3_k3_s1_e4_c160 mqa_r1_k3_h4_s1_v2_d64_c160 uir_r1_a3_k0_s1_e4_c160 mqa_r1_k3_h4_s1_v2_d64_c160 uir_r1_a3_k3_s1_e4_c160 mqa_r1_k3_h4_s1_v2_d64_c160 uir_r1_a3_k0_s1_e4_c160',
  'uir_r1_a5_k5_s2_e6_c256 uir_r1_a5_k5_s1_e4_c256 uir_r2_a3_k5_s1_e4_c256 uir_r1_a0_k0_s1_e2_c256 uir_r1_a3_k5_s1_e2_c256 uir_r1_a0_k0_s1_e2_c256 uir_r1_a0_k0_s1_e4_c256 mqa_r1_k3_h4_s1_d64_c256 uir_r1_a3_k0_s1_e4_c256 mqa_r1_k3_h4_s1_d64_c256 uir_r1_a5_k5_s1_e4_c256 mqa_r1_k3_h4_s1_d64_c256 uir_r1_a5_k0_s1_e4_c256 mqa_r1_k3_h4_s1_d64_c256 uir_r1_a5_k0_s1_e4_c256',
  'cn_r1_k1_s1_c960',
]

const V3_LARGE_MINIMAL = [
  'ds_r1_k3_s1_e1_c16',
  'ir_r1_k3_s2_e4_c24 ir_r1_k3_s1_e3_c24',
  'ir_r3_k3_s2_e3_c40',
  'ir_r1_k3_s2_e6_c80 ir_r1_k3_s1_e2.5_c80 ir_r2_k3_s1_e2.3_c80',
  'ir_r2_k3_s1_e6_c112',
  'ir_r3_k3_s2_e6_c160',
  'cn_r1_k1_s1_c960',
]

const V3_SMALL_MINIMAL = [
  'ds_r1_k3_s2_e1_c16',
  'ir_r1_k3_s2_e4.5_c24 ir_r1_k3_s1_e3.67_c24',
  'ir_r1_k3_s2_e4_c40 ir_r2_k3_s1_e6_c40',
  'ir_r2_k3_s1_e3_c48',
  'ir_r3_k3_s2_e6_c96',
  'cn_r1_k1_s1_c576',
]

/** As the checkpoints that were trained with TensorFlow need it. */
const TF: Variant = { pad_type: 'same', bn_eps: 1e-3 }

/** The last convolution behind the pooling. */
const V3_HEAD: Variant = { efficient_head: true, act: 'hard_swish', stem_size: 16 }
const V3: Variant = {
  ...V3_HEAD,
  se_from_exp: true,
  se_act: 'relu',
  se_gate: 'hard_sigmoid',
  se_round_limit: 0.9,
}
const LC: Variant = { ...V3_HEAD, se_from_exp: true, se_act: 'relu', se_gate: 'hard_sigmoid' }
const FBNET: Variant = {
  ...V3_HEAD,
  se_gate: 'hard_sigmoid',
  se_round_limit: 0.95,
  round_limit: 0.95,
  head_bias: false,
  num_features: 1984,
}
const V4: Variant = { efficient_head: true, head_norm: true }

const at = (size: number): Variant => ({ input_size: [size, size] })

function of(arch_def: readonly string[], variant: Variant = {}): MobileConfig {
  return {
    arch_def,
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
 * buildEfficientNet(mobileNetPresets.get('mobilenetv2_100')!, tensors)
 * ```
 */
export const mobileNetPresets: ReadonlyMap<string, MobileConfig> = new Map(
  Object.entries({
    fbnetc_100: of(FBNET_C, { stem_size: 16, num_features: 1984 }),
    mnasnet_050: of(MNASNET_B, { channel_multiplier: 0.5 }),
    mnasnet_075: of(MNASNET_B, { channel_multiplier: 0.75 }),
    mnasnet_100: of(MNASNET_B),
    mnasnet_140: of(MNASNET_B, { channel_multiplier: 1.4 }),
    mnasnet_small: of(MNASNET_SMALL, { stem_size: 8 }),
    mobilenet_edgetpu_100: of(EDGETPU),
    mobilenet_edgetpu_v2_l: of(EDGETPU_V2_L, { stem_size: 64, stem_kernel_size: 7, num_features: 1408 }),
    mobilenet_edgetpu_v2_m: of(EDGETPU_V2_M, { stem_size: 64, stem_kernel_size: 5, num_features: 1344 }),
    mobilenet_edgetpu_v2_s: of(EDGETPU_V2_S, { stem_size: 64, stem_kernel_size: 5 }),
    mobilenet_edgetpu_v2_xs: of(EDGETPU_V2_XS),
    mobilenetv1_100: of(V1, { act: 'relu6', num_features: 0 }),
    mobilenetv1_100h: of(V1, { act: 'relu6', num_features: 1024 }),
    mobilenetv1_125: of(V1, { act: 'relu6', channel_multiplier: 1.25, num_features: 0 }),
    mobilenetv2_035: of(V2, { act: 'relu6', channel_multiplier: 0.35 }),
    mobilenetv2_050: of(V2, { act: 'relu6', channel_multiplier: 0.5 }),
    mobilenetv2_075: of(V2, { act: 'relu6', channel_multiplier: 0.75 }),
    mobilenetv2_100: of(V2, { act: 'relu6' }),
    mobilenetv2_110d: of(V2, {
      act: 'relu6',
      channel_multiplier: 1.1,
      depth_multiplier: 1.2,
      fix_stem: true,
      fix_first_last: true,
    }),
    mobilenetv2_120d: of(V2, {
      act: 'relu6',
      channel_multiplier: 1.2,
      depth_multiplier: 1.4,
      fix_stem: true,
      fix_first_last: true,
    }),
    mobilenetv2_140: of(V2, { act: 'relu6', channel_multiplier: 1.4, num_features: 1792 }),
    semnasnet_050: of(MNASNET_A, { channel_multiplier: 0.5 }),
    semnasnet_075: of(MNASNET_A, { channel_multiplier: 0.75 }),
    semnasnet_100: of(MNASNET_A),
    semnasnet_140: of(MNASNET_A, { channel_multiplier: 1.4 }),
    spnasnet_100: of(SINGLE_PATH),
    fbnetv3_b: of(FBNETV3_B, { ...FBNET }),
    fbnetv3_d: of(FBNETV3_D, { ...FBNET, stem_size: 24 }),
    fbnetv3_g: of(FBNETV3_G, { ...FBNET, stem_size: 32, ...at(240) }),
    lcnet_035: of(LCNET, { ...LC, channel_multiplier: 0.35 }),
    lcnet_050: of(LCNET, { ...LC, channel_multiplier: 0.5 }),
    lcnet_075: of(LCNET, { ...LC, channel_multiplier: 0.75 }),
    lcnet_100: of(LCNET, { ...LC }),
    lcnet_150: of(LCNET, { ...LC, channel_multiplier: 1.5 }),
    mobilenetv3_large_075: of(V3_LARGE, { ...V3, channel_multiplier: 0.75 }),
    mobilenetv3_large_100: of(V3_LARGE, { ...V3 }),
    mobilenetv3_large_150d: of(V3_LARGE, {
      ...V3,
      channel_multiplier: 1.5,
      depth_multiplier: 1.2,
      ...at(256),
    }),
    mobilenetv3_rw: of(V3_RW, {
      bn_eps: 1e-3,
      ...V3_HEAD,
      se_from_exp: true,
      se_gate: 'hard_sigmoid',
      head_bias: false,
    }),
    mobilenetv3_small_050: of(V3_SMALL, {
      ...V3,
      channel_multiplier: 0.5,
      fix_stem: true,
      num_features: 1024,
    }),
    mobilenetv3_small_075: of(V3_SMALL, { ...V3, channel_multiplier: 0.75, num_features: 1024 }),
    mobilenetv3_small_100: of(V3_SMALL, { ...V3, num_features: 1024 }),
    mobilenetv4_conv_aa_large: of(V4_CONV_LARGE, { ...V4, stem_size: 24, aa_layer: 'avg', ...at(448) }),
    mobilenetv4_conv_aa_medium: of(V4_CONV_MEDIUM, { ...V4, aa_layer: 'avg', ...at(256) }),
    mobilenetv4_conv_blur_medium: of(V4_CONV_MEDIUM, { ...V4, aa_layer: 'blurpc' }),
    mobilenetv4_conv_large: of(V4_CONV_LARGE, { ...V4, stem_size: 24, ...at(384) }),
    mobilenetv4_conv_medium: of(V4_CONV_MEDIUM, { ...V4, ...at(256) }),
    mobilenetv4_conv_small: of(V4_CONV_SMALL, { ...V4 }),
    mobilenetv4_conv_small_035: of(V4_CONV_SMALL, { ...V4, channel_multiplier: 0.35, fix_stem: true }),
    mobilenetv4_conv_small_050: of(V4_CONV_SMALL, { ...V4, channel_multiplier: 0.5, fix_stem: true }),
    mobilenetv4_hybrid_large: of(V4_HYBRID_LARGE, {
      ...V4,
      act: 'gelu',
      stem_size: 24,
      layer_scale: 1e-5,
      ...at(384),
    }),
    mobilenetv4_hybrid_large_075: of(V4_HYBRID_LARGE, {
      ...V4,
      act: 'gelu',
      channel_multiplier: 0.75,
      fix_stem: true,
      stem_size: 24,
      layer_scale: 1e-5,
      ...at(256),
    }),
    mobilenetv4_hybrid_medium: of(V4_HYBRID_MEDIUM, { ...V4, layer_scale: 1e-5, ...at(256) }),
    mobilenetv4_hybrid_medium_075: of(V4_HYBRID_MEDIUM, {
      ...V4,
      channel_multiplier: 0.75,
      fix_stem: true,
      layer_scale: 1e-5,
    }),
    tf_mobilenetv3_large_075: of(V3_LARGE, { ...TF, ...V3, channel_multiplier: 0.75 }),
    tf_mobilenetv3_large_100: of(V3_LARGE, { ...TF, ...V3 }),
    tf_mobilenetv3_large_minimal_100: of(V3_LARGE_MINIMAL, { ...TF, ...V3, act: 'relu' }),
    tf_mobilenetv3_small_075: of(V3_SMALL, { ...TF, ...V3, channel_multiplier: 0.75, num_features: 1024 }),
    tf_mobilenetv3_small_100: of(V3_SMALL, { ...TF, ...V3, num_features: 1024 }),
    tf_mobilenetv3_small_minimal_100: of(V3_SMALL_MINIMAL, { ...TF, ...V3, act: 'relu', num_features: 1024 }),
  }),
)
