export * from './onnx/index.ts'
export * from './types.ts'
