/** Classification by the nearest neighbours. */
import { checkCount, PipiloError } from '../../base/index.ts'
import { semanticSearch } from '../../embed/index.ts'
import type { Matrix, Vector } from '../../tensor/index.ts'
import { checkClasses, checkLabelled, checkMatrix, type LabelledVectors } from './labelled.ts'
import { nearestOthers } from './others.ts'

/** Options of {@link nearestNeighbors}. */
export interface NearestNeighborsOptions {
  /** Neighbours that vote. Default 5. */
  readonly k?: number
  /**
   * `uniform`: one vote each. `distance`: 1 over the cosine distance, as scikit-learn; those at distance 0 decide alone. `softmax`:
   * `exp(cosine / temperature)`, as in https://arxiv.org/abs/1805.01978. Default `uniform`.
   */
  readonly weights?: 'uniform' | 'distance' | 'softmax'
  /** Of `softmax`. Default 0.07. */
  readonly temperature?: number
  readonly signal?: AbortSignal
}

/** Result of {@link nearestNeighbors}. */
export interface NeighborPredictions {
  readonly predictions: Uint32Array
  /** `[row × classes + class]`: the share of the votes. */
  readonly probabilities: Float64Array
  readonly classes: number
}

/** See `nearestNeighbors` in onDemand.ts. */
export async function nearestNeighbors(
  known: LabelledVectors,
  asked: readonly Vector[] | Matrix | undefined = undefined,
  { k = 5, weights = 'uniform', temperature = 0.07, signal }: NearestNeighborsOptions = {},
): Promise<NeighborPredictions> {
  checkCount('k', k, 1)
  if (!(temperature > 0)) {
    throw new PipiloError('OPTION_INVALID', `temperature is ${temperature}; it is above 0.`, {
      input: 'temperature',
    })
  }
  const weigh = WEIGHTS[weights]
  if (!weigh) {
    throw new PipiloError(
      'OPTION_INVALID',
      `weights is '${weights}'; it is ${Object.keys(WEIGHTS).join(', ')}.`,
      {
        input: 'weights',
      },
    )
  }
  const { matrix, classes } = checkLabelled('known', known)
  checkClasses('known', known.labels)
  const among = asked ? matrix.rows : matrix.rows - 1
  if (among < k) {
    throw new PipiloError('INPUT_INVALID', `There are ${among} vectors to choose ${k} neighbours from.`, {
      input: 'known',
      hint: 'Ask for fewer neighbours (k).',
    })
  }
  const found = asked
    ? await semanticSearch(checkMatrix('asked', asked), matrix, { k, ...(signal && { signal }) })
    : await nearestOthers(matrix, k, signal)
  const probabilities = new Float64Array(found.length * classes)
  const predictions = new Uint32Array(found.length)
  for (const [row, neighbors] of found.entries()) {
    const votes = probabilities.subarray(row * classes, (row + 1) * classes)
    const shares = weigh(
      neighbors.map(({ score }) => score),
      temperature,
    )
    for (const [i, { index }] of neighbors.entries()) votes[known.labels[index]!]! += shares[i]!
    const sum = votes.reduce((total, vote) => total + vote, 0)
    for (let i = 0; i < classes; i++) votes[i]! /= sum
    predictions[row] = votes.indexOf(votes.reduce((most, vote) => Math.max(most, vote)))
  }
  return { predictions, probabilities, classes }
}

const WEIGHTS: Readonly<
  Record<
    NonNullable<NearestNeighborsOptions['weights']>,
    (cosines: readonly number[], temperature: number) => number[]
  >
> = {
  uniform: (cosines) => cosines.map(() => 1),
  distance(cosines) {
    const distances = cosines.map((cosine) => Math.max(0, 1 - cosine))
    if (distances.includes(0)) return distances.map((distance) => (distance === 0 ? 1 : 0))
    return distances.map((distance) => 1 / distance)
  },
  softmax(cosines, temperature) {
    const largest = Math.max(...cosines)
    return cosines.map((cosine) => Math.exp((cosine - largest) / temperature))
  },
}
