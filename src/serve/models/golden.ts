// Golden vectors: an input whose vector is known, by which a server shows that it is ready.
import type { Embedder } from '../../embed/index.ts'
import { cosineSimilarity, type Matrix } from '../../tensor/index.ts'
import type { Offered, Opened } from './modelTable.ts'

/** First numbers of the vectors of the default models, made on Linux x64 in float32. */
const known: Readonly<Record<string, readonly number[]>> = {}

/** The probe of a model. */
export const probeOf = ({ modality }: Pick<Embedder, 'modality'>) => {
  if (modality === 'text') return 'A towhee sings in the brush.'
  if (modality === 'text-image') return { text: 'A towhee sings in the brush.' }
  const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 7 + (i >> 5) * 13) % 256)
  return { width: 32, height: 32, channels: 3 as const, data }
}

/** Least cosine of the probe's vector with the golden one: other processors round otherwise, int8 by a hundredth. */
const LEAST = 0.98

/** Compares the vectors of probes with those known, else with the first that the process made. */
export class Golden {
  readonly #first = new Map<string, Float32Array>()

  /** Tells what is wrong with the probe's vector, or undefined. */
  compare({ name }: Offered, { recipeKey }: Opened, vector: Float32Array | Matrix): string | undefined {
    const numbers = vector instanceof Float32Array ? vector : vector.data
    if (!numbers.every(Number.isFinite)) return 'the vector holds what is no number'
    const golden = known[recipeKey] ?? this.#first.get(recipeKey)
    if (!golden) {
      this.#first.set(recipeKey, Float32Array.from(numbers))
      return undefined
    }
    const cosine = cosineSimilarity(numbers.subarray(0, golden.length), golden)
    return cosine >= LEAST
      ? undefined
      : `the vector of ${name} for a known input has a cosine of ${cosine.toFixed(3)} with the right one`
  }
}
