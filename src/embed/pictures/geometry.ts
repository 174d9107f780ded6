// Sizes and windows of pictures on their way to a model, rounded as timm, torchvision and transformers round.
import type { ImagePreprocessing } from '../../models/index.ts'

/** One side of a picture on its way to a model. */
export interface Side {
  /** Length in the picture. */
  readonly from: number
  /** Length after resizing. */
  readonly to: number
  /** Start of the model's window in the resized side; below 0 there is a border before the picture. */
  readonly start: number
  /** Length of the window. */
  readonly length: number
}

export interface Geometry {
  readonly horizontal: Side
  readonly vertical: Side
}

type Size = readonly [height: number, width: number]

/**
 * The size to which a picture is resized and the part of it that a model sees, to the pixel as timm and torchvision round, or as
 * transformers does where the preprocessing says `resize`.
 *
 * @example
 * ```ts
 * geometry(640, 480, { size: [224, 224], crop: 'center', cropRatio: 0.875, … })
 * // { horizontal: { from: 640, to: 341, start: 58, length: 224 }, vertical: { from: 480, to: 256, start: 16, length: 224 } }
 * ```
 *
 * @see `transforms_imagenet_eval` and `ResizeKeepRatio` of timm, `resize` and `center_crop` of torchvision
 */
export function geometry(width: number, height: number, preprocessing: ImagePreprocessing): Geometry {
  const { size, resize } = preprocessing
  const [toHeight, toWidth] = resizedTo([height, width], preprocessing)
  const side = (from: number, to: number, length: number): Side => {
    const spare = to - length
    // A picture that is too small is padded, the odd pixel after it; transformers rounds down, torchvision to the even number.
    const start = resize === undefined && spare > 0 ? roundHalfEven(spare / 2) : Math.trunc(spare / 2)
    // Not -0.
    return { from, to, start: start + 0, length }
  }
  return { horizontal: side(width, toWidth, size[1]), vertical: side(height, toHeight, size[0]) }
}

function resizedTo(from: Size, { size, crop, cropRatio = 1, resize }: ImagePreprocessing): Size {
  const scaled = size.map((length) => Math.floor(length / cropRatio)) as unknown as Size
  if (crop === 'squash') return typeof resize === 'object' ? resize : scaled
  const ratios = from.map((length, i) => length / scaled[i]!) as unknown as Size
  if (crop === 'border') return keepRatio(from, Math.max(...ratios))
  if (typeof resize === 'number') return shorterSide(from, resize)
  if (typeof resize === 'object') return resize
  return scaled[0] === scaled[1] ? shorterSide(from, scaled[0]) : keepRatio(from, Math.min(...ratios))
}

/** torchvision's `Resize` of one number. */
function shorterSide([height, width]: Size, length: number): Size {
  return width <= height
    ? [Math.floor((length * height) / width), length]
    : [length, Math.floor((length * width) / height)]
}

function keepRatio(from: Size, ratio: number): Size {
  return from.map((length) => Math.max(1, roundHalfEven(length / ratio))) as unknown as Size
}

/** As Python's `round`: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const down = Math.floor(value)
  return value - down === 0.5 ? down + (down % 2) : Math.round(value)
}
