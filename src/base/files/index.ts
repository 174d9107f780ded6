export * from './atomic.ts'
export * from './lock.ts'
