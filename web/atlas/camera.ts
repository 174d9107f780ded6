// The part of the map that is seen.

/** Pixels around the map for the texts of outer points. */
const MARGIN = 56

const [LEAST, MOST] = [0.3, 2000]

/** Turns places of the map (−1 to 1, y upwards) into pixels of the page (y downwards) and back. */
export class Camera {
  /** Of the frame in pixels; 0 until it is known. */
  width = 0
  height = 0
  #x = 0
  #y = 0
  #zoom = 1
  /** Half of the map's width and height. */
  #half: readonly [number, number] = [1, 1]

  /** Pixels of one unit of the map. */
  get scale(): number {
    const [wide, high] = this.#half
    const room = (side: number) => Math.max(side / 2, side - 2 * MARGIN) / 2
    return Math.min(room(this.width) / wide, room(this.height) / high) * this.#zoom
  }

  /** Fits the whole map into the frame where it is not zoomed. @param points from −1 to 1, around 0 */
  frame(points: Float32Array): void {
    const most = [0, 0]
    for (let i = 0; i < points.length; i++) most[i & 1] = Math.max(most[i & 1]!, Math.abs(points[i]!))
    this.#half = [most[0] || 1, most[1] || 1]
  }

  get zoom(): number {
    return this.#zoom
  }

  left(x: number): number {
    return this.width / 2 + (x - this.#x) * this.scale
  }

  top(y: number): number {
    return this.height / 2 - (y - this.#y) * this.scale
  }

  x(left: number): number {
    return this.#x + (left - this.width / 2) / this.scale
  }

  y(top: number): number {
    return this.#y - (top - this.height / 2) / this.scale
  }

  /** Scale and offset of clip coordinates. */
  get clip(): { readonly scale: readonly [number, number]; readonly offset: readonly [number, number] } {
    const scale = [(2 * this.scale) / this.width, (2 * this.scale) / this.height] as const
    return { scale, offset: [-this.#x * scale[0], -this.#y * scale[1]] }
  }

  /** Moves the map by pixels. */
  pan(left: number, top: number): void {
    this.#x -= left / this.scale
    this.#y += top / this.scale
  }

  /** Makes the map larger by a factor around a pixel that stays. */
  zoomAt(left: number, top: number, factor: number): void {
    const [x, y] = [this.x(left), this.y(top)]
    this.#zoom = Math.min(MOST, Math.max(LEAST, this.#zoom * factor))
    this.#x += x - this.x(left)
    this.#y += y - this.y(top)
  }

  center(x: number, y: number): void {
    this.#x = x
    this.#y = y
  }

  /** True if the whole map is seen. */
  get isReset(): boolean {
    return this.#x === 0 && this.#y === 0 && this.#zoom === 1
  }

  reset(): void {
    this.center(0, 0)
    this.#zoom = 1
  }
}
