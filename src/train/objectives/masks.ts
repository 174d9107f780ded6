/** Masks over pairs of rows, computed in the graph, so that a batch may have any size. */
import { op, type Value } from '../../graph/index.ts'

/** The numbers 0, 1, … below the number of rows of `x`: int64 [N]. */
export function rowNumbers(x: Value): Value {
  return op.range(0, op.squeeze(op.shape(x, 0, 1), [0]))
}

/** True where the elements of `a` [N] and `b` [M] are equal: [N, M]. */
export function equalPairs(a: Value, b: Value): Value {
  return op.equal(op.unsqueeze(a, [1]), op.unsqueeze(b, [0]))
}

/** True where row and column have one number: bool [N, M] for a matrix [N, M]. */
export function onDiagonal(matrix: Value): Value {
  const columns = op.range(0, op.squeeze(op.shape(matrix, 1, 2), [0]))
  return equalPairs(rowNumbers(matrix), columns)
}

/** The elements [i, i] of a matrix [N, M] with M ≥ N: [N]. */
export function diagonal(matrix: Value): Value {
  return op.reduceSum(op.where(onDiagonal(matrix), matrix, 0), [1])
}

/** Sum of `x` where `mask` holds, both of one shape; what is masked may even be infinite. */
export function maskedSum(x: Value, mask: Value, axes?: readonly number[]): Value {
  return op.reduceSum(op.where(mask, x, 0), axes)
}
