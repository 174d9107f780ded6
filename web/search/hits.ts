// Draws what was found: passages with their place, and pictures.
import { counted, element } from '../dom.ts'
import { type Hit, type Listed, thumbnail } from './api.ts'
import { marked } from './marks.ts'
import type { Where } from './state.ts'

/** Deeds of a reader upon a hit. */
export interface Deeds {
  /** Looks for what is like it. */
  like(id: string): void
  filter(where: Where): void
  /** Deletes the collection, if the reader confirms it; undefined for one that is not there. */
  remove?: (() => void) | undefined
}

/** Fields that indexing writes, and that are shown by their own means. */
const ownFields = new Set('path line endLine page heading text by sha256 size modified reading'.split(' '))

/** Letters and lines of a text above which it is folded. */
const LONG = 420
const LINES = 8

/** Fields that are shown as chips, at most. */
const CHIPS = 6

/** The results of one collection. */
export class Column {
  readonly element: HTMLElement
  readonly #collection: Listed
  readonly #deeds: Deeds
  readonly #count = element('span', { class: 'count' })
  readonly #map: HTMLAnchorElement
  readonly #body = element('div')

  constructor(collection: Listed, deeds: Deeds) {
    const { name, model, tap, pool } = collection
    this.#collection = collection
    this.#deeds = deeds
    const title = `column-${name}`
    this.#map = element('a', { text: 'Map', 'aria-label': `Map of ${name}` })
    this.element = element(
      'section',
      {
        class: `column ${columnClass[collection.modality ?? 'tensor']}`,
        'aria-labelledby': title,
        'data-collection': name,
      },
      element(
        'header',
        {},
        element('h2', { id: title, text: name }),
        this.#count,
        this.#map,
        deeds.remove &&
          element('button', {
            type: 'button',
            class: 'quiet remove',
            text: 'Delete …',
            'aria-label': `Delete ${name} …`,
            on: { click: deeds.remove },
          }),
        element('p', {
          class: 'model',
          text: [model ?? 'vectors of your own', ...tap, pool].filter(Boolean).join(' · '),
        }),
      ),
      this.#body,
    )
  }

  wait(): void {
    this.element.setAttribute('aria-busy', 'true')
    // The map leads back to the search as it is now.
    this.#map.href = `map.html?${new URLSearchParams({ in: this.#collection.name, back: location.search })}`
    if (!this.#body.hasChildNodes()) this.#note('Searching …')
  }

  /** Shows no hits: whoever asked is told elsewhere why. */
  clear(): void {
    this.element.removeAttribute('aria-busy')
    this.#count.textContent = ''
    this.#body.replaceChildren()
  }

  show(hits: readonly Hit[], words: string): void {
    this.element.removeAttribute('aria-busy')
    this.#count.textContent = counted(hits.length, 'hit')
    if (hits.length === 0) {
      this.#note('Nothing fits. With fewer conditions there may be more.')
      return
    }
    this.#body.replaceChildren(
      element('ol', { class: 'hits' }, ...hits.map((hit, place) => this.#hit(hit, place, words))),
    )
  }

  /** Says in one line why there are no hits. */
  say(why: string): void {
    this.clear()
    this.#note(why)
  }

  #note(text: string): void {
    this.#body.replaceChildren(element('p', { class: 'note', text }))
  }

  #hit({ id, score, metadata }: Hit, place: number, words: string): HTMLElement {
    const { path, text, heading } = metadata
    const isPicture = typeof text !== 'string' && typeof path === 'string'
    const file = typeof path === 'string' ? path : id
    const end = file.lastIndexOf('/') + 1
    const where = placeOf(metadata)
    const name = [file, where].filter(Boolean).join(', ')
    const like = () => this.#deeds.like(id)
    const title = element('button', {
      type: 'button',
      class: 'like',
      title: 'More like this',
      'aria-label': `${file.slice(end)}: more like this`,
      on: { click: like },
      text: file.slice(end),
    })
    return element(
      'li',
      { class: isPicture ? 'hit picture' : 'hit passage', 'data-id': id },
      isPicture ? this.#picture(id, name, like) : undefined,
      element(
        'div',
        { class: 'about' },
        element('h3', {}, element('span', { class: 'rank', text: `${place + 1}` }), title),
        element('span', { class: 'score', title: 'Score: the higher, the nearer', text: score.toFixed(3) }),
        element(
          'p',
          { class: 'place' },
          end > 0 ? element('span', { text: file.slice(0, end) }) : undefined,
          where === '' ? undefined : element('span', { class: 'lines', text: where }),
          typeof heading === 'string' ? element('span', { class: 'heading', text: heading }) : undefined,
        ),
      ),
      typeof text === 'string' ? passage(text, words) : undefined,
      this.#chips(metadata),
    )
  }

  #picture(id: string, name: string, like: () => void): HTMLElement {
    const image = element('img', { alt: name, loading: 'lazy', decoding: 'async' })
    const frame = element(
      'button',
      { type: 'button', class: 'frame', title: 'More like this', on: { click: like } },
      image,
    )
    const missing = () =>
      frame.replaceChildren(
        element('span', {
          text: 'no picture here',
          title: 'Its file is not below the folder that the server was given (--files).',
        }),
      )
    image.addEventListener('error', missing)
    thumbnail(this.#collection.name, id).then((address) => {
      image.src = address
    }, missing)
    return frame
  }

  #chips(metadata: Hit['metadata']): HTMLElement | undefined {
    const shown = Object.entries(metadata).filter(([name, value]) => !ownFields.has(name) && value !== null)
    if (shown.length === 0) return undefined
    return element(
      'p',
      { class: 'chips' },
      ...shown.slice(0, CHIPS).map(([field, value]) =>
        element('button', {
          type: 'button',
          title: 'Only these',
          text: `${field}: ${shortened(String(value))}`,
          on: { click: () => this.#deeds.filter({ field, test: 'eq', value: value! }) },
        }),
      ),
    )
  }
}

/** Classes by the kind of a collection's rows: texts alone stand beside each other where there is room. */
const columnClass = { image: 'pictures', text: 'texts', 'text-image': 'mixed', tensor: 'texts' } as const

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 59)}…` : text)

/** Lines or the page of a passage, as a reader says them. */
function placeOf({ line, endLine, page }: Hit['metadata']): string {
  const lines =
    typeof line !== 'number'
      ? ''
      : typeof endLine === 'number' && endLine > line
        ? `lines ${line}–${endLine}`
        : `line ${line}`
  return typeof page === 'number' ? [`page ${page}`, lines].filter(Boolean).join(', ') : lines
}

/** The text of a passage, in its paragraphs; a long one is folded. */
function passage(text: string, words: string): HTMLElement {
  const paragraphs = text.split(/\n(?:[ \t]*\n)+/).filter((part) => part.trim() !== '')
  const shown = element(
    'div',
    { class: 'text' },
    ...paragraphs.map((paragraph) => element('p', {}, ...marked(paragraph, words))),
  )
  if (text.length <= LONG && text.split('\n').length <= LINES) return shown
  shown.classList.add('folded')
  const button = element('button', {
    type: 'button',
    class: 'quiet unfold',
    'aria-expanded': 'false',
    text: 'Show all',
    on: {
      click: () => {
        const isFolded = shown.classList.toggle('folded')
        button.setAttribute('aria-expanded', `${!isFolded}`)
        button.textContent = isFolded ? 'Show all' : 'Show less'
      },
    },
  })
  return element('div', {}, shown, button)
}
