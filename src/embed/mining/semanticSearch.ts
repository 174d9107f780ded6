// Finds the nearest of many vectors for many queries.
import { checkCount, is, type OptionTable } from '../../base/index.ts'
import type { Matrix, Neighbor, Vector } from '../../tensor/index.ts'
import { nearest } from './products.ts'
import { type Score, scores, vectorSet } from './vectorSet.ts'

/** Options of {@link semanticSearch}. */
export interface SemanticSearchOptions {
  /** Results a query. Default 10. */
  readonly k?: number
  /** Default `cosine`. */
  readonly score?: Score
  readonly signal?: AbortSignal
}

/** Types of {@link SemanticSearchOptions}. */
export const searchOptions: OptionTable<SemanticSearchOptions> = {
  k: is.count(1),
  score: is.oneOf(scores),
  signal: is.abortSignal,
}

/** See `semanticSearch` in onDemand.ts. */
export async function semanticSearch(
  queries: readonly Vector[] | Matrix,
  corpus: readonly Vector[] | Matrix,
  { k = 10, score = 'cosine', signal }: SemanticSearchOptions = {},
): Promise<Neighbor[][]> {
  checkCount('k', k, 1)
  const asked = vectorSet(queries, score, 'queries')
  const searched = vectorSet(corpus, score, 'corpus')
  const results: Neighbor[][] = Array.from({ length: asked.given }, () => [])
  for await (const { first, rows, count, indices, scores } of nearest(asked, searched, k, signal)) {
    for (let i = 0; i < rows; i++) {
      const start = i * count
      results[asked.origin[first + i]!] = Array.from({ length: count }, (_, at) => ({
        index: searched.origin[indices[start + at]!]!,
        score: scores[start + at]!,
      }))
    }
  }
  return results
}
