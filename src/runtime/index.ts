export { compile, defaults, reopen } from './compile.ts'
export { evaluate } from './evaluate.ts'
export { warmUp } from './thread.ts'
export * from './types.ts'
