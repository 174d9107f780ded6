// Door of graph/onnx/: reads and writes ONNX files, and loads initializers from them.
export { type EncodeOptions, encodeOnnx } from './encode.ts'
export { type ExternalData, mapExternalData } from './externalData.ts'
export { loadTensor, loadTensorSync, tensorOf } from './load.ts'
export { type ParseOptions, parseOnnx } from './parse.ts'
export { dataType, dtypeOf } from './schema.ts'
export type { ExternalChoice, ExternalLocation } from './tensors.ts'
