// Door of base/files/: atomic writing, locks between processes, child processes and their memory.
export * from './atomic.ts'
export * from './cacheFolder.ts'
export * from './childProcess.ts'
export * from './folder.ts'
export * from './lock.ts'
export * from './ranges.ts'
export * from './usualMemory.ts'
export * from './webFiles.ts'
