// Singular values of rows as they are: no mean is subtracted.
import type { Matrix } from '../../tensor/index.ts'
import { decompose } from '../decompose.ts'
import { withProducts } from '../dense.ts'
import { type Rows, rowsToFit } from '../rows.ts'
import type { FitOptions } from '../types.ts'
import { pieces } from './linearReducer.ts'

/** See `singularValues` in ../onDemand.ts. */
export async function singularValues(data: Rows, options: FitOptions = {}): Promise<Float64Array> {
  const rows = rowsToFit(data, options, 1)
  // The smaller of both products has all values that are not zero.
  const tall = rows.rows < rows.columns ? turned(rows) : rows
  const scatter = await withProducts(
    (products) => products.scatter(tall, new Float64Array(tall.columns)),
    pieces(options),
  )
  const { values } = await decompose(scatter)
  // Squares below this share of the largest are rounding, and their roots would not be small.
  const noise = values.length * Number.EPSILON * values.reduce((most, value) => Math.max(most, value), 0)
  return values
    .map((value) => (value > noise ? Math.sqrt(value) : 0))
    .sort()
    .reverse()
}

function turned({ rows, columns, data }: Matrix): Matrix {
  const out = new Float32Array(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!
  return { rows: columns, columns: rows, data: out }
}
