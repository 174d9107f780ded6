// The places of a map's points: those of a view, and on the way from one to the next.
import { type PageData, type PageView, PointGrid, readView } from '../../src/atlas/page/index.ts'

/** Milliseconds in which points move to another view. */
export const MOVING = 700

/** Points of a group that say where its name stands. */
const SAMPLED = 2000

/** Places of points, which move when another view is shown. */
export class Places {
  readonly #data: PageData
  readonly #groups: Uint32Array
  readonly #middles = new Map<number, Float32Array>()
  #place: number
  #view: PageView
  #before: Float32Array
  #movedAt = Number.NEGATIVE_INFINITY
  #grid: PointGrid

  /** @param groups the group of each point */
  constructor(data: PageData, groups: Uint32Array) {
    this.#data = data
    this.#groups = groups
    this.#place = data.first
    this.#view = readView(data, data.first)
    this.#before = this.#view.points
    this.#grid = new PointGrid(this.#view.points)
  }

  /** Number of the view that is shown, or moved to. */
  get place(): number {
    return this.#place
  }

  get view(): PageView {
    return this.#view
  }

  /** Places that the points come from, as `x, y, x, y, …`. */
  get before(): Float32Array {
    return this.#before
  }

  /** Lets the points move to another view, from where they are now; or has them there at once. */
  show(place: number, isStill: boolean): void {
    const from = this.#present()
    this.#place = place
    this.#view = readView(this.#data, place)
    this.#before = isStill ? this.#view.points : from
    this.#movedAt = isStill ? Number.NEGATIVE_INFINITY : performance.now()
    this.#grid = new PointGrid(this.#view.points)
  }

  /** Share of the way to this view's places that is behind the points. */
  way(): number {
    const share = Math.min(1, (performance.now() - this.#movedAt) / MOVING)
    return share * share * (3 - 2 * share)
  }

  /** The place of a point, now or at another share of the way. */
  at(index: number, way = this.way()): [x: number, y: number] {
    const between = (at: number) => mixed(this.#before[at]!, this.#view.points[at]!, way)
    return [between(2 * index), between(2 * index + 1)]
  }

  /** The nearest point within reach of a place in this view, of those that hold; −1 for none. */
  nearest(x: number, y: number, reach: number, holds: (index: number) => boolean): number {
    return this.#grid.nearest(x, y, reach, holds)
  }

  /** Neighbours by the vectors of this view. */
  near(index: number): readonly number[] {
    const { near } = this.#data
    return [...this.#view.neighbours.subarray(index * near, (index + 1) * near)]
  }

  /** The middle of each group, NaN for one without points. */
  middles(way: number): Float32Array {
    const after = this.#middlesOf(this.#place)
    if (way === 1) return after
    const before = middles(this.#before, this.#groups, this.#data.groups.names.length)
    return after.map((to, at) => mixed(before[at]!, to, way))
  }

  #middlesOf(place: number): Float32Array {
    const known = this.#middles.get(place)
    if (known) return known
    const found = middles(this.#view.points, this.#groups, this.#data.groups.names.length)
    this.#middles.set(place, found)
    return found
  }

  /** Places at which the points are now. */
  #present(): Float32Array {
    const way = this.way()
    if (way === 1) return this.#view.points
    return this.#view.points.map((to, at) => mixed(this.#before[at]!, to, way))
  }
}

const mixed = (from: number, to: number, way: number): number => from + (to - from) * way

/** Medians of the places of each group: a few points far away do not draw its name to them. */
function middles(points: Float32Array, groups: Uint32Array, count: number): Float32Array {
  const places = Array.from({ length: count }, (): [number[], number[]] => [[], []])
  for (let i = 0; i < groups.length; i++) {
    const [xs, ys] = places[groups[i]!]!
    if (xs.length >= SAMPLED) continue
    xs.push(points[2 * i]!)
    ys.push(points[2 * i + 1]!)
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
  return Float32Array.from(places.flatMap(([xs, ys]) => [median(xs), median(ys)]))
}
