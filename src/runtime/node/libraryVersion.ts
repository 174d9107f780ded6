// The version of ONNX Runtime.
import { createRequire } from 'node:module'

/** ONNX Runtime's version: `1.23.0`. */
export const libraryVersion = (): string => {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
  return version
}
