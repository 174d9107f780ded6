// The atlas: draws a map and answers the reader.
import { channelsOf, type PageData, pointsWithin } from '../../src/atlas/page/index.ts'
import { counted, element } from '../dom.ts'
import { Camera } from './camera.ts'
import { listen } from './gestures.ts'
import { Items } from './items.ts'
import { Overlay, shortened, type Wish } from './overlay.ts'
import { type List, ListPanel, legendOf } from './panel.ts'
import { MOVING, Places } from './places.ts'
import { Points } from './points.ts'

/** A map on a page. */
export interface Atlas {
  readonly data: PageData
  /** True if nothing of the map is moved, hidden, searched for or chosen. */
  readonly isUntouched: boolean
  /** Pixels of an item's point, from the upper left corner of the page. */
  placeOf(index: number): { readonly left: number; readonly top: number }
  /** Lists an item's neighbours; `undefined` ends it. */
  select(index: number | undefined): void
  /** Lights what matches. @returns how many do */
  search(words: string): number
  /** Moves the points to another view. */
  show(place: number): void
  /** Draws a frame of the map moved and zoomed, as a reader's gestures do. */
  move(gesture: { readonly pan?: readonly [number, number]; readonly zoom?: number }): void
  reset(): void
  /** Stops listening and empties the element. */
  dispose(): void
}

/** Pixels around the pointer in which a point is found. */
const REACH = 10

/** Points in sight up to which their texts and pictures are shown. */
const NAMED = 400

type Lit =
  | { readonly kind: 'neighbours'; readonly index: number }
  | { readonly kind: 'search' | 'lasso'; readonly title: string; readonly indices: readonly number[] }

/**
 * Draws a map into an element, which it fills.
 *
 * @example
 * ```ts
 * drawAtlas(document.getElementById('atlas')!, await (await fetch('/map.json')).json())
 * ```
 */
export function drawAtlas(root: HTMLElement, data: PageData): Atlas {
  return new Drawn(root, data)
}

class Drawn implements Atlas {
  readonly data: PageData
  readonly #root: HTMLElement
  readonly #count: number
  readonly #items: Items
  readonly #places: Places
  readonly #order: Uint32Array
  readonly #camera = new Camera()
  readonly #overlay = new Overlay()
  readonly #canvas = element('canvas', { tabindex: '0', role: 'img' })
  readonly #drawn = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  readonly #tip = element('div', { class: 'tip', role: 'tooltip', hidden: true })
  readonly #list = new ListPanel((index) => this.#choose(index))
  readonly #map: HTMLElement
  readonly #lasso: HTMLButtonElement
  readonly #input: HTMLInputElement
  readonly #stop = new AbortController()
  readonly #ends: (() => void)[] = []
  #points: Points | undefined
  #hidden: ReadonlySet<number> = new Set()
  #lit: Lit | undefined
  #isAsked = false
  #playing: ReturnType<typeof setInterval> | undefined

  constructor(root: HTMLElement, data: PageData) {
    this.data = data
    this.#root = root
    this.#count = data.ids.length
    this.#items = new Items(data)
    this.#places = new Places(data, this.#items.groups)
    this.#order = shuffled(this.#count)
    this.#camera.frame(this.#places.view.points)
    this.#lasso = element('button', {
      type: 'button',
      'aria-pressed': 'false',
      text: 'Lasso',
      title: 'Draw a line around points (or hold Shift)',
      on: { click: () => this.#switchLasso() },
    })
    this.#input = element('input', {
      type: 'search',
      placeholder: 'Search  ( / )',
      'aria-label': 'Search',
      on: { input: () => this.search(this.#input.value) },
    })
    this.#drawn.classList.add('drawn')
    this.#map = element('div', { class: 'map' }, this.#canvas, this.#overlay.element, this.#drawn, this.#tip)
    root.classList.add('atlas')
    root.replaceChildren(
      element(
        'header',
        {},
        element('h1', { text: data.title }),
        this.#input,
        this.#viewControl(),
        this.#lasso,
        element('button', { type: 'button', text: 'Reset', on: { click: () => this.reset() } }),
      ),
      this.#map,
      element('aside', {}, this.#legend(), this.#list.element),
    )
    this.#canvas.setAttribute('aria-label', `Map of ${counted(this.#count, 'point')}`)
    this.#open()
    this.#listen()
  }

