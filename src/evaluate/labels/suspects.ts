/** Labels that are probably wrong. */
import { PipiloError } from '../../base/index.ts'
import type { Matrix, Vector } from '../../tensor/index.ts'
import { checkPaired, classesIn } from '../measures/checks.ts'
import type { LabelledVectors } from '../measures/labelled.ts'
import { nearestNeighbors } from '../measures/nearestNeighbors.ts'
import { outOfFold } from './outOfFold.ts'

/** Options of {@link suspects}. */
export interface SuspectsOptions {
  /**
   * Source of the probabilities. `neighbors`: votes of the nearest others, by 1 over the distance. `probe`: a linear probe of the other
   * folds, five of them. `both`: the mean of the two, which helps where the probe is no worse than the neighbours: of turned labels of emoji's
   * groups by MobileNetV2 it finds 43 % where neighbours find 38 %, of digits by their pixels no more. Default `neighbors`.
   */
  readonly by?: 'neighbors' | 'probe' | 'both'
  /** Neighbours that vote. Default 10. */
  readonly k?: number
  /** Decides the folds. Default 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
}

/** An example whose label is looked at. */
export interface Suspect {
  readonly index: number
  /** The label that it has, and the one that is likeliest for it. */
  readonly label: number
  readonly likelier: number
  /** Probability of the likelier label. */
  readonly confidence: number
  /** Probability of its own label less that of the likeliest other: from -1 to 1, the lower the more suspicious. */
  readonly margin: number
  /** True where confident learning counts the label as wrong. */
  readonly wrong: boolean
}

/** Result of {@link suspects} and {@link confidentLearning}. */
export interface Suspects {
  /** All examples, the most suspicious first. */
  readonly ranking: readonly Suspect[]
  /** How many labels are counted as wrong. */
  readonly wrong: number
  /** `confident[label][other]`: examples of a label that confidently are of another, or of their own. */
  readonly confident: readonly Uint32Array[]
  /** `[row × classes + class]`: what the labels were held against. */
  readonly probabilities: ArrayLike<number>
}

/** See `suspects` in onDemand.ts. */
export async function suspects(
  { vectors, labels }: { readonly vectors: readonly Vector[] | Matrix; readonly labels: ArrayLike<number> },
  options: SuspectsOptions = {},
): Promise<Suspects> {
  const { probabilities, classes } = await probabilitiesOf({ vectors, labels }, options)
  return confidentLearning(probabilities, labels, classes)
}

/** `[row × classes + class]`, of what has not seen the row's label. */
async function probabilitiesOf(
  data: LabelledVectors,
  { by = 'neighbors', k = 10, seed = 0, signal }: SuspectsOptions,
): Promise<{ readonly probabilities: Float64Array; readonly classes: number }> {
  if (by !== 'neighbors' && by !== 'probe' && by !== 'both') {
    throw new PipiloError('OPTION_INVALID', `by is '${String(by)}'; it is neighbors, probe or both.`, {
      input: 'by',
    })
  }
  const heed = signal && { signal }
  if (by === 'probe') return outOfFold(data, { seed, ...heed })
  const near = await nearestNeighbors(data, undefined, { k, weights: 'distance', ...heed })
  if (by === 'neighbors') return near
  const { probabilities } = await outOfFold(data, { seed, ...heed })
  return { ...near, probabilities: near.probabilities.map((share, at) => (share + probabilities[at]!) / 2) }
}

/** Differences of probabilities up to this are ties, as in cleanlab. */
const TIE = 1e-8

/**
 * Finds labels that probabilities contradict, by confident learning.
 *
 * @example
 * ```ts
 * const { ranking } = confidentLearning(probabilities, labels, 10)
 * ranking[0] // { index: 4017, label: 4, likelier: 9, margin: -0.98, wrong: true }
 * ```
 *
 * @remarks
 * An example confidently is of a class if its probability is at least the mean that the class has over its own examples. It counts as wrong if
 * the likeliest of its confident classes, and the likeliest of all, is not its label; where its label is as likely as another, the label stands. Northcutt, Jiang and Chuang, https://arxiv.org/abs/1911.00068; as
 * cleanlab's `find_label_issues(filter_by='confident_learning')`, ranked by `normalized_margin`.
 *
 * @param probabilities `[row × classes + class]`, of models that have not seen the row's label
 * @throws `INPUT_INVALID` for numbers that are no probabilities, and for labels beyond the classes
 */
export function confidentLearning(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): Suspects {
  checkPaired({ labels, probabilities: { length: probabilities.length / classes } }, 1)
  if (classesIn('labels', labels) > classes) {
    throw new PipiloError('INPUT_INVALID', `Labels go beyond the ${classes} classes of the probabilities.`, {
      input: 'labels',
    })
  }
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i]! >= 0 && probabilities[i]! <= 1 + 1e-6) continue
    throw new PipiloError('INPUT_INVALID', `Element ${i} of probabilities is ${probabilities[i]}.`, {
      input: i,
    })
  }
  const thresholds = meanOwn(probabilities, labels, classes)
  const confident = Array.from({ length: classes }, () => new Uint32Array(classes))
  const ranking = Array.from({ length: labels.length }, (_, index): Suspect => {
    const at = index * classes
    const label = labels[index]!
    const sure: number[] = []
    let [first, likelier] = [0, -1]
    for (let one = 0; one < classes; one++) {
      if (probabilities[at + one]! > probabilities[at + first]!) first = one
      if (one !== label && (likelier < 0 || probabilities[at + one]! > probabilities[at + likelier]!))
        likelier = one
      if (probabilities[at + one]! >= thresholds[one]! - 1e-6) sure.push(one)
    }
    const guess = sure.length > 1 ? first : sure[0]
    if (guess !== undefined) confident[label]![guess]!++
    const margin = probabilities[at + label]! - probabilities[at + likelier]!
    return {
      index,
      label,
      likelier,
      confidence: probabilities[at + likelier]!,
      margin,
      wrong: guess !== undefined && guess !== label && margin < -TIE,
    }
  })
  ranking.sort((a, b) => a.margin - b.margin || a.index - b.index)
  return { ranking, wrong: ranking.filter(({ wrong }) => wrong).length, confident, probabilities }
}

/** Mean probability of each class over the examples that are labelled so; infinite for a class without any. */
function meanOwn(probabilities: ArrayLike<number>, labels: ArrayLike<number>, classes: number): Float64Array {
  const [sums, counts] = [new Float64Array(classes), new Float64Array(classes)]
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!
    sums[label]! += probabilities[i * classes + label]!
    counts[label]!++
  }
  return sums.map((sum, label) => (counts[label] === 0 ? Number.POSITIVE_INFINITY : sum / counts[label]!))
}
