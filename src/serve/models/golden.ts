// Golden vectors: an input whose vector is known, by which a server shows that it is ready.
import type { Embedder } from '../../embed/index.ts'
import { cosineSimilarity, type Matrix } from '../../tensor/index.ts'
import type { Offered, Opened } from './modelTable.ts'

/** First numbers of the probes' vectors by the default models' recipe keys, made on Linux x64 in float32. */
export const known: Readonly<Record<string, readonly number[]>> = {
  // all-MiniLM-L6-v2
  '3efcf19ebf6f1f3b7526e17ddfa507ae': [
    -0.03749, -0.04758, -0.01074, 0.00662, -0.08366, 0.06466, 0.05484, -0.01245, 0.00245, -0.01466, -0.00023,
    -0.08344, -0.00214, -0.02474, -0.01641, 0.06554,
  ],
  // mobilenet-v2-whitened
  e8015b62ecf6c5bc8b7911838e3be8f8: [
    -0.02965, 0.00791, 0.00972, 0.04552, 0.09545, 0.01566, 0.00796, -0.00307, 0.00306, 0.03535, -0.00423,
    0.03974, 0.0761, 0.01701, -0.03537, -0.00454,
  ],
  // emoji-clip
  '021190a19474f4cafd74005f5d8a3e4b': [
    -0.10458, 0.07536, -0.08618, 0.07107, -0.05393, -0.08628, -0.03162, 0.13425, -0.12053, 0.05224, 0.03564,
    0.02632, 0.14775, -0.03466, -0.08412, 0.01243,
  ],
}

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
