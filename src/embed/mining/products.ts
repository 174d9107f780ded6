// Scores of many vectors with many others, block by block on ONNX Runtime, and the best of them.
import { throwIfAborted } from '../../base/index.ts'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { compile, defaults, type Session } from '../../runtime/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { expectComparable, type VectorSet } from './vectorSet.ts'

/** Rows of queries and of the corpus that are multiplied at a time: their scores take 16 MB. */
const QUERIES = 1024
const CORPUS = 4096

/** Multiplications below which starting a thread takes longer than blocking this one. */
const FEW = 2e8

/** The best of the corpus for some queries: `count` for each, row after row, best first; of equal scores the lower index. */
export interface NearestBlock {
  /** Index of the first query among those that were compared. */
  readonly first: number
  readonly rows: number
  readonly count: number
  /** Rows of the corpus that was compared. */
  readonly indices: Int32Array
  readonly scores: Float32Array
}

/** The `k` of the corpus with the highest scores, for blocks of queries in order. */
export async function* nearest(
  queries: VectorSet,
  corpus: VectorSet,
  k: number,
  signal?: AbortSignal,
): AsyncGenerator<NearestBlock> {
  expectComparable(queries, corpus)
  const count = Math.min(k, corpus.rows)
  if (queries.rows === 0 || count === 0) return
  const session = await open(bestGraph(), queries, corpus)
  try {
    for (let first = 0; first < queries.rows; first += QUERIES) {
      const rows = Math.min(QUERIES, queries.rows - first)
      let best: NearestBlock | undefined
      for (let from = 0; from < corpus.rows; from += CORPUS) {
        throwIfAborted(signal)
        const width = Math.min(CORPUS, corpus.rows - from)
        const kept = Math.min(count, width)
        const feeds = {
          queries: block(queries, first, rows),
          corpus: block(corpus, from, width),
          k: { dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(kept)) },
        } satisfies Record<string, Tensor>
        const { values, indices } = await session.run(feeds)
        const places = Int32Array.from(indices!.data as BigInt64Array, (place) => Number(place) + from)
        const found = { first, rows, count: kept, indices: places, scores: values!.data as Float32Array }
        best = best ? merged(best, found, count) : found
      }
      yield best!
    }
  } finally {
    await session.dispose()
  }
}

/** Pairs of some queries with some of the corpus whose scores are high enough, query by query. */
export interface CloseBlock {
  /** Index of the first query. */
  readonly first: number
  readonly rows: number
  /** The last block of these queries. */
  readonly isLast: boolean
  /** For each pair, the query's place in the block. */
  readonly queries: Int32Array
  /** The row of the corpus, ascending for a query. */
  readonly indices: Int32Array
  readonly scores: Float32Array
}

/** All pairs with a score of at least `threshold`, by blocks: for every block of queries those of the corpus in order. */
export async function* close(
  queries: VectorSet,
  corpus: VectorSet,
  threshold: number,
  signal?: AbortSignal,
): AsyncGenerator<CloseBlock> {
  expectComparable(queries, corpus)
  if (queries.rows === 0 || corpus.rows === 0) return
  const session = await open(closeGraph(), queries, corpus)
  try {
    for (let first = 0; first < queries.rows; first += QUERIES) {
      const rows = Math.min(QUERIES, queries.rows - first)
      for (let from = 0; from < corpus.rows; from += CORPUS) {
        throwIfAborted(signal)
        const width = Math.min(CORPUS, corpus.rows - from)
        const feeds = {
          queries: block(queries, first, rows),
          corpus: block(corpus, from, width),
          threshold: { dtype: 'float32', shape: [], data: Float32Array.of(threshold) },
        } satisfies Record<string, Tensor>
        const { places, scores } = await session.run(feeds)
        const pairs = places!.data as BigInt64Array
        const count = pairs.length / 2
        yield {
          first,
          rows,
          isLast: from + width === corpus.rows,
          queries: Int32Array.from(pairs.subarray(0, count), Number),
          indices: Int32Array.from(pairs.subarray(count), (place) => Number(place) + from),
          scores: scores!.data as Float32Array,
        }
      }
    }
  } finally {
    await session.dispose()
  }
}

function open(graph: Graph, queries: VectorSet, corpus: VectorSet): Promise<Session> {
  const { workers, threads } = defaults()
  const isSmall = queries.rows * corpus.rows * corpus.columns < FEW
  return compile(graph, { workers: isSmall ? 0 : 1, threads: workers * threads })
}

/** Few pairs are close: all other scores stay in the runtime. */
function closeGraph(): Graph {
  const builder = new Builder()
  const scores = products(builder)
  const places = op.nonZero(op.greaterOrEqual(scores, builder.input('threshold', 'float32', [])))
  builder.output('places', places)
  builder.output('scores', op.gatherND(scores, op.transpose(places, [1, 0])))
  return builder.build()
}

function bestGraph(): Graph {
  const builder = new Builder()
  const scores = products(builder)
  const [values, indices] = op.topK(scores, builder.input('k', 'int64', [1]))
  builder.output('values', values)
  builder.output('indices', indices)
  return builder.build()
}

function products(builder: Builder) {
  const queries = builder.input('queries', 'float32', ['queries', 'dimensions'])
  const corpus = builder.input('corpus', 'float32', ['corpus', 'dimensions'])
  return op.matMul(queries, op.transpose(corpus, [1, 0]))
}

/** Some rows, copied: a session may move what it is fed to another thread. */
function block({ data, columns }: VectorSet, first: number, rows: number): Tensor {
  return {
    dtype: 'float32',
    shape: [rows, columns],
    data: data.slice(first * columns, (first + rows) * columns),
  }
}

/** The best of two blocks for the same queries, of which `a` lies before `b` in the corpus. */
function merged(a: NearestBlock, b: NearestBlock, most: number): NearestBlock {
  const count = Math.min(most, a.count + b.count)
  const indices = new Int32Array(a.rows * count)
  const scores = new Float32Array(a.rows * count)
  for (let row = 0; row < a.rows; row++) {
    let i = row * a.count
    let j = row * b.count
    const [endA, endB] = [i + a.count, j + b.count]
    for (let at = row * count; at < (row + 1) * count; at++) {
      const isA = j === endB || (i < endA && a.scores[i]! >= b.scores[j]!)
      indices[at] = isA ? a.indices[i]! : b.indices[j]!
      scores[at] = isA ? a.scores[i++]! : b.scores[j++]!
    }
  }
  return { first: a.first, rows: a.rows, count, indices, scores }
}
