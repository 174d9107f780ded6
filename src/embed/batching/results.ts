// Collects rows into results: means of chunks, one array for all vectors, errors.
import type { PipiloError } from '../../base/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import type { AnyInput, ChunkPlace, EmbedResult } from '../types.ts'
import type { Outcome } from './run.ts'

/** A vector, and where it comes from. */
export interface Row {
  readonly index: number
  readonly input: AnyInput
  readonly vector: Float32Array | Matrix
  readonly truncated: boolean
  readonly tokens: number
  readonly place?: { readonly start: number; readonly end: number }
  readonly error?: PipiloError
}

/** A row a vector; for an input that failed, one of NaN (an empty Matrix for `pool: 'none'`). */
export function rowsOf(
  { index, input, rows, error }: Outcome<AnyInput>,
  dimensions: number,
  matrices: boolean,
): Row[] {
  if (error) {
    const nothing = { rows: 0, columns: dimensions, data: new Float32Array() }
    const vector = matrices ? nothing : new Float32Array(dimensions).fill(Number.NaN)
    return [{ index, input, vector, truncated: false, tokens: 0, error }]
  }
  return rows.map(({ unit: { truncated, tokens = 0, place }, vector }) => {
    return { index, input, vector, truncated, tokens, ...(place && { place }) }
  })
}

/** The mean of an input's chunks, weighted by their tokens, of length 1 again if they were. */
export function meanOf(chunks: readonly Row[], normalize: boolean): Row {
  const { index, input, vector: first } = chunks[0]!
  const sum = new Float64Array((first as Float32Array).length)
  let tokens = 0
  for (const { vector, ...chunk } of chunks) {
    // A chunk without any token, of a tokenizer without special ones, has a vector all the same.
    const weight = Math.max(1, chunk.tokens)
    tokens += weight
    for (const [i, value] of (vector as Float32Array).entries()) sum[i]! += value * weight
  }
  const length = normalize ? Math.max(1e-12, Math.hypot(...sum)) : tokens
  return { index, input, vector: Float32Array.from(sum, (value) => value / length), truncated: false, tokens }
}

/**
 * The result of `embed`, from its rows.
 * @param data the rows' numbers where they lie in one array already
 */
export function collect(
  rows: readonly Row[],
  dimensions: number,
  data: Float32Array | undefined,
  keepChunks: boolean,
): EmbedResult<Float32Array | Matrix> {
  const errors: { index: number; error: PipiloError }[] = []
  const truncated: number[] = []
  for (const { index, error, truncated: cut } of rows) {
    if (error) errors.push({ index, error })
    if (cut) truncated.push(index)
  }
  const tokens = new Array<number>(1 + (rows.at(-1)?.index ?? -1)).fill(0)
  for (const row of rows) tokens[row.index]! += row.tokens
  const chunks = rows.map(({ index, place, tokens }): ChunkPlace => {
    return { input: index, start: place?.start ?? 0, end: place?.end ?? 0, tokens }
  })
  const all = data ? { data, vectors: rows.map(({ vector }) => vector) } : join(rows)
  return { ...all, dimensions, truncated, tokens, errors, ...(keepChunks && { chunks }) }
}

/** Lays vectors or matrices one after the other in one array, and gives them again as views of it. */
function join(rows: readonly Row[]): { data: Float32Array; vectors: (Float32Array | Matrix)[] } {
  const numbers = (vector: Float32Array | Matrix) => (vector instanceof Float32Array ? vector : vector.data)
  const data = new Float32Array(rows.reduce((sum, { vector }) => sum + numbers(vector).length, 0))
  let start = 0
  const vectors = rows.map(({ vector }) => {
    const view = data.subarray(start, start + numbers(vector).length)
    view.set(numbers(vector))
    start += view.length
    return vector instanceof Float32Array ? view : { ...vector, data: view }
  })
  return { data, vectors }
}
