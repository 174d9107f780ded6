/**
 * Sizes of ConvNeXts by the names of timm (https://github.com/huggingface/pytorch-image-models, version 1.0.31) and torchvision, which
 * share them.
 */
import type { ConvNeXtConfig } from './convNeXt.ts'

type Variant = Partial<ConvNeXtConfig>

/** 1 × 1 convolutions, in the small ones. */
const CONV: Variant = { conv_mlp: true }
const V2: Variant = { use_grn: true, ls_init_value: null }

/** @param dims channels of the stages; one number doubles from stage to stage */
function of(
  depths: readonly number[],
  dims: number | readonly number[],
  variant: Variant = {},
): ConvNeXtConfig {
  return {
    depths,
    dims: typeof dims === 'number' ? [dims, 2 * dims, 4 * dims, 8 * dims] : dims,
    num_classes: 1000,
    input_size: [224, 224],
    first_conv: 'stem.0',
    classifier: 'head.fc',
    ...variant,
  }
}

/**
 * Configurations by name.
 *
 * @example
 * ```ts
 * buildConvNeXt(convNeXtPresets.get('convnext_tiny')!, tensors)
 * ```
 */
export const convNeXtPresets: ReadonlyMap<string, ConvNeXtConfig> = new Map(
  Object.entries({
    convnext_atto: of([2, 2, 6, 2], 40, { ...CONV }),
    convnext_atto_ols: of([2, 2, 6, 2], 40, { ...CONV, stem_type: 'overlap_tiered' }),
    convnext_atto_rms: of([2, 2, 6, 2], 40, { ...CONV, norm: 'rms' }),
    convnext_base: of([3, 3, 27, 3], 128),
    convnext_femto: of([2, 2, 6, 2], 48, { ...CONV }),
    convnext_femto_ols: of([2, 2, 6, 2], 48, { ...CONV, stem_type: 'overlap_tiered' }),
    convnext_large: of([3, 3, 27, 3], 192),
    convnext_large_mlp: of([3, 3, 27, 3], 192, { head_hidden_size: 1536, input_size: [320, 320] }),
    convnext_nano: of([2, 2, 8, 2], 80, { ...CONV }),
    convnext_nano_ols: of([2, 2, 8, 2], 80, { ...CONV, stem_type: 'overlap' }),
    convnext_pico: of([2, 2, 6, 2], 64, { ...CONV }),
    convnext_pico_ols: of([2, 2, 6, 2], 64, { ...CONV, stem_type: 'overlap_tiered' }),
    convnext_small: of([3, 3, 27, 3], 96),
    convnext_tiny: of([3, 3, 9, 3], 96),
    convnext_tiny_hnf: of([3, 3, 9, 3], 96, { ...CONV, head_norm_first: true }),
    convnext_xlarge: of([3, 3, 27, 3], 256),
    convnext_xxlarge: of([3, 4, 30, 3], 384, { norm_eps: 1e-5, input_size: [256, 256] }),
    convnext_zepto_rms: of([2, 2, 4, 2], 32, { ...CONV, norm: 'simple' }),
    convnext_zepto_rms_ols: of([2, 2, 4, 2], 32, { ...CONV, norm: 'simple', stem_type: 'overlap_act' }),
    convnextv2_atto: of([2, 2, 6, 2], 40, { ...V2, ...CONV }),
    convnextv2_base: of([3, 3, 27, 3], 128, { ...V2 }),
    convnextv2_femto: of([2, 2, 6, 2], 48, { ...V2, ...CONV }),
    convnextv2_huge: of([3, 3, 27, 3], 352, { ...V2, input_size: [384, 384] }),
    convnextv2_large: of([3, 3, 27, 3], 192, { ...V2 }),
    convnextv2_nano: of([2, 2, 8, 2], 80, { ...V2, ...CONV }),
    convnextv2_pico: of([2, 2, 6, 2], 64, { ...V2, ...CONV }),
    convnextv2_small: of([3, 3, 27, 3], 96, { ...V2 }),
    convnextv2_tiny: of([3, 3, 9, 3], 96, { ...V2 }),
    test_convnext: of([1, 2, 4, 2], [24, 32, 48, 64], {
      act: 'gelu_tanh',
      norm_eps: 1e-5,
      input_size: [160, 160],
    }),
    test_convnext2: of([1, 1, 1, 1], [32, 64, 96, 128], {
      act: 'gelu_tanh',
      norm_eps: 1e-5,
      input_size: [160, 160],
    }),
    test_convnext3: of([1, 1, 1, 1], [32, 64, 96, 128], {
      act: 'silu',
      norm_eps: 1e-5,
      kernel_sizes: [7, 5, 5, 3],
      input_size: [160, 160],
    }),
  }),
)
