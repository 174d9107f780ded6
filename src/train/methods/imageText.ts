/** Pictures and their texts in one space: CLIP's way and SigLIP's. */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import { op } from '../../graph/index.ts'
import type { Objective } from '../objective.ts'
import { clipLoss, MAX_LOGIT_SCALE, sigLipLoss } from '../objectives/imageText.ts'

const imageTextTypes: OptionTable<ImageTextOptions> = { loss: is.oneOf(['clip', 'siglip']) }

/** Options of {@link imageText}. */
export interface ImageTextOptions {
  /** `clip`: symmetric cross-entropy over the batch. `siglip`: a sigmoid for each pair. Default `clip`. */
  readonly loss?: 'clip' | 'siglip'
}

/**
 * Trains two towers, outputs `image_embeds` and `text_embeds`, with a learned temperature: the network's, if it has the output
 * `scale` (https://arxiv.org/abs/2103.00020,
 * https://arxiv.org/abs/2303.15343).
 *
 * @example
 * ```ts
 * await train({ network: await clipPair(…), objective: imageText(), data: await readDataset('captions.csv') })
 * ```
 *
 * @remarks The data has the columns `image` and `text`.
 */
export function imageText(given: ImageTextOptions = {}): Objective {
  checkOptions('imageText', given, imageTextTypes)
  const { loss = 'clip' } = given
  return {
    name: loss,
    leastBatch: 2,
    ...(loss === 'clip' && { limits: { logit_scale: MAX_LOGIT_SCALE } }),
    build(scope) {
      const inputs = { pixel_values: scope.pixels(), ...scope.texts('text') }
      const run = (...outputs: string[]) => scope.network(inputs, outputs)
      const number = (name: string, start: number) =>
        scope.parameters.weight(name, [], { kind: 'constant', value: start })
      const hasScale = scope.outputs.includes('scale')
      const [images, texts, scale] = run('image_embeds', 'text_embeds', ...(hasScale ? ['scale'] : []))
      const logitScale = scale
        ? op.log(scale)
        : number('logit_scale', loss === 'clip' ? CLIP_SCALE : SIGLIP_SCALE)
      const metrics = { similarity_scale: op.exp(logitScale) }
      if (loss === 'clip') return { loss: clipLoss(images!, texts!, { logitScale }), metrics }
      const [bias] = scope.outputs.includes('bias') ? run('bias') : [number('logit_bias', -10)]
      return { loss: sigLipLoss(images!, texts!, { logitScale, logitBias: bias! }), metrics }
    },
  }
}

/** Logarithms of the factors of similarities that the papers begin with. */
const CLIP_SCALE = Math.log(1 / 0.07)
const SIGLIP_SCALE = Math.log(10)