  get isUntouched(): boolean {
    const isLast = this.#places.place === this.data.first && this.#playing === undefined
    return isLast && !this.#lit && this.#hidden.size === 0 && this.#camera.isReset
  }

  placeOf(index: number): { left: number; top: number } {
    const { left, top } = this.#canvas.getBoundingClientRect()
    const [x, y] = this.#places.at(index)
    return { left: left + this.#camera.left(x), top: top + this.#camera.top(y) }
  }

  select(index: number | undefined): void {
    this.#light(index === undefined ? undefined : { kind: 'neighbours', index })
  }

  search(words: string): number {
    const asked = words.trim().toLowerCase()
    if (asked === '') {
      this.#light(undefined)
      return 0
    }
    const indices = this.#items.matching(asked)
    this.#light({
      kind: 'search',
      title: `${counted(indices.length, 'match', 'matches')} for “${words.trim()}”`,
      indices,
    })
    return indices.length
  }

  show(place: number): void {
    if (place === this.#places.place || !this.data.views[place]) return
    this.#places.show(place, matchMedia('(prefers-reduced-motion: reduce)').matches)
    const { before, view } = this.#places
    this.#points?.move(before, view.points)
    for (const control of this.#root.querySelectorAll<HTMLSelectElement | HTMLInputElement>('[data-views]'))
      control.value = `${place}`
    for (const name of this.#root.querySelectorAll('output[data-name]')) name.textContent = view.name
    this.#tip.hidden = true
    // Neighbours are those of this view.
    this.#light(this.#lit, false)
  }

  move({ pan, zoom }: { readonly pan?: readonly [number, number]; readonly zoom?: number }): void {
    if (pan) this.#camera.pan(...pan)
    if (zoom) this.#camera.zoomAt(this.#camera.width / 2, this.#camera.height / 2, zoom)
    this.#ask()
  }

  reset(): void {
    this.#camera.reset()
    this.#ask()
  }

  dispose(): void {
    this.#stop.abort()
    clearInterval(this.#playing)
    for (const end of this.#ends) end()
    this.#root.replaceChildren()
  }

  #viewControl(): HTMLElement | undefined {
    const { views, epochs } = this.data
    if (views.length < 2) return undefined
    const shown = (event: Event) => this.show(Number((event.target as HTMLInputElement).value))
    if (!epochs) {
      const options = views.map(({ name }, i) =>
        element('option', { value: i, selected: i === this.#places.place, text: name }),
      )
      return element(
        'select',
        { 'data-views': true, 'aria-label': 'Model and layer', on: { change: shown } },
        ...options,
      )
    }
    const slider = element('input', {
      type: 'range',
      min: 0,
      max: views.length - 1,
      value: this.#places.place,
      'data-views': true,
      'aria-label': 'Epoch',
      on: { input: shown },
    })
    return element(
      'div',
      { class: 'epochs' },
      element('button', { type: 'button', text: 'Play', on: { click: () => this.#play() } }),
      slider,
      element('output', { 'data-name': true, text: this.#places.view.name }),
    )
  }

  /** Shows one epoch after the other, from the first if the last is shown. */
  #play(): void {
    const stop = () => {
      clearInterval(this.#playing)
      this.#playing = undefined
    }
    if (this.#playing !== undefined) {
      stop()
      return
    }
    const isLast = () => this.#places.place === this.data.views.length - 1
    if (isLast()) this.show(0)
    this.#playing = setInterval(() => {
      if (isLast()) stop()
      else this.show(this.#places.place + 1)
    }, MOVING + 100)
  }

  #legend(): HTMLElement {
    const { groups, notes } = this.data
    const kind = groups.kind === 'label' ? 'Labels' : 'Clusters'
    return legendOf(`${kind} · ${counted(this.#count, 'point')}`, this.#items.counts(), notes, (hidden) => {
      this.#hidden = hidden
      this.#tip.hidden = true
      this.#showPoints()
      this.#ask()
    })
  }

  #open(): void {
    try {
      this.#points = new Points(this.#canvas)
    } catch (error) {
      this.#map.append(element('p', { class: 'problem', text: (error as Error).message }))
      return
    }
    const colors = new Uint8Array(this.#count * 3)
    const channels = this.#items.colors.map(channelsOf)
    for (let i = 0; i < this.#count; i++) colors.set(channels[this.#items.groups[i]!]!, i * 3)
    this.#points.paint(colors)
    this.#points.move(this.#places.before, this.#places.view.points)
    this.#showPoints()
    this.#ask()
  }

  #listen(): void {
    const { signal } = this.#stop
    const sized = new ResizeObserver(() => {
      const { clientWidth, clientHeight } = this.#map
      const dots = Math.min(devicePixelRatio, 2)
      this.#camera.width = clientWidth
      this.#camera.height = clientHeight
      this.#canvas.width = Math.round(clientWidth * dots)
      this.#canvas.height = Math.round(clientHeight * dots)
      this.#draw()
    })
    sized.observe(this.#map)
    this.#ends.push(() => sized.disconnect())
    this.#canvas.addEventListener('webglcontextlost', (event) => event.preventDefault(), { signal })
    this.#canvas.addEventListener('webglcontextrestored', () => this.#open(), { signal })
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#ask(), { signal })
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLInputElement
      if (event.key === '/' && !isTyping) {
        event.preventDefault()
        this.#input.focus()
      } else if (event.key === 'Escape') this.#escape()
    }
    document.addEventListener('keydown', onKey, { signal })
    this.#ends.push(
      listen(this.#canvas, {
        pan: (left, top) => this.move({ pan: [left, top] }),
        zoom: (left, top, factor) => {
          this.#camera.zoomAt(left, top, factor)
          this.#ask()
        },
        reset: () => this.reset(),
        hover: (left, top) => this.#point(this.#found(left, top)),
        leave: () => this.#point(-1),
        click: (left, top) => {
          const index = this.#found(left, top)
          this.select(index < 0 ? undefined : index)
        },
        isLasso: ({ shiftKey }) => shiftKey || this.#isLassoing,
        lasso: (line, isDone) => this.#draws(line, isDone),
        escape: () => this.#escape(),
      }),
    )
  }

  get #isLassoing(): boolean {
    return this.#lasso.getAttribute('aria-pressed') === 'true'
  }

  #switchLasso(isOn = !this.#isLassoing): void {
    this.#lasso.setAttribute('aria-pressed', `${isOn}`)
    this.#map.classList.toggle('lassoing', isOn)
  }

  #escape(): void {
    this.#input.value = ''
    this.#switchLasso(false)
    this.#light(undefined)
  }

  #draws(line: readonly number[], isDone: boolean): void {
    const outline = document.createElementNS(this.#drawn.namespaceURI!, 'polygon')
    outline.setAttribute('points', line.join(' '))
    this.#drawn.replaceChildren(...(isDone ? [] : [outline]))
    if (!isDone) return
    const polygon = line.map((value, i) => (i % 2 === 0 ? this.#camera.x(value) : this.#camera.y(value)))
    const indices = pointsWithin(this.#places.view.points, polygon).filter((i) => this.#isShown(i))
    this.#switchLasso(false)
    this.#light({ kind: 'lasso', title: `${counted(indices.length, 'point')} within the line`, indices })
  }

  #found(left: number, top: number): number {
    const { scale } = this.#camera
    const reach = Math.max(REACH, this.#size / 2 + 3) / scale
    return this.#places.nearest(this.#camera.x(left), this.#camera.y(top), reach, (i) => this.#isShown(i))
  }

  #isShown(index: number): boolean {
    return !this.#hidden.has(this.#items.groups[index]!)
  }

  #point(index: number): void {
    this.#map.classList.toggle('pointing', index >= 0)
    this.#tip.hidden = index < 0
    if (index < 0) return
    this.#tip.replaceChildren(...this.#items.tip(index))
    const [x, y] = this.#places.at(index)
    const { width, height } = this.#camera
    const { offsetWidth, offsetHeight } = this.#tip
    const [left, top] = [this.#camera.left(x) + 14, this.#camera.top(y) + 14]
    const beside = left + offsetWidth > width ? left - 28 - offsetWidth : left
    const below = top + offsetHeight > height ? top - 28 - offsetHeight : top
    this.#tip.style.transform = `translate(${Math.max(0, beside)}px, ${Math.max(0, below)}px)`
  }

  /** Selects an item of the list, and brings it into sight. */
  #choose(index: number): void {
    const [x, y] = this.#places.at(index, 1)
    const [left, top] = [this.#camera.left(x), this.#camera.top(y)]
    const isSeen = left > 20 && top > 20 && left < this.#camera.width - 20 && top < this.#camera.height - 20
    if (!isSeen) this.#camera.center(x, y)
    this.select(index)
  }

  #light(lit: Lit | undefined, isNew = true): void {
    this.#lit = lit
    if (isNew && lit?.kind !== 'search') this.#input.value = ''
    if (lit === undefined) this.#list.clear()
    else this.#list.show(this.#listOf(lit))
    this.#showPoints()
    this.#ask()
  }

  #listOf(lit: Lit): List {
    if (lit.kind === 'neighbours') {
      const { similarities } = this.#places.view
      const first = lit.index * this.data.near
      const rows = this.#places
        .near(lit.index)
        .map((index, at) => this.#items.row(index, similarities[first + at]!.toFixed(3)))
      return { title: `Nearest to ${shortened(this.#items.text(lit.index), 60)}, by cosine`, rows }
    }
    const shares = this.#items
      .counts(lit.indices)
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count)
    return { title: lit.title, rows: lit.indices.map((index) => this.#items.row(index)), shares }
  }

  get #indices(): readonly number[] {
    const lit = this.#lit
    if (!lit) return []
    return lit.kind === 'neighbours' ? [lit.index, ...this.#places.near(lit.index)] : lit.indices
  }

  #showPoints(): void {
    const shown = this.#hidden.size === 0 ? this.#order : this.#order.filter((i) => this.#isShown(i))
    this.#points?.show(shown, Uint32Array.from(this.#indices.filter((i) => this.#isShown(i))))
  }

  /** Diameter of a point in pixels of the page: smaller the more there are, larger the nearer one looks. */
  get #size(): number {
    const least = this.#count > 50_000 ? 2 : this.#count > 5000 ? 3.5 : this.#count > 500 ? 6 : 9
    return Math.min(14, least * this.#camera.zoom ** 0.35)
  }

  /** Draws with the next frame, once. */
  #ask(): void {
    if (this.#isAsked) return
    this.#isAsked = true
    requestAnimationFrame(() => {
      this.#isAsked = false
      if (this.#stop.signal.aborted) return
      this.#draw()
      if (this.#places.way() < 1) this.#ask()
    })
  }

  #draw(): void {
    if (this.#camera.width * this.#camera.height === 0) return
    const way = this.#places.way()
    const dots = this.#canvas.width / this.#camera.width
    this.#points?.draw(
      {
        ...this.#camera.clip,
        way,
        size: this.#size * dots,
        opacity: this.#count > 5000 ? 0.75 : 0.9,
        background: this.#background(),
      },
      this.#lit !== undefined,
    )
    this.#drawRing(way)
    this.#drawLabels(way)
  }

  #background(): readonly [number, number, number] {
    const [red = 255, green = 255, blue = 255] = (
      getComputedStyle(this.#root).backgroundColor.match(/[\d.]+/g) ?? []
    ).map(Number)
    return [red, green, blue]
  }

  #drawRing(way: number): void {
    const lit = this.#lit
    const known = this.#drawn.querySelector('circle')
    if (lit?.kind !== 'neighbours') {
      known?.remove()
      return
    }
    const ring = known ?? document.createElementNS('http://www.w3.org/2000/svg', 'circle')
    const [x, y] = this.#places.at(lit.index, way)
    ring.setAttribute('cx', `${this.#camera.left(x)}`)
    ring.setAttribute('cy', `${this.#camera.top(y)}`)
    ring.setAttribute('r', `${this.#size / 2 + 5}`)
    if (!known) this.#drawn.append(ring)
  }

  #drawLabels(way: number): void {
    const camera = this.#camera
    const { width, height } = camera
    const pixels = (i: number): [number, number] => {
      const [x, y] = this.#places.at(i, way)
      return [camera.left(x), camera.top(y)]
    }
    const seen: number[] = []
    const [left, right] = [camera.x(0), camera.x(width)]
    const [bottom, top] = [camera.y(height), camera.y(0)]
    const { points } = this.#places.view
    // Beyond what is named only the names of groups are shown: no need to look on.
    for (let i = 0; i < this.#count && seen.length <= NAMED; i++) {
      const [x, y] = [points[2 * i]!, points[2 * i + 1]!]
      if (x > left && x < right && y > bottom && y < top && this.#isShown(i)) seen.push(i)
    }
    const isNamed = seen.length <= NAMED
    const lit = this.#indices.slice(0, NAMED).filter((i) => this.#isShown(i))
    const litSet = new Set(lit)
    const others = isNamed && this.#lit === undefined ? seen : []
    const itemsOf = (indices: readonly number[], kind: 'lit' | 'item') =>
      indices.flatMap((i): Wish[] => {
        const [x, y] = pixels(i)
        const picture = this.#items.picture(i)
        const color = this.#items.color(i)
        if (picture !== undefined) return [{ key: `p${i}`, left: x, top: y, picture, color, kind: 'picture' }]
        return [{ key: `${kind}${i}`, left: x, top: y, text: this.#items.text(i), kind }]
      })
    const dots = [...new Set([...(isNamed ? seen : []), ...litSet])].flatMap(pixels)
    // Names of clusters were taken from texts, and say nothing more where all texts are seen.
    const hasGroups = this.#lit === undefined && !(this.data.groups.kind === 'cluster' && isNamed)
    const wishes = [
      ...itemsOf(lit, 'lit'),
      ...(hasGroups ? this.#groupWishes(way) : []),
      // Pictures need the most room.
      ...itemsOf(others, 'item').sort((a, b) => Number(b.kind === 'picture') - Number(a.kind === 'picture')),
    ]
    this.#overlay.draw(wishes, width, height, dots, this.#size / 2)
  }

  #groupWishes(way: number): Wish[] {
    const { names } = this.data.groups
    if (names.length < 2) return []
    const middles = this.#places.middles(way)
    return names.flatMap((text, group): Wish[] => {
      const [x, y] = [middles[2 * group]!, middles[2 * group + 1]!]
      if (this.#hidden.has(group) || Number.isNaN(x)) return []
      const color = this.#items.colors[group]!
      return [
        {
          key: `g${group}`,
          left: this.#camera.left(x),
          top: this.#camera.top(y),
          text,
          color,
          kind: 'group',
        },
      ]
    })
  }
}

/** All indices in a mixed order, always the same: a group that comes last does not cover the others. */
function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  let state = 12_345
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = state % (i + 1)
    ;[order[i], order[other]] = [order[other]!, order[i]!]
  }
  return order
}
