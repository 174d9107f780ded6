/** Clustering by k-means. */
import { breathe, checkCount, PipiloError, throwIfAborted } from '../../base/index.ts'
import { type Random, seeded } from '../../nn/index.ts'
import { type Matrix, row, squaredDistance, type Vector } from '../../tensor/index.ts'
import { checkMatrix } from './labelled.ts'

/** Options of {@link kMeans}. */
export interface KMeansOptions {
  /** Clusters. */
  readonly k: number
  /** Beginnings of which the best is taken. Default 1. */
  readonly starts?: number
  /** Rounds at most. Default 300. */
  readonly iterations?: number
  /** Ends when the centres move less than this, beside the mean variance of the columns. Default 1e-4. */
  readonly tolerance?: number
  /** Centres to begin with. Default: drawn by k-means++. */
  readonly centers?: readonly Vector[] | Matrix
  /** Default 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
}

/** Result of {@link kMeans}. */
export interface Clusters {
  /** Index of each vector's cluster. */
  readonly labels: Uint32Array
  /** [k, dimensions] */
  readonly centers: Matrix
  /** Sum of squared distances to the centres. */
  readonly inertia: number
  readonly iterations: number
}

/** See `kMeans` in onDemand.ts. */
export async function kMeans(
  vectors: readonly Vector[] | Matrix,
  { k, starts = 1, iterations = 300, tolerance = 1e-4, centers, seed = 0, signal }: KMeansOptions,
): Promise<Clusters> {
  checkCount('k', k, 1)
  checkCount('starts', starts, 1)
  checkCount('iterations', iterations, 1)
  const matrix = checkMatrix('vectors', vectors)
  if (matrix.rows < k) {
    throw new PipiloError('INPUT_INVALID', `${matrix.rows} vectors cannot make ${k} clusters.`, {
      input: 'k',
    })
  }
  const given = centers && checkMatrix('centers', centers)
  if (given && (given.rows !== k || given.columns !== matrix.columns)) {
    throw new PipiloError(
      'DIMENSION_MISMATCH',
      `centers is [${given.rows}, ${given.columns}]; it has to be [${k}, ${matrix.columns}].`,
      { input: 'centers' },
    )
  }
  const limit = tolerance * meanVariance(matrix)
  const random = seeded(seed, 'k-means')
  let best: Clusters | undefined
  for (let start = 0; start < (given ? 1 : starts); start++) {
    const first = given ? Float64Array.from(given.data) : drawn(matrix, k, random)
    const found = await lloyd(matrix, first, k, { iterations, limit, signal })
    if (!best || found.inertia < best.inertia) best = found
  }
  return best!
}

/** k-means++: each centre is drawn with a chance that grows with the squared distance to those before. */
function drawn(matrix: Matrix, k: number, random: Random): Float64Array {
  const { rows, columns } = matrix
  const centers = new Float64Array(k * columns)
  const nearest = new Float64Array(rows).fill(Number.POSITIVE_INFINITY)
  for (let at = 0; at < k; at++) {
    const chosen = at === 0 ? Math.floor(random.uniform() * rows) : drawnBy(nearest, random)
    const center = row(matrix, chosen)
    centers.set(center, at * columns)
    for (let i = 0; i < rows; i++) {
      nearest[i] = Math.min(nearest[i]!, squaredDistance(matrix.data, i * columns, center, 0, columns))
    }
  }
  return centers
}

function drawnBy(weights: Float64Array, random: Random): number {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  if (sum === 0) return Math.floor(random.uniform() * weights.length)
  let left = random.uniform() * sum
  for (const [i, weight] of weights.entries()) {
    left -= weight
    if (left < 0) return i
  }
  return weights.findLastIndex((weight) => weight > 0)
}

async function lloyd(
  matrix: Matrix,
  first: Float64Array,
  k: number,
  { iterations, limit, signal }: { iterations: number; limit: number; signal: AbortSignal | undefined },
): Promise<Clusters> {
  const { rows, columns, data } = matrix
  const labels = new Uint32Array(rows)
  const distances = new Float64Array(rows)
  let centers = first
  let inertia = 0
  const assign = async (): Promise<boolean> => {
    let changed = false
    inertia = 0
    for (let i = 0; i < rows; i++) {
      if (i % 64 === 0) await breathe()
      let label = 0
      let least = Number.POSITIVE_INFINITY
      for (let at = 0; at < k; at++) {
        const distance = squaredDistance(data, i * columns, centers, at * columns, columns)
        if (distance < least) [label, least] = [at, distance]
      }
      if (labels[i] !== label) changed = true
      labels[i] = label
      distances[i] = least
      inertia += least
    }
    return changed
  }
  let done = 0
  for (let moved = Number.POSITIVE_INFINITY; done < iterations && moved > limit; ) {
    throwIfAborted(signal)
    const changed = await assign()
    if (done > 0 && !changed) break
    const next = means(matrix, labels, distances, k)
    moved = squaredDistance(next, 0, centers, 0, next.length)
    centers = next
    done++
  }
  await assign()
  return {
    labels,
    centers: { rows: k, columns, data: Float32Array.from(centers) },
    inertia,
    iterations: done,
  }
}

function means(
  { rows, columns, data }: Matrix,
  labels: Uint32Array,
  distances: Float64Array,
  k: number,
): Float64Array {
  const sums = new Float64Array(k * columns)
  const counts = new Uint32Array(k)
  for (let i = 0; i < rows; i++) {
    const label = labels[i]!
    counts[label]!++
    for (let j = 0; j < columns; j++) sums[label * columns + j]! += data[i * columns + j]!
  }
  const furthest = counts.includes(0)
    ? Uint32Array.from({ length: rows }, (_, i) => i).sort((a, b) => distances[b]! - distances[a]!)
    : undefined
  let taken = 0
  for (let at = 0; at < k; at++) {
    if (counts[at]! > 0) continue
    const far = furthest![taken++]!
    const from = labels[far]!
    counts[from]!--
    counts[at] = 1
    for (let j = 0; j < columns; j++) {
      sums[from * columns + j]! -= data[far * columns + j]!
      sums[at * columns + j] = data[far * columns + j]!
    }
  }
  for (let at = 0; at < k; at++) for (let j = 0; j < columns; j++) sums[at * columns + j]! /= counts[at]!
  return sums
}

function meanVariance({ rows, columns, data }: Matrix): number {
  let sum = 0
  for (let j = 0; j < columns; j++) {
    let mean = 0
    for (let i = 0; i < rows; i++) mean += data[i * columns + j]! / rows
    for (let i = 0; i < rows; i++) sum += (data[i * columns + j]! - mean) ** 2 / rows
  }
  return sum / columns
}
