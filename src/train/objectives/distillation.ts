/** Distillation: learning from the embeddings or the scores of a larger model. */
import { op, type Value } from '../../graph/index.ts'
import { MASKED } from '../../nn/index.ts'
import {
  checkChoice,
  checkFloat,
  checkPositive,
  checkShape,
  checkVectors,
  mismatch,
  shown,
} from './checks.ts'
import { onDiagonal } from './masks.ts'
import { meanSquaredError, squares } from './regression.ts'
import { rowCosines, rowSimilarities, similarityMatrix, type VectorSimilarity } from './vectors.ts'

/** Options of {@link embeddingDistillation}. */
export interface EmbeddingDistillationOptions {
  /** `mse`: mean squared error of the numbers; `l2`: mean distance; `cosine`: mean of 1 minus the cosine. Default `mse`. */
  readonly distanceMetric?: 'mse' | 'l2' | 'cosine'
}

/**
 * Draws embeddings to those of a teacher of the same width.
 *
 * @example
 * ```ts
 * const loss = embeddingDistillation(student, teacher)
 * ```
 *
 * @remarks
 * As sentence-transformers' `MSELoss`, and the other ways of its `EmbedDistillLoss`. From https://arxiv.org/abs/2004.09813, equation 1.
 * For another width put a linear layer behind the student, or use {@link similarityDistillation}.
 *
 * @param student [N, D]
 * @param teacher [N, D]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function embeddingDistillation(
  student: Value,
  teacher: Value,
  { distanceMetric = 'mse' }: EmbeddingDistillationOptions = {},
): Value {
  checkVectors({ student, teacher })
  checkChoice('distanceMetric', distanceMetric, ['mse', 'l2', 'cosine'])
  if (distanceMetric === 'mse') return meanSquaredError(student, teacher)
  if (distanceMetric === 'l2') return op.reduceMean(op.reduceL2(op.sub(student, teacher), [1]))
  return op.sub(1, op.reduceMean(rowCosines(student, teacher)))
}

/** Options of {@link similarityDistillation}. */
export interface SimilarityDistillationOptions {
  /**
   * `mse`: mean squared error of the two matrices; `kl`: Kullback-Leibler divergence of each row's softmax without the row itself,
   * times the temperature squared. Default `mse`.
   */
  readonly divergence?: 'mse' | 'kl'
  /** Default `cosine`. */
  readonly similarity?: VectorSimilarity
  /** Divides similarities before the softmax of `kl`; above 0. Default 1. */
  readonly temperature?: number
}

/**
 * Draws the similarities between the rows of a batch to those that a teacher, of any width, sees between them.
 *
 * @example
 * ```ts
 * const loss = similarityDistillation(student, teacher, { divergence: 'kl', temperature: 0.05 })
 * ```
 *
 * @remarks Similarity-preserving distillation, https://arxiv.org/abs/1907.09682; `kl` as in https://arxiv.org/abs/1803.10837, section 3.
 *
 * @param student [N, D]
 * @param teacher [N, E]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH` (`kl` needs 3 rows, `mse` 2), `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function similarityDistillation(
  student: Value,
  teacher: Value,
  options: SimilarityDistillationOptions = {},
): Value {
  const { divergence = 'mse', similarity = 'cosine', temperature = 1 } = options
  checkChoice('divergence', divergence, ['mse', 'kl'])
  checkPositive('temperature', temperature)
  const least = divergence === 'kl' ? 3 : 2
  checkVectors({ student }, least)
  checkVectors({ teacher }, least)
  checkShape('teacher', teacher, [student.shape[0]!, teacher.shape[1]!])
  if (divergence === 'mse') {
    return meanSquaredError(
      similarityMatrix(student, student, similarity),
      similarityMatrix(teacher, teacher, similarity),
    )
  }
  const scores = (x: Value) => {
    const logits = similarityMatrix(x, x, similarity, 1 / temperature) // [N, N]
    return op.where(onDiagonal(logits), MASKED, logits)
  }
  return op.mul(divergenceOf(scores(student), scores(teacher)), temperature ** 2)
}

/** Options of {@link marginMse}. */
export interface MarginMseOptions {
  /** Default `dot`. */
  readonly similarity?: VectorSimilarity
}

