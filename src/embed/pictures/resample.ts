// Resizes RGB bytes as Pillow does, to the bit.
import type { ImagePreprocessing } from '../../models/index.ts'
import type { Geometry, Side } from './geometry.ts'

type Interpolation = ImagePreprocessing['interpolation']

/** Pillow's filters: half of their width, and their weight at a distance of `x` pixels, from 0 on but for the box. */
const FILTERS: Readonly<
  Record<Exclude<Interpolation, 'nearest'>, readonly [support: number, weight: (x: number) => number]>
> = {
  bilinear: [1, (x) => Math.max(0, 1 - x)],
  bicubic: [
    2,
    (x) => {
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    },
  ],
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  hamming: [1, (x) => (x < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0)],
  lanczos: [3, (x) => (x < 3 ? sinc(x) * sinc(x / 3) : 0)],
}

/** Weights are integers of 22 bits after the point, so that a sum over bytes stays within 32. */
const PRECISION = 22
const HALF = 1 << (PRECISION - 1)

/**
 * Resizes RGB bytes as Pillow does, of which only the window is made: first its rows, then its columns, each of them rounded
 * to bytes; where pixels become fewer, each is a weighted mean of all that it covers. The same to the bit where Pillow, too,
 * begins with the rows (since version 12 it begins with what is less work).
 *
 * @example
 * ```ts
 * const seen = resample(data, geometry(width, height, preprocessing), 'bicubic')   // 224 × 224 × 3 bytes
 * ```
 *
 * @remarks
 * The window lies within what was resized. It is for pictures that become larger: the time goes with the source, too, and
 * what makes large pictures small is sharp's, on other threads.
 *
 * @see https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c
 */
export function resample(
  data: Uint8Array,
  { horizontal, vertical }: Geometry,
  interpolation: Interpolation,
): Uint8Array {
  const columns = taps(horizontal, interpolation)
  const rows = taps(vertical, interpolation)
  // Rows that no pixel of the window needs are left out.
  const top = Math.min(...rows.map(({ first }) => first))
  const bottom = Math.max(...rows.map(({ first, weights }) => first + weights.length))
  const wide = new Uint8Array((bottom - top) * horizontal.length * 3)
  for (let y = top, target = 0; y < bottom; y++) {
    const row = y * horizontal.from * 3
    for (const { first, weights } of columns) {
      let red = HALF
      let green = HALF
      let blue = HALF
      for (let k = 0, at = row + first * 3; k < weights.length; k++, at += 3) {
        const weight = weights[k]!
        red += data[at]! * weight
        green += data[at + 1]! * weight
        blue += data[at + 2]! * weight
      }
      wide[target++] = byte(red)
      wide[target++] = byte(green)
      wide[target++] = byte(blue)
    }
  }
  const width = horizontal.length * 3
  const sums = new Int32Array(width)
  const out = new Uint8Array(vertical.length * width)
  for (const [y, { first, weights }] of rows.entries()) {
    sums.fill(HALF)
    for (let k = 0; k < weights.length; k++) {
      const [weight, at] = [weights[k]!, (first - top + k) * width]
      for (let i = 0; i < width; i++) sums[i]! += wide[at + i]! * weight
    }
    for (let i = 0, target = y * width; i < width; i++) out[target + i] = byte(sums[i]!)
  }
  return out
}

/** A sum as a byte. */
function byte(sum: number): number {
  const value = sum >> PRECISION
  return value < 0 ? 0 : value > 255 ? 255 : value
}

/** The pixels of a picture that one of the window comes from. */
interface Tap {
  readonly first: number
  readonly weights: Int32Array
}

function taps(side: Side, interpolation: Interpolation): Tap[] {
  if (interpolation === 'nearest') return nearest(side)
  const { from, to, start, length } = side
  const scale = from / to
  const stretch = Math.max(1, scale)
  const [support, filter] = FILTERS[interpolation]
  const reach = support * stretch
  return Array.from({ length }, (_, i) => {
    const center = (start + i + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - reach + 0.5))
    const last = Math.min(from, Math.trunc(center + reach + 0.5))
    const weights = Array.from({ length: last - first }, (_, k) => {
      const x = (first + k - center + 0.5) / stretch
      return filter(interpolation === 'box' ? x : Math.abs(x))
    })
    const sum = weights.reduce((a, b) => a + b, 0)
    const fixed = weights.map((weight) => roundAway((weight / sum) * 2 ** PRECISION))
    return { first, weights: Int32Array.from(fixed) }
  })
}

/** Pillow adds up the distance pixel by pixel, with the error of rounding that this brings. */
function nearest({ from, to, start, length }: Side): Tap[] {
  const scale = from / to
  const whole = Int32Array.of(1 << PRECISION)
  const all: Tap[] = []
  for (let i = 0, place = scale * 0.5; i < start + length; i++, place += scale) {
    if (i >= start) all.push({ first: Math.min(from - 1, Math.trunc(place)), weights: whole })
  }
  return all
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

/** Rounds halves away from zero, as C code does that adds a half and casts. */
function roundAway(value: number): number {
  return Math.trunc(value < 0 ? value - 0.5 : value + 0.5)
}
