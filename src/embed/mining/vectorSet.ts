// Vectors that are made ready to be compared in blocks.
import { PipiloError } from '../../base/index.ts'
import { l2Normalize, type Matrix, row, type Vector } from '../../tensor/index.ts'

/** Score of two vectors: the cosine of their angle, or their product as they are. */
export type Score = (typeof scores)[number]

export const scores = ['cosine', 'dot'] as const

/** Vectors without those that hold NaN, and with length 1 where cosines are wanted. */
export interface VectorSet extends Matrix {
  /** Index of each row among the vectors that were given. */
  readonly origin: Int32Array
  /** Vectors that were given. */
  readonly given: number
  /** The largest of all numbers, without signs. */
  readonly largest: number
}

/**
 * Copies vectors for comparison. Those with NaN (inputs that were skipped) are left out: they are like nothing.
 *
 * @param name of the vectors in errors
 * @throws PipiloError `DIMENSION_MISMATCH`, `OPTION_INVALID` for a score that is not known
 */
export function vectorSet(vectors: readonly Vector[] | Matrix, score: Score, name: string): VectorSet {
  if (score !== 'cosine' && score !== 'dot') {
    throw new PipiloError('OPTION_INVALID', `score is '${String(score)}'; it has to be cosine or dot.`, {
      input: 'score',
    })
  }
  const list =
    'columns' in vectors ? Array.from({ length: vectors.rows }, (_, i) => row(vectors, i)) : vectors
  const columns = list[0]?.length ?? 0
  const data = new Float32Array(list.length * columns)
  const origin: number[] = []
  let largest = 0
  for (const [i, vector] of list.entries()) {
    if (vector.length !== columns) {
      const fault = `Vector ${i} of the ${name} has ${vector.length} numbers, vector 0 has ${columns}`
      throw new PipiloError('DIMENSION_MISMATCH', `${fault}.`, { input: i })
    }
    const place = data.subarray(origin.length * columns, (origin.length + 1) * columns)
    if (score === 'cosine') l2Normalize(vector, place)
    else place.set(Array.from(vector))
    const most = largestOf(place)
    if (Number.isNaN(most)) continue
    origin.push(i)
    largest = Math.max(largest, most)
  }
  const rows = origin.length
  const kept = data.subarray(0, rows * columns)
  return { rows, columns, data: kept, origin: Int32Array.from(origin), given: list.length, largest }
}

/** The largest number without its sign; NaN where one is not finite. */
function largestOf(numbers: Float32Array): number {
  let most = 0
  for (let i = 0; i < numbers.length; i++) {
    const value = Math.abs(numbers[i]!)
    if (!(value <= LARGEST)) return Number.NaN
    if (value > most) most = value
  }
  return most
}

/** Largest number of float32. */
const LARGEST = 3.4028234663852886e38

/**
 * @throws PipiloError `DIMENSION_MISMATCH` where two sets cannot be compared, `RESULT_INVALID` where their products may be larger than
 *   float32 holds
 */
export function expectComparable(a: VectorSet, b: VectorSet): void {
  if (a.rows === 0 || b.rows === 0) return
  if (a.columns !== b.columns) {
    throw new PipiloError(
      'DIMENSION_MISMATCH',
      `A vector has ${b.columns} numbers, another has ${a.columns}.`,
      {
        hint: 'Compare vectors of the same model, layer and pooling.',
      },
    )
  }
  if (a.largest * b.largest * a.columns <= LARGEST) return
  throw new PipiloError('RESULT_INVALID', 'Products of these vectors may be larger than float32 holds.', {
    hint: "Compare them by score: 'cosine'.",
  })
}
