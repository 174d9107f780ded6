// Door of runtime/: compiling graphs to sessions, running them, and the cache of converted weights.
export { defaults } from './node/defaults.ts'
export { devices } from './node/deviceNames.ts'
export { fileIdentity } from './node/fileIdentity.ts'
export { readNote, writeNote } from './node/notes.ts'
export * from './node/onDemand.ts'
export { warmUp } from './node/thread.ts'
export type * from './types.ts'
