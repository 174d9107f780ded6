/** Sizes of residual networks that normalise first, by timm's names (https://github.com/huggingface/pytorch-image-models, version 1.0.31). */
import { resNetLayers } from './resNetPresets.ts'
import type { ResNetV2Config, ResNetV2Options } from './resNetV2.ts'

type Variant = Omit<ResNetV2Options, 'layers'>

const BATCH: Variant = { norm: 'batch' }
const BASIC: Variant = { ...BATCH, basic: true, bottle_ratio: 1, channels: [64, 128, 256, 512] }
/** The letters behind the depth: stems and shortcuts. */
const D: Variant = { stem_type: 'deep', avg_down: true }
const T: Variant = { stem_type: 'tiered', avg_down: true }

function of(depth: number, variant: Variant, side = 224): ResNetV2Config {
  return {
    layers: resNetLayers[depth]!,
    num_classes: 1000,
    input_size: [side, side],
    first_conv: variant.avg_down ? 'stem.conv1' : 'stem.conv',
    classifier: 'head.fc',
    ...variant,
  }
}

/** Big Transfer. */
const bit = (depth: number, width_factor: number, side?: number) =>
  of(depth, { stem_type: 'fixed', standardized: true, width_factor }, side)

/**
 * Configurations by name.
 *
 * @example
 * ```ts
 * buildResNetV2(resNetV2Presets.get('resnetv2_50')!, tensors)
 * ```
 */
export const resNetV2Presets: ReadonlyMap<string, ResNetV2Config> = new Map(
  Object.entries({
    resnetv2_18: of(18, BASIC),
    resnetv2_18d: of(18, { ...BASIC, ...D }),
    resnetv2_34: of(34, BASIC),
    resnetv2_34d: of(34, { ...BASIC, ...D }),
    resnetv2_50: of(50, BATCH),
    resnetv2_50d: of(50, { ...BATCH, ...D }),
    resnetv2_50t: of(50, { ...BATCH, ...T }),
    resnetv2_50d_gn: of(50, D),
    resnetv2_50d_evos: of(50, { ...D, norm: 'evo' }),
    resnetv2_50d_frn: of(50, { ...D, norm: 'frn' }),
    resnetv2_101: of(101, BATCH),
    resnetv2_101d: of(101, { ...BATCH, ...D }),
    resnetv2_152: of(152, BATCH),
    resnetv2_152d: of(152, { ...BATCH, ...D }),
    resnetv2_50x1_bit: bit(50, 1),
    resnetv2_50x3_bit: bit(50, 3, 448),
    resnetv2_101x1_bit: bit(101, 1, 448),
    resnetv2_101x3_bit: bit(101, 3, 448),
    resnetv2_152x2_bit: bit(152, 2),
    resnetv2_152x4_bit: bit(152, 4, 480),
  }),
)
