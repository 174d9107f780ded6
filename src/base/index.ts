// Door of base/: errors, aborting, limits of concurrency, suggestions for misspelt names.
export * from './abort.ts'
export * from './closest.ts'
export * from './errors.ts'
export * from './flow/breathe.ts'
export * from './flow/queue.ts'
export * from './flow/turns.ts'
export * from './lazily.ts'
export * from './sha256.ts'
