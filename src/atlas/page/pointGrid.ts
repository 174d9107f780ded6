// Finds the point of a map that is nearest to a place, by a grid of cells.

/** Points to a cell, on average. */
const IN_A_CELL = 4

/**
 * Points of the square from −1 to 1, found by place.
 *
 * @example
 * ```ts
 * const grid = new PointGrid(points)
 * grid.nearest(0.2, 0.1, 0.01) // its index, or −1 where none is so near
 * ```
 */
export class PointGrid {
  readonly #points: Float32Array
  readonly #side: number
  /** Points of cell c lie in `#order` from `#starts[c]` to `#starts[c + 1]`. */
  readonly #starts: Uint32Array
  readonly #order: Uint32Array

  constructor(points: Float32Array) {
    const count = points.length / 2
    this.#points = points
    this.#side = Math.max(1, Math.ceil(Math.sqrt(count / IN_A_CELL)))
    this.#starts = new Uint32Array(this.#side ** 2 + 1)
    this.#order = new Uint32Array(count)
    for (let i = 0; i < count; i++) this.#starts[this.#cell(i) + 1]!++
    for (let c = 0; c < this.#side ** 2; c++) this.#starts[c + 1]! += this.#starts[c]!
    const next = this.#starts.slice()
    for (let i = 0; i < count; i++) this.#order[next[this.#cell(i)]!++] = i
  }

  /** @param isShown leaves points out */
  nearest(x: number, y: number, radius: number, isShown: (index: number) => boolean = () => true): number {
    let [best, least] = [-1, radius ** 2]
    for (let row = this.#place(y - radius); row <= this.#place(y + radius); row++) {
      for (let column = this.#place(x - radius); column <= this.#place(x + radius); column++) {
        const cell = row * this.#side + column
        for (let at = this.#starts[cell]!; at < this.#starts[cell + 1]!; at++) {
          const i = this.#order[at]!
          const distance = (this.#points[2 * i]! - x) ** 2 + (this.#points[2 * i + 1]! - y) ** 2
          if (distance <= least && isShown(i)) [best, least] = [i, distance]
        }
      }
    }
    return best
  }

  #cell(i: number): number {
    return this.#place(this.#points[2 * i + 1]!) * this.#side + this.#place(this.#points[2 * i]!)
  }

  #place(value: number): number {
    return Math.min(this.#side - 1, Math.max(0, Math.floor(((value + 1) / 2) * this.#side)))
  }
}
