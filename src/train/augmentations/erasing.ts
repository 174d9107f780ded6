/** Erasing a box of each picture. */
import { op, type Value } from '../../graph/index.ts'
import { columnOf, pixelShape, row, upTo } from './pixels.ts'

/**
 * Fills a box of each picture with one value: torchvision's `erase`.
 *
 * @example
 * ```ts
 * erasing(pixels, b.input('boxes', 'float32', ['batch', 4]))
 * ```
 *
 * @param boxes float32 [batch, 4]: top, left, height, width in pixels; a height of 0 erases nothing
 * @param value of all channels, or one a channel. Default 0
 */
export function erasing(x: Value, boxes: Value, value: number | readonly number[] = 0): Value {
  const { height, width } = pixelShape(x)
  const values = typeof value === 'number' ? [value] : value
  const within = (start: number, length: number, size: number, shape: readonly number[]) => {
    const pixel = op.sub(row(x, upTo(size), shape), columnOf(boxes, start, 4))
    return op.and(op.greaterOrEqual(pixel, 0), op.less(pixel, columnOf(boxes, length, 4)))
  }
  const box = op.and(within(0, 2, height, [1, 1, height, 1]), within(1, 3, width, [1, 1, 1, width]))
  return op.where(box, row(x, values, [1, values.length, 1, 1]), x)
}
