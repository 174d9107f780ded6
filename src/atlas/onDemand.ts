// Functions of this room's door; each loads its code with its first call.

import { lazily, withOptions } from '../base/index.ts'
import * as types from './optionTypes.ts'

/**
 * Makes a map of embeddings: every item has a place in the plane by each model or layer, its nearest neighbours, and a group for its colour.
 *
 * @example
 * ```ts
 * const { vectors } = await e.embed(words)
 * const map = await embeddingMap(words.map((text) => ({ id: text, text })), [{ name: 'MiniLM', vectors }])
 * await writeMap('words.html', map)
 * ```
 *
 * @remarks
 * Vectors are compared by cosine. Items whose vector is NaN or zeros in one of the views are left out of all, and stand in `skipped`. Fewer than four
 * items, and vectors that are all the same, are placed by PCA; a single item lies in the middle. Maps of further views are turned and mirrored towards the first, so that
 * what moves between them has moved among its neighbours. A cluster is called after the item in its middle. Nothing random is left open: the same seed gives the same map.
 *
 * @param views the same items by several models or layers
 * @throws `INPUT_INVALID` for no items, no views, two views of a name, and as many vectors as there are not items; `OPTION_INVALID`, also for more neighbours
 *   or clusters than items; what `umap.fit`, `tsne.fit` and `pca.fit` throw
 */
export const embeddingMap = lazily(async () =>
  withOptions('embeddingMap', 2, types.map, (await import('./map/embeddingMap.ts')).embeddingMap),
)

/**
 * Draws a map into a file: a page (`.html`), or a picture (`.svg`, `.png`).
 *
 * @example
 * ```ts
 * await writeMap('birds.html', map, { title: 'Birds' })
 * ```
 *
 * @throws `OPTION_INVALID` for another ending; `WRITE_FAILED`; what {@link mapHtml} and {@link mapSvg} throw
 */
export const writeMap = lazily(async () =>
  withOptions('writeMap', 2, types.draw, (await import('./writeMap.ts')).writeMap),
)

/**
 * A map as one page that needs no network: zoom, search, lasso, neighbours, legend, thumbnails, and a switch between the views.
 *
 * @example
 * ```ts
 * const { html, withoutThumbnail } = await mapHtml(map, { title: 'Birds' })
 * ```
 *
 * @remarks Points are drawn by WebGL2. Neighbours are those of the vectors, not of the map. Texts and labels are shown as they are, and never run.
 *
 * @throws `OPTION_INVALID` for a view that the map does not have
 */
export const mapHtml = lazily(async () =>
  withOptions('mapHtml', 1, types.draw, (await import('./html/mapHtml.ts')).mapHtml),
)

/**
 * A map as an SVG: points in the colours of their groups, with as many texts, thumbnails and names of groups as have room.
 *
 * @example
 * ```ts
 * const { svg } = await mapSvg(map, { width: 800, height: 600 })
 * ```
 *
 * @throws `OPTION_INVALID` for a view that the map does not have, and for a size that is none
 */
export const mapSvg = lazily(async () =>
  withOptions('mapSvg', 1, types.draw, (await import('./chart/mapSvg.ts')).mapSvg),
)

/**
 * A map as a PNG, of twice the size's pixels.
 *
 * @example
 * ```ts
 * await writeFile('map.png', (await mapPng(map)).png)
 * ```
 *
 * @throws what {@link mapSvg} throws
 */
export const mapPng = lazily(async () =>
  withOptions('mapPng', 1, types.draw, (await import('./chart/mapPng.ts')).mapPng),
)

/**
 * Script and style of the page, for a server that gives them and the data apart: `<div id="atlas">`, the JSON of `pageData` in
 * `<script type="application/json" id="atlas-data">`, and the script behind it.
 *
 * @example
 * ```ts
 * const { script, style } = await pageFiles()
 * ```
 */
export const pageFiles = lazily(async () => (await import('./html/pageFiles.ts')).pageFiles)

/**
 * Thumbnails of items with pictures, as data URLs for `pageData`: as many as have room, spread over the whole collection. A picture that cannot be
 * read any more has none: its vector was made before, and it stays on the map.
 *
 * @example
 * ```ts
 * const { thumbnails, without } = await thumbnailsOf(map.items)
 * ```
 *
 * @throws `OPTION_INVALID`
 */
export const thumbnailsOf = lazily(async () =>
  withOptions('thumbnailsOf', 1, types.thumbnails, (await import('./html/thumbnails.ts')).thumbnailsOf),
)
