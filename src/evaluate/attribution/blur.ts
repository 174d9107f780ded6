// Gaussian blur of planes of numbers.

/** Size of a plane, and channels that lie side by side in each pixel. */
interface Plane {
  readonly width: number
  readonly height: number
  readonly channels?: number
}

/**
 * Numbers blurred by a Gaussian, rows and columns apart; beyond the rim the weights of what is there count for more.
 *
 * @param sigma in pixels; 0 leaves the numbers as they are
 */
export function blur(
  values: ArrayLike<number>,
  { width, height, channels = 1 }: Plane,
  sigma: number,
): Float32Array {
  if (sigma === 0) return Float32Array.from(values)
  const weights = gaussian(sigma)
  const across = along(values, { count: width, stride: channels }, weights)
  return along(across, { count: height, stride: width * channels }, weights)
}

/** Weights of an offset of 0, 1, 2, … pixels, up to three sigma. */
function gaussian(sigma: number): Float64Array {
  return Float64Array.from({ length: Math.ceil(3 * sigma) + 1 }, (_, i) => Math.exp(-0.5 * (i / sigma) ** 2))
}

/** The numbers blurred along one axis, which has `count` places, `stride` numbers apart. */
function along(
  values: ArrayLike<number>,
  { count, stride }: { count: number; stride: number },
  weights: Float64Array,
): Float32Array {
  const blurred = new Float32Array(values.length)
  const reach = weights.length - 1
  for (let i = 0; i < values.length; i++) {
    const place = Math.floor(i / stride) % count
    const first = Math.max(-reach, -place)
    const last = Math.min(reach, count - 1 - place)
    let [sum, total] = [0, 0]
    for (let offset = first; offset <= last; offset++) {
      const weight = weights[Math.abs(offset)]!
      sum += weight * values[i + offset * stride]!
      total += weight
    }
    blurred[i] = sum / total
  }
  return blurred
}
