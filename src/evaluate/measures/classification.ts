/** Measures of predicted classes. */
import { checkPaired, classesIn } from './checks.ts'

/** Results of {@link classificationMeasures}. */
export interface ClassificationMeasures {
  /** Share of predictions that are right. */
  readonly accuracy: number
  /** Mean over the classes that occur of the share of each that was found: recall averaged over classes. */
  readonly balancedAccuracy: number
  /** Mean of the classes' F1 scores. */
  readonly macroF1: number
  /** `confusion[label][prediction]`: how often. */
  readonly confusion: readonly Uint32Array[]
}

/**
 * Accuracy, balanced accuracy, macro F1 and the confusion matrix of predictions.
 *
 * @example
 * ```ts
 * const { accuracy, confusion } = classificationMeasures(predicted, labels)
 * confusion[3]![5] // pictures of class 3 that were taken for class 5
 * ```
 *
 * @remarks As scikit-learn's `accuracy_score`, `balanced_accuracy_score`, `f1_score(average='macro')` and `confusion_matrix`. Balanced accuracy:
 * https://doi.org/10.1109/ICPR.2010.764.
 *
 * @param predictions indices of classes, from 0
 * @param labels as many
 * @throws `INPUT_INVALID` for lists of unlike lengths, empty ones, and for what is no index
 */
export function classificationMeasures(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
): ClassificationMeasures {
  checkPaired({ predictions, labels }, 1)
  const count = Math.max(classesIn('predictions', predictions), classesIn('labels', labels))
  const confusion = Array.from({ length: count }, () => new Uint32Array(count))
  for (let i = 0; i < labels.length; i++) confusion[labels[i]!]![predictions[i]!]!++
  const classes = confusion.map((row, label) => ({
    right: row[label]!,
    labelled: row.reduce((sum, times) => sum + times, 0),
    predicted: confusion.reduce((sum, other) => sum + other[label]!, 0),
  }))
  const labelled = classes.filter((one) => one.labelled > 0)
  const seen = classes.filter((one) => one.labelled + one.predicted > 0)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, value) => total + value, 0)
  return {
    accuracy: sum(classes.map(({ right }) => right)) / labels.length,
    balancedAccuracy: sum(labelled.map((one) => one.right / one.labelled)) / labelled.length,
    macroF1: sum(seen.map((one) => (2 * one.right) / (one.labelled + one.predicted))) / seen.length,
    confusion,
  }
}
