// Compares two embeddings of the same inputs.
import { checkCount, PipiloError } from '../../base/index.ts'
import { seeded } from '../../nn/index.ts'
import { cosineSimilarity, type Matrix, row, type Vector } from '../../tensor/index.ts'
import { checkPaired } from '../measures/checks.ts'
import { spearman } from '../measures/correlation.ts'
import { checkMatrix } from '../measures/labelled.ts'
import { nearestOthers } from '../measures/others.ts'

/** Options of {@link compareEmbeddings}. */
export interface CompareOptions {
  /** Neighbours that are compared. Default 10. */
  readonly k?: number
  /** Pairs of inputs whose cosines are compared, all where there are fewer. Default 100,000. */
  readonly pairs?: number
  /** Default 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
}

/** An input, and how far two embeddings agree on it. */
export interface Disagreement {
  readonly index: number
  /** Share of its neighbours that both have. */
  readonly kept: number
  /** Its neighbours by each, nearest first. */
  readonly a: readonly number[]
  readonly b: readonly number[]
}

/** Result of {@link compareEmbeddings}. */
export interface Comparison {
  /** Mean share of the `k` nearest neighbours that both have. */
  readonly kept: number
  /** Share of inputs whose nearest neighbour is the same. */
  readonly nearest: number
  /** Spearman's correlation of the cosines of pairs. */
  readonly correlation: number
  /** All inputs, those first on which they disagree most. */
  readonly inputs: readonly Disagreement[]
}

/** See `compareEmbeddings` in onDemand.ts. */
export async function compareEmbeddings(
  a: readonly Vector[] | Matrix,
  b: readonly Vector[] | Matrix,
  { k = 10, pairs = 100_000, seed = 0, signal }: CompareOptions = {},
): Promise<Comparison> {
  checkCount('k', k, 1)
  checkCount('pairs', pairs, 2)
  const [x, y] = [checkMatrix('a', a), checkMatrix('b', b)]
  checkPaired({ a: { length: x.rows }, b: { length: y.rows } }, 3)
  if (x.rows <= k) {
    throw new PipiloError('INPUT_INVALID', `${x.rows} inputs have no ${k} neighbours each.`, {
      input: 'k',
      hint: 'Compare fewer neighbours (k).',
    })
  }
  const [byA, byB] = [await neighboursOf(x, k, signal), await neighboursOf(y, k, signal)]
  const inputs = byA.map((near, index): Disagreement => {
    const other = byB[index]!
    return { index, kept: near.filter((one) => other.includes(one)).length / k, a: near, b: other }
  })
  const mean = (numbers: readonly number[]) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length
  return {
    kept: mean(inputs.map(({ kept }) => kept)),
    nearest: mean(inputs.map((one) => (one.a[0] === one.b[0] ? 1 : 0))),
    correlation: correlationOf(x, y, pairs, seed),
    inputs: inputs.toSorted((p, q) => p.kept - q.kept || p.index - q.index),
  }
}

async function neighboursOf(matrix: Matrix, k: number, signal: AbortSignal | undefined): Promise<number[][]> {
  return (await nearestOthers(matrix, k, signal)).map((near) => near.map(({ index }) => index))
}

function correlationOf(x: Matrix, y: Matrix, most: number, seed: number): number {
  const { rows } = x
  const all = (rows * (rows - 1)) / 2
  const random = seeded(seed, 'compare')
  const chosen: [number, number][] = []
  if (all <= most) {
    for (let i = 0; i < rows; i++) for (let j = i + 1; j < rows; j++) chosen.push([i, j])
  } else {
    while (chosen.length < most) {
      const [i, j] = [Math.floor(random.uniform() * rows), Math.floor(random.uniform() * rows)]
      if (i !== j) chosen.push([i, j])
    }
  }
  const cosines = (matrix: Matrix) => chosen.map(([i, j]) => cosineSimilarity(row(matrix, i), row(matrix, j)))
  const [ofX, ofY] = [cosines(x), cosines(y)]
  return spearman(ofX, ofY)
}
