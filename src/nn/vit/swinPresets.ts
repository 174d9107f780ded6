/** Sizes of Swin Transformers by the names of timm (https://github.com/huggingface/pytorch-image-models, version 1.0.31) and torchvision. */
import type { SwinConfig } from './swin.ts'

/** Width, blocks and heads of each stage. */
const swinSizes = {
  tiny: { embed_dim: 96, depths: [2, 2, 6, 2], num_heads: [3, 6, 12, 24] },
  small: { embed_dim: 96, depths: [2, 2, 18, 2], num_heads: [3, 6, 12, 24] },
  base: { embed_dim: 128, depths: [2, 2, 18, 2], num_heads: [4, 8, 16, 32] },
  large: { embed_dim: 192, depths: [2, 2, 18, 2], num_heads: [6, 12, 24, 48] },
  huge: { embed_dim: 352, depths: [2, 2, 18, 2], num_heads: [11, 22, 44, 88] },
  giant: { embed_dim: 512, depths: [2, 2, 42, 2], num_heads: [16, 32, 64, 128] },
} as const

type Preset = Partial<SwinConfig>

const side = (pixels: number) => [pixels, pixels] as const
const large: Preset = { img_size: side(384), window_size: 12 }

/** Version 2: pictures of `pixels`, windows of `window`. */
const second = (pixels: number, window: number, more: Preset = {}): Preset => ({
  version: 2,
  img_size: side(pixels),
  window_size: window,
  ...more,
})
const further: Preset = { pretrained_window_sizes: [12, 12, 12, 6] }
const wide: Preset = { num_classes: 21841 }
const torchvision: Preset = { names: 'torchvision' }

/** Version `cr`: pictures of `pixels`. */
const cr = (pixels: number, more: Preset = {}): Preset => ({ version: 'cr', img_size: side(pixels), ...more })
const stageNorms: Preset = { extra_norm_stage: true }
const sixth: Preset = { extra_norm_period: 6 }

/** Configurations by timm's names, what differs from its defaults. `s3` are those of https://arxiv.org/abs/2111.14725. */
export const swinPresets: ReadonlyMap<string, Preset> = new Map<string, Preset>([
  ['swin_tiny_patch4_window7_224', swinSizes.tiny],
  ['swin_small_patch4_window7_224', swinSizes.small],
  ['swin_base_patch4_window7_224', swinSizes.base],
  ['swin_base_patch4_window12_384', { ...swinSizes.base, ...large }],
  ['swin_large_patch4_window7_224', swinSizes.large],
  ['swin_large_patch4_window12_384', { ...swinSizes.large, ...large }],
  ['swin_t', { ...swinSizes.tiny, ...torchvision }],
  ['swin_s', { ...swinSizes.small, ...torchvision }],
  ['swin_b', { ...swinSizes.base, ...torchvision }],
  ['swin_v2_t', { ...swinSizes.tiny, ...second(256, 8, torchvision) }],
  ['swin_v2_s', { ...swinSizes.small, ...second(256, 8, torchvision) }],
  ['swin_v2_b', { ...swinSizes.base, ...second(256, 8, torchvision) }],
  ['swin_s3_tiny_224', { ...swinSizes.tiny, window_size: [7, 7, 14, 7] }],
  ['swin_s3_small_224', { ...swinSizes.small, window_size: [14, 14, 14, 7] }],
  ['swin_s3_base_224', { ...swinSizes.small, depths: [2, 2, 30, 2], window_size: [7, 7, 14, 7] }],
  ['swinv2_tiny_window8_256', { ...swinSizes.tiny, ...second(256, 8) }],
  ['swinv2_tiny_window16_256', { ...swinSizes.tiny, ...second(256, 16) }],
  ['swinv2_small_window8_256', { ...swinSizes.small, ...second(256, 8) }],
  ['swinv2_small_window16_256', { ...swinSizes.small, ...second(256, 16) }],
  ['swinv2_base_window8_256', { ...swinSizes.base, ...second(256, 8) }],
  ['swinv2_base_window16_256', { ...swinSizes.base, ...second(256, 16) }],
  ['swinv2_base_window12_192', { ...swinSizes.base, ...second(192, 12, wide) }],
  ['swinv2_base_window12to16_192to256', { ...swinSizes.base, ...second(256, 16, further) }],
  ['swinv2_base_window12to24_192to384', { ...swinSizes.base, ...second(384, 24, further) }],
  ['swinv2_large_window12_192', { ...swinSizes.large, ...second(192, 12, wide) }],
  ['swinv2_large_window12to16_192to256', { ...swinSizes.large, ...second(256, 16, further) }],
  ['swinv2_large_window12to24_192to384', { ...swinSizes.large, ...second(384, 24, further) }],
  ['swinv2_cr_tiny_224', { ...swinSizes.tiny, ...cr(224) }],
  ['swinv2_cr_tiny_384', { ...swinSizes.tiny, ...cr(384) }],
  ['swinv2_cr_tiny_ns_224', { ...swinSizes.tiny, ...cr(224, stageNorms) }],
  ['swinv2_cr_small_224', { ...swinSizes.small, ...cr(224) }],
  ['swinv2_cr_small_384', { ...swinSizes.small, ...cr(384) }],
  ['swinv2_cr_small_ns_224', { ...swinSizes.small, ...cr(224, stageNorms) }],
  ['swinv2_cr_small_ns_256', { ...swinSizes.small, ...cr(256, stageNorms) }],
  ['swinv2_cr_base_224', { ...swinSizes.base, ...cr(224) }],
  ['swinv2_cr_base_384', { ...swinSizes.base, ...cr(384) }],
  ['swinv2_cr_base_ns_224', { ...swinSizes.base, ...cr(224, stageNorms) }],
  ['swinv2_cr_large_224', { ...swinSizes.large, ...cr(224) }],
  ['swinv2_cr_large_384', { ...swinSizes.large, ...cr(384) }],
  ['swinv2_cr_huge_224', { ...swinSizes.huge, num_heads: [8, 16, 32, 64], ...cr(224, sixth) }],
  ['swinv2_cr_huge_384', { ...swinSizes.huge, ...cr(384, sixth) }],
  ['swinv2_cr_giant_224', { ...swinSizes.giant, ...cr(224, sixth) }],
  ['swinv2_cr_giant_384', { ...swinSizes.giant, ...cr(384, sixth) }],
])
