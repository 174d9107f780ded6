// Cosine similarity of vectors, of lists and of matrices.
import { checkCount, PipiloError } from '../base/index.ts'
import { checkVector, listOf } from './listOf.ts'
import type { Matrix } from './tensor.ts'

/** Numbers in a row: a Float32Array or a plain array. */
export type Vector = ArrayLike<number>

/**
 * Cosine of the angle between two vectors: 1 for the same direction, 0 for unrelated ones, -1 for opposite ones.
 *
 * @example
 * ```ts
 * cosineSimilarity(football, soccer) // 0.83
 * ```
 *
 * @remarks
 * The vectors need not be normalised. 0 if one of them is all zeros.
 *
 * @throws `DIMENSION_MISMATCH`; `INPUT_INVALID` for what is no array of numbers
 */
export function cosineSimilarity(a: Vector, b: Vector): number {
  checkVector(a)
  checkVector(b)
  expectDimensions(a.length, b.length)
  return cosine(a, b, norm(a), norm(b))
}

function cosine(a: Vector, b: Vector, normA: number, normB: number): number {
  let dot = 0
  for (let i = 0; i < a.length; i++) dot += a[i]! * b[i]!
  const lengths = normA * normB
  return lengths === 0 ? 0 : Math.max(-1, Math.min(1, dot / lengths))
}

function norm(vector: Vector): number {
  let sum = 0
  for (let i = 0; i < vector.length; i++) sum += vector[i]! ** 2
  return Math.sqrt(sum)
}

function expectDimensions(wanted: number, got: number): void {
  if (wanted === got) return
  throw new PipiloError('DIMENSION_MISMATCH', `A vector has ${got} numbers, another has ${wanted}.`, {
    hint: 'Compare vectors of the same model, layer and pooling.',
  })
}

/**
 * Cosine similarity of every row with every column vector.
 *
 * @example
 * ```ts
 * similarityMatrix(sentences) // each with each: { rows: n, columns: n, data }
 * similarityMatrix(queries, documents) // { rows: queries, columns: documents, data }
 * ```
 *
 * @param columns default: the rows themselves
 * @throws `DIMENSION_MISMATCH`; `INPUT_INVALID` for what are no vectors
 */
export function similarityMatrix(
  rows: readonly Vector[] | Matrix,
  columns: readonly Vector[] | Matrix = rows,
): Matrix {
  const left = listOf(rows)
  const right = listOf(columns)
  for (const vector of left) checkVector(vector)
  for (const vector of right) checkVector(vector)
  const leftNorms = left.map(norm)
  const rightNorms = right.map(norm)
  const data = new Float32Array(left.length * right.length)
  for (const [i, a] of left.entries()) {
    for (const [j, b] of right.entries()) {
      expectDimensions(a.length, b.length)
      data[i * right.length + j] = cosine(a, b, leftNorms[i]!, rightNorms[j]!)
    }
  }
  return { rows: left.length, columns: right.length, data }
}

/** One of the nearest vectors: its place among those that were searched, and its cosine similarity. */
export interface Neighbor {
  readonly index: number
  readonly score: number
}

/**
 * The `k` vectors that are most similar to a query, best first, by cosine similarity.
 *
 * @example
 * ```ts
 * topK(query, vectors, 5) // [{ index: 17, score: 0.91 }, …]
 * ```
 *
 * @remarks
 * Of equal scores the lower index comes first. Vectors with NaN (inputs that were skipped) are never among the results.
 *
 * @throws `DIMENSION_MISMATCH`; `INPUT_INVALID` for what are no vectors; `OPTION_INVALID` for a `k` that is no whole number
 */
export function topK(query: Vector, vectors: readonly Vector[] | Matrix, k: number): Neighbor[] {
  checkVector(query)
  checkCount('k', k, 0)
  const heap: Neighbor[] = []
  const queryNorm = norm(query)
  for (const [index, vector] of listOf(vectors).entries()) {
    checkVector(vector)
    expectDimensions(query.length, vector.length)
    const score = cosine(query, vector, queryNorm, norm(vector))
    if (Number.isNaN(score)) continue
    const candidate = { index, score }
    if (heap.length < k) siftUp(heap, candidate)
    else if (heap[0] && better(candidate, heap[0])) replaceWorst(heap, candidate)
  }
  return heap.sort((a, b) => (better(a, b) ? -1 : 1))
}

function better(a: Neighbor, b: Neighbor): boolean {
  return a.score > b.score || (a.score === b.score && a.index < b.index)
}

/** The heap has its worst neighbour on top. */
function siftUp(heap: Neighbor[], added: Neighbor): void {
  let at = heap.push(added) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (better(added, heap[parent]!)) break
    heap[at] = heap[parent]!
    heap[parent] = added
    at = parent
  }
}

function replaceWorst(heap: Neighbor[], added: Neighbor): void {
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && better(heap[child]!, heap[child + 1]!)) child++
    if (better(heap[child]!, added)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = added
}

/**
 * A vector scaled to length 1; `out` may be the vector itself. All zeros stay as they are.
 *
 * @example
 * ```ts
 * l2Normalize([3, 4]) // Float32Array [0.6, 0.8]
 * ```
 */
export function l2Normalize(
  vector: Vector,
  out: Float32Array = new Float32Array(vector?.length ?? 0),
): Float32Array {
  checkVector(vector)
  const length = norm(vector)
  for (let i = 0; i < vector.length; i++) out[i] = length === 0 ? 0 : vector[i]! / length
  return out
}

/**
 * The squared Euclidean distance of `length` numbers of `a`, from the place `from` on, and of `b` from `start` on.
 *
 * @example
 * ```ts
 * squaredDistance(data, i * columns, data, j * columns, columns)   // of two rows
 * ```
 */
export function squaredDistance(
  a: ArrayLike<number>,
  from: number,
  b: ArrayLike<number>,
  start: number,
  length: number,
): number {
  let sum = 0
  for (let j = 0; j < length; j++) {
    const difference = a[from + j]! - b[start + j]!
    sum += difference * difference
  }
  return sum
}
