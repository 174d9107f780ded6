/** Similarities and distances of vectors, row by row and of all pairs. */
import { op, type Value } from '../../graph/index.ts'
import { checkChoice } from './checks.ts'
import { diagonal } from './masks.ts'

/** Distances of two vectors: `cosine` is 1 minus their cosine. */
export type VectorDistance = 'euclidean' | 'cosine' | 'manhattan'

/** Similarities of two vectors. */
export type VectorSimilarity = 'cosine' | 'dot'

const distances = ['euclidean', 'cosine', 'manhattan']
const matrixDistances = ['euclidean', 'cosine']
const similarities = ['cosine', 'dot']

/** Rows of length 1: `x / max(‖x‖, epsilon)`, as `torch.nn.functional.normalize`. */
export function unit(x: Value, epsilon = 1e-12): Value {
  const last = x.shape.length - 1
  return op.div(x, op.clip(op.reduceL2(x, [last], { keepDims: true }), epsilon)) // [N, D] / [N, 1]
}

/** Dot products of rows: [N]. */
export function rowDots(a: Value, b: Value): Value {
  return op.reduceSum(op.mul(a, b), [1])
}

/** Cosines of rows, [N]: `a·b / (max(‖a‖, eps) max(‖b‖, eps))`, as `torch.nn.functional.cosine_similarity`. */
export function rowCosines(a: Value, b: Value, eps = 1e-8): Value {
  const length = (x: Value) => op.clip(op.reduceL2(x, [1]), eps) // [N]
  return op.div(rowDots(a, b), op.mul(length(a), length(b)))
}

/** Similarities of rows, [N]; cosines as sentence-transformers takes them, of rows made length 1. */
export function rowSimilarities(a: Value, b: Value, similarity: VectorSimilarity): Value {
  checkChoice('similarity', similarity, similarities)
  return similarity === 'dot' ? rowDots(a, b) : rowCosines(a, b, 1e-12)
}

/**
 * Distances of rows: [N].
 *
 * @param eps least length of a vector in a cosine
 */
export function rowDistances(a: Value, b: Value, distance: VectorDistance, eps: number): Value {
  checkChoice('distance', distance, distances)
  if (distance === 'cosine') return op.sub(1, rowCosines(a, b, eps))
  const difference = op.sub(a, b) // [N, D]
  return distance === 'euclidean' ? op.reduceL2(difference, [1]) : op.reduceL1(difference, [1])
}

/** `alpha · a bᵀ`: the dot products of all pairs, [N, D] · [M, D]ᵀ = [N, M]. */
export function dots(a: Value, b: Value, alpha = 1): Value {
  return op.gemm(a, b, undefined, { transB: true, alpha })
}

/** Similarities of all pairs times `scale`: [N, M]. */
export function similarityMatrix(a: Value, b: Value, similarity: VectorSimilarity, scale = 1): Value {
  checkChoice('similarity', similarity, similarities)
  if (similarity === 'dot') return dots(a, b, scale)
  const first = unit(a)
  return dots(first, a === b ? first : unit(b), scale)
}

/** Distances of all pairs of rows: [N, N]. */
export function distanceMatrix(x: Value, distance: 'euclidean' | 'cosine'): Value {
  checkChoice('distance', distance, matrixDistances)
  if (distance === 'cosine') return op.sub(1, similarityMatrix(x, x, 'cosine'))
  const products = dots(x, x) // [N, N]
  const squares = diagonal(products) // [N], of the same rounding, so that the distance of a row to itself is 0
  const squared = op.add(op.sub(op.unsqueeze(squares, [0]), op.mul(products, 2)), op.unsqueeze(squares, [1]))
  return safeRoot(squared)
}

/** `√x` with 0 and a gradient of 0 where `x ≤ 0`: the root's own gradient is infinite there. */
function safeRoot(x: Value): Value {
  const isPositive = op.greater(x, 0)
  return op.where(isPositive, op.sqrt(op.where(isPositive, x, 1)), 0)
}
