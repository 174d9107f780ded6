/** The normalised, temperature-scaled cross-entropy of SimCLR. */
import { op, type Value } from '../../graph/index.ts'
import { MASKED } from '../../nn/index.ts'
import { checkPositive, checkVectors } from './checks.ts'
import { equalPairs, maskedSum, onDiagonal, rowNumbers } from './masks.ts'
import { similarityMatrix } from './vectors.ts'

/** Options of {@link ntXent}. */
export interface NtXentOptions {
  /** Above 0; smaller is harder. Default 0.5. */
  readonly temperature?: number
}

/**
 * Wants each of 2N views nearest to the other view of its input, among all the others.
 *
 * @example
 * ```ts
 * const loss = ntXent(first, second, { temperature: 0.1 })
 * ```
 *
 * @remarks
 * As lightly's `NTXentLoss` without a memory bank. From https://arxiv.org/abs/2002.05709, equation 1. Rows are made length 1 here.
 *
 * @param first one view of each input, [N, D]
 * @param second another view of each, [N, D]
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH` (a batch of 1 has no negatives), `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function ntXent(first: Value, second: Value, { temperature = 0.5 }: NtXentOptions = {}): Value {
  checkVectors({ first, second }, 2)
  checkPositive('temperature', temperature)
  const rows = op.concat([first, second], 0) // [2N, D]
  const logits = similarityMatrix(rows, rows, 'cosine', 1 / temperature) // [2N, 2N]
  const isSelf = onDiagonal(logits)
  const numbers = rowNumbers(first)
  const inputs = op.concat([numbers, numbers], 0) // [2N]
  const isOther = op.and(equalPairs(inputs, inputs), op.not(isSelf))
  const logProbabilities = op.logSoftmax(op.where(isSelf, MASKED, logits))
  return op.neg(op.reduceMean(maskedSum(logProbabilities, isOther, [1])))
}
