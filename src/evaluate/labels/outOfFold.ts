/** Probabilities of a linear probe that has not seen the row it tells. */
import { checkCount, PipiloError } from '../../base/index.ts'
import { seeded } from '../../nn/index.ts'
import { l2Normalize, type Matrix, matrixOf, row, type Vector } from '../../tensor/index.ts'
import { drawn } from '../measures/drawn.ts'
import { checkLabelled } from '../measures/labelled.ts'
import { linearProbe, logisticRegression } from '../measures/logisticRegression.ts'

/** Options of {@link outOfFold}. */
export interface OutOfFoldOptions {
  /** Parts, each told by a probe of the others. Default 5. */
  readonly folds?: number
  /** Default 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
}

/** Inverse strengths that suit vectors of length 1. */
const STRENGTHS = [0.1, 1, 10, 100]

/** Wrong labels are what a probe learns last: it need not come to its minimum. */
const STOP = { iterations: 100, tolerance: 1e-3 }

/**
 * For each row the probabilities by a linear probe of the other folds, on vectors of length 1. Folds have the classes' shares; the strength is the one
 * that {@link linearProbe} chooses.
 *
 * @throws `INPUT_INVALID` for no more rows than folds; what `linearProbe` throws
 */
export async function outOfFold(
  { vectors, labels }: { readonly vectors: readonly Vector[] | Matrix; readonly labels: ArrayLike<number> },
  { folds = 5, seed = 0, signal }: OutOfFoldOptions = {},
): Promise<{ readonly probabilities: Float64Array; readonly classes: number }> {
  checkCount('folds', folds, 2)
  const { matrix, classes } = checkLabelled('data', { vectors, labels })
  const { rows, columns } = matrix
  if (rows <= folds) {
    throw new PipiloError('INPUT_INVALID', `${rows} rows make no ${folds} folds.`, { input: 'folds' })
  }
  const heed = signal && { signal }
  const unit: Matrix = { rows, columns, data: new Float32Array(rows * columns) }
  for (let i = 0; i < rows; i++) l2Normalize(row(matrix, i), row(unit, i))
  const { c } = await linearProbe({ vectors: unit, labels }, { strengths: STRENGTHS, seed, ...STOP, ...heed })
  const foldOf = foldsOf(labels, folds, seed)
  const probabilities = new Float64Array(rows * classes)
  for (let fold = 0; fold < folds; fold++) {
    const [own, others] = [true, false].map((inside) =>
      Array.from({ length: rows }, (_, i) => i).filter((i) => (foldOf[i] === fold) === inside),
    ) as [number[], number[]]
    if (own.length === 0) continue
    const part = (places: readonly number[]) => matrixOf(places.map((i) => row(unit, i)))
    const known = { vectors: part(others), labels: others.map((i) => labels[i]!) }
    const classifier = await logisticRegression(known, { c, ...STOP, ...heed })
    const told = classifier.probabilities(part(own))
    const width = classifier.labels.length
    for (const [place, i] of own.entries())
      for (const [at, label] of classifier.labels.entries())
        probabilities[i * classes + label] = told[place * width + at]!
  }
  return { probabilities, classes }
}

/** Rows of each class in turn, in an order that is drawn. */
function foldsOf(labels: ArrayLike<number>, folds: number, seed: number): Uint32Array {
  const random = seeded(seed, 'folds')
  const byClass = new Map<number, number[]>()
  for (let i = 0; i < labels.length; i++) {
    const members = byClass.get(labels[i]!)
    if (members) members.push(i)
    else byClass.set(labels[i]!, [i])
  }
  const found = new Uint32Array(labels.length)
  let next = 0
  for (const members of byClass.values())
    for (const i of drawn(members, members.length, random.uniform).chosen) found[i] = next++ % folds
  return found
}
