/** Gaussian blur of each picture with a deviation of its own. */
import { PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { perPicture, pixelShape, row, upTo } from './pixels.ts'

/**
 * Blurs by a Gaussian kernel, with pixels mirrored at the border: torchvision's `gaussian_blur`.
 *
 * @example
 * ```ts
 * gaussianBlur(pixels, b.input('sigma', 'float32', ['batch']), 7)
 * ```
 *
 * @remarks
 * The kernel falls apart into rows and columns, and each of these is a matrix for each picture with the mirrored border in it, so it
 * is two batched matrix products. Equal to torchvision within 1e-5.
 *
 * @param sigmas float32 [batch], in pixels; 0 leaves a picture as it is
 * @param kernelSize odd, and its half smaller than the picture
 * @throws PipiloError `OPTION_INVALID`
 */
export function gaussianBlur(x: Value, sigmas: Value, kernelSize: number): Value {
  const { channels, height, width } = pixelShape(x)
  const radius = checkedRadius(kernelSize, Math.min(height, width))
  if (radius === 0) return x
  const taps = upTo(kernelSize).map((i) => i - radius)
  const deviation = perPicture(sigmas, 2)
  const blurred = op.greater(deviation, 0)
  // Of a deviation of 0 the quotient is no number: it is taken as 1 and the result thrown away.
  const scaled = op.div(row(x, taps, [1, kernelSize]), op.where(blurred, deviation, 1))
  const kernel = op.where(
    blurred,
    op.softmax(op.mul(op.mul(scaled, scaled), -0.5), 1),
    row(
      x,
      taps.map((tap) => Number(tap === 0)),
      [1, kernelSize],
    ),
  )
  const matrix = (size: number, from: 'left' | 'right') =>
    op.reshape(op.matMul(kernel, placements(x, taps, size, from)), [-1, size, size])
  const joined = op.reshape(x, [0, channels * height, width])
  const across = op.reshape(op.matMul(joined, matrix(width, 'right')), [0, channels, height, width])
  return op.matMul(op.unsqueeze(matrix(height, 'left'), [1]), across)
}

function checkedRadius(kernelSize: number, size: number): number {
  const radius = (kernelSize - 1) / 2
  if (Number.isInteger(radius) && radius >= 0 && radius < size) return radius
  throw new PipiloError(
    'OPTION_INVALID',
    `A kernel of size ${kernelSize} cannot blur pictures of ${size} pixels: it is odd, and its half smaller than the picture.`,
    { input: 'kernelSize' },
  )
}

/** Constant [taps, size · size]: 1 where a tap of a new pixel falls on an old one. */
function placements(x: Value, taps: readonly number[], size: number, from: 'left' | 'right'): Value {
  const data = new Float32Array(taps.length * size * size)
  for (const [t, tap] of taps.entries()) {
    for (let fresh = 0; fresh < size; fresh++) {
      const place = fresh + tap
      const old = size - 1 - Math.abs(size - 1 - Math.abs(place))
      data[t * size * size + (from === 'left' ? fresh * size + old : old * size + fresh)]! += 1
    }
  }
  return x.builder.constant(tensor('float32', [taps.length, size * size], data))
}
