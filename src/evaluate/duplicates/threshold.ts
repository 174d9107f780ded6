/** The threshold that tells labelled pairs apart. */
import { PipiloError } from '../../base/index.ts'
import type { AnyInput, Embedder } from '../../embed/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { checkFinite, checkPaired } from '../measures/checks.ts'
import type { LabelledPair, Threshold } from './types.ts'

/**
 * The score from which pairs count as duplicates with the best F1.
 *
 * @example
 * ```ts
 * bestThreshold([0.99, 0.97, 0.6, 0.3], [true, true, false, false]) // { threshold: 0.785, f1: 1, precision: 1, recall: 1 }
 * ```
 *
 * @remarks Of equally good ones the highest. As sentence-transformers' `BinaryClassificationEvaluator`; F1: van Rijsbergen 1979.
 *
 * @throws `INPUT_INVALID` for lists of unlike lengths, NaN, and pairs that are all alike
 */
export function bestThreshold(scores: ArrayLike<number>, duplicate: ArrayLike<boolean>): Threshold {
  checkPaired({ scores, duplicate }, 2)
  checkFinite('scores', scores)
  const all = Array.from(duplicate).filter(Boolean).length
  if (all === 0 || all === duplicate.length) {
    throw new PipiloError(
      'INPUT_INVALID',
      `${all === 0 ? 'None' : 'All'} of the pairs are duplicates: no threshold tells them apart.`,
      { input: 'duplicate', hint: 'Label pairs of both kinds, near misses among them.' },
    )
  }
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!)
  let best: Threshold | undefined
  let right = 0
  for (const [place, i] of order.entries()) {
    if (duplicate[i]) right++
    const next = order[place + 1]
    // Equal scores are on one side.
    if (next !== undefined && scores[next] === scores[i]) continue
    const [precision, recall] = [right / (place + 1), right / all]
    const f1 = right === 0 ? 0 : (2 * precision * recall) / (precision + recall)
    if (best && f1 <= best.f1) continue
    const below = next === undefined ? scores[i]! : scores[next]!
    best = { threshold: (scores[i]! + below) / 2, f1, precision, recall }
  }
  return best!
}

/** See `duplicateThreshold` in ../onDemand.ts. */
export async function duplicateThreshold(
  embedder: Embedder<Float32Array, AnyInput>,
  pairs: readonly LabelledPair[],
  { signal }: { readonly signal?: AbortSignal },
): Promise<Threshold> {
  const { vectors } = await embedder.embed(
    pairs.flatMap(({ a, b }) => [a, b]),
    signal && { signal },
  )
  return bestThreshold(
    pairs.map((_, i) => cosineSimilarity(vectors[2 * i]!, vectors[2 * i + 1]!)),
    pairs.map(({ duplicate }) => duplicate),
  )
}
