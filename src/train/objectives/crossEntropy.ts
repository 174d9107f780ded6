/** Cross-entropy of classes. */
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { checkClasses, checkFloat, checkShape, checkWithin, invalid, mismatch, shown } from './checks.ts'
import { maskedSum } from './masks.ts'

/** Options of {@link crossEntropy}, by PyTorch's names. */
export interface CrossEntropyOptions {
  /** Share of the target that is spread over all classes, from 0 to 1. Default 0. */
  readonly labelSmoothing?: number
  /** One weight a class: numbers, or a value [C]. Default: all weigh the same. */
  readonly weight?: Value | ArrayLike<number>
  /** Rows of this label count for nothing. Default -100. */
  readonly ignoreIndex?: number
}

/**
 * Mean cross-entropy between logits and classes.
 *
 * @example
 * ```ts
 * const loss = crossEntropy(logits, labels, { labelSmoothing: 0.1 })
 * ```
 *
 * @remarks
 * As `torch.nn.CrossEntropyLoss`. With weights, the sum is divided by the weights of the labels. When every label is ignored the loss
 * is NaN, as PyTorch's is.
 *
 * Smoothing: https://arxiv.org/abs/1512.00567, section 7.
 *
 * @param logits [N, C], or [N, tokens, C]: classes come last
 * @param labels int64 or int32 [N], or [N, tokens]: classes from 0 to C - 1, or `ignoreIndex`. Running fails on others
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function crossEntropy(logits: Value, labels: Value, options: CrossEntropyOptions = {}): Value {
  const { labelSmoothing = 0, ignoreIndex = -100 } = options
  const classes = logits.shape.at(-1)
  if (logits.shape.length < 2 || classes === undefined) {
    throw mismatch('logits', `${shown('logits', logits)}; they must be [N, C].`)
  }
  checkFloat('logits', logits)
  checkClasses('labels', labels, logits.shape.slice(0, -1))
  checkWithin('labelSmoothing', labelSmoothing, 0, 1)
  if (!Number.isSafeInteger(ignoreIndex)) throw invalid('ignoreIndex', ignoreIndex, 'a whole number')
  const weight = weightsOf(options.weight, logits, classes)

  const last = logits.shape.length - 1
  const isCounted = op.not(op.equal(labels, ignoreIndex)) // [N]
  const safe = safeLabels(labels, logits, isCounted) // [N]
  const logProbabilities = op.logSoftmax(logits) // [N, C]
  const ofLabel = op.squeeze(op.gatherElements(logProbabilities, op.unsqueeze(safe, [last]), last), [last]) // [N]
  const own = weight && op.gather(weight, safe) // [N]
  const total = own ? maskedSum(own, isCounted) : op.reduceSum(op.cast(isCounted, logits.dtype))
  const exact = op.div(maskedSum(own ? op.mul(ofLabel, own) : ofLabel, isCounted), total)
  if (labelSmoothing === 0) return op.neg(exact)

  const ofAll = op.reduceSum(weight ? op.mul(logProbabilities, weight) : logProbabilities, [last]) // [N]
  const spread = op.div(maskedSum(ofAll, isCounted), op.mul(total, columnCount(logits)))
  return op.neg(op.add(op.mul(exact, 1 - labelSmoothing), op.mul(spread, labelSmoothing)))
}

/** Labels with 0 for ignored ones; other negative ones, which would count from the end, lie outside and fail. */
function safeLabels(labels: Value, logits: Value, isCounted: Value): Value {
  const end = op.cast(columnCount(logits), labels.dtype)
  const refused = op.where(op.less(labels, 0), end, labels)
  return op.where(isCounted, refused, 0)
}

function weightsOf(
  weight: CrossEntropyOptions['weight'],
  logits: Value,
  classes: number | string,
): Value | undefined {
  if (weight === undefined) return undefined
  if ('builder' in weight) {
    checkShape('weight', weight, [classes])
    return weight
  }
  const weights = Array.from(weight)
  if (!weights.every((one) => Number.isFinite(one) && one >= 0)) {
    throw invalid('weight', weight, 'numbers from 0')
  }
  if (typeof classes === 'number' && weights.length !== classes) {
    throw invalid('weight', weight, `${classes} numbers, one a class`)
  }
  return logits.builder.constant(tensor(logits.dtype, [weights.length], weights))
}

/** The size of the last axis, in the dtype of `x`: a scalar. */
function columnCount(x: Value): Value {
  return op.cast(op.squeeze(op.shape(x, x.shape.length - 1), [0]), x.dtype)
}
