// Places labels so that none covers another.

/** A label that wants to stand at a point. */
export interface LabelWish {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** `center` on the point, or `beside` it: right, left, above or below, then at the corners. */
  readonly at: 'center' | 'beside'
  /** Space between the point and a label beside it. Default 6. */
  readonly gap?: number
}

/** Upper left corner of a label that has found room. */
export interface LabelPlace {
  /** Index of its wish. */
  readonly index: number
  readonly x: number
  readonly y: number
}

/** Frame that labels stay in. */
export interface Frame {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

const CELL = 64

/**
 * Gives labels places within a frame, in the order of the wishes: each takes the first side of its point that is free, and one without a free side
 * has no place.
 *
 * @example
 * ```ts
 * placeLabels([{ x: 10, y: 20, width: 40, height: 12, at: 'beside' }], frame) // [{ index: 0, x: 16, y: 14 }]
 * ```
 *
 * @param dots points, x and y in turn, that labels beside points do not cover where they can help it; default: none
 */
export function placeLabels(
  wishes: readonly LabelWish[],
  frame: Frame,
  dots: ArrayLike<number> = [],
  radius = 3,
): LabelPlace[] {
  const taken = new Boxes()
  const points = new Boxes()
  for (let at = 0; at < dots.length; at += 2) {
    const [x, y] = [dots[at]!, dots[at + 1]!]
    points.add({ left: x - radius, top: y - radius, right: x + radius, bottom: y + radius })
  }
  return wishes.flatMap((wish, index) => {
    const free = placesOf(wish).filter((box) => isInside(box, frame) && taken.overlapping(box) === 0)
    const covered = free.map((box) => (wish.at === 'center' ? 0 : points.overlapping(box)))
    const best = free[covered.indexOf(Math.min(...covered))]
    if (!best) return []
    taken.add(best)
    return [{ index, x: best.left, y: best.top }]
  })
}

/** Places in the order in which they are liked. */
function placesOf({ x, y, width, height, at, gap = 6 }: LabelWish): Box[] {
  const box = (left: number, top: number): Box => ({ left, top, right: left + width, bottom: top + height })
  const [middle, center] = [y - height / 2, x - width / 2]
  if (at === 'center') return [box(center, middle)]
  const [right, left, above, below] = [x + gap, x - gap - width, y - gap - height, y + gap]
  const near = gap * 0.6
  return [
    box(right, middle),
    box(left, middle),
    box(center, above),
    box(center, below),
    box(x + near, y - near - height),
    box(x + near, y + near),
    box(x - near - width, y - near - height),
    box(x - near - width, y + near),
  ]
}

const isInside = (box: Box, frame: Frame) =>
  box.left >= frame.left && box.top >= frame.top && box.right <= frame.right && box.bottom <= frame.bottom

/** Boxes by the cells that they touch. */
class Boxes {
  readonly #cells = new Map<string, Box[]>()

  add(box: Box): void {
    for (const key of keysOf(box)) {
      const cell = this.#cells.get(key)
      if (cell) cell.push(box)
      else this.#cells.set(key, [box])
    }
  }

  /** Boxes that a box overlaps. */
  overlapping(box: Box): number {
    const found = new Set<Box>()
    for (const key of keysOf(box)) {
      for (const other of this.#cells.get(key) ?? []) {
        const isApart =
          other.right <= box.left ||
          other.left >= box.right ||
          other.bottom <= box.top ||
          other.top >= box.bottom
        if (!isApart) found.add(other)
      }
    }
    return found.size
  }
}

function keysOf({ left, top, right, bottom }: Box): string[] {
  const keys: string[] = []
  for (let row = Math.floor(top / CELL); row <= Math.floor(bottom / CELL); row++)
    for (let column = Math.floor(left / CELL); column <= Math.floor(right / CELL); column++)
      keys.push(`${column},${row}`)
  return keys
}
