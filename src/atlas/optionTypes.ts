// Types of the options of this room's functions.
import { is, type OptionTable } from '../base/index.ts'
import type { ThumbnailOptions } from './html/thumbnails.ts'
import type { DrawOptions, MapOptions } from './types.ts'

export const map: OptionTable<MapOptions> = {
  method: is.oneOf(['umap', 'tsne', 'pca']),
  neighbors: is.count(1),
  perplexity: is.numeric(0),
  near: is.count(0),
  color: is.oneOf(['label', 'cluster']),
  clusters: is.count(1),
  before: is.instance('a map', 'items', 'views'),
  seed: is.integer,
  signal: is.abortSignal,
  onProgress: is.callback,
}

export const draw: OptionTable<DrawOptions> = {
  title: is.text,
  view: is.text,
  width: is.count(1),
  height: is.count(1),
  thumbnailBytes: is.count(0),
  epochs: is.flag,
  following: is.flag,
  signal: is.abortSignal,
}

export const thumbnails: OptionTable<ThumbnailOptions> = {
  thumbnailBytes: is.count(0),
  maxPixels: is.count(1),
  signal: is.abortSignal,
}
