/** Measures of predicted classes. */
import { checkPaired, placedLabels } from './checks.ts'

/** Results of {@link classificationMeasures}. */
export interface ClassificationMeasures {
  /** Share of predictions that are right. */
  readonly accuracy: number
  /** Mean over the classes that occur of the share of each that was found: recall averaged over classes. */
  readonly balancedAccuracy: number
  /** Mean of the classes' F1 scores. */
  readonly macroF1: number
  /** Labels that occur in either list, ascending: the rows and columns of `confusion`. */
  readonly classes: readonly number[]
  /** `confusion[i][j]`: how often `classes[i]` was taken for `classes[j]`. */
  readonly confusion: readonly Uint32Array[]
}

/** Measures of predictions without the table of confusion. */
export type ClassificationScores = Omit<ClassificationMeasures, 'classes' | 'confusion'>

/**
 * Accuracy, balanced accuracy, macro F1 and the confusion matrix of predictions.
 *
 * @example
 * ```ts
 * const { accuracy, classes, confusion } = classificationMeasures(predicted, labels)
 * confusion[3]![5] // pictures of classes[3] that were taken for classes[5]
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
  const { occurring, places } = placedLabels({ predictions, labels })
  const confusion = occurring.map(() => new Uint32Array(occurring.length))
  for (let i = 0; i < labels.length; i++) confusion[places.labels[i]!]![places.predictions[i]!]!++
  return {
    ...classificationScores(places.predictions, places.labels, occurring.length),
    classes: occurring,
    confusion,
  }
}

/** Scores of predictions and labels that are below `count`: in one pass, as resamples ask for them often. */
export function classificationScores(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  count: number,
): ClassificationScores {
  checkPaired({ predictions, labels }, 1)
  const [right, labelled, predicted] = [
    new Uint32Array(count),
    new Uint32Array(count),
    new Uint32Array(count),
  ]
  for (let i = 0; i < labels.length; i++) {
    labelled[labels[i]!]!++
    predicted[predictions[i]!]!++
    if (labels[i] === predictions[i]) right[labels[i]!]!++
  }
  let [hits, recalls, told, scores, seen] = [0, 0, 0, 0, 0]
  for (let label = 0; label < count; label++) {
    const both = labelled[label]! + predicted[label]!
    if (both === 0) continue
    hits += right[label]!
    seen++
    scores += (2 * right[label]!) / both
    if (labelled[label] === 0) continue
    told++
    recalls += right[label]! / labelled[label]!
  }
  return { accuracy: hits / labels.length, balancedAccuracy: recalls / told, macroF1: scores / seen }
}
