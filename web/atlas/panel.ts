// The panel beside the map: the legend with its switches, and the list of what was found.
import { counted, element, swatch } from '../dom.ts'

/** A group as the legend shows it. */
export interface LegendGroup {
  readonly name: string
  readonly color: string
  readonly count: number
}

/** A row of the list. */
export interface ListRow {
  readonly index: number
  readonly text: string
  readonly color: string
  /** A data URL. */
  readonly picture?: string | undefined
  /** Shown behind the text. */
  readonly note?: string
}

/** The list below the legend. */
export interface List {
  readonly title: string
  readonly rows: readonly ListRow[]
  /** Groups of what was found, the largest first. */
  readonly shares?: readonly LegendGroup[]
}

/** Rows that are listed at most: a list of all would be slower than the map. */
const MOST_ROWS = 200

const MOST_SHARES = 6

/** Legend with a switch for each group; `onChange` is told of the hidden ones. */
export function legendOf(
  title: string,
  groups: readonly LegendGroup[],
  notes: readonly string[],
  onChange: (hidden: ReadonlySet<number>) => void,
): HTMLElement {
  const boxes = groups.map(() => element('input', { type: 'checkbox', checked: true }))
  const changed = () => onChange(new Set(boxes.flatMap((box, place) => (box.checked ? [] : [place]))))
  const all = (isShown: boolean) => {
    for (const box of boxes) box.checked = isShown
    changed()
  }
  const rows = groups.map(({ name, color, count }, place) =>
    element(
      'label',
      { title: name, on: { change: changed } },
      boxes[place],
      swatch(color),
      element('span', { class: 'name', text: name }),
      element('span', { text: count.toLocaleString('en') }),
    ),
  )
  return element(
    'section',
    { class: 'legend', 'aria-label': title },
    element(
      'h2',
      {},
      element('span', { text: title }),
      element('button', { type: 'button', text: 'all', on: { click: () => all(true) } }),
      element('button', { type: 'button', text: 'none', on: { click: () => all(false) } }),
    ),
    ...rows,
    ...notes.map((text) => element('p', { class: 'note', text })),
  )
}

/** The list, to be filled again and again. */
export class ListPanel {
  readonly element = element('section', { class: 'list', 'aria-live': 'polite', 'aria-label': 'Found' })
  readonly #onChoose: (index: number) => void

  constructor(onChoose: (index: number) => void) {
    this.#onChoose = onChoose
    this.clear()
  }

  clear(): void {
    this.element.replaceChildren(
      element('p', {
        class: 'note',
        text: 'Click a point to see its neighbours, draw a line around some with Shift or the lasso, or search.',
      }),
    )
  }

  show({ title, rows, shares = [] }: List): void {
    const left = rows.length - MOST_ROWS
    this.element.replaceChildren(
      element('h2', { text: title }),
      ...(shares.length > 1 ? [this.#sharesOf(shares, rows.length)] : []),
      element('ol', {}, ...rows.slice(0, MOST_ROWS).map((row) => this.#rowOf(row))),
      ...(left > 0 ? [element('p', { class: 'note', text: `and ${counted(left, 'more', 'more')}` })] : []),
    )
    this.element.scrollTop = 0
  }

  #sharesOf(shares: readonly LegendGroup[], total: number): HTMLElement {
    const rows = shares.slice(0, MOST_SHARES).map(({ name, color, count }) =>
      element(
        'div',
        {},
        swatch(color),
        element('span', { text: name }),
        element('small', {
          text: `${count.toLocaleString('en')} · ${Math.round((100 * count) / total)} %`,
        }),
      ),
    )
    const more = shares.length - MOST_SHARES
    return element(
      'div',
      { class: 'shares' },
      ...rows,
      more > 0 ? element('p', { class: 'note', text: `and ${counted(more, 'group')} more` }) : undefined,
    )
  }

  #rowOf({ index, text, color, picture, note }: ListRow): HTMLElement {
    return element(
      'li',
      { 'data-index': index },
      element(
        'button',
        { type: 'button', on: { click: () => this.#onChoose(index) } },
        picture === undefined ? undefined : element('img', { src: picture, alt: '' }),
        swatch(color),
        element('span', { text }),
        note === undefined ? undefined : element('small', { text: note }),
      ),
    )
  }
}
