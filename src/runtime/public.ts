// Door of `pipilo/runtime` for users: the room without its notes and without what only an embedder reopens.
export { defaults } from './node/defaults.ts'
export { devices } from './node/deviceNames.ts'
export { compile, compileStateful, evaluate, keepDerived, placement } from './node/onDemand.ts'
export { warmUp } from './node/thread.ts'
export type * from './types.ts'
