// Door of atlas/: maps of embeddings, drawn as pages and as pictures.
export { embeddingMap, mapHtml, mapPng, mapSvg, writeMap } from './onDemand.ts'
export type * from './types.ts'
export { mapEnding } from './writeMap.ts'
