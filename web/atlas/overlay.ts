// Names of groups, texts and thumbnails over the points, as many as have room.
import { type LabelWish, placeLabels } from '../../src/atlas/page/index.ts'
import { element } from '../dom.ts'

/** A label that wants to be seen. */
export interface Wish {
  /** Same for the same label in the next frame. */
  readonly key: string
  readonly left: number
  readonly top: number
  readonly text?: string
  /** A data URL. */
  readonly picture?: string
  readonly color?: string
  readonly kind: 'group' | 'item' | 'lit' | 'picture'
}

const FONTS: Readonly<Record<Wish['kind'], string>> = {
  group: '600 14px system-ui, sans-serif',
  item: '12px system-ui, sans-serif',
  lit: '600 12px system-ui, sans-serif',
  picture: '12px system-ui, sans-serif',
}

const PICTURE = 44

/** Texts are cut behind so many letters. */
const LONGEST = 36

/** Elements above the canvas that follow its points. */
export class Overlay {
  readonly element = element('div', { class: 'labels', 'aria-hidden': 'true' })
  readonly #shown = new Map<string, HTMLElement>()
  readonly #measure = document.createElement('canvas').getContext('2d')!
  readonly #widths = new Map<string, number>()

  /** Shows those that find room, the first first. @param dots that texts beside points do not cover, where they can help it */
  draw(
    wishes: readonly Wish[],
    width: number,
    height: number,
    dots: readonly number[],
    radius: number,
  ): void {
    const boxes = wishes.map((wish): LabelWish => {
      const { left: x, top: y, kind } = wish
      if (kind === 'picture') return { x, y, width: PICTURE + 4, height: PICTURE + 4, at: 'center' }
      const at = kind === 'group' ? 'center' : 'beside'
      return { x, y, width: this.#widthOf(wish) + 6, height: kind === 'group' ? 20 : 16, at, gap: radius + 3 }
    })
    const placed = placeLabels(boxes, { left: 2, top: 2, right: width - 2, bottom: height - 2 }, dots, radius)
    const gone = new Set(this.#shown.keys())
    for (const { index, x, y } of placed) {
      const wish = wishes[index]!
      gone.delete(wish.key)
      this.#elementOf(wish).style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`
    }
    for (const key of gone) {
      this.#shown.get(key)!.remove()
      this.#shown.delete(key)
    }
  }

  #elementOf(wish: Wish): HTMLElement {
    const known = this.#shown.get(wish.key)
    if (known) return known
    const made =
      wish.picture === undefined
        ? element('span', { class: `label ${wish.kind}`, text: shortened(wish.text ?? '') })
        : element('img', { class: 'label picture', src: wish.picture, alt: '' })
    if (wish.color !== undefined) made.style.setProperty('--group', wish.color)
    this.#shown.set(wish.key, made)
    this.element.append(made)
    return made
  }

  #widthOf({ text = '', kind }: Wish): number {
    const key = `${kind} ${text}`
    const known = this.#widths.get(key)
    if (known !== undefined) return known
    this.#measure.font = FONTS[kind]
    const { width } = this.#measure.measureText(shortened(text))
    this.#widths.set(key, width)
    return width
  }
}

/** The text in one line, cut where it is long. */
export function shortened(text: string, longest = LONGEST): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest - 1).trimEnd()}…` : line
}
