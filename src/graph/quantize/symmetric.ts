// Symmetric int8: numbers with a scale for each row, and matrices turned over for it.
import { PipiloError } from '../../base/index.ts'
import {
  bfloat16ToFloat32,
  elementCount,
  float16ToFloat32,
  type Tensor,
  type TypedArray,
} from '../../tensor/index.ts'

/** Numbers as int8 with a scale for each row: `numbers[r][i] ≈ data[r][i] · scales[r]`. */
export interface Quantized {
  readonly data: Int8Array
  readonly scales: Float32Array
}

/**
 * Symmetric int8 with a scale a row, zero point 0: the largest magnitude of a row becomes 127.
 *
 * @param rows how many rows `numbers` has; each is a channel
 * @param least the least scale of each row. Default: none
 */
export function quantizeRows(numbers: Float32Array, rows: number, least?: Float32Array): Quantized {
  const columns = rows === 0 ? 0 : numbers.length / rows
  const data = new Int8Array(numbers.length)
  const scales = new Float32Array(rows).fill(1)
  for (let row = 0; row < rows; row++) {
    const start = row * columns
    const end = start + columns
    let largest = 0
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(numbers[i]!))
    largest = Math.max(largest, 127 * (least?.[row] ?? 0))
    // Rows of zeros, or too small for a scale of normal size, are zero.
    if (!(largest > 1e-35)) continue
    scales[row] = largest / 127
    const factor = 127 / largest
    for (let i = start; i < end; i++) data[i] = Math.round(numbers[i]! * factor)
  }
  return { data, scales }
}

/** A matrix of `rows` × `columns` turned over. */
export function transposed<T extends Int8Array | Float32Array>(matrix: T, rows: number, columns: number): T {
  const turned = new (matrix.constructor as new (length: number) => T)(matrix.length)
  // In blocks that stay in the cache.
  for (let top = 0; top < rows; top += 64) {
    for (let left = 0; left < columns; left += 64) {
      const [bottom, right] = [Math.min(top + 64, rows), Math.min(left + 64, columns)]
      for (let row = top; row < bottom; row++)
        for (let column = left; column < right; column++)
          turned[column * rows + row] = matrix[row * columns + column]!
    }
  }
  return turned
}

/** Elements of a float tensor as float32. */
export function floats({ dtype, shape, data }: Tensor): Float32Array {
  if (dtype === 'float16') return float16ToFloat32(data as Uint16Array)
  if (dtype === 'bfloat16') return bfloat16ToFloat32(data as Uint16Array)
  // Codes of numbers in less than a byte, or in a float of 8 bits, are not the numbers.
  if (/^(?:float[468]e|complex|u?int[24]$)/.test(dtype)) {
    throw new PipiloError('DTYPE_MISMATCH', `Numbers of dtype ${dtype} are not made float32 here.`, {
      input: dtype,
    })
  }
  return dtype === 'float32'
    ? (data as Float32Array)
    : Float32Array.from({ length: elementCount(shape) }, (_, i) => Number((data as TypedArray)[i]))
}
