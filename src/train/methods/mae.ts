/** MAE: an encoder that sees a quarter of the patches, and a decoder that paints the rest (https://arxiv.org/abs/2111.06377). */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import { op } from '../../graph/index.ts'
import { patchify } from '../../nn/index.ts'
import { patchMask } from '../augmentations/index.ts'
import type { Objective } from '../objective.ts'
import { maskedReconstruction } from '../objectives/maskedReconstruction.ts'

const maeTypes: OptionTable<MaeOptions> = {
  patchSize: is.count(1),
  ratio: is.numeric(0, 1),
  normPixLoss: is.flag,
}

/** Options of {@link mae}. */
export interface MaeOptions {
  /** Side of a patch, as the network has it. */
  readonly patchSize: number
  /** Part of the patches that is masked. Default 0.75. */
  readonly ratio?: number
  /** Compare with each patch's pixels after taking off their mean and deviation. Default `true`. */
  readonly normPixLoss?: boolean
}

/**
 * The mean squared error of masked patches, painted by a masked autoencoder.
 *
 * @example
 * ```ts
 * const network = maeNetwork({ img_size: 64, patch_size: 8, embed_dim: 192, depth: 4, num_heads: 3 })
 * await train({ network, objective: mae({ patchSize: 8 }), data: await readDataset('photos/') })
 * ```
 *
 * @remarks The data has the column `image`.
 */
export function mae(given: MaeOptions): Objective {
  checkOptions('mae', given, maeTypes)
  const { patchSize, ratio = 0.75, normPixLoss = true } = given
  return {
    name: 'mae',
    build(scope) {
      const pixels = scope.pixels()
      const target = patchify(pixels, patchSize)
      const patches = Number(target.shape[1])
      const count = scope.batch
      const kept = Math.floor(patches * (1 - ratio) + 1e-9)
      const masks = (at: { readonly seed: number; readonly step: number }) =>
        patchMask({ patches, ratio, count, ...at })
      const keep = scope.drawn(
        'ids_keep',
        'int64',
        [count, kept],
        ({ seed, step }) => masks({ seed, step }).ids_keep.data as BigInt64Array,
      )
      const restore = scope.drawn(
        'ids_restore',
        'int64',
        [count, patches],
        ({ seed, step }) => masks({ seed, step }).ids_restore.data as BigInt64Array,
      )
      const inputs = { pixel_values: pixels, ids_keep: keep, ids_restore: restore }
      const [prediction] = scope.network(inputs, ['prediction'])
      const mask = op.cast(op.greaterOrEqual(restore, kept), 'float32')
      return { loss: maskedReconstruction(prediction!, target, mask, { normPixLoss }) }
    },
  }
}
