export * from './atomic.ts'
export * from './ranges.ts'
