// Rows that are held out of what is learned from.
import { PipiloError } from '../../base/index.ts'
import { splitLabels } from '../../train/index.ts'

/**
 * Splits rows by their labels: those to learn from and a share of each class to ask for.
 *
 * @throws `INPUT_INVALID` where no class has a row to spare, or the share is less than a row
 */
export function heldOutOf(
  labels: ArrayLike<number>,
  share: number,
  seed: number,
): { train: number[]; validation: number[] } {
  try {
    return splitLabels(labels, { validation: share, seed })
  } catch (error) {
    if (!(error instanceof PipiloError && error.code === 'INPUT_INVALID')) throw error
    const classes = new Set(Array.from(labels)).size
    throw new PipiloError(
      'INPUT_INVALID',
      `Of ${labels.length} rows in ${classes} ${classes === 1 ? 'class' : 'classes'} none can be held out: a class needs two rows, one to learn from and one to ask for, and ${share} of all rows at least one.`,
      { input: 'labels', hint: 'Give more rows of each class.' },
    )
  }
}
