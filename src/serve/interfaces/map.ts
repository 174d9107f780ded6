// The route of a collection's map, which the page draws as the atlas.
import * as z from 'zod'
import { embeddingMap, type MapItem, type PageData, pageData, thumbnailsOf } from '../../atlas/index.ts'
import { PipiloError, Turns } from '../../base/index.ts'
import { type Collection, collectionItems } from '../../store/index.ts'
import type { Collections } from '../collections/collections.ts'
import type { PictureOf } from '../collections/pictureOf.ts'
import { type Route, route } from '../http/route.ts'

/** Rows on a map: it is made while somebody waits for it. */
const MOST = 3000

/** Bytes of its thumbnails. */
const THUMBNAILS = 4 * 2 ** 20

/** Maps that are kept, and for how many milliseconds. */
const KEPT = { maps: 8, time: 60_000 }

/** Settings of the route. */
export interface MapRouteOptions {
  readonly collections: Collections
  readonly maxPixels: number
  readonly pictureOf: PictureOf
}

/** The route of maps. One is made at a time, and kept for those who ask again soon, unless its collection has changed. */
export function mapRoute({ collections, maxPixels, pictureOf }: MapRouteOptions): Route {
  const turns = new Turns(1)
  const kept = new Map<string, { readonly state: string; readonly data: Promise<PageData> }>()

  const draw = async (collection: Collection, count: number): Promise<PageData> => {
    const { items, vectors } = await collectionItems(collection, { most: MOST })
    if (items.length === 0) {
      throw new PipiloError(
        'INPUT_INVALID',
        `The collection ${collection.name} is empty: there is nothing to draw.`,
      )
    }
    const { recipe, name } = collection
    const map = await embeddingMap(items, [{ name: recipe?.source.name ?? name, vectors }])
    const shown = await Promise.all(
      map.items.map(async ({ picture, ...item }): Promise<MapItem> => {
        const file = typeof picture === 'string' ? await pictureOf(collection, picture) : undefined
        return { ...item, ...(file !== undefined && { picture: file }) }
      }),
    )
    const { thumbnails } = await thumbnailsOf(shown, { thumbnailBytes: THUMBNAILS, maxPixels })
    const notes = [
      ...(count > items.length
        ? [`Shown: ${items.length.toLocaleString('en')} of ${count.toLocaleString('en')} rows.`]
        : []),
      'Neighbours are those of the vectors, not of the map.',
    ]
    return pageData(map, { title: name, first: 0, epochs: false, notes, ...(thumbnails && { thumbnails }) })
  }

  return route({
    method: 'get',
    path: '/v1/collections/:name/map',
    dialect: 'pipilo',
    group: 'Collections',
    summary: `Places, neighbours and groups of at most ${MOST.toLocaleString('en')} rows, as the atlas draws them`,
    answer: z.object({ version: z.literal(1), title: z.string(), ids: z.array(z.string()) }).loose(),
    async run({ params }) {
      const name = params['name']!
      const collection = await collections.get(name)
      const count = await collection.count()
      const state = `${count} ${await collection.bytes()}`
      const known = kept.get(name)
      if (known?.state === state) return known.data
      const data = turns.run(() => draw(collection, count))
      kept.delete(name)
      kept.set(name, { state, data })
      if (kept.size > KEPT.maps) kept.delete(kept.keys().next().value!)
      const forget = () => {
        if (kept.get(name)?.data === data) kept.delete(name)
      }
      data.then(() => setTimeout(forget, KEPT.time).unref(), forget)
      return data
    },
  })
}
