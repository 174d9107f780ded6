export { cut, tap } from './cut.ts'
export { layers, resolveLayer } from './layers.ts'
export { type PruneOptions, prune } from './prune.ts'
