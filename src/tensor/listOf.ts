// Vectors of a matrix or of a list alike.
import { row } from './matrix.ts'
import type { Matrix } from './tensor.ts'

/** Rows of a matrix, or the list as it is. */
export function listOf(vectors: readonly ArrayLike<number>[] | Matrix): readonly ArrayLike<number>[] {
  if (!('columns' in vectors)) return vectors
  return Array.from({ length: vectors.rows }, (_, i) => row(vectors, i))
}
