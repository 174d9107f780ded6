// How far a map keeps neighbourhoods: near places are of near rows.
import { breathe, checkCount, PipiloError, throwIfAborted } from '../../base/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { finiteRows, type Rows } from '../rows.ts'
import { comparable, type Metric } from './neighbours.ts'

/** Options of {@link trustworthiness}. */
export interface TrustworthinessOptions {
  /** Neighbours that are looked at; below half the rows. Default 5. */
  readonly k?: number
  /** Of the rows; in the map, distances are Euclidean. Default `euclidean`. */
  readonly metric?: Metric
  readonly signal?: AbortSignal
}

/** See `trustworthiness` in ../onDemand.ts. */
export async function measureTrustworthiness(
  data: Rows,
  embedding: Rows,
  { k = 5, metric = 'euclidean', signal }: TrustworthinessOptions = {},
): Promise<number> {
  const rows = finiteRows(data)
  const map = finiteRows(embedding)
  const n = rows.rows
  if (map.rows !== n)
    throw new PipiloError('INPUT_INVALID', `There are ${n} rows, and ${map.rows} places of a map.`)
  checkCount('k', k, 1)
  if (k >= n / 2)
    throw new PipiloError('OPTION_INVALID', `k is ${k}; it is below half of the ${n} rows.`, { input: 'k' })
  const compared = comparable(rows, metric)
  const order = Array.from({ length: n }, (_, i) => i)
  let penalty = 0
  for (let i = 0; i < n; i++) {
    throwIfAborted(signal)
    await breathe()
    const far = distancesFrom(compared, i)
    const near = distancesFrom(map, i)
    const rank = new Int32Array(n)
    for (const [place, j] of [...order].sort((a, b) => far[a]! - far[b]!).entries()) rank[j] = place
    const nearest = [...order].sort((a, b) => near[a]! - near[b]!).slice(1, k + 1)
    for (const j of nearest) penalty += Math.max(0, rank[j]! - k)
  }
  return 1 - penalty * (2 / (n * k * (2 * n - 3 * k - 1)))
}

/** Squared distances of all rows from one; itself is the nearest. */
function distancesFrom({ rows, columns, data }: Matrix, i: number): Float64Array {
  const out = new Float64Array(rows)
  for (let j = 0, at = 0; j < rows; j++)
    for (let k = 0; k < columns; k++) out[j]! += (data[at++]! - data[i * columns + k]!) ** 2
  out[i] = -1
  return out
}
