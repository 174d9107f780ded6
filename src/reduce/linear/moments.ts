// Means and scatter matrices of rows, at once or block by block.
import type { Matrix } from '../../tensor/index.ts'
import { type Dense, dense, type Products } from '../dense.ts'

/** Mean of each column. */
export function meanOf({ rows, columns, data }: Matrix): Float64Array {
  const mean = new Float64Array(columns)
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++) mean[j]! += data[at++]!
  for (let j = 0; j < columns; j++) mean[j]! /= rows
  return mean
}

/** Sum of the squares of all numbers less their column's mean. */
export function totalScatter({ rows, columns, data }: Matrix, mean: Float64Array): number {
  let sum = 0
  for (let i = 0, at = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) sum += (data[at++]! - mean[j]!) ** 2
  return sum
}

/** Rows that were counted, their mean, and the sum of the products of their differences from it. */
export interface Moments {
  readonly rows: number
  readonly mean: Float64Array
  readonly scatter: Dense
}

/** The moments with more rows. @see https://doi.org/10.1090/S0025-5718-1983-0693437-2 Chan, Golub and LeVeque 1983 */
export async function withRows(
  moments: Moments | undefined,
  more: Matrix,
  products: Products,
): Promise<Moments> {
  const mean = meanOf(more)
  const scatter = await products.scatter(more, mean)
  if (!moments) return { rows: more.rows, mean, scatter }
  const rows = moments.rows + more.rows
  const apart = mean.map((m, j) => m - moments.mean[j]!)
  const share = (moments.rows * more.rows) / rows
  const n = mean.length
  const sum = dense(n, n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const at = i * n + j
      sum.data[at] = moments.scatter.data[at]! + scatter.data[at]! + share * apart[i]! * apart[j]!
    }
  return { rows, mean: moments.mean.map((m, j) => m + (apart[j]! * more.rows) / rows), scatter: sum }
}