/**
 * Mean squared error between the margins of a student's scores, positive minus negative, and a teacher's.
 *
 * @example
 * ```ts
 * const loss = marginMse(query, positive, [negative], teacherScores)
 * ```
 *
 * @remarks As sentence-transformers' `MarginMSELoss`. From https://arxiv.org/abs/2010.02666, equation 8.
 *
 * @param query [N, D]
 * @param positive [N, D]
 * @param negatives K of them, [N, D] each
 * @param teacherScores [N, 1 + K]: of the positive and of each negative
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function marginMse(
  query: Value,
  positive: Value,
  negatives: readonly Value[],
  teacherScores: Value,
  { similarity = 'dot' }: MarginMseOptions = {},
): Value {
  const scores = candidateScores(query, [positive, ...negatives], similarity) // [N, 1 + K]
  checkTeacherScores(teacherScores, scores)
  const margins = (all: Value) =>
    op.sub(op.slice(all, [0], [1], { axes: [1] }), op.slice(all, [1], [1 + negatives.length], { axes: [1] }))
  return op.reduceMean(squares(op.sub(margins(scores), margins(teacherScores)))) // of [N, K]
}

/** Options of {@link scoreDistillation}. */
export interface ScoreDistillationOptions {
  /** Default `dot`. */
  readonly similarity?: VectorSimilarity
  /** Divides the scores of both; above 0. Default 1. */
  readonly temperature?: number
}

/**
 * Kullback-Leibler divergence of a student's scores of candidates from a teacher's, times the temperature squared.
 *
 * @example
 * ```ts
 * const loss = scoreDistillation(query, [positive, negative], teacherScores, { temperature: 2 })
 * ```
 *
 * @remarks As sentence-transformers' `DistillKLDivLoss`. From https://arxiv.org/abs/1503.02531, section 2.
 *
 * @param query [N, D]
 * @param candidates K of them, two or more, [N, D] each
 * @param teacherScores [N, K]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function scoreDistillation(
  query: Value,
  candidates: readonly Value[],
  teacherScores: Value,
  { similarity = 'dot', temperature = 1 }: ScoreDistillationOptions = {},
): Value {
  checkPositive('temperature', temperature)
  const scores = candidateScores(query, candidates, similarity) // [N, K]
  checkTeacherScores(teacherScores, scores)
  const softened = (all: Value) => op.mul(all, 1 / temperature)
  return op.mul(divergenceOf(softened(scores), softened(teacherScores)), temperature ** 2)
}

/** Mean over rows of `Σ q (ln q - ln p)`, where p and q are the softmax of the student's and of the teacher's logits. */
function divergenceOf(student: Value, teacher: Value): Value {
  const [ofStudent, ofTeacher] = [op.logSoftmax(student), op.logSoftmax(teacher)] // [N, K]
  return op.reduceMean(op.reduceSum(op.mul(op.exp(ofTeacher), op.sub(ofTeacher, ofStudent)), [1]))
}

/** Scores of each query's candidates: [N, K]. */
function candidateScores(query: Value, candidates: readonly Value[], similarity: VectorSimilarity): Value {
  if (candidates.length < 2) {
    throw mismatch('candidates', `There is ${candidates.length} candidate; two or more are compared.`)
  }
  checkVectors({ query, ...Object.fromEntries(candidates.map((one, i) => [`candidates[${i}]`, one])) })
  const columns = candidates.map((one) => op.unsqueeze(rowSimilarities(query, one, similarity), [1]))
  return op.concat(columns, 1)
}

function checkTeacherScores(teacherScores: Value, scores: Value): void {
  checkFloat('teacherScores', teacherScores)
  if (teacherScores.shape.length !== 2) {
    throw mismatch(
      'teacherScores',
      `${shown('teacherScores', teacherScores)}; they must be [rows, candidates].`,
    )
  }
  checkShape('teacherScores', teacherScores, scores.shape)
}
