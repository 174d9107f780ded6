// Makes tensors from numbers, and checks that shape, dtype and data fit.
import { PipiloError } from '../base/index.ts'
import { byteLength, elementCount, typedArray } from './dtypes.ts'
import type { DType, Tensor } from './tensor.ts'

/**
 * A checked tensor.
 *
 * @example
 * ```ts
 * tensor('float32', [2, 2], [1, 2, 3, 4])
 * tensor('int64', [1, 3], [101, 7592, 102])
 * ```
 *
 * @param data the dtype's own typed array (shared), or plain numbers, bigints, booleans or strings (converted). Plain
 *   numbers are bit patterns for types that JavaScript has no array for (float16, float8, packed types).
 * @throws `SHAPE_MISMATCH` if the shape is none or the data has another length, `DTYPE_MISMATCH` for another kind of data
 */
export function tensor(
  dtype: DType,
  shape: readonly number[],
  data: Tensor['data'] | readonly (number | bigint | boolean)[],
): Tensor {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new PipiloError('SHAPE_MISMATCH', `[${shape.join(', ')}] is no shape: sizes are integers from 0.`)
  }
  const count = elementCount(shape)
  const name = `A ${dtype} tensor of shape [${shape.join(', ')}]`
  if (dtype === 'string') {
    if (!Array.isArray(data) || !data.every((s) => typeof s === 'string' || s instanceof Uint8Array)) {
      throw new PipiloError('DTYPE_MISMATCH', `${name} takes an array of strings.`)
    }
    expectLength(name, count, data.length)
    return { dtype, shape, data }
  }
  const empty = typedArray(dtype, count)
  expectLength(name, empty.length, data.length)
  if (!Array.isArray(data)) {
    if (data.constructor !== empty.constructor) {
      throw new PipiloError(
        'DTYPE_MISMATCH',
        `${name} takes a ${empty.constructor.name}, not a ${data.constructor.name}.`,
      )
    }
    return { dtype, shape, data: data as Tensor['data'] }
  }
  const big = empty instanceof BigInt64Array || empty instanceof BigUint64Array
  for (const [i, value] of data.entries()) {
    if (typeof value === 'string' || value instanceof Uint8Array) {
      throw new PipiloError('DTYPE_MISMATCH', `${name} takes numbers, not strings.`)
    }
    if (big && typeof value !== 'bigint' && !Number.isInteger(value))
      throw new PipiloError('DTYPE_MISMATCH', `${name} takes whole numbers, not ${value}.`)
    if (big) empty[i] = BigInt(value)
    else empty[i] = Number(value)
  }
  return { dtype, shape, data: empty }
}

function expectLength(name: string, wanted: number, got: number): void {
  if (wanted !== got) throw new PipiloError('SHAPE_MISMATCH', `${name} takes ${wanted} elements, not ${got}.`)
}

/** Checks that bytes that are said to hold a tensor have its size. @throws `SHAPE_MISMATCH` */
export function expectBytes(what: string, dtype: DType, shape: readonly number[], length: number): void {
  const wanted = byteLength(dtype, elementCount(shape))
  if (wanted !== length) {
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `${what} has ${length} bytes, but ${dtype} of shape [${shape.join(', ')}] takes ${wanted}.`,
    )
  }
}
