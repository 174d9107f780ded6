// The bytes of a weight as a session takes it.
import { streamRange } from '../../base/files/index.ts'
import type { Initializer } from '../../graph/index.ts'
import {
  bfloat16ToFloat32,
  byteLength,
  bytesPerElement,
  type DType,
  elementCount,
  type FileTensor,
  float16ToFloat32,
  type Tensor,
  type TypedArray,
  typedArray,
} from '../../tensor/index.ts'

/** A weight as a session takes it, and what it is made from. */
export interface Piece {
  readonly name: string
  /** As the graph computes with it; float32 when the source is float16 or bfloat16 and has to be converted. */
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly source: Initializer
}

/** True if an initializer's data lie in a file. */
export function isFileTensor(tensor: Initializer): tensor is FileTensor {
  return 'file' in tensor
}

/** Bytes that a piece takes in a session. */
export function pieceSize({ dtype, shape }: Piece): number {
  return byteLength(dtype, elementCount(shape))
}

// A large table is converted bit by bit, so that a cold process peaks no higher than a warm one.
const CHUNK = 2 * 2 ** 20

/** The piece's elements in order, 2 MB of the source at a time. A chunk is valid until the next one is asked for. */
export async function* chunks({ dtype, source }: Piece): AsyncGenerator<TypedArray> {
  let reused: Float32Array<ArrayBuffer> | undefined
  const widen = source.dtype === 'bfloat16' ? bfloat16ToFloat32 : float16ToFloat32
  for await (const part of sourceChunks(source)) {
    if (dtype === source.dtype) yield part
    else {
      reused ??= new Float32Array(part.length)
      yield widen(part as Uint16Array, reused.subarray(0, part.length))
    }
  }
}

/** The whole piece in memory. */
export async function load(piece: Piece): Promise<Tensor> {
  const { dtype, shape, source } = piece
  if (dtype === source.dtype && !isFileTensor(source)) return source
  const data = typedArray(dtype, elementCount(shape))
  let at = 0
  for await (const part of chunks(piece)) {
    data.set(part as never, at)
    at += part.length
  }
  return { dtype, shape, data }
}

async function* sourceChunks(source: Initializer): AsyncGenerator<TypedArray> {
  if (!isFileTensor(source)) {
    const elements = CHUNK / Math.max(1, bytesPerElement(source.dtype))
    const data = source.data as TypedArray
    for (let at = 0; at < data.length; at += elements) yield data.subarray(at, at + elements)
    return
  }
  for await (const bytes of streamRange(source.file, CHUNK)) yield typedArray(source.dtype, bytes)
}
