// The curve by which UMAP turns distances in the map into closeness.

/** Closeness is 1 / (1 + a·d^(2b)). */
export interface Curve {
  readonly a: number
  readonly b: number
}

/** Distances at which the curve is fitted, over three times the spread. */
const SAMPLES = 300

/** The curve that is nearest to 1 up to `minDistance` and falls off exponentially from there, by Levenberg and Marquardt's method. */
export function curveOf(spread: number, minDistance: number): Curve {
  const distances = Array.from({ length: SAMPLES }, (_, i) => (3 * spread * i) / (SAMPLES - 1))
  const wanted = distances.map((d) => (d < minDistance ? 1 : Math.exp(-(d - minDistance) / spread)))
  let best = { a: 1, b: 1 }
  let error = errorOf(distances, wanted, best)
  let damping = 1e-3
  for (let step = 0; step < 200 && damping < 1e12; step++) {
    const { aa, ab, bb, ga, gb } = normalEquations(distances, wanted, best)
    const [left, right] = [aa * (1 + damping), bb * (1 + damping)]
    const determinant = left * right - ab * ab
    const next = {
      a: best.a + (ga * right - gb * ab) / determinant,
      b: best.b + (gb * left - ga * ab) / determinant,
    }
    const nextError = next.a > 0 && next.b > 0 ? errorOf(distances, wanted, next) : Number.POSITIVE_INFINITY
    if (nextError < error) {
      best = next
      error = nextError
      damping /= 10
    } else damping *= 10
  }
  return best
}

const closeness = (d: number, { a, b }: Curve): number => 1 / (1 + a * d ** (2 * b))

const errorOf = (distances: number[], wanted: number[], curve: Curve): number =>
  distances.reduce((sum, d, i) => sum + (wanted[i]! - closeness(d, curve)) ** 2, 0)

function normalEquations(distances: number[], wanted: number[], curve: Curve) {
  let [aa, ab, bb, ga, gb] = [0, 0, 0, 0, 0]
  for (const [i, d] of distances.entries()) {
    if (d === 0) continue
    const value = closeness(d, curve)
    const power = d ** (2 * curve.b)
    const byA = -power * value * value
    const byB = -2 * curve.a * Math.log(d) * power * value * value
    const rest = wanted[i]! - value
    aa += byA * byA
    ab += byA * byB
    bb += byB * byB
    ga += byA * rest
    gb += byB * rest
  }
  return { aa, ab, bb, ga, gb }
}
