// Door of graph/files: ONNX models read from files and written to them.
export { type ParseOptions, parseOnnx, readOnnx } from './readOnnx.ts'
export { type WriteOptions, writeOnnx } from './writeOnnx.ts'
