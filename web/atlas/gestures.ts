// Turns pointers, the wheel and keys into movements of the map.

/** Gestures that the map answers. Places are pixels from its upper left corner. */
export interface Gestures {
  pan(left: number, top: number): void
  zoom(left: number, top: number, factor: number): void
  reset(): void
  hover(left: number, top: number): void
  leave(): void
  click(left: number, top: number): void
  /** True while a drag draws a line instead of moving the map. */
  isLasso(event: PointerEvent): boolean
  /** The line so far, x and y in turn; `isDone` with the last. */
  lasso(line: readonly number[], isDone: boolean): void
  escape(): void
}

/** Movement in pixels below which a press is a click. */
const STILL = 4

const STEP = 60

/** Listens on the canvas. @returns ends it */
export function listen(canvas: HTMLCanvasElement, gestures: Gestures): () => void {
  const stop = new AbortController()
  const { signal } = stop
  const pointers = new Map<number, readonly [left: number, top: number]>()
  let start: readonly [number, number] | undefined
  let line: number[] | undefined
  let isMoved = false

  const placeOf = (event: MouseEvent): [number, number] => {
    const { left, top } = canvas.getBoundingClientRect()
    return [event.clientX - left, event.clientY - top]
  }
  canvas.addEventListener(
    'pointerdown',
    (event) => {
      if (event.button !== 0) return
      canvas.setPointerCapture(event.pointerId)
      start = placeOf(event)
      pointers.set(event.pointerId, start)
      isMoved = pointers.size > 1
      line = pointers.size === 1 && gestures.isLasso(event) ? [...start] : undefined
    },
    { signal },
  )
  canvas.addEventListener(
    'pointermove',
    (event) => {
      const place = placeOf(event)
      const last = pointers.get(event.pointerId)
      if (!last || !start) return gestures.hover(...place)
      if (Math.hypot(place[0] - start[0], place[1] - start[1]) > STILL) isMoved = true
      if (line) {
        line.push(...place)
        gestures.lasso(line, false)
      } else if (pointers.size === 2) {
        const other = [...pointers].find(([id]) => id !== event.pointerId)![1]
        const before = Math.hypot(last[0] - other[0], last[1] - other[1])
        const after = Math.hypot(place[0] - other[0], place[1] - other[1])
        if (before > 0) gestures.zoom((place[0] + other[0]) / 2, (place[1] + other[1]) / 2, after / before)
      } else if (isMoved) gestures.pan(place[0] - last[0], place[1] - last[1])
      pointers.set(event.pointerId, place)
    },
    { signal },
  )
  const up = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return
    if (line && isMoved) gestures.lasso(line, true)
    else if (!isMoved && event.type === 'pointerup') gestures.click(...placeOf(event))
    line = undefined
  }
  canvas.addEventListener('pointerup', up, { signal })
  canvas.addEventListener('pointercancel', up, { signal })
  canvas.addEventListener('pointerleave', () => gestures.leave(), { signal })
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault()
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1
      gestures.zoom(...placeOf(event), Math.exp(-event.deltaY * lines * 0.0015))
    },
    { signal, passive: false },
  )
  canvas.addEventListener('dblclick', () => gestures.reset(), { signal })
  canvas.addEventListener(
    'keydown',
    (event) => {
      const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2] as const
      const moves: Readonly<Record<string, () => void>> = {
        ArrowLeft: () => gestures.pan(STEP, 0),
        ArrowRight: () => gestures.pan(-STEP, 0),
        ArrowUp: () => gestures.pan(0, STEP),
        ArrowDown: () => gestures.pan(0, -STEP),
        '+': () => gestures.zoom(...middle, 1.3),
        '=': () => gestures.zoom(...middle, 1.3),
        '-': () => gestures.zoom(...middle, 1 / 1.3),
        '0': () => gestures.reset(),
        Escape: () => gestures.escape(),
      }
      const move = moves[event.key]
      if (!move || event.ctrlKey || event.metaKey || event.altKey) return
      event.preventDefault()
      move()
    },
    { signal },
  )
  return () => stop.abort()
}
