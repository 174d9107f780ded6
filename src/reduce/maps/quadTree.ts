// A quadtree of points in the plane, for forces between all pairs of them.

/** Halvings of a cell after which its points count as one. */
const DEEPEST = 40

/**
 * A quadtree in flat arrays. Points are inserted one by one, and each cell knows how many it holds and where their middle is.
 *
 * @see https://jmlr.org/papers/v15/vandermaaten14a.html
 */
export class QuadTree {
  /** First of the four children of each cell; 0 for a leaf. */
  #children = new Int32Array(0)
  /** Points of each cell. */
  #counts = new Int32Array(0)
  /** Means of x and y. */
  #middles = new Float64Array(0)
  #squaredWidths = new Float64Array(0)
  #cells = 0
  readonly #stack = new Int32Array(4 * (DEEPEST + 2))

  /** Takes other points: x and y of each. */
  build(points: Float64Array): void {
    const n = points.length / 2
    let [left, right, low, high] = [points[0]!, points[0]!, points[1]!, points[1]!]
    for (let i = 0; i < n; i++) {
      const [x, y] = [points[2 * i]!, points[2 * i + 1]!]
      if (x < left) left = x
      else if (x > right) right = x
      if (y < low) low = y
      else if (y > high) high = y
    }
    const width = Math.max(right - left, high - low, Number.MIN_VALUE)
    this.#cells = 0
    this.#grow(4 * n + 64)
    this.#add(1, width)
    for (let i = 0; i < n; i++) {
      this.#insert(points[2 * i]!, points[2 * i + 1]!, (left + right) / 2, (low + high) / 2, width)
    }
  }

  /**
   * Adds to `forces[at]` and `forces[at + 1]` how the points push one at (x, y) away, and returns its share of the normalisation. Cells that
   * look small from there, by `angle`, count as one point.
   */
  push(x: number, y: number, angle: number, forces: Float64Array, at: number): number {
    const limit = angle * angle
    // Leaves so small hold points that differ by less than their width.
    const deep = this.#squaredWidths[0]! * 2 ** (2 - 2 * DEEPEST)
    const stack = this.#stack
    const [children, counts, middles, squaredWidths] = [
      this.#children,
      this.#counts,
      this.#middles,
      this.#squaredWidths,
    ]
    let top = 0
    let sum = 0
    let forceX = 0
    let forceY = 0
    stack[top++] = 0
    while (top > 0) {
      const cell = stack[--top]!
      const count = counts[cell]!
      if (count === 0) continue
      const dx = x - middles[2 * cell]!
      const dy = y - middles[2 * cell + 1]!
      const distance = dx * dx + dy * dy
      const first = children[cell]!
      if (first === 0 || squaredWidths[cell]! < limit * distance) {
        const q = 1 / (1 + distance)
        // A point does not push itself: it lies in a leaf, at distance 0.
        const share =
          (first === 0 && (distance === 0 || (squaredWidths[cell]! <= deep && distance <= deep))
            ? count - 1
            : count) * q
        sum += share
        forceX += share * q * dx
        forceY += share * q * dy
      } else {
        stack[top++] = first
        stack[top++] = first + 1
        stack[top++] = first + 2
        stack[top++] = first + 3
      }
    }
    forces[at]! += forceX
    forces[at + 1]! += forceY
    return sum
  }

  #insert(x: number, y: number, middleX: number, middleY: number, width: number): void {
    let cell = 0
    let half = width / 2
    for (let depth = 0; ; depth++) {
      const before = this.#counts[cell]!
      if (before > 0 && this.#children[cell] === 0) {
        const otherX = this.#middles[2 * cell]!
        const otherY = this.#middles[2 * cell + 1]!
        if (depth < DEEPEST && (otherX !== x || otherY !== y))
          this.#split(cell, otherX, otherY, middleX, middleY, half)
      }
      this.#counts[cell] = before + 1
      // Running means: that of equal points is the point itself, to the last bit.
      this.#middles[2 * cell]! += (x - this.#middles[2 * cell]!) / (before + 1)
      this.#middles[2 * cell + 1]! += (y - this.#middles[2 * cell + 1]!) / (before + 1)
      const first = this.#children[cell]!
      if (first === 0) return
      const [isRight, isHigh] = [x > middleX, y > middleY]
      cell = first + (isRight ? 1 : 0) + (isHigh ? 2 : 0)
      half /= 2
      middleX += isRight ? half : -half
      middleY += isHigh ? half : -half
    }
  }

  /** Gives a leaf four children, of which one takes its points. */
  #split(cell: number, x: number, y: number, middleX: number, middleY: number, half: number): void {
    const first = this.#add(4, half)
    this.#children[cell] = first
    const child = first + (x > middleX ? 1 : 0) + (y > middleY ? 2 : 0)
    this.#counts[child] = this.#counts[cell]!
    this.#middles[2 * child] = this.#middles[2 * cell]!
    this.#middles[2 * child + 1] = this.#middles[2 * cell + 1]!
  }

  #add(count: number, width: number): number {
    const first = this.#cells
    this.#cells += count
    if (this.#cells > this.#counts.length) this.#grow(2 * this.#cells)
    for (let cell = first; cell < this.#cells; cell++) {
      this.#children[cell] = 0
      this.#counts[cell] = 0
      this.#middles[2 * cell] = 0
      this.#middles[2 * cell + 1] = 0
      this.#squaredWidths[cell] = width * width
    }
    return first
  }

  #grow(cells: number): void {
    if (cells <= this.#counts.length) return
    const copied = <T extends Int32Array | Float64Array>(old: T, fresh: T): T => {
      fresh.set(old)
      return fresh
    }
    this.#children = copied(this.#children, new Int32Array(cells))
    this.#counts = copied(this.#counts, new Int32Array(cells))
    this.#middles = copied(this.#middles, new Float64Array(2 * cells))
    this.#squaredWidths = copied(this.#squaredWidths, new Float64Array(cells))
  }
}
