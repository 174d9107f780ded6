/** Ranking among the batch: the loss that most text embedders are trained with. */
import { op, type Value } from '../../graph/index.ts'
import { checkPositive, checkVectors, mismatch } from './checks.ts'
import { maskedSum, onDiagonal } from './masks.ts'
import { similarityMatrix, type VectorSimilarity } from './vectors.ts'

/** Options of {@link multipleNegativesRanking}. */
export interface MultipleNegativesRankingOptions {
  /** Hard negatives, [N, D] each, one a row: they join the negatives of every anchor. Default none. */
  readonly negatives?: readonly Value[]
  /** Factor of similarities, above 0: the inverse of a temperature. Default 20. */
  readonly scale?: number
  /** Default `cosine`. For `dot`, a scale of 1 is usual. */
  readonly similarity?: VectorSimilarity
  /** Also find the anchor of each positive among all anchors, and take the mean of both. Default false. */
  readonly symmetric?: boolean
}

/**
 * Wants each anchor nearest to its positive among the positives of the whole batch, and hard negatives.
 *
 * @example
 * ```ts
 * const loss = multipleNegativesRanking(questions, answers, { negatives: [wrongAnswers] })
 * ```
 *
 * @remarks
 * As sentence-transformers' `MultipleNegativesRankingLoss`, with `symmetric` its directions `query_to_doc` and `doc_to_query` per
 * direction. Also called InfoNCE. From https://arxiv.org/abs/1807.03748, equation 4, and https://arxiv.org/abs/1705.00652, section 4.
 * Larger batches are better; no positive should fit another anchor of its batch.
 *
 * @param anchor [N, D]
 * @param positive [N, D], row by row those of the anchors
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH` (a batch of 1 without hard negatives has none), `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function multipleNegativesRanking(
  anchor: Value,
  positive: Value,
  options: MultipleNegativesRankingOptions = {},
): Value {
  const { negatives = [], scale = 20, similarity = 'cosine', symmetric = false } = options
  const named = Object.fromEntries(negatives.map((negative, i) => [`negatives[${i}]`, negative]))
  checkVectors({ anchor, positive, ...named }, negatives.length > 0 && !symmetric ? 1 : 2)
  checkPositive('scale', scale)

  const candidates = negatives.length > 0 ? op.concat([positive, ...negatives], 0) : positive // [(1 + K) N, D]
  const logits = similarityMatrix(anchor, candidates, similarity, scale) // [N, (1 + K) N]
  const found = ofPairs(logits, 1)
  if (!symmetric) return op.neg(found)
  // Among the anchors alone: the first N columns.
  const own = negatives.length > 0 ? similarityMatrix(anchor, positive, similarity, scale) : logits // [N, N]
  return op.mul(op.add(found, ofPairs(own, 0)), -0.5)
}

/** Options of {@link simCse}. */
export interface SimCseOptions {
  /** Hard negatives, [N, D] each. Default none. */
  readonly negatives?: readonly Value[]
  /** Above 0. Default 0.05. */
  readonly temperature?: number
}

/**
 * {@link multipleNegativesRanking} of two runs of the same inputs, which differ by dropout only.
 *
 * @example
 * ```ts
 * const loss = simCse(embed(inputs), embed(inputs))   // built twice in training mode: two masks
 * ```
 *
 * @remarks From https://arxiv.org/abs/2104.08821, equation 4; with negatives, equation 5.
 *
 * @param first [N, D]
 * @param second [N, D]: the same inputs with other dropout masks
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH` (a batch of 1, or the same value twice), `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function simCse(first: Value, second: Value, options: SimCseOptions = {}): Value {
  const { negatives = [], temperature = 0.05 } = options
  checkPositive('temperature', temperature)
  if (first === second) {
    throw mismatch('second', `${first.name} is both views; they must come of two dropout masks.`, {
      hint: 'Build the model twice in training mode.',
    })
  }
  return multipleNegativesRanking(first, second, { negatives, scale: 1 / temperature })
}

/** Mean logarithm of the probability of the pairs [i, i] along an axis. */
function ofPairs(logits: Value, axis: number): Value {
  return op.reduceMean(maskedSum(op.logSoftmax(logits, axis), onDiagonal(logits), [1]))
}
