// The items of a map, as the page speaks of them.
import { groupColor, type PageData, readGroups } from '../../src/atlas/page/index.ts'
import { element } from '../dom.ts'
import { shortened } from './overlay.ts'
import type { LegendGroup, ListRow } from './panel.ts'

/** Names, groups, colours and pictures of a map's items. */
export class Items {
  readonly #data: PageData
  /** The group of each item. */
  readonly groups: Uint32Array
  /** Colours of the groups. */
  readonly colors: readonly string[]
  /** Length of the folders that all names begin with, and none needs to say. */
  readonly #shared: number
  #haystack: readonly string[] | undefined

  constructor(data: PageData) {
    this.#data = data
    this.groups = readGroups(data)
    this.colors = data.groups.names.map((_, place) => groupColor(place))
    this.#shared = sharedFolders(data.ids)
  }

  text(index: number): string {
    return this.#data.texts[index] ?? this.#data.ids[index]!.slice(this.#shared)
  }

  color(index: number): string {
    return this.colors[this.groups[index]!]!
  }

  picture(index: number): string | undefined {
    return this.#data.thumbnails?.[index] ?? undefined
  }

  row(index: number, note?: string): ListRow {
    return {
      index,
      text: shortened(this.text(index), 120),
      color: this.color(index),
      picture: this.picture(index),
      ...(note !== undefined && { note }),
    }
  }

  /** Parts of a tooltip: picture, text, and what else there is to say. */
  tip(index: number): readonly HTMLElement[] {
    const { ids, labels } = this.#data
    const [picture, text] = [this.picture(index), this.text(index)]
    const about = [this.#group(index), labels?.[index], ids[index]!.slice(this.#shared)]
    const others = [...new Set(about)].filter((part) => part && part !== text)
    return [
      ...(picture === undefined ? [] : [element('img', { src: picture, alt: '' })]),
      element('span', { text: shortened(text, 600) }),
      element('small', { text: others.join(' · ') }),
    ]
  }

  /** Indices of those whose name, text, group or label has the words in it, in lower case. */
  matching(words: string): readonly number[] {
    this.#haystack ??= this.#data.ids.map((id, i) =>
      [id, this.#data.texts[i], this.#group(i), this.#data.labels?.[i]].join('\n').toLowerCase(),
    )
    return this.#haystack.flatMap((text, i) => (text.includes(words) ? [i] : []))
  }

  /** The groups and how many items each has, of all or of some. */
  counts(indices: Iterable<number> = this.groups.keys()): readonly LegendGroup[] {
    const counts = new Uint32Array(this.colors.length)
    for (const index of indices) counts[this.groups[index]!]!++
    return this.#data.groups.names.map((name, i) => ({ name, color: this.colors[i]!, count: counts[i]! }))
  }

  #group(index: number): string {
    return this.#data.groups.names[this.groups[index]!]!
  }
}

function sharedFolders(ids: readonly string[]): number {
  const [first = ''] = ids
  let length = first.lastIndexOf('/') + 1
  for (const id of ids)
    while (length > 0 && !id.startsWith(first.slice(0, length)))
      length = first.lastIndexOf('/', length - 2) + 1
  return length
}
