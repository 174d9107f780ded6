/** NumPy's `.npy` files: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */

import { concatenate, PipiloError } from '../base/index.ts'
import { byteLength, bytesOf, elementCount, typedArray } from './dtypes.ts'
import type { DType, Tensor, TypedArray } from './tensor.ts'

/** NumPy's kind and size of each dtype that it has. */
const DESCRIPTIONS: Partial<Record<DType, string>> = {
  float16: 'f2',
  float32: 'f4',
  float64: 'f8',
  int8: 'i1',
  uint8: 'u1',
  int16: 'i2',
  uint16: 'u2',
  int32: 'i4',
  uint32: 'u4',
  int64: 'i8',
  uint64: 'u8',
  bool: 'b1',
  complex64: 'c8',
  complex128: 'c16',
}

/** `\x93NUMPY`. */
const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)
const SPACE = 0x20
const NEW_LINE = 0x0a

/** Headers are filled up to a multiple of this, so that the data is aligned. */
const ALIGNMENT = 64

/**
 * The header of a `.npy` file.
 *
 * @param least its length in bytes at least
 * @throws `FORMAT_UNSUPPORTED`
 */
export function npyHeader(dtype: DType, shape: readonly number[], least = 0): Uint8Array {
  const description = DESCRIPTIONS[dtype]
  if (!description) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `NumPy files have no elements of dtype ${dtype}.`, {
      hint: 'Convert to float32 first.',
    })
  }
  const order = description.endsWith('1') ? '|' : '<'
  const size = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const text = `{'descr': '${order}${description}', 'fortran_order': False, 'shape': ${size}, }`
  // A shape of thousands of sizes needs version 2, whose length field has four bytes.
  const head = text.length + 64 > 65_535 ? 12 : 10
  const length = Math.max(least, Math.ceil((head + text.length + 1) / ALIGNMENT) * ALIGNMENT)
  const bytes = new Uint8Array(length).fill(SPACE)
  bytes.set(MAGIC)
  bytes.set([head === 10 ? 1 : 2, 0], MAGIC.length)
  const view = new DataView(bytes.buffer)
  if (head === 10) view.setUint16(8, length - head, true)
  else view.setUint32(8, length - head, true)
  bytes.set(new TextEncoder().encode(text), head)
  bytes[length - 1] = NEW_LINE
  return bytes
}

/**
 * A tensor as the bytes of a `.npy` file.
 * @throws `FORMAT_UNSUPPORTED` for dtypes that NumPy does not have (strings, bfloat16, float8, packed types)
 */
export function npyBytes(tensor: Tensor): Uint8Array {
  return concatenate(npyChunks(tensor))
}

/** The header of a `.npy` file, and its numbers. */
export function npyChunks({ dtype, shape, data }: Tensor): [head: Uint8Array, data: Uint8Array] {
  return [npyHeader(dtype, shape), ArrayBuffer.isView(data) ? bytesOf(data) : new Uint8Array()]
}

/** Reads a `.npy` file that is in memory, whose memory is shared where it is aligned. */
export function parseNpy(bytes: Uint8Array, name = 'the array'): Tensor {
  const { offset, dtype, shape, swap } = parseNpyHeader(bytes, name)
  const length = byteLength(dtype, elementCount(shape))
  expectNpyLength(name, bytes.length - offset, length)
  const data = bytes.subarray(offset, offset + length)
  return { dtype, shape, data: npyElements(dtype, swap > 1 ? data.slice() : data, swap) }
}

/** @throws `FORMAT_INVALID` for fewer bytes of elements than there should be */
export function expectNpyLength(name: string, got: number, wanted: number): void {
  if (got >= wanted) return
  throw new PipiloError(
    'FORMAT_INVALID',
    `${name} is cut off: it has ${got} of ${wanted} bytes of elements.`,
    {
      input: name,
    },
  )
}

/** The numbers of bytes, put in this machine's order. */
export function npyElements(dtype: DType, bytes: Uint8Array, swap: number): TypedArray {
  if (swap > 1) {
    for (let i = 0; i < bytes.length; i += swap) bytes.subarray(i, i + swap).reverse()
  }
  return typedArray(dtype, bytes)
}

/** Fields of a header; `swap` is the width of numbers whose bytes are in the other order, or 1. */
export function parseNpyHeader(bytes: Uint8Array, name: string) {
  const invalid = (reason: string) =>
    new PipiloError('FORMAT_INVALID', `${name} is no .npy file: ${reason}.`, { input: name })
  const unsupported = (reason: string, hint: string) =>
    new PipiloError('FORMAT_UNSUPPORTED', `${name} ${reason}.`, { hint, input: name })
  if (bytes.length === 0) throw new PipiloError('FILE_EMPTY', `${name} is empty.`, { input: name })
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw invalid('its first bytes are others')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint8(6)
  if (version < 1 || version > 3)
    throw unsupported(`has the unknown version ${version}`, 'Save it again with NumPy.')
  const head = version === 1 ? 10 : 12
  const offset = head + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true))
  if (offset > bytes.length) throw invalid('its header is cut off')
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(head, offset))
  const description = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1]
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1]
  const sizes = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(text)?.[1]
  if (!fortran || sizes === undefined) throw invalid('its header is damaged')
  const shape = sizes.split(',').flatMap((size) => (size.trim() ? [Number(size)] : []))
  const dtype = Object.entries(DESCRIPTIONS).find(([, code]) => code === description?.slice(1))?.[0]
  if (!description || !dtype) {
    throw unsupported(
      `holds ${description ?? 'records'}, not numbers of a known type`,
      'Convert it with NumPy (`astype`).',
    )
  }
  if (fortran === 'True' && shape.length > 1) {
    throw unsupported('is in column-major order', 'Save it with `numpy.ascontiguousarray`.')
  }
  if (!shape.every(Number.isSafeInteger) || !Number.isSafeInteger(elementCount(shape) * 16)) {
    throw invalid('its shape is impossible')
  }
  const width = Number(description.slice(2)) / (description[1] === 'c' ? 2 : 1)
  return { offset, dtype: dtype as DType, shape, swap: description[0] === '>' ? width : 1 }
}
