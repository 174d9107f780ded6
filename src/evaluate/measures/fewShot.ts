/** Classification from a few examples of each class. */
import { breathe, checkCount, PipiloError, throwIfAborted } from '../../base/index.ts'
import { seeded } from '../../nn/index.ts'
import { l2Normalize, row } from '../../tensor/index.ts'
import type { Interval } from './bootstrap.ts'
import { drawn } from './drawn.ts'
import { checkClasses, checkLabelled, type LabelledVectors } from './labelled.ts'

/** Options of {@link fewShot}. */
export interface FewShotOptions {
  /** Examples of each class. Default 5. */
  readonly shots?: number
  /** Draws of examples. Default 100. */
  readonly episodes?: number
  /** Default 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
}

/** Result of {@link fewShot}. */
export interface FewShotResult {
  /** Mean over the episodes of the accuracy averaged over classes. */
  readonly accuracy: number
  /** Of the mean: 1.96 standard errors to both sides. */
  readonly interval: Interval
  /** Classes that took part. */
  readonly classes: number
}

/** See `fewShot` in onDemand.ts. */
export async function fewShot(
  data: LabelledVectors,
  { shots = 5, episodes = 100, seed = 0, signal }: FewShotOptions = {},
): Promise<FewShotResult> {
  checkCount('shots', shots, 1)
  checkCount('episodes', episodes, 1)
  const { matrix } = checkLabelled('data', data)
  checkClasses('data', data.labels)
  const vectors = Array.from({ length: matrix.rows }, (_, i) => l2Normalize(row(matrix, i)))
  const members = new Map<number, number[]>()
  for (let i = 0; i < matrix.rows; i++) {
    const label = data.labels[i]!
    const rows = members.get(label)
    if (rows) rows.push(i)
    else members.set(label, [i])
  }
  const classes = [...members.values()].filter((rows) => rows.length > shots)
  if (classes.length < 2) {
    throw new PipiloError(
      'INPUT_INVALID',
      `${classes.length} classes have more than ${shots} vectors; two are needed.`,
      {
        input: 'shots',
        hint: 'Take fewer shots.',
      },
    )
  }
  const random = seeded(seed, 'few shots')
  const accuracies: number[] = []
  for (let episode = 0; episode < episodes; episode++) {
    throwIfAborted(signal)
    const parts = classes.map((rows) => drawn(rows, shots, random.uniform))
    const prototypes = parts.map(({ chosen }) => meanOf(chosen.map((i) => vectors[i]!)))
    const shares = parts.map(({ rest }, label) => {
      const right = rest.filter((i) => nearestOf(vectors[i]!, prototypes) === label)
      return right.length / rest.length
    })
    accuracies.push(shares.reduce((sum, share) => sum + share, 0) / shares.length)
    await breathe()
  }
  const accuracy = accuracies.reduce((sum, value) => sum + value, 0) / episodes
  const variance =
    accuracies.reduce((sum, value) => sum + (value - accuracy) ** 2, 0) / Math.max(1, episodes - 1)
  const error = 1.96 * Math.sqrt(variance / episodes)
  return { accuracy, interval: { low: accuracy - error, high: accuracy + error }, classes: classes.length }
}

function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(vectors[0]!.length)
  for (const vector of vectors) for (let j = 0; j < sum.length; j++) sum[j]! += vector[j]!
  return l2Normalize(sum)
}

function nearestOf(vector: Float32Array, prototypes: readonly Float32Array[]): number {
  let best = 0
  let most = Number.NEGATIVE_INFINITY
  for (const [label, prototype] of prototypes.entries()) {
    let cosine = 0
    for (let j = 0; j < vector.length; j++) cosine += vector[j]! * prototype[j]!
    if (cosine > most) [best, most] = [label, cosine]
  }
  return best
}
