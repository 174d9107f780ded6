// Writes a graph as the bytes of an ONNX model.
import { PipiloError, rangeReader } from '../../base/index.ts'
import type { Graph } from '../types.ts'
import type { ExternalChoice } from './tensors.ts'
import { type Part, totalLength } from './wire.ts'
import { modelParts } from './write.ts'

/** Protobuf's limit on a message. */
export const LARGEST = 2 ** 31 - 1

export interface EncodeOptions {
  /** Gives the place of each initializer that is not to be inside. Default: all are inside. */
  readonly external?: ExternalChoice
}

/**
 * A graph as the bytes of an ONNX model.
 *
 * @example
 * ```ts
 * encodeOnnx(graph) // weights inside
 * encodeOnnx(graph, { external: (name, tensor) => 'file' in tensor ? { location, offset, length } : undefined })
 * ```
 *
 * @remarks
 * Tensors in files that stay inside are read now. `external` is asked for initializers, those of sub-graphs as well.
 *
 * @throws `WRITE_FAILED` above protobuf's limit of 2 GB, `FILE_NOT_FOUND` or `FILE_UNREADABLE` for weights in a file
 */
export function encodeOnnx(graph: Graph, options: EncodeOptions = {}): Uint8Array {
  const parts = modelParts(graph, options.external)
  checkedLength(parts, graph.name)
  return joined(parts)
}

/** The bytes of a message; those in files are read. */
export function joined(parts: readonly Part[]): Uint8Array {
  const bytes = new Uint8Array(totalLength(parts))
  let at = 0
  for (const part of parts) {
    if (part instanceof Uint8Array) bytes.set(part, at)
    else rangeReader().readSync(part, bytes.subarray(at, at + part.length))
    at += part.length
  }
  return bytes
}

/** Length of a message, in bytes. @throws `WRITE_FAILED` above {@link LARGEST} */
export function checkedLength(parts: readonly Part[], name: string): number {
  const length = totalLength(parts)
  if (length > LARGEST) {
    throw new PipiloError('WRITE_FAILED', `${name} takes ${length} bytes, and an ONNX file can have 2 GB.`, {
      hint: 'Write the weights to a file beside it (`externalData: true`).',
    })
  }
  return length
}
