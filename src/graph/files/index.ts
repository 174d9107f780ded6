// Second door of graph/: ONNX files.
export { type ParseOptions, parseOnnx, readOnnx } from './readOnnx.ts'
export { type WriteOptions, writeOnnx } from './writeOnnx.ts'
