// Checks of an embedder and its input, and the vector that a similarity is with.
import { PipiloError } from '../../base/index.ts'
import type { AnyInput, Embedder } from '../../embed/index.ts'
import type { Matrix, Vector } from '../../tensor/index.ts'

type AnyEmbedder = Embedder<Float32Array | Matrix>

/** @throws PipiloError `OPTION_INVALID` for an embedder of several vectors an input, or of integers, which have no gradients */
export function checkEmbedder({ name, pool, recipe }: AnyEmbedder): void {
  if (pool === 'none') {
    throw new PipiloError('OPTION_INVALID', `${name} gives a matrix an input (pool none), not a vector.`, {
      input: 'pool',
      hint: "Open it with another pooling, such as pool: 'mean'.",
    })
  }
  if (recipe.dtype === 'int8') {
    throw new PipiloError('OPTION_INVALID', `${name} computes in integers (int8), which have no gradients.`, {
      input: 'dtype',
      hint: 'Open it without dtype.',
    })
  }
}

/** @throws PipiloError `INPUT_INVALID` for several inputs */
export function checkInput(input: unknown, { name }: AnyEmbedder): void {
  if (!Array.isArray(input)) return
  throw new PipiloError('INPUT_INVALID', `attribute takes one input of ${name}, not an array.`, {
    hint: 'Call it once for each.',
  })
}

/**
 * The vector of `towards`: itself, or its embedding.
 *
 * @throws PipiloError `DIMENSION_MISMATCH`; `INPUT_INVALID` for several inputs, and for a vector of zeros or with numbers that are not finite
 */
export async function vectorOf(
  embedder: AnyEmbedder,
  towards: AnyInput | Vector,
  signal: AbortSignal | undefined,
): Promise<Vector> {
  if (isVector(towards)) return checkVector(towards, embedder)
  checkInput(towards, embedder)
  const { vectors } = await embedder.embed([towards], signal ? { signal } : {})
  return checkVector(vectors[0] as Float32Array, embedder)
}

function isVector(towards: AnyInput | Vector): towards is Vector {
  if (towards instanceof Float32Array || towards instanceof Float64Array) return true
  return Array.isArray(towards) && towards.every((number) => typeof number === 'number')
}

function checkVector(vector: Vector, { name, dimensions }: AnyEmbedder): Vector {
  if (dimensions > 0 && vector.length !== dimensions) {
    throw new PipiloError(
      'DIMENSION_MISMATCH',
      `The vector has ${vector.length} numbers, and those of ${name} have ${dimensions}.`,
      { input: 'towards', hint: 'Give a vector of the same embedder, or an input of it.' },
    )
  }
  const numbers = Array.from(vector)
  if (numbers.every(Number.isFinite) && numbers.some((number) => number !== 0)) return vector
  throw new PipiloError('INPUT_INVALID', 'The vector has no direction: it is zero or not finite.', {
    input: 'towards',
  })
}
