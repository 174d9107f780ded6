/** The reconstruction of masked patches, as masked autoencoders train. */
import { op, type Value } from '../../graph/index.ts'
import { patchify as patches } from '../../nn/index.ts'
import { checkFloat, checkOneShape, checkShape, invalid, mismatch, shown } from './checks.ts'
import { squares } from './regression.ts'
import { standardize } from './standardize.ts'

/** Options of {@link maskedReconstruction}. */
export interface MaskedReconstructionOptions {
  /** Compare with each patch's pixels less their mean, divided by their deviation. Default false. */
  readonly normPixLoss?: boolean
}

/**
 * Mean squared error over the masked patches.
 *
 * @example
 * ```ts
 * const loss = maskedReconstruction(decoded, patchify(pixelValues, 16), mask, { normPixLoss: true })
 * ```
 *
 * @remarks
 * As `ViTMAEForPreTraining` of transformers. From https://arxiv.org/abs/2111.06377, section 3. A batch without masked patches is NaN, as
 * there.
 *
 * @param prediction [N, patches, pixels of a patch]
 * @param target the same shape: {@link patchify} makes it of pictures
 * @param mask [N, patches], any dtype: 1 where a patch was masked, 0 where the encoder saw it
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
 */
export function maskedReconstruction(
  prediction: Value,
  target: Value,
  mask: Value,
  { normPixLoss = false }: MaskedReconstructionOptions = {},
): Value {
  checkFloat('prediction', prediction)
  checkFloat('target', target)
  if (prediction.shape.length !== 3) {
    throw mismatch('prediction', `${shown('prediction', prediction)}; it must be [N, patches, pixels].`)
  }
  checkOneShape({ prediction, target })
  checkShape('mask', mask, prediction.shape.slice(0, 2))
  const wanted = normPixLoss ? standardize(target, [2], { epsilon: 1e-6, unbiased: true }) : target
  const errors = op.reduceMean(squares(op.sub(prediction, wanted)), [2]) // [N, patches]
  const isMasked = op.cast(mask, prediction.dtype)
  return op.div(op.reduceSum(op.mul(errors, isMasked)), op.reduceSum(isMasked))
}

/**
 * Pictures as rows of patches: [N, C, H, W] becomes [N, H/p · W/p, p · p · C].
 *
 * @example
 * ```ts
 * const target = patchify(pixelValues, 16)   // [N, 196, 768] of [N, 3, 224, 224]
 * ```
 *
 * @remarks Within a patch, pixels go row by row and channels are innermost, as in transformers' ViTMAE.
 *
 * @throws PipiloError `SHAPE_MISMATCH` for sizes that are unknown or no multiples of the patch, `OPTION_INVALID`
 */
export function patchify(pixelValues: Value, patchSize: number): Value {
  if (!Number.isSafeInteger(patchSize) || patchSize < 1) {
    throw invalid('patchSize', patchSize, 'a whole number from 1')
  }
  const [, channels, height, width] = pixelValues.shape
  const isWhole = [height, width].every((size) => typeof size === 'number' && size % patchSize === 0)
  if (pixelValues.shape.length !== 4 || typeof channels !== 'number' || !isWhole) {
    const sizes = `[N, C, H, W] with H and W multiples of ${patchSize}`
    throw mismatch('pixelValues', `${shown('pixelValues', pixelValues)}; it must be ${sizes}.`)
  }
  return patches(pixelValues, patchSize)
}
