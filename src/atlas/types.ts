// Types of maps of embeddings.
import type { Input } from '../embed/index.ts'
import type { Matrix, Vector } from '../tensor/index.ts'

/** A text or a picture on a map. */
export interface MapItem {
  /** Its name: a path, a line of a file, an id. */
  readonly id: string
  readonly text?: string
  /** Shown as a thumbnail. */
  readonly picture?: Input
  /** Name of its class, where it has one. */
  readonly label?: string
}

/** Vectors of the same items by one model and layer. */
export interface MapView {
  /** Unique among the views: the model, the layer, the epoch. */
  readonly name: string
  /** One an item, in their order; NaN for items that could not be embedded. */
  readonly vectors: readonly Vector[] | Matrix
}

/** Reducers that draw maps. */
export type MapMethod = 'umap' | 'tsne' | 'pca'

/** Options of {@link embeddingMap}. */
export interface MapOptions {
  /** Default `umap`. */
  readonly method?: MapMethod
  /** Neighbours that UMAP looks at, the item itself included; fewer show details. Default 15, or all items where there are fewer. */
  readonly neighbors?: number
  /** Neighbours that t-SNE looks at, softly counted. Default 30, or a third of the items where those are fewer. */
  readonly perplexity?: number
  /** Nearest neighbours that are kept for each item, at most all others. Default 10. */
  readonly near?: number
  /** Colours by label or by cluster. Default `label` where an item has one, else `cluster`. */
  readonly color?: 'label' | 'cluster'
  /** Number of clusters, at most that of items. Default: the root of the number of items, at most 12. */
  readonly clusters?: number
  /** A map of the same items, in their order, to which the views are added: its places, groups and colours stay. */
  readonly before?: EmbeddingMap
  /** Default 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
  /** Is told how far the maps are: steps done, of `total`, over all views. */
  readonly onProgress?: (event: { readonly done: number; readonly total: number }) => void
}

/** Places of all items by one model and layer, and their neighbours by its vectors. */
export interface PlacedView {
  readonly name: string
  /** The reducer that placed them: `pca` for fewer than four items, whichever was asked for. */
  readonly method: MapMethod
  /** x and y of each item, from −1 to 1; y grows upwards. */
  readonly points: Float32Array
  /** [items × near] Indices of the nearest items by the cosine of the vectors, nearest first: not by the map. */
  readonly neighbours: Uint32Array
  /** [items × near] Their cosines. */
  readonly similarities: Float32Array
}

/** Groups by which a map is coloured. */
export interface MapGroups {
  readonly kind: 'label' | 'cluster'
  readonly names: readonly string[]
  /** Index of each item's group. */
  readonly of: Uint32Array
}

/** A map of embeddings, as plain data: what pages and pictures are drawn from. */
export interface EmbeddingMap {
  readonly items: readonly MapItem[]
  readonly views: readonly PlacedView[]
  readonly groups: MapGroups
  /** Neighbours kept for each item. */
  readonly near: number
  /** Items that are left out, as a view has no direction for them: NaN, infinities, or zeros alone. */
  readonly skipped: readonly MapItem[]
}

/** Options of {@link writeMap}, {@link mapHtml}, {@link mapSvg} and {@link mapPng}. */
export interface DrawOptions {
  /** Default `Map of embeddings`. */
  readonly title?: string
  /** View that is drawn, or that the page begins with. Default: the first. */
  readonly view?: string
  /** Of an SVG or PNG, in pixels. Default 960 × 720. */
  readonly width?: number
  readonly height?: number
  /** Bytes that all thumbnails of a page take together at most. Default 16 MB. */
  readonly thumbnailBytes?: number
  /** True if the views are the epochs of a training run: the page has a slider for them. Default `false`. */
  readonly epochs?: boolean
  /**
   * True while the page is written anew, as a training run goes on: an open page loads itself again every few seconds, unless its reader has
   * moved the map, searched, or chosen points. Default `false`.
   */
  readonly following?: boolean
  readonly signal?: AbortSignal
}

/** Facts about a drawing. */
export interface Drawn {
  /** Pictures without a thumbnail: those that cannot be read any more, and those for which there was no room. */
  readonly withoutThumbnail: number
}
