// Rows of numbers as all reducers read them: checked, in one array, bad ones refused or left out and counted.
import { PipiloError } from '../base/index.ts'
import type { Matrix, Vector } from '../tensor/index.ts'

/** Vectors in a matrix, or one by one: `(await e.embed(texts)).vectors`. */
export type Rows = Matrix | readonly Vector[]

/** The fate of rows that hold NaN or infinities. */
export interface RowOptions {
  /**
   * `throw`: a row with NaN or an infinity is an error that names it. `skip`: `fit` leaves it out and counts it (`skipped`), and a transformed
   * matrix has a row of NaN in its place. Default `throw`.
   */
  readonly onError?: 'throw' | 'skip'
}

/** Rows that are finite. */
export interface FiniteRows extends Matrix {
  /** Index of each among the rows that were given; undefined where all were kept. */
  readonly origin?: Int32Array
  /** Rows that were given. */
  readonly given: number
}

/** A matrix of the rows, without copies where they are one already and finite. @throws `DIMENSION_MISMATCH`, `INPUT_INVALID` */
export function finiteRows(rows: Rows, { onError = 'throw' }: RowOptions = {}): FiniteRows {
  if (onError !== 'throw' && onError !== 'skip') {
    throw new PipiloError('OPTION_INVALID', `onError is '${String(onError)}'; it has to be throw or skip.`, {
      input: 'onError',
    })
  }
  const matrix = 'columns' in rows ? checked(rows) : joined(rows)
  const bad: number[] = []
  for (let i = 0; i < matrix.rows; i++) if (!isFiniteRow(matrix, i)) bad.push(i)
  const given = matrix.rows
  const { columns } = matrix
  if (bad.length === 0) return { rows: given, columns, data: matrix.data, given }
  if (onError === 'throw') {
    throw new PipiloError('INPUT_INVALID', `Row ${bad[0]} holds NaN or an infinity.`, {
      input: bad[0]!,
      hint: `It is one of ${bad.length}. Leave such rows out with onError: 'skip'.`,
    })
  }
  const left = new Set(bad)
  const origin = Int32Array.from(Array.from({ length: given }, (_, i) => i).filter((i) => !left.has(i)))
  const data = new Float32Array(origin.length * columns)
  for (const [to, from] of origin.entries())
    data.set(matrix.data.subarray(from * columns, (from + 1) * columns), to * columns)
  return { rows: origin.length, columns, data, origin, given }
}

/** Rows to fit: some, and of at least one number. @throws `INPUT_INVALID` */
export function rowsToFit(rows: Rows, options: RowOptions | undefined, least = 2): FiniteRows {
  const found = finiteRows(rows, options)
  if (found.rows >= least && found.columns >= 1) return found
  const skipped = found.given - found.rows
  throw new PipiloError(
    'INPUT_INVALID',
    `There are ${found.rows} rows of ${found.columns} numbers to fit${skipped ? `, ${skipped} left out` : ''}; it takes ${least} or more.`,
  )
}

/** Rows to transform, as long as those that were fitted. @throws `DIMENSION_MISMATCH` */
export function rowsToTransform(rows: Rows, columns: number, options: RowOptions | undefined): FiniteRows {
  const found = finiteRows(rows, options)
  if (found.given === 0 || found.columns === columns) return { ...found, columns }
  throw new PipiloError(
    'DIMENSION_MISMATCH',
    `Rows have ${found.columns} numbers; the reducer takes ${columns}.`,
    { hint: 'Give vectors of the same model, layer and pooling as those that were fitted.' },
  )
}

/** Results of the finite rows at the places of the given ones; NaN where a row was left out. */
export function placed(numbers: ArrayLike<number>, columns: number, { origin, given }: FiniteRows): Matrix {
  const data = new Float32Array(given * columns)
  if (!origin) {
    data.set(numbers)
    return { rows: given, columns, data }
  }
  data.fill(Number.NaN)
  for (const [from, to] of origin.entries())
    for (let j = 0; j < columns; j++) data[to * columns + j] = numbers[from * columns + j]!
  return { rows: given, columns, data }
}

function checked(matrix: Matrix): Matrix {
  const { rows, columns, data } = matrix
  if (data.length === rows * columns) return matrix
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `A matrix of ${rows} × ${columns} has ${data.length} numbers, not ${rows * columns}.`,
  )
}

function joined(vectors: readonly Vector[]): Matrix {
  const columns = vectors[0]?.length ?? 0
  const data = new Float32Array(vectors.length * columns)
  for (const [i, vector] of vectors.entries()) {
    if (vector.length !== columns) {
      throw new PipiloError(
        'DIMENSION_MISMATCH',
        `Row ${i} has ${vector.length} numbers, row 0 has ${columns}.`,
        { input: i },
      )
    }
    data.set(vector, i * columns)
  }
  return { rows: vectors.length, columns, data }
}

function isFiniteRow({ data, columns }: Matrix, row: number): boolean {
  for (let at = row * columns; at < (row + 1) * columns; at++) if (!Number.isFinite(data[at])) return false
  return true
}
