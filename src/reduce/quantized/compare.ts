// Size and recall of vectors in fewer bits, side by side.
import { checkCount } from '../../base/index.ts'
import { semanticSearch } from '../../embed/index.ts'
import { finiteRows, type Rows, rowsToTransform } from '../rows.ts'
import { type Precision, quantizeRows } from './quantize.ts'

/** Options of `compareQuantized`. */
export interface CompareQuantizedOptions {
  /** Results that are compared. Default 10. */
  readonly k?: number
  /** Candidates for rescoring, as a multiple of `k`. Default 4. */
  readonly oversampling?: number
  readonly signal?: AbortSignal
}

/** One way to keep vectors and to search them. */
export interface QuantizedComparison {
  readonly precision: 'float32' | Precision
  /** True if candidates are compared again in floats, which then have to be kept elsewhere, such as on a disk. */
  readonly rescored: boolean
  /** Bytes of a vector that are searched. */
  readonly bytesPerVector: number
  /** Share of the exact results that it finds, from 0 to 1. */
  readonly recall: number
}

/** See `compareQuantized` in ../onDemand.ts. */
export async function compareQuantizations(
  data: Rows,
  queries: Rows,
  { k = 10, oversampling = 4, signal }: CompareQuantizedOptions = {},
): Promise<QuantizedComparison[]> {
  checkCount('k', k, 1)
  const vectors = finiteRows(data)
  const asked = rowsToTransform(queries, vectors.columns, {})
  const stop = signal ? { signal } : {}
  const exact = (await semanticSearch(asked, vectors, { k, score: 'dot', ...stop })).map(
    (hits) => new Set(hits.map(({ index }) => index)),
  )
  const floats = {
    precision: 'float32',
    rescored: false,
    bytesPerVector: 4 * vectors.columns,
    recall: 1,
  } as const
  const rows: QuantizedComparison[] = [floats]
  for (const precision of ['int8', 'binary'] as const) {
    const quantized = await quantizeRows(vectors, precision, stop)
    for (const rescored of [false, true]) {
      const options = { k, oversampling, ...stop, ...(rescored && { rescore: vectors }) }
      const found = await quantized.search(asked, options)
      let hits = 0
      let all = 0
      for (const [i, wanted] of exact.entries()) {
        all += wanted.size
        hits += found[i]!.filter(({ index }) => wanted.has(index)).length
      }
      const { bytesPerVector } = quantized
      rows.push({ precision, rescored, bytesPerVector, recall: all === 0 ? 1 : hits / all })
    }
  }
  return rows
}
