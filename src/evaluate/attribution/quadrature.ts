// Points and weights of Gauss and Legendre's rule for integrals from 0 to 1.

/** A point between 0 and 1, and its weight; the weights sum to 1. */
export interface QuadraturePoint {
  readonly at: number
  readonly weight: number
}

/**
 * The rule of `count` points, exact for polynomials up to degree 2 · count - 1.
 *
 * @example
 * ```ts
 * gaussLegendre(2)    // [{ at: 0.2113, weight: 0.5 }, { at: 0.7887, weight: 0.5 }]
 * ```
 *
 * @see https://dlmf.nist.gov/3.5#v
 */
export function gaussLegendre(count: number): QuadraturePoint[] {
  return Array.from({ length: count }, (_, i) => {
    let root = Math.cos((Math.PI * (count - i - 0.25)) / (count + 0.5))
    // Newton's steps from there double the right digits.
    for (let step = 0; step < 6; step++) {
      const { value, slope } = legendre(count, root)
      root -= value / slope
    }
    const { slope } = legendre(count, root)
    return { at: (1 + root) / 2, weight: 1 / ((1 - root * root) * slope * slope) }
  })
}

/** Legendre's polynomial and its slope, by the recurrence of three terms. */
function legendre(degree: number, x: number): { value: number; slope: number } {
  let [before, value] = [1, x]
  for (let n = 2; n <= degree; n++)
    [before, value] = [value, ((2 * n - 1) * x * value - (n - 1) * before) / n]
  return { value, slope: (degree * (x * value - before)) / (x * x - 1) }
}
