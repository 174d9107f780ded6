/** Augmentations that move pixels: crops, flips and affine maps. */
import { op, type Value } from '../../graph/index.ts'
import { columnOf, perPicture, pixelShape, row, type Size, sides, upTo } from './pixels.ts'

/** Options of {@link resizedCrop}. */
export interface ResizedCropOptions {
  /** Widen the filter by the factor of shrinking, as torchvision does by default. Default `true`. */
  readonly antialias?: boolean
  /** bool [batch]: pictures that are mirrored afterwards, at no cost. */
  readonly flips?: Value
}

/**
 * Cuts a box out of each picture and resizes it by bilinear interpolation: torchvision's `resized_crop`.
 *
 * @example
 * ```ts
 * resizedCrop(pixels, b.input('boxes', 'float32', ['batch', 4]), 64)
 * ```
 *
 * @remarks
 * Interpolation is a matrix for each picture and axis, so it is two batched matrix products. Equal to
 * torchvision within 1e-5, for pictures of up to 400 pixels.
 *
 * @param boxes float32 [batch, 4]: top, left, height, width in whole pixels, inside the picture
 * @returns [batch, channels, size, size]
 */
export function resizedCrop(x: Value, boxes: Value, size: Size, options: ResizedCropOptions = {}): Value {
  const { channels, height, width } = pixelShape(x)
  const [rows, columns] = sides(size)
  const { antialias = true, flips } = options
  const box = (column: number) => columnOf(boxes, column, 3)
  const down = interpolation(box(0), box(2), height, rows, { antialias, axis: 1 })
  const across = interpolation(box(1), box(3), width, columns, { antialias, axis: 2, ...mirrored(flips) })
  return applyMatrices(x, down, across, [channels, height, rows, columns])
}

/** Mirrors the pictures whose flag is set, left to right: torchvision's `horizontal_flip`. @param flips bool [batch] */
export function horizontalFlip(x: Value, flips: Value): Value {
  const mirrored = op.slice(x, [-1], [-(2 ** 31)], { axes: [3], steps: [-1] })
  return op.where(perPicture(flips, 4), mirrored, x)
}

/** The pixels beyond a border: black, mirrored without repeating the border, or the border's own. */
export type PaddingMode = 'constant' | 'reflect' | 'edge'

/** Options of {@link paddedCrop}. */
export interface PaddedCropOptions {
  /** Pixels added on each side before cropping. Default 0. */
  readonly padding?: number
  /** Default `constant`: zeros. */
  readonly mode?: PaddingMode
  /** bool [batch]: pictures that are mirrored afterwards, at no cost. */
  readonly flips?: Value
}

/**
 * Pads each picture and cuts a window out of it, without resizing: torchvision's `pad` and `crop`. Pixels are exactly the same.
 *
 * @example
 * ```ts
 * paddedCrop(pixels, offsets, 32, { padding: 4 })   // the usual one for CIFAR
 * ```
 *
 * @param offsets float32 [batch, 2]: top and left in whole pixels of the padded picture
 */
export function paddedCrop(x: Value, offsets: Value, size: Size, options: PaddedCropOptions = {}): Value {
  const { channels, height, width } = pixelShape(x)
  const [rows, columns] = sides(size)
  const { padding = 0, mode = 'constant', flips } = options
  const from = (column: number) => op.sub(columnOf(offsets, column, 3), padding)
  const down = selection(from(0), height, rows, mode, 1)
  const across = selection(from(1), width, columns, mode, 2, flips)
  return applyMatrices(x, down, across, [channels, height, rows, columns])
}

/** `down · x · across` for each channel of each picture. */
function applyMatrices(
  x: Value,
  down: Value,
  across: Value,
  [channels, height, rows, columns]: readonly [number, number, number, number],
): Value {
  // All rows of a picture share one matrix: one large product instead of one a channel.
  const joined = op.reshape(x, [0, channels * height, -1])
  const narrowed = op.reshape(op.matMul(joined, across), [0, channels, height, columns])
  const result = op.matMul(op.unsqueeze(down, [1]), narrowed)
  return op.reshape(result, [0, channels, rows, columns])
}

interface InterpolationOptions {
  readonly antialias: boolean
  /** The axis of the matrix along which the new pixels stand: 1 to multiply from the left, 2 from the right. */
  readonly axis: 1 | 2
  readonly flips?: Value
}

/** Weights of bilinear interpolation from `old` pixels, of which those of a box count, to `fresh` ones. */
function interpolation(
  start: Value,
  length: Value,
  old: number,
  fresh: number,
  { antialias, axis, flips }: InterpolationOptions,
): Value {
  // Divided, not multiplied by a reciprocal: torchvision rounds it so, and at 400 pixels the difference shows.
  const scale = op.div(length, fresh)
  // Places are told in widths of the filter, so that its weight is one minus the distance.
  const width = antialias ? op.max(scale, 1) : undefined
  const inWidths = (places: Value) => (width ? op.div(places, width) : places)
  const place = along(start, fresh, axis, flips)
  const middle = op.sub(op.mul(op.add(place, 0.5), scale), 0.5)
  const centre = antialias ? middle : op.min(op.max(middle, 0), op.sub(length, 1))
  const pixel = op.sub(row(start, upTo(old), axis === 1 ? [1, 1, old] : [1, old, 1]), start)
  const inside = op.and(op.greaterOrEqual(pixel, 0), op.less(pixel, length))
  const weights = closeness(op.where(inside, inWidths(pixel), FAR), inWidths(centre))
  return antialias
    ? op.div(weights, op.reduceSum(weights, [axis === 1 ? 2 : 1], { keepDims: true }))
    : weights
}

