/** Pictures and their texts in one space: CLIP's way and SigLIP's. */
import type { Objective } from '../objective.ts'
import { clipLoss, MAX_LOGIT_SCALE, sigLipLoss } from '../objectives/imageText.ts'

/** Options of {@link imageText}. */
export interface ImageTextOptions {
  /** `clip`: symmetric cross-entropy over the batch. `siglip`: a sigmoid for each pair. Default `clip`. */
  readonly loss?: 'clip' | 'siglip'
}

/**
 * Trains two towers, outputs `image_embeds` and `text_embeds`, with a learned temperature (https://arxiv.org/abs/2103.00020,
 * https://arxiv.org/abs/2303.15343).
 *
 * @example
 * ```ts
 * await train({ network: await clipPair(…), objective: imageText(), data: await readDataset('captions.csv') })
 * ```
 *
 * @remarks The data has the columns `image` and `text`.
 */
export function imageText({ loss = 'clip' }: ImageTextOptions = {}): Objective {
  return {
    name: loss,
    leastBatch: 2,
    ...(loss === 'clip' && { limits: { logit_scale: MAX_LOGIT_SCALE } }),
    build(scope) {
      const inputs = { pixel_values: scope.pixels(), ...scope.texts('text') }
      const [images, texts] = scope.network(inputs, ['image_embeds', 'text_embeds'])
      const start = loss === 'clip' ? Math.log(1 / 0.07) : Math.log(10)
      const logitScale = scope.parameters.weight('logit_scale', [], { kind: 'constant', value: start })
      if (loss === 'clip')
        return { loss: clipLoss(images!, texts!, { logitScale }), metrics: { logit_scale: logitScale } }
      const logitBias = scope.parameters.weight('logit_bias', [], { kind: 'constant', value: -10 })
      return {
        loss: sigLipLoss(images!, texts!, { logitScale, logitBias }),
        metrics: { logit_scale: logitScale },
      }
    },
  }
}
