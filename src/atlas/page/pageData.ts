// A map as a page carries it: JSON, whose long rows of numbers are base64.
import { decodeBase64, encodeBase64, PipiloError } from '../../base/index.ts'
import type { EmbeddingMap } from '../types.ts'

/** A map as JSON. */
export interface PageData {
  readonly version: 1
  readonly title: string
  readonly ids: readonly string[]
  /** `null` for a picture. */
  readonly texts: readonly (string | null)[]
  /** Label of each item where colours are clusters and labels are there, too. */
  readonly labels?: readonly (string | null)[]
  readonly groups: {
    readonly kind: 'label' | 'cluster'
    readonly names: readonly string[]
    /** Uint32 */
    readonly of: string
  }
  readonly near: number
  readonly views: readonly {
    readonly name: string
    readonly method: string
    /** Float32 [items × 2] */
    readonly points: string
    /** Uint32 [items × near] */
    readonly neighbours: string
    /** Float32 [items × near] */
    readonly similarities: string
  }[]
  /** Place of the view that is shown first. */
  readonly first: number
  /** True if the views are epochs, in order. */
  readonly epochs: boolean
  /** True while the page is written anew as a run goes on: an open one loads itself again. */
  readonly following?: boolean
  /** Small pictures as data URLs; `null` for items without one. */
  readonly thumbnails?: readonly (string | null)[]
  /** Facts that the page tells: what was left out. */
  readonly notes: readonly string[]
}

/** A view that was read. */
export interface PageView {
  readonly name: string
  readonly method: string
  readonly points: Float32Array
  readonly neighbours: Uint32Array
  readonly similarities: Float32Array
}

/** Settings beside the map. */
export type PageSettings = Pick<PageData, 'title' | 'first' | 'epochs' | 'following' | 'thumbnails' | 'notes'>

/**
 * A map as JSON.
 *
 * @example
 * ```ts
 * app.get('/map.json', () => pageData(map, { title: 'Birds', first: 0, epochs: false, notes: [] }))
 * ```
 */
export function pageData({ items, views, groups, near }: EmbeddingMap, settings: PageSettings): PageData {
  const hasOther = groups.kind === 'cluster' && items.some(({ label }) => label !== undefined)
  return {
    version: 1,
    ...settings,
    ids: items.map(({ id }) => id),
    texts: items.map(({ text }) => text ?? null),
    ...(hasOther && { labels: items.map(({ label }) => label ?? null) }),
    groups: { ...groups, of: numbersAsText(groups.of) },
    near,
    views: views.map(({ name, method, points, neighbours, similarities }) => ({
      name,
      method,
      points: numbersAsText(points),
      neighbours: numbersAsText(neighbours),
      similarities: numbersAsText(similarities),
    })),
  }
}

/** The numbers of a view. @throws `FORMAT_INVALID` */
export function readView({ ids, near, views }: PageData, place: number): PageView {
  const { name, method, points, neighbours, similarities } = views[place]!
  return {
    name,
    method,
    points: new Float32Array(bufferOf(points, ids.length * 2)),
    neighbours: new Uint32Array(bufferOf(neighbours, ids.length * near)),
    similarities: new Float32Array(bufferOf(similarities, ids.length * near)),
  }
}

/** The group of each item. @throws `FORMAT_INVALID` */
export function readGroups({ ids, groups }: PageData): Uint32Array {
  return new Uint32Array(bufferOf(groups.of, ids.length))
}

function numbersAsText(numbers: Float32Array | Uint32Array): string {
  return encodeBase64(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
}

function bufferOf(text: string, count: number): ArrayBuffer {
  const bytes = decodeBase64(text)
  if (bytes?.length === count * 4) return bytes.slice().buffer
  throw new PipiloError('FORMAT_INVALID', `A row of ${count} numbers has ${bytes?.length ?? 'no'} bytes.`)
}
