// Resizes and crops pictures to the size that a model wants, as Pillow would.
import type { Sharp } from 'sharp'
import type { ImagePreprocessing } from '../../models/index.ts'
import type { RawImage } from '../types.ts'
import { geometry, type Side } from './geometry.ts'
import { resample } from './resample.ts'

/** sharp's kernels that, for what becomes smaller, are Pillow's filters; the others are for drawings alone, which have no pixels yet. */
const KERNELS = {
  nearest: 'nearest',
  bilinear: 'linear',
  bicubic: 'cubic',
  lanczos: 'lanczos3',
  box: 'linear',
  hamming: 'linear',
} as const

/** Filters that sharp lacks. */
const OURS: readonly ImagePreprocessing['interpolation'][] = ['nearest', 'box', 'hamming']
const BLACK = [0, 0, 0] as const
const WHITE = [255, 255, 255] as const

/** The colour of sharp's kind that stands under transparent pixels. */
export function background(preprocessing: ImagePreprocessing | undefined) {
  const [r, g, b] = preprocessing?.background ?? WHITE
  return { r, g, b }
}

/** The RGB bytes of an opened picture. */
export async function pixels(image: Sharp): Promise<RawImage> {
  const { data, info } = await image.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, channels: 3, data }
}

/**
 * The RGB bytes of an opened picture, resized and cropped to what a model wants to see, as Pillow would.
 *
 * sharp resizes a side that becomes shorter, on a thread of its own: it differs from Pillow by a grey level, at the
 * picture's rim and where it first halves a large picture by a few. A side that becomes longer sharp resizes differently
 * (its pixels lie elsewhere, and Lanczos becomes bicubic), and so it does the nearest pixel; means over boxes and Hamming's window it
 * lacks: those are done here, in a time proportional to the output, or to the source for means. Drawings (SVG) are drawn at the size that is wanted.
 */
export async function fitImage(image: Sharp, preprocessing: ImagePreprocessing): Promise<RawImage> {
  const { interpolation, size, crop } = preprocessing
  const { autoOrient: whole, format } = await image.metadata()
  const { horizontal, vertical } = geometry(whole.width, whole.height, preprocessing)
  const isSharps = ({ from, to }: Side) =>
    format === 'svg' || to === from || (to < from && !OURS.includes(interpolation))
  const [across, down] = [task(horizontal, isSharps(horizontal)), task(vertical, isSharps(vertical))]
  if (across.width !== whole.width || down.width !== whole.height) {
    const kernel = KERNELS[interpolation]
    // A picture decoded at a fraction of its size is sharper than one that Pillow has resized: let half be left to do.
    image.resize(across.width, down.width, { fit: 'fill', kernel, fastShrinkOnLoad: false })
  }
  if (across.count !== across.width || down.count !== down.width) {
    image.extract({ left: across.first, top: down.first, width: across.count, height: down.count })
  }
  let { data } = await pixels(image)
  if (across.rest || down.rest) {
    const done = (count: number): Side => ({ from: count, to: count, start: 0, length: count })
    const sides = {
      horizontal: across.rest ?? done(across.count),
      vertical: down.rest ?? done(down.count),
    }
    data = resample(data, sides, interpolation)
  }
  const [height, width] = size
  const seen = { x: window(horizontal), y: window(vertical) }
  if (seen.x.count !== width || seen.y.count !== height) {
    const colour = crop === 'border' ? (preprocessing.background ?? WHITE) : BLACK
    const framed = new Uint8Array(height * width * 3)
    for (let i = 0; i < framed.length; i++) framed[i] = colour[i % 3]!
    const row = seen.x.count * 3
    for (let y = 0; y < seen.y.count; y++) {
      const place = (y - Math.min(0, vertical.start)) * width - Math.min(0, horizontal.start)
      framed.set(data.subarray(y * row, (y + 1) * row), place * 3)
    }
    data = framed
  }
  return { width, height, channels: 3, data }
}

/** The part of a resized side that is seen, without the border. */
function window({ to, start, length }: Side): { first: number; count: number } {
  const first = Math.max(0, start)
  return { first, count: Math.min(to, start + length) - first }
}

interface Task {
  /** Length that sharp resizes a side to, and the part of it that sharp hands on. */
  readonly width: number
  readonly first: number
  readonly count: number
  /** Resizing that is left to do here. */
  readonly rest?: Side
}

function task(side: Side, isSharps: boolean): Task {
  const { first, count } = window(side)
  if (isSharps) return { width: side.to, first, count }
  const { from, to } = side
  return { width: from, first: 0, count: from, rest: { from, to, start: first, length: count } }
}
