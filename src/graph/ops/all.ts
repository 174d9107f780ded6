/** Every operator function; `op` in the room's index. */
export * from './activation.ts'
export * from './convolution.ts'
export * from './indexing.ts'
export * from './math.ts'
export * from './normalization.ts'
export * from './reduction.ts'
export * from './shape.ts'
