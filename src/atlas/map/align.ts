// Turns, mirrors and scales maps so that they look alike.

/** Places in the square from −1 to 1 around their middle, the longer side filling it; all at 0 where they are one. */
export function fitted(points: ArrayLike<number>): Float32Array {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = 0; i < points.length; i++) {
    low[i & 1] = Math.min(low[i & 1]!, points[i]!)
    high[i & 1] = Math.max(high[i & 1]!, points[i]!)
  }
  const half = Math.max(high[0]! - low[0]!, high[1]! - low[1]!) / 2
  const out = new Float32Array(points.length)
  if (!(half > 0)) return out
  for (let i = 0; i < points.length; i++) out[i] = (points[i]! - (low[i & 1]! + high[i & 1]!) / 2) / half
  return out
}

/** Places turned so that they spread the most from left to right, as screens do: UMAP and t-SNE mean nothing by directions. */
export function laidWide(points: ArrayLike<number>): Float64Array {
  const a = centred(points)
  let [xx, yy, xy] = [0, 0, 0]
  for (let i = 0; i < a.length; i += 2) {
    xx += a[i]! ** 2
    yy += a[i + 1]! ** 2
    xy += a[i]! * a[i + 1]!
  }
  const angle = -Math.atan2(2 * xy, xx - yy) / 2
  return turned(a, Math.cos(angle), Math.sin(angle))
}

/**
 * Places turned, and mirrored where that is better, towards those of another map of the same items: orthogonal Procrustes in the plane. What then
 * moves between two maps has moved among the others.
 *
 * @see https://doi.org/10.1007/BF02289451
 */
export function turnedTowards(points: Float32Array, other: Float32Array): Float32Array {
  const [a, b] = [centred(points), centred(other)]
  // Sums of products: of the map as it is, and of the map mirrored in its first axis.
  let [same, across, sameMirrored, acrossMirrored] = [0, 0, 0, 0]
  for (let i = 0; i < a.length; i += 2) {
    const [x, y, u, v] = [a[i]!, a[i + 1]!, b[i]!, b[i + 1]!]
    same += x * u + y * v
    across += x * v - y * u
    sameMirrored += x * u - y * v
    acrossMirrored += x * v + y * u
  }
  const isMirrored = Math.hypot(sameMirrored, acrossMirrored) > Math.hypot(same, across)
  const angle = isMirrored ? Math.atan2(acrossMirrored, sameMirrored) : Math.atan2(across, same)
  const upright = isMirrored ? a.map((value, i) => (i % 2 === 0 ? value : -value)) : a
  return fitted(turned(upright, Math.cos(angle), Math.sin(angle)))
}

function turned(points: Float64Array, cos: number, sin: number): Float64Array {
  const out = new Float64Array(points.length)
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i]!, points[i + 1]!]
    out[i] = cos * x - sin * y
    out[i + 1] = sin * x + cos * y
  }
  return out
}

function centred(points: ArrayLike<number>): Float64Array {
  const mean = [0, 0]
  const count = points.length / 2
  for (let i = 0; i < points.length; i++) mean[i & 1]! += points[i]! / count
  return Float64Array.from(points, (value, i) => value - mean[i & 1]!)
}
