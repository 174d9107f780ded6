// Minimises a smooth function of many numbers.
import { throwIfAborted } from '../../base/index.ts'

/** A function's value and gradient at a point. */
export interface Slope {
  readonly value: number
  readonly gradient: Float64Array
}

/** Options of {@link minimize}. */
export interface MinimizeOptions {
  /** Ends when no element of the gradient is larger than this. */
  readonly tolerance: number
  readonly iterations: number
  readonly signal?: AbortSignal | undefined
}

/** Pairs of steps and differences of gradients that are remembered. */
const MEMORY = 10
/** A step has to bring this share of what the slope promises. */
const SUFFICIENT = 1e-4

/**
 * The minimum by limited-memory BFGS with a backtracking line search (Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 3.1).
 *
 * @returns where the gradient is small enough, or the last point with `converged` false
 */
export async function minimize(
  start: Float64Array,
  slopeAt: (point: Float64Array) => Promise<Slope>,
  { tolerance, iterations, signal }: MinimizeOptions,
): Promise<{ readonly point: Float64Array; readonly converged: boolean; readonly iterations: number }> {
  let point = start
  let slope = await slopeAt(point)
  const pairs: { step: Float64Array; change: Float64Array; curvature: number }[] = []
  for (let done = 0; done < iterations; done++) {
    throwIfAborted(signal)
    if (slope.gradient.every((value) => Math.abs(value) <= tolerance))
      return { point, converged: true, iterations: done }
    const direction = descent(slope.gradient, pairs)
    const promised = dot(slope.gradient, direction)
    let size = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(slope.gradient, slope.gradient))) : 1
    let next: { point: Float64Array; slope: Slope } | undefined
    for (let tries = 0; tries < 40; tries++, size /= 2) {
      const there = point.map((value, i) => value + size * direction[i]!)
      const found = await slopeAt(there)
      if (found.value > slope.value + SUFFICIENT * size * promised) continue
      next = { point: there, slope: found }
      break
    }
    // Rounding leaves nothing to descend.
    if (!next) return { point, converged: false, iterations: done }
    const [from, before] = [point, slope.gradient]
    const step = next.point.map((value, i) => value - from[i]!)
    const change = next.slope.gradient.map((value, i) => value - before[i]!)
    const curvature = dot(step, change)
    if (curvature > 1e-12 * dot(change, change)) pairs.push({ step, change, curvature })
    if (pairs.length > MEMORY) pairs.shift()
    ;({ point, slope } = next)
  }
  return { point, converged: false, iterations }
}

/** The direction of descent: the gradient times the inverse Hessian that the pairs tell of. */
function descent(
  gradient: Float64Array,
  pairs: readonly { step: Float64Array; change: Float64Array; curvature: number }[],
): Float64Array {
  const direction = gradient.map((value) => -value)
  const shares: number[] = []
  for (const { step, change, curvature } of pairs.toReversed()) {
    const share = dot(step, direction) / curvature
    shares.push(share)
    for (let i = 0; i < direction.length; i++) direction[i]! -= share * change[i]!
  }
  const last = pairs.at(-1)
  const scale = last ? last.curvature / dot(last.change, last.change) : 1
  for (let i = 0; i < direction.length; i++) direction[i]! *= scale
  for (const [at, { step, change, curvature }] of pairs.entries()) {
    const rest = shares[pairs.length - 1 - at]! - dot(change, direction) / curvature
    for (let i = 0; i < direction.length; i++) direction[i]! += rest * step[i]!
  }
  return direction
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
