/**
 * Sizes of residual networks by the names of timm (https://github.com/huggingface/pytorch-image-models, version 1.0.31) and torchvision,
 * which share them; the widened ones of SwAV's and SimCLR's checkpoints; and those for pictures of 32 × 32.
 */
import type { ResNetConfig } from './resNet.ts'

/** Blocks of each stage, by the depth in the name. */
export const resNetLayers: Readonly<Record<number, readonly number[]>> = {
  10: [1, 1, 1, 1],
  14: [1, 1, 1, 1],
  18: [2, 2, 2, 2],
  26: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
  154: [3, 8, 36, 3],
  200: [3, 24, 36, 3],
  201: [3, 24, 36, 4],
  269: [3, 30, 48, 8],
  270: [4, 29, 53, 4],
  350: [4, 36, 72, 4],
  420: [4, 44, 87, 4],
}

const BASIC = new Set([10, 18, 34])

type Variant = Partial<ResNetConfig>

/** The letters behind the depth: stems and shortcuts. */
const C: Variant = { stem_type: 'deep', stem_width: 32 }
const D: Variant = { ...C, avg_down: true }
const T: Variant = { ...D, stem_type: 'deep_tiered' }
const S: Variant = { stem_type: 'deep' }
const SE: Variant = { attn_layer: 'se' }
const ECA: Variant = { attn_layer: 'eca' }
const AA: Variant = { aa_layer: 'avg' }
const BLUR: Variant = { aa_layer: 'blur' }
/** https://arxiv.org/abs/2103.07579 */
const RS: Variant = { ...D, ...SE, se_ratio: 0.25, replace_stem_pool: true }

const groups = (cardinality: number, base_width: number): Variant => ({ cardinality, base_width })

/** All channels times `factor`. */
const wide = (factor: number): Variant => ({
  inplanes: 64 * factor,
  channels: [64, 128, 256, 512].map((channels) => channels * factor),
})

function of(depth: number, variant: Variant = {}): ResNetConfig {
  return {
    block: BASIC.has(depth) ? 'basic' : 'bottleneck',
    layers: resNetLayers[depth]!,
    num_classes: 1000,
    input_size: [224, 224],
    first_conv: variant.stem_type?.startsWith('deep') ? 'conv1.0' : 'conv1',
    classifier: 'fc',
    ...variant,
  }
}

/**
 * The paper's networks for pictures of 32 × 32 (https://arxiv.org/abs/1512.03385, section 4.2): three stages of 16, 32 and 64 channels of
 * (depth − 2) / 6 blocks each, shortcuts without parameters, He's initialisation. (timm and torchvision have none; names of layers and
 * parameters are as in their other residual networks.)
 */
function cifar(depth: number): ResNetConfig {
  const blocks = (depth - 2) / 6
  return {
    block: 'basic',
    layers: [blocks, blocks, blocks],
    channels: [16, 32, 64],
    inplanes: 16,
    stem_type: 'small',
    shortcut: 'A',
    zero_init_last: false,
    init_mode: 'fan_in',
    num_classes: 10,
    input_size: [32, 32],
    first_conv: 'conv1',
    classifier: 'fc',
  }
}

/**
 * The networks of four stages with a stem for small pictures, 3 × 3 without stride or pooling, as SimCLR uses them for CIFAR
 * (https://arxiv.org/abs/2002.05709, appendix B.9).
 */
const small = (depth: number): ResNetConfig =>
  of(depth, { stem_type: 'small', zero_init_last: false, num_classes: 10, input_size: [32, 32] })

/**
 * A network for little time: one block a stage, three stages of up to 256 channels behind the stem of 7 × 7, which leaves 8 × 8 places of a
 * picture of 32 × 32. A training step takes a quarter of resnet20_cifar's. (timm and torchvision have none.)
 */
const resnet8: ResNetConfig = {
  block: 'basic',
  layers: [1, 1, 1],
  channels: [64, 128, 256],
  zero_init_last: false,
  num_classes: 10,
  input_size: [32, 32],
  first_conv: 'conv1',
  classifier: 'fc',
}

/**
 * Configurations by name.
 *
 * @example
 * ```ts
 * buildResNet(resNetPresets.get('resnet50')!, tensors)
 * ```
 */
