// The nearest neighbours of rows, exactly, and graphs made of them.
import { breathe, PipiloError, throwIfAborted } from '../../base/index.ts'
import { semanticSearch } from '../../embed/index.ts'
import { l2Normalize, type Matrix, row, squaredDistance } from '../../tensor/index.ts'

/** Distances of two rows: of their ends, or 1 − cosine. */
export type Metric = 'euclidean' | 'cosine'

/** The `count` nearest of each row, nearest first, row after row. */
export interface Neighbours {
  readonly rows: number
  readonly count: number
  readonly indices: Int32Array
  readonly distances: Float64Array
}

/** A square matrix, most of it zeros: the columns and values of row i lie from `offsets[i]` to `offsets[i + 1]`. */
export interface Sparse {
  readonly offsets: Int32Array
  readonly columns: Int32Array
  readonly values: Float64Array
}

/** Rows as they are compared: with length 1 for cosines. @throws PipiloError `OPTION_INVALID`, `INPUT_INVALID` for rows of zeros */
export function comparable(rows: Matrix, metric: Metric): Matrix {
  if (metric === 'euclidean') return rows
  if (metric !== 'cosine') {
    throw new PipiloError(
      'OPTION_INVALID',
      `metric is '${String(metric)}'; it has to be euclidean or cosine.`,
      {
        input: 'metric',
      },
    )
  }
  const unit = { ...rows, data: rows.data.slice() }
  for (let i = 0; i < rows.rows; i++) {
    const own = l2Normalize(row(rows, i), row(unit, i))
    if (own.every((x) => x === 0)) {
      throw new PipiloError('INPUT_INVALID', `Row ${i} is all zeros, and has no cosine with others.`, {
        input: i,
      })
    }
  }
  return unit
}

/**
 * The nearest rows of `corpus` for each row of `queries`, of {@link comparable} rows; where both are the same, all but the row itself.
 *
 * Products are computed in float32 on ONNX Runtime; distances of what they find, in doubles here.
 */
export async function nearestRows(
  queries: Matrix,
  corpus: Matrix,
  count: number,
  metric: Metric,
  signal?: AbortSignal,
): Promise<Neighbours> {
  const isSame = queries === corpus
  const { columns } = corpus
  // |x|² behind each row makes the largest product that of the nearest row; from the middle, products are small and exact.
  const middle = middleOf(corpus)
  const found = await semanticSearch(extended(queries, middle, true), extended(corpus, middle, false), {
    k: count + (isSame ? 1 : 0),
    score: 'dot',
    ...(signal && { signal }),
  })
  const indices = new Int32Array(queries.rows * count)
  const distances = new Float64Array(queries.rows * count)
  for (const [i, hits] of found.entries()) {
    await breathe()
    throwIfAborted(signal)
    const others = hits.filter(({ index }) => !(isSame && index === i)).slice(0, count)
    const near = others.map(({ index }) => ({
      index,
      distance: squaredDistance(queries.data, i * columns, corpus.data, index * columns, columns),
    }))
    near.sort((a, b) => a.distance - b.distance || a.index - b.index)
    for (const [at, { index, distance }] of near.entries()) {
      indices[i * count + at] = index
      distances[i * count + at] = metric === 'cosine' ? distance / 2 : Math.sqrt(distance)
    }
  }
  return { rows: queries.rows, count, indices, distances }
}

function middleOf({ rows, columns, data }: Matrix): Float64Array {
  const mean = new Float64Array(columns)
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++) mean[j]! += data[at++]! / rows
  return mean
}

function extended({ rows, columns, data }: Matrix, middle: Float64Array, isQuery: boolean): Matrix {
  const out = new Float32Array(rows * (columns + 1))
  for (let i = 0; i < rows; i++) {
    let square = 0
    for (let j = 0; j < columns; j++) {
      const x = data[i * columns + j]! - middle[j]!
      out[i * (columns + 1) + j] = x
      square += x * x
    }
    out[i * (columns + 1) + columns] = isQuery ? 1 : -square / 2
  }
  return { rows, columns: columns + 1, data: out }
}

/** One value for each pair of rows of which one has the other as a neighbour, made of the two that they have for each other (0 for none). */
export function symmetrized(
  { rows, count, indices }: Pick<Neighbours, 'rows' | 'count' | 'indices'>,
  values: Float64Array,
  combine: (a: number, b: number) => number,
): Sparse {
  const back = transposedOf(rows, count, indices)
  const offsets = new Int32Array(rows + 1)
  const columns = new Int32Array(2 * rows * count)
  const result = new Float64Array(2 * rows * count)
  /** The place of a column in the row at hand, if it is at least the row's start. */
  const place = new Int32Array(rows).fill(-1)
  let end = 0
  for (let i = 0; i < rows; i++) {
    const start = end
    const theirs = new Map<number, number>()
    for (let at = back.offsets[i]!; at < back.offsets[i + 1]!; at++) {
      const edge = back.edges[at]!
      theirs.set(Math.floor(edge / count), values[edge]!)
    }
    for (let at = i * count; at < (i + 1) * count; at++) {
      const j = indices[at]!
      place[j] = end
      columns[end] = j
      result[end++] = combine(values[at]!, theirs.get(j) ?? 0)
    }
    for (const [j, value] of theirs) {
      if (place[j]! >= start) continue
      columns[end] = j
      result[end++] = combine(0, value)
    }
    offsets[i + 1] = end
  }
  return { offsets, columns: columns.slice(0, end), values: result.slice(0, end) }
}

/** For each row, the places of the edges that lead to it. */
function transposedOf(rows: number, count: number, indices: Int32Array) {
  const offsets = new Int32Array(rows + 1)
  for (const j of indices) offsets[j + 1]!++
  for (let i = 0; i < rows; i++) offsets[i + 1]! += offsets[i]!
  const next = offsets.slice(0, rows)
  const edges = new Int32Array(rows * count)
  for (let edge = 0; edge < indices.length; edge++) edges[next[indices[edge]!]!++] = edge
  return { offsets, edges }
}
