/** Vision transformers behind convolutional networks by timm's names (https://github.com/huggingface/pytorch-image-models, version 1.0.31). */
import { resNetPresets } from '../cnn/resNetPresets.ts'
import type { VitConfig } from './vit.ts'
import type { Backbone } from './vitHybrid.ts'

type Preset = Partial<VitConfig>

/** https://arxiv.org/abs/2106.10270 */
const second = (...layers: number[]): Preset => {
  const backbone: Backbone = {
    kind: 'resnetv2',
    config: { layers, stem_type: 'same', preact: false, standardized: true },
  }
  return { backbone, patch_size: 1 }
}
const r26 = second(2, 2, 2, 2)
const r50 = second(3, 4, 6, 3)
/** https://arxiv.org/abs/2010.11929 */
const r50s16 = second(3, 4, 9)
const stem: Preset = { ...second(), patch_size: 8 }

/** So many stages of a residual network. */
const first = (name: string, stages = 4): Preset => {
  const config = resNetPresets.get(name)!
  return {
    backbone: { kind: 'resnet', config: { ...config, layers: config.layers.slice(0, stages) } },
    patch_size: 1,
  }
}
const shallow: Preset = { embed_dim: 768, depth: 8, num_heads: 8, mlp_ratio: 3 }

/** MobileCLIP's image tower (https://arxiv.org/abs/2311.17049). */
const mobileClip: Preset = {
  backbone: {
    kind: 'stem',
    convolutions: [
      { channels: 192, stride: 4 },
      { channels: 192, stride: 2 },
      { channels: 768, stride: 2 },
    ],
  },
  patch_size: 1,
  no_embed_class: true,
}

export const HYBRID_PRESETS: Readonly<Record<string, Preset>> = {
  vit_base_mci_224: { ...mobileClip, num_classes: 512 },
  vit_base_r26_s32_224: r26,
  vit_base_r50_s16_224: { ...r50s16, num_classes: 0 },
  vit_base_r50_s16_384: r50s16,
  vit_base_resnet26d_224: first('resnet26d'),
  vit_base_resnet50d_224: first('resnet50d'),
  vit_large_r50_s32_224: r50,
  vit_large_r50_s32_384: r50,
  vit_small_r26_s32_224: r26,
  vit_small_r26_s32_384: r26,
  vit_small_resnet26d_224: { ...first('resnet26d'), ...shallow },
  vit_small_resnet50d_s16_224: { ...first('resnet50d', 3), ...shallow },
  vit_tiny_r_s16_p8_224: stem,
  vit_tiny_r_s16_p8_384: stem,
}
