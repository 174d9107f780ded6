// Counts and weights of classes.
import { PipiloError } from '../../base/index.ts'

/** Samples of each class. @throws PipiloError `INPUT_INVALID` for a label that is no class */
export function classCounts(labels: ArrayLike<number>, classes: number): Int32Array {
  const counts = new Int32Array(classes)
  for (const [i, label] of Array.from(labels).entries()) {
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new PipiloError(
        'INPUT_INVALID',
        `Sample ${i} has the label ${label}; there are ${classes} classes.`,
        { input: i },
      )
    }
    counts[label]!++
  }
  return counts
}

/**
 * Weights of classes for a loss, so that rare ones count as much as frequent ones: samples / (classes × samples of the class).
 *
 * @example
 * ```ts
 * classWeights(dataset.labels!, dataset.classes!.length)     // for classification({ weight }): Float32Array, 1 for each where all are of one size
 * ```
 *
 * @remarks
 * scikit-learn's `balanced`. A class without samples counts for none, and has weight 0.
 *
 * @throws PipiloError `INPUT_INVALID` for a label that is no class
 * @see https://scikit-learn.org/stable/modules/generated/sklearn.utils.class_weight.compute_class_weight.html
 */
export function classWeights(labels: ArrayLike<number>, classes: number): Float32Array {
  const counts = classCounts(labels, classes)
  const present = counts.filter((count) => count > 0).length
  return Float32Array.from(counts, (count) => (count === 0 ? 0 : labels.length / (present * count)))
}