export const resNetPresets: ReadonlyMap<string, ResNetConfig> = new Map(
  Object.entries({
    ...Object.fromEntries([20, 32, 44, 56, 110].map((depth) => [`resnet${depth}_cifar`, cifar(depth)])),
    resnet18_small: small(18),
    resnet34_small: small(34),
    resnet50_small: small(50),
    ecaresnet26t: of(26, { ...T, ...ECA, input_size: [256, 256] }),
    ecaresnet50d: of(50, { ...D, ...ECA }),
    ecaresnet50d_pruned: of(50, { ...D, ...ECA, pruned: true }),
    ecaresnet50t: of(50, { ...T, ...ECA, input_size: [256, 256] }),
    ecaresnet101d: of(101, { ...D, ...ECA }),
    ecaresnet101d_pruned: of(101, { ...D, ...ECA, pruned: true }),
    ecaresnet200d: of(200, { ...D, ...ECA, input_size: [256, 256] }),
    ecaresnet269d: of(269, { ...D, ...ECA, input_size: [320, 320] }),
    ecaresnetlight: of(50, { layers: [1, 1, 11, 3], avg_down: true, ...ECA }),
    ecaresnext26t_32x4d: of(26, { ...T, ...groups(32, 4), ...ECA }),
    ecaresnext50t_32x4d: of(50, { ...T, ...groups(32, 4), ...ECA }),
    resnet8,
    resnet10t: of(10, { ...T, input_size: [176, 176] }),
    resnet14t: of(14, { ...T, input_size: [176, 176] }),
    resnet18: of(18),
    resnet18d: of(18, D),
    resnet26: of(26),
    resnet26d: of(26, D),
    resnet26t: of(26, { ...T, input_size: [256, 256] }),
    resnet34: of(34),
    resnet34d: of(34, D),
    resnet50: of(50),
    resnet50_gn: of(50, { norm: 'group' }),
    resnet50c: of(50, C),
    resnet50d: of(50, D),
    resnet50s: of(50, S),
    resnet50t: of(50, T),
    resnet101: of(101),
    resnet101c: of(101, C),
    resnet101d: of(101, { ...D, input_size: [256, 256] }),
    resnet101s: of(101, S),
    resnet152: of(152),
    resnet152c: of(152, C),
    resnet152d: of(152, { ...D, input_size: [256, 256] }),
    resnet152s: of(152, S),
    resnet200: of(200),
    resnet200d: of(200, { ...D, input_size: [256, 256] }),
    resnetaa34d: of(34, { ...D, ...AA }),
    resnetaa50: of(50, AA),
    resnetaa50d: of(50, { ...D, ...AA }),
    resnetaa101d: of(101, { ...D, ...AA }),
    resnetblur18: of(18, BLUR),
    resnetblur50: of(50, BLUR),
    resnetblur50d: of(50, { ...D, ...BLUR }),
    resnetblur101d: of(101, { ...D, ...BLUR }),
    resnetrs50: of(50, { ...RS, input_size: [160, 160] }),
    resnetrs101: of(101, { ...RS, input_size: [192, 192] }),
    resnetrs152: of(152, { ...RS, input_size: [256, 256] }),
    resnetrs200: of(200, { ...RS, input_size: [256, 256] }),
    resnetrs270: of(270, { ...RS, input_size: [256, 256] }),
    resnetrs350: of(350, { ...RS, input_size: [288, 288] }),
    resnetrs420: of(420, { ...RS, input_size: [320, 320] }),
    resnext50_32x4d: of(50, { ...groups(32, 4) }),
    resnext50d_32x4d: of(50, { ...D, ...groups(32, 4) }),
    resnext101_32x4d: of(101, { ...groups(32, 4) }),
    resnext101_32x8d: of(101, { ...groups(32, 8) }),
    resnext101_32x16d: of(101, { ...groups(32, 16) }),
    resnext101_32x32d: of(101, { ...groups(32, 32) }),
    resnext101_64x4d: of(101, { ...groups(64, 4) }),
    senet154: of(154, { ...S, ...groups(64, 4), ...SE, down_kernel_size: 3, block_reduce_first: 2 }),
    seresnet18: of(18, SE),
    seresnet34: of(34, SE),
    seresnet50: of(50, SE),
    seresnet50t: of(50, { ...T, ...SE }),
    seresnet101: of(101, SE),
    seresnet152: of(152, SE),
    seresnet152d: of(152, { ...D, ...SE, input_size: [256, 256] }),
    seresnet200d: of(200, { ...D, ...SE, input_size: [256, 256] }),
    seresnet269d: of(269, { ...D, ...SE, input_size: [256, 256] }),
    seresnetaa50d: of(50, { ...D, ...SE, ...AA }),
    seresnext26d_32x4d: of(26, { ...D, ...groups(32, 4), ...SE }),
    seresnext26t_32x4d: of(26, { ...T, ...groups(32, 4), ...SE }),
    seresnext50_32x4d: of(50, { ...groups(32, 4), ...SE }),
    seresnext101_32x4d: of(101, { ...groups(32, 4), ...SE }),
    seresnext101_32x8d: of(101, { ...groups(32, 8), ...SE }),
    seresnext101_64x4d: of(101, { ...groups(64, 4), ...SE }),
    seresnext101d_32x8d: of(101, { ...D, ...groups(32, 8), ...SE }),
    seresnextaa101d_32x8d: of(101, { ...D, ...groups(32, 8), ...SE, ...AA, input_size: [288, 288] }),
    seresnextaa201d_32x8d: of(201, {
      ...D,
      stem_width: 64,
      ...groups(32, 8),
      ...SE,
      ...AA,
      input_size: [384, 384],
    }),
    test_resnet: of(50, {
      layers: [1, 1, 1, 1],
      block: ['basic', 'basic', 'bottleneck', 'basic'],
      ...D,
      stem_width: 16,
      channels: [32, 48, 48, 96],
      input_size: [160, 160],
    }),
    wide_resnet50_2: of(50, { base_width: 128 }),
    wide_resnet101_2: of(101, { base_width: 128 }),
    resnet50w2: of(50, wide(2)),
    resnet50w4: of(50, wide(4)),
    resnet50w5: of(50, wide(5)),
    simclr_resnet50: of(50),
    simclr_resnet50_2x: of(50, wide(2)),
    simclr_resnet50_4x: of(50, wide(4)),
  }),
)
