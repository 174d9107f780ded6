// Door of tensor/: tensors, matrices, float16 and bfloat16, .npy files, similarity.
export * from './dtypes.ts'
export * from './halves.ts'
export * from './inputValues.ts'
export * from './make.ts'
export * from './matrix.ts'
export { npyBytes, parseNpy } from './npy.ts'
export * from './similarity.ts'
export type * from './tensor.ts'
