// Places at which maps begin.
import { seeded } from '../../nn/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { fitPca } from '../linear/pca.ts'

/** First places of a map: along the principal components, or at random (normal). */
export type Start = 'pca' | 'random'

/** The places, and the deviation of the first numbers is 1; of random ones, of all. */
export async function firstPlaces(
  rows: Matrix,
  dimensions: number,
  start: Start,
  seed: number,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const random = seeded(seed, 'reduce.start')
  const places = new Float64Array(rows.rows * dimensions)
  if (start === 'random') return places.map(() => random.normal())
  const components = Math.min(dimensions, rows.rows, rows.columns)
  const reducer = await fitPca(rows, { components, seed, ...(signal && { signal }) })
  const { data } = await reducer.transform(rows, { ...(signal && { signal }) })
  const deviation = Math.sqrt(reducer.explainedVariance[0]!) || 1
  for (let i = 0; i < rows.rows; i++)
    for (let j = 0; j < components; j++) places[i * dimensions + j] = data[i * components + j]! / deviation
  // Rows that are equal, and axes that the data do not have, would never come apart.
  return places.map((x) => x + random.normal() * 1e-4)
}
