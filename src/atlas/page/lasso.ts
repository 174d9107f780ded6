// Points within a drawn line.

/**
 * Indices of the points within a polygon, by the even-odd rule.
 *
 * @param points x and y in turn
 * @param polygon its corners, x and y in turn; it closes by itself
 */
export function pointsWithin(points: ArrayLike<number>, polygon: ArrayLike<number>): number[] {
  const corners = polygon.length / 2
  let [left, right, bottom, top] = [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]
  for (let i = 0; i < corners; i++) {
    left = Math.min(left, polygon[2 * i]!)
    right = Math.max(right, polygon[2 * i]!)
    bottom = Math.min(bottom, polygon[2 * i + 1]!)
    top = Math.max(top, polygon[2 * i + 1]!)
  }
  const found: number[] = []
  for (let at = 0; at < points.length; at += 2) {
    const [x, y] = [points[at]!, points[at + 1]!]
    if (x < left || x > right || y < bottom || y > top) continue
    let isWithin = false
    for (let i = 0, j = corners - 1; i < corners; j = i++) {
      const [ax, ay, bx, by] = [polygon[2 * i]!, polygon[2 * i + 1]!, polygon[2 * j]!, polygon[2 * j + 1]!]
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) isWithin = !isWithin
    }
    if (isWithin) found.push(at / 2)
  }
  return found
}
