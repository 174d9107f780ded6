// Door of graph/passes/: functions from graph to graph, and the list of layers.
export { type ComposeOptions, compose } from './compose.ts'
export { cut, tap } from './cut.ts'
export { feed } from './feed.ts'
export { type Evaluate, type FoldOptions, fold } from './fold.ts'
export { layers, resolveLayer } from './layers.ts'
export { printGraph, printType } from './print.ts'
export { type PruneOptions, prune } from './prune.ts'
export { rename } from './rename.ts'
