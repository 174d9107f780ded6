// Sizes of elements and tensors in bytes, and the typed array for each dtype.
import { PipiloError } from '../base/index.ts'
import type { DType, TypedArray } from './tensor.ts'

type ArrayConstructor = {
  new (length: number): TypedArray
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray
  readonly BYTES_PER_ELEMENT: number
}

/** Bits of an element, and the typed array that carries it (complex numbers take two places in it). */
const NUMERIC: Record<Exclude<DType, 'string'>, readonly [bits: number, array: ArrayConstructor]> = {
  float32: [32, Float32Array],
  float16: [16, Uint16Array],
  bfloat16: [16, Uint16Array],
  float64: [64, Float64Array],
  int8: [8, Int8Array],
  uint8: [8, Uint8Array],
  int16: [16, Int16Array],
  uint16: [16, Uint16Array],
  int32: [32, Int32Array],
  uint32: [32, Uint32Array],
  int64: [64, BigInt64Array],
  uint64: [64, BigUint64Array],
  bool: [8, Uint8Array],
  complex64: [64, Float32Array],
  complex128: [128, Float64Array],
  float8e4m3fn: [8, Uint8Array],
  float8e4m3fnuz: [8, Uint8Array],
  float8e5m2: [8, Uint8Array],
  float8e5m2fnuz: [8, Uint8Array],
  float8e8m0: [8, Uint8Array],
  uint4: [4, Uint8Array],
  int4: [4, Uint8Array],
  uint2: [2, Uint8Array],
  int2: [2, Uint8Array],
  float4e2m1: [4, Uint8Array],
  float6e2m3: [6, Uint8Array],
  float6e3m2: [6, Uint8Array],
}

function numeric(dtype: DType): readonly [bits: number, array: ArrayConstructor] {
  const entry = dtype === 'string' ? undefined : NUMERIC[dtype]
  if (!entry)
    throw new PipiloError('DTYPE_MISMATCH', `Elements of dtype ${dtype} have no fixed size in bytes.`)
  return entry
}

/**
 * Size of one element in bytes; a fraction for packed types.
 *
 * @example
 * ```ts
 * bytesPerElement('float32') // 4
 * bytesPerElement('int4') // 0.5
 * ```
 *
 * @throws `DTYPE_MISMATCH` for strings
 */
export function bytesPerElement(dtype: DType): number {
  return numeric(dtype)[0] / 8
}

/** Bytes that `count` elements take, the last byte filled up: `byteLength('int4', 3)` is 2. */
export function byteLength(dtype: DType, count: number): number {
  return Math.ceil((count * numeric(dtype)[0]) / 8)
}

/** Number of elements of a shape: `elementCount([2, 3])` is 6, `elementCount([])` is 1. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/**
 * The typed array of a dtype: zeros for `length` elements, or a view of bytes.
 *
 * @example
 * ```ts
 * typedArray('float32', 4) // Float32Array of 4 zeros
 * typedArray('int64', bytes) // BigInt64Array over the same memory
 * ```
 *
 * @remarks
 * Bytes (little endian) are shared where they are aligned for the dtype and copied where they are not.
 *
 * @throws `DTYPE_MISMATCH` for strings, `INPUT_INVALID` if the bytes are no whole number of elements
 */
export function typedArray(dtype: DType, from: number | Uint8Array): TypedArray {
  const [bits, Type] = numeric(dtype)
  const width = Type.BYTES_PER_ELEMENT
  if (typeof from === 'number') return new Type(Math.ceil((from * bits) / 8 / width))
  const whole = Math.max(1, bits / 8)
  if (from.byteLength % whole !== 0) {
    throw new PipiloError(
      'INPUT_INVALID',
      `${from.byteLength} bytes are no whole number of ${dtype} elements.`,
    )
  }
  const { buffer, byteOffset } = aligned(from, width)
  return new Type(buffer, byteOffset, from.byteLength / width)
}

/** The bytes themselves if a view of elements of `width` bytes may start there, else a copy that is aligned. */
function aligned(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes)
}

/** The bytes (little endian) of a typed array, sharing its memory. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
