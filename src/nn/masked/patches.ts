/** Patches of pictures as numbers, and the choice of some of them. */
import { op, type Value } from '../../graph/index.ts'
import { patchGrid } from '../vit/visionConfig.ts'

/**
 * The pixels of each patch: [batch, channels, height, width] to [batch, patches, patch² · channels], patches and pixels row by row, the
 * channels of a pixel side by side, as in MAE.
 *
 * @example
 * ```ts
 * const target = patchify(pixels, 16) // what the prediction of `buildMae` is compared with
 * ```
 *
 * @throws PipiloError `OPTION_INVALID` where patches do not fill the picture
 */
export function patchify(pixels: Value, patch: number): Value {
  const [, channels, height, width] = pixels.shape as [unknown, number, number, number]
  const [rows, columns] = patchGrid([height, width], patch)
  const split = op.reshape(pixels, [0, channels, rows, patch, columns, patch])
  return op.reshape(op.transpose(split, [0, 2, 4, 3, 5, 1]), [0, rows * columns, patch * patch * channels])
}

/** The picture [batch, channels, height, width] of which {@link patchify} makes these patches. */
export function unpatchify(
  patches: Value,
  patch: number,
  [channels, height, width]: readonly [number, number, number],
): Value {
  const [rows, columns] = patchGrid([height, width], patch)
  const split = op.reshape(patches, [0, rows, columns, patch, patch, channels])
  return op.reshape(op.transpose(split, [0, 5, 1, 3, 2, 4]), [0, channels, height, width])
}

/** Of [batch, tokens, features] the tokens at these places, int64 [batch, count]: [batch, count, features]. */
export function gatherTokens(x: Value, places: Value): Value {
  const { builder } = x
  const features = builder.constant([x.shape.at(-1) as number])
  const shape = op.concat([op.shape(places), features], 0)
  return op.gatherElements(x, op.expand(op.unsqueeze(places, [2]), shape), 1)
}
