// A choice of vectors near a query that differ among themselves.
import { checkOptions, is } from '../base/index.ts'
import { listOf } from './listOf.ts'
import { cosineSimilarity, type Neighbor, topK, type Vector } from './similarity.ts'
import type { Matrix } from './tensor.ts'

export interface MarginalRelevanceOptions {
  /** Number of vectors to choose. Default 10. */
  readonly k?: number
  /** Share of nearness to the query, from 0 to 1; the rest is difference from what is chosen already. 1 is {@link topK}. Default 0.5. */
  readonly lambda?: number
}

/**
 * Vectors that are near a query and differ among themselves, by maximal marginal relevance: one after the other, the vector of which
 * `lambda · cos(query, v) - (1 - lambda) · max cos(chosen, v)` is largest.
 *
 * @example
 * ```ts
 * marginalRelevance(taste, vectors, { k: 5 }) // [{ index: 17, score: 0.91 }, { index: 4, score: 0.74 }, …]
 * ```
 *
 * @remarks
 * In the order of the choice; `score` is the cosine similarity with the query. The first is the nearest. Of equal ones the more similar comes
 * first, then the lower index. Vectors with NaN are never chosen. The work is `k` times the number of vectors: choose among the nearest few hundred.
 *
 * @throws `DIMENSION_MISMATCH`; `OPTION_INVALID`
 * @see Carbonell and Goldstein, The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries, SIGIR 1998
 */
export function marginalRelevance(
  query: Vector,
  vectors: readonly Vector[] | Matrix,
  options: MarginalRelevanceOptions = {},
): Neighbor[] {
  checkOptions<MarginalRelevanceOptions>('marginalRelevance', options, {
    k: is.count(1),
    lambda: is.numeric(0, 1),
  })
  const { k = 10, lambda = 0.5 } = options
  const list = listOf(vectors)
  // Best first, so that the first of equal ones is the one to take.
  const waiting = topK(query, list, list.length).map((neighbor) => ({ neighbor, nearest: 0 }))
  const chosen: Neighbor[] = []
  while (waiting.length > 0 && chosen.length < k) {
    let best = 0
    const worth = ({ neighbor, nearest }: (typeof waiting)[number]) =>
      lambda * neighbor.score - (1 - lambda) * nearest
    if (chosen.length > 0) {
      for (const i of waiting.keys()) if (worth(waiting[i]!) > worth(waiting[best]!)) best = i
    }
    const [taken] = waiting.splice(best, 1)
    const added = list[taken!.neighbor.index]!
    for (const candidate of waiting) {
      const similarity = cosineSimilarity(list[candidate.neighbor.index]!, added)
      candidate.nearest = chosen.length === 0 ? similarity : Math.max(candidate.nearest, similarity)
    }
    chosen.push(taken!.neighbor)
  }
  return chosen
}
