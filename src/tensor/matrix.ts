// Rows of a matrix, and matrices from rows.
import { PipiloError } from '../base/index.ts'
import type { Matrix } from './tensor.ts'

/**
 * Row `i` of a matrix, sharing its memory.
 *
 * @example
 * ```ts
 * row(tokens, 0) // Float32Array of tokens.columns numbers
 * ```
 *
 * @throws `INPUT_INVALID` if there is no such row
 */
export function row(matrix: Matrix, i: number): Float32Array {
  if (!(Number.isInteger(i) && i >= 0 && i < matrix.rows)) {
    throw new PipiloError('INPUT_INVALID', `A matrix of ${matrix.rows} rows has no row ${i}.`)
  }
  return matrix.data.subarray(i * matrix.columns, (i + 1) * matrix.columns)
}

/** A matrix of the given rows, copied. @throws `DIMENSION_MISMATCH` if they differ in length */
export function matrixOf(rows: readonly ArrayLike<number>[]): Matrix {
  const columns = rows[0]?.length ?? 0
  const data = new Float32Array(rows.length * columns)
  for (const [i, values] of rows.entries()) {
    if (values.length !== columns) {
      throw new PipiloError(
        'DIMENSION_MISMATCH',
        `Row ${i} has ${values.length} numbers, row 0 has ${columns}.`,
      )
    }
    data.set(values, i * columns)
  }
  return { rows: rows.length, columns, data }
}
