export * from './errors.ts'
export * from './tensor.ts'
