// Door of runtime/: compiling graphs to sessions, running them, and the cache of converted weights.

export { compileOptionTypes } from './compileOptions.ts'
export { fileIdentity } from './node/fileIdentity.ts'
export { libraryVersion } from './node/libraryVersion.ts'
export { readNote, writeNote } from './node/notes.ts'
export { reopen } from './node/onDemand.ts'
export * from './public.ts'
