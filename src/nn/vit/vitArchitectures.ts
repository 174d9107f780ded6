/** Vision transformers by the names of timm and of transformers. */

import type { BuildModel } from '../model.ts'
import { buildClipImage } from '../towers/clip.ts'
import { buildTransformersSwin } from './transformersSwin.ts'
import { transformersVit } from './transformersVit.ts'

/**
 * Architectures for pictures by the `model_type` of transformers' `config.json`.
 *
 * @example
 * ```ts
 * visionArchitectures['dinov2']?.(JSON.parse(text), tensors)
 * ```
 *
 * @remarks
 * `clip` and `siglip` are the image towers alone; `buildClip` gives both.
 */
export const visionArchitectures: Readonly<Record<string, BuildModel>> = {
  vit: transformersVit('vit'),
  deit: transformersVit('deit'),
  vit_mae: transformersVit('vit_mae'),
  dinov2: transformersVit('dinov2'),
  dinov2_with_registers: transformersVit('dinov2_with_registers'),
  vit_msn: transformersVit('vit_msn'),
  beit: transformersVit('beit'),
  'data2vec-vision': transformersVit('data2vec-vision'),
  swin: buildTransformersSwin,
  clip: buildClipImage,
  clip_vision_model: buildClipImage,
  siglip: buildClipImage,
  siglip_vision_model: buildClipImage,
}
