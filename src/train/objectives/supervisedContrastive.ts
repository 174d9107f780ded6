/** The supervised contrastive loss. */
import { op, type Value } from '../../graph/index.ts'
import { MASKED } from '../../nn/index.ts'
import { checkClasses, checkPositive, checkVectors, mismatch } from './checks.ts'
import { equalPairs, maskedSum, onDiagonal } from './masks.ts'
import { similarityMatrix } from './vectors.ts'

/** Options of {@link supervisedContrastive}. */
export interface SupervisedContrastiveOptions {
  /** Above 0; smaller is harder. Default 0.5. */
  readonly temperature?: number
  /** Multiply the loss by the temperature, so that its size does not hang on it. Default true. */
  readonly rescale?: boolean
}

/**
 * Draws rows of one class together, against all others of the batch.
 *
 * @example
 * ```ts
 * const loss = supervisedContrastive([first, second], labels, { temperature: 0.1 })
 * ```
 *
 * @remarks
 * From https://arxiv.org/abs/2004.11362, equation 2: the mean is over anchors, and for each over its positives, outside of the logarithm.
 * Options are those of lightly's `SupConLoss`, for any number of views. Anchors without positives, which one view alone can have, are
 * left out of the mean; a batch without any positives costs 0. Rows are made length 1 here.
 *
 * @param views [N, D], one or more views of the same N inputs
 * @param labels classes, int64 or int32 [N]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function supervisedContrastive(
  views: Value | readonly Value[],
  labels: Value,
  { temperature = 0.5, rescale = true }: SupervisedContrastiveOptions = {},
): Value {
  const all: readonly Value[] = 'builder' in views ? [views] : views
  const [first] = all
  if (!first) throw mismatch('views', 'views has none; one view or more is needed.')
  checkVectors(Object.fromEntries(all.map((view, i) => [`views[${i}]`, view])), 2)
  checkClasses('labels', labels, first.shape.slice(0, 1))
  checkPositive('temperature', temperature)

  const rows = all.length === 1 ? first : op.concat(all, 0) // [VN, D]
  const classes =
    all.length === 1
      ? labels
      : op.concat(
          all.map(() => labels),
          0,
        ) // [VN]
  const logits = similarityMatrix(rows, rows, 'cosine', 1 / temperature) // [VN, VN]
  const isSelf = onDiagonal(logits)
  const isPositive = op.and(equalPairs(classes, classes), op.not(isSelf))
  const logProbabilities = op.logSoftmax(op.where(isSelf, MASKED, logits))
  const positives = op.reduceSum(op.cast(isPositive, first.dtype), [1]) // [VN]
  const means = op.div(maskedSum(logProbabilities, isPositive, [1]), op.clip(positives, 1)) // [VN]
  const anchors = op.reduceSum(op.cast(op.greater(positives, 0), first.dtype))
  const loss = op.div(op.reduceSum(means), op.clip(anchors, 1))
  return op.mul(loss, rescale ? -temperature : -1)
}
