// Vectors of a matrix or of a list alike, and the check of what is none.
import { PipiloError, shownValue } from '../base/index.ts'
import { row } from './matrix.ts'
import type { Matrix } from './tensor.ts'

/**
 * Rows of a matrix, or the list as it is.
 *
 * @throws PipiloError `INPUT_INVALID` for what is neither
 */
export function listOf(vectors: readonly ArrayLike<number>[] | Matrix): readonly ArrayLike<number>[] {
  if (Array.isArray(vectors)) return vectors
  if (typeof vectors !== 'object' || vectors === null || !('columns' in vectors) || !('data' in vectors)) {
    throw new PipiloError('INPUT_INVALID', `The vectors are ${shownValue(vectors)}.`, {
      input: 'vectors',
      hint: 'They are an array of arrays of numbers, or a matrix: { rows, columns, data }.',
    })
  }
  return Array.from({ length: (vectors as Matrix).rows }, (_, i) => row(vectors as Matrix, i))
}

/** Refuses what holds no numbers. @throws PipiloError `INPUT_INVALID` */
export function checkVector(vector: ArrayLike<number>): void {
  // A text has a length, too, and its characters as numbers are none.
  if (typeof vector === 'object' && vector !== null && typeof vector.length === 'number') return
  throw new PipiloError(
    'INPUT_INVALID',
    `A vector is ${shownValue(vector)}; it has to be an array of numbers.`,
    {
      input: 'vector',
    },
  )
}
