// Vectors with their labels, as measures take them.
import { PipiloError } from '../../base/index.ts'
import { type Matrix, matrixOf, type Vector } from '../../tensor/index.ts'
import { checkPaired, classesIn } from './checks.ts'

/** Vectors, and the class of each. */
export interface LabelledVectors {
  /** All of one length. */
  readonly vectors: readonly Vector[] | Matrix
  /** Index of each one's class, from 0. */
  readonly labels: ArrayLike<number>
}

/** The rows as a matrix, and how many classes there are. @throws `INPUT_INVALID` for NaN and infinities, naming the row */
export function checkLabelled(
  name: string,
  { vectors, labels }: LabelledVectors,
): { readonly matrix: Matrix; readonly classes: number } {
  const matrix = checkMatrix(name, vectors)
  checkPaired({ [`${name}.vectors`]: { length: matrix.rows }, [`${name}.labels`]: labels }, 1)
  return { matrix, classes: classesIn(`${name}.labels`, labels) }
}

/** The rows as a matrix. @throws `INPUT_INVALID` for NaN and infinities, naming the row */
export function checkMatrix(name: string, vectors: readonly Vector[] | Matrix): Matrix {
  const matrix = 'columns' in vectors ? vectors : matrixOf(vectors)
  const at = matrix.data.findIndex((value) => !Number.isFinite(value))
  if (at < 0) return matrix
  const row = Math.floor(at / matrix.columns)
  throw new PipiloError('INPUT_INVALID', `Row ${row} of ${name} holds ${matrix.data[at]}.`, {
    input: row,
    hint: 'Leave out the rows of inputs that could not be embedded.',
  })
}

/** @throws `INPUT_INVALID` where fewer than two classes occur */
export function checkClasses(name: string, labels: ArrayLike<number>): void {
  const seen = new Set(Array.from(labels))
  if (seen.size > 1) return
  throw new PipiloError(
    'INPUT_INVALID',
    `All vectors of ${name} are of one class: there is nothing to tell apart.`,
    {
      input: name,
    },
  )
}
