// Door of atlas/: maps of embeddings, drawn as pages and as pictures.
export type { PageFiles } from './html/pageFiles.ts'
export type { ThumbnailOptions, Thumbnails } from './html/thumbnails.ts'
export { embeddingMap, mapHtml, mapPng, mapSvg, pageFiles, thumbnailsOf, writeMap } from './onDemand.ts'
export { type PageData, type PageSettings, pageData } from './page/index.ts'
export type * from './types.ts'
export { mapEnding } from './writeMap.ts'