/** Farther than any pixel from any other. */
const FAR = 2 ** 24

/** Matrix of zeros and ones that picks `fresh` pixels in a row from `old` ones, the first at `start`. */
function selection(
  start: Value,
  old: number,
  fresh: number,
  mode: PaddingMode,
  axis: 1 | 2,
  flips?: Value,
): Value {
  const wanted = op.add(along(start, fresh, axis, flips), start)
  const pixel = row(start, upTo(old), axis === 1 ? [1, 1, old] : [1, old, 1])
  return closeness(pixel, beyond(wanted, old, mode))
}

/** Places outside of 0 to size - 1, as the mode of padding puts them. */
function beyond(place: Value, size: number, mode: PaddingMode): Value {
  if (mode === 'constant') return place
  if (mode === 'edge') return op.clip(place, 0, size - 1)
  return op.sub(size - 1, op.abs(op.sub(size - 1, op.abs(place))))
}

/** 0 … count - 1 along an axis of a matrix [batch, ·, ·], backwards for the pictures that are mirrored. */
function along(like: Value, count: number, axis: 1 | 2, flips?: Value): Value {
  const shape = axis === 1 ? [1, count, 1] : [1, 1, count]
  const forwards = row(like, upTo(count), shape)
  if (!flips) return forwards
  return op.where(perPicture(flips, 3), row(like, upTo(count).reverse(), shape), forwards)
}

/** `max(0, 1 - |a - b|)` */
function closeness(a: Value, b: Value): Value {
  return op.hardSigmoid(op.abs(op.sub(a, b)), -1, 1)
}

const mirrored = (flips: Value | undefined) => (flips ? { flips } : {})

/** How {@link affine} reads between pixels. */
export type AffineInterpolation = 'bilinear' | 'nearest'

/**
 * Rotates, moves, scales and shears each picture about its middle: torchvision's `affine` with `fill=None`, so what comes from
 * outside is 0.
 *
 * @example
 * ```ts
 * affine(pixels, b.input('matrices', 'float32', ['batch', 2, 3]))   // rows by affineMatrix({ angle: 10 })
 * ```
 *
 * @param matrices float32 [batch, 2, 3]: for each new pixel, from the middle, the old place that it comes from; see {@link affineMatrix}
 */
export function affine(x: Value, matrices: Value, interpolation: AffineInterpolation = 'bilinear'): Value {
  const { height, width } = pixelShape(x)
  const places = upTo(height).flatMap((i) =>
    upTo(width).flatMap((j) => [j + 0.5 - width / 2, i + 0.5 - height / 2, 1]),
  )
  const scaled = op.div(matrices, row(x, [width / 2, height / 2], [1, 2, 1]))
  const moved = op.matMul(row(x, places, [1, height * width, 3]), op.transpose(scaled, [0, 2, 1]))
  const grid = op.reshape(moved, [0, height, width, 2])
  return x.builder.node('GridSample', [x, grid], {
    mode: { type: 'string', value: interpolation },
    padding_mode: { type: 'string', value: 'zeros' },
    align_corners: { type: 'int', value: 0 },
  })[0]!
}

/** Parameters of {@link affineMatrix}. */
export interface AffineParameters {
  /** Degrees, clockwise. Default 0. */
  readonly angle?: number
  /** Pixels to the right and down. Default 0. */
  readonly translate?: readonly [x: number, y: number]
  /** Default 1. */
  readonly scale?: number
  /** Degrees along x and y. Default 0. */
  readonly shear?: readonly [x: number, y: number]
}

/** The six numbers of a picture's row of {@link affine}: the inverse of rotation, shear, scale and translation, as torchvision has them. */
export function affineMatrix(parameters: AffineParameters): number[] {
  const { angle = 0, translate = [0, 0], scale = 1, shear = [0, 0] } = parameters
  const [rotation, shearX, shearY] = [angle, ...shear].map((degrees) => (degrees * Math.PI) / 180) as [
    number,
    number,
    number,
  ]
  const a = Math.cos(rotation - shearY) / Math.cos(shearY)
  const b = -(a * Math.tan(shearX) + Math.sin(rotation))
  const c = Math.sin(rotation - shearY) / Math.cos(shearY)
  const d = Math.cos(rotation) - c * Math.tan(shearX)
  const [xx, xy, yx, yy] = [d / scale, -b / scale, -c / scale, a / scale]
  const [x, y] = translate
  return [xx, xy, -xx * x - xy * y, yx, yy, -yx * x - yy * y]
}
