/** Sizes and channels of the pixels that an augmentation is built for. */
import { PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'

/** One side for both, or height and width. */
export type Size = number | readonly [height: number, width: number]

/** Height and width of a {@link Size}. */
export function sides(size: Size): readonly [height: number, width: number] {
  return typeof size === 'number' ? [size, size] : size
}

/**
 * Channels, height and width of pixels [batch, channels, height, width].
 *
 * @throws PipiloError `SHAPE_MISMATCH` when they are not known while building, or channels are neither 1 nor 3
 */
export function pixelShape(x: Value): { channels: 1 | 3; height: number; width: number } {
  const [, channels, height, width] = x.shape
  const known = x.shape.length === 4 && typeof height === 'number' && typeof width === 'number'
  if (known && (channels === 1 || channels === 3)) return { channels, height, width }
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `Pixels are [batch, channels, height, width] with 1 or 3 channels and sizes known while building, not [${x.shape.join(', ')}].`,
    { input: x.name },
  )
}

/** A parameter of one number a picture, [batch], with `rank - 1` axes of size 1 behind it. */
export function perPicture(parameter: Value, rank: number): Value {
  return op.reshape(parameter, [-1, ...Array<number>(rank - 1).fill(1)])
}

/** Column `column` of parameters [batch, columns], as [batch, 1, …] of the given rank. */
export function columnOf(parameters: Value, column: number, rank: number): Value {
  return perPicture(op.gather(parameters, column, 1), rank)
}

/** A constant float32 vector shaped to broadcast. */
export function row(x: Value, values: readonly number[], shape: readonly number[]): Value {
  return x.builder.constant(tensor('float32', shape, values))
}

/** 0, 1, … count - 1. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
