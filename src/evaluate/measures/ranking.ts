/** Measures of ranked results: retrieval. */

import { checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'

const rankingTypes: OptionTable<RankingOptions> = { at: is.listOf(is.count(1), 1) }

/** Options of {@link rankingMeasures}. */
export interface RankingOptions {
  /** Numbers of results that are looked at. Default 1, 5, 10, 100. */
  readonly at?: readonly number[]
}

/** Measures of one query or means of all, by name: `recall@10`, `precision@10`, `ndcg@10`, `map@10`, `map`, `mrr`. */
export type RankingMeasures = Readonly<Record<string, number>>

/**
 * Measures of rankings by judgements of relevance: recall@k, precision@k, nDCG@k, MAP@k, MAP and MRR.
 *
 * @example
 * ```ts
 * const results = new Map([['q1', ['d3', 'd1', 'd7']]])             // best first
 * const relevant = new Map([['q1', new Map([['d1', 1], ['d2', 1]])]])  // document to its grade
 * rankingMeasures(results, relevant, { at: [1, 10] }).mean['ndcg@10'] // 0.387
 * ```
 *
 * @remarks
 * As trec_eval, and so `pytrec_eval`, BEIR and MTEB: a document is relevant from grade 1; what is not judged is not relevant; nDCG takes the
 * grade as the gain and `log2(rank + 1)` as the discount (https://doi.org/10.1145/582415.582418); average precision divides by all
 * relevant documents. A query that is judged counts 0 where none of its documents is relevant, as `pytrec_eval` does, and where it has no results,
 * as `trec_eval -c` does. A query without any judgement is left out of the means.
 *
 * @param results for each query the ids of documents, best first
 * @param relevant for each query the judged documents, each with its grade
 * @returns means over all queries, and the measures of each
 * @throws `INPUT_INVALID` when no query has a relevant document, and for a document that a query's results name twice
 */
export function rankingMeasures<Query, Id>(
  results: ReadonlyMap<Query, readonly Id[]>,
  relevant: ReadonlyMap<Query, ReadonlyMap<Id, number>>,
  options: RankingOptions = {},
): { readonly mean: RankingMeasures; readonly queries: ReadonlyMap<Query, RankingMeasures> } {
  checkOptions('rankingMeasures', options, rankingTypes)
  const { at = [1, 5, 10, 100] } = options
  for (const k of at) {
    if (Number.isInteger(k) && k >= 1) continue
    throw new PipiloError('OPTION_INVALID', `at holds ${k}; it takes numbers of results, from 1.`, {
      input: 'at',
    })
  }
  const queries = new Map<Query, RankingMeasures>()
  for (const [query, grades] of relevant) {
    if (grades.size === 0) continue
    const ranked = results.get(query) ?? []
    if (new Set(ranked).size < ranked.length) {
      throw new PipiloError('INPUT_INVALID', `The results of query ${query} name a document twice.`, {
        input: String(query),
      })
    }
    queries.set(
      query,
      measuresOf(
        ranked.map((id) => grades.get(id) ?? 0),
        [...grades.values()],
        at,
      ),
    )
  }
  const isAnswerable = [...relevant.values()].some((grades) => [...grades.values()].some(isRelevant))
  if (!isAnswerable) {
    throw new PipiloError('INPUT_INVALID', 'No query has a relevant document: there is nothing to measure.', {
      input: 'relevant',
    })
  }
  return { mean: meanOf([...queries.values()]), queries }
}

const isRelevant = (grade: number) => grade > 0

function measuresOf(
  found: readonly number[],
  judged: readonly number[],
  at: readonly number[],
): RankingMeasures {
  const total = judged.filter(isRelevant).length
  const share = (part: number, whole: number) => (whole === 0 ? 0 : part / whole)
  const ideal = judged.toSorted((a, b) => b - a)
  const first = found.findIndex(isRelevant)
  const measures: Record<string, number> = {}
  for (const k of at) {
    const hits = found.slice(0, k).filter(isRelevant).length
    measures[`recall@${k}`] = share(hits, total)
    measures[`precision@${k}`] = hits / k
    measures[`ndcg@${k}`] = share(gain(found, k), gain(ideal, k))
    measures[`map@${k}`] = averagePrecision(found.slice(0, k), total)
  }
  measures['map'] = averagePrecision(found, total)
  measures['mrr'] = first < 0 ? 0 : 1 / (first + 1)
  return measures
}

function gain(grades: readonly number[], k: number): number {
  return grades.slice(0, k).reduce((sum, grade, i) => sum + Math.max(0, grade) / Math.log2(i + 2), 0)
}

function averagePrecision(found: readonly number[], total: number): number {
  let hits = 0
  let sum = 0
  for (const [i, grade] of found.entries()) if (grade > 0) sum += ++hits / (i + 1)
  return total === 0 ? 0 : sum / total
}

function meanOf(all: readonly RankingMeasures[]): RankingMeasures {
  const names = Object.keys(all[0]!)
  return Object.fromEntries(
    names.map((name) => [name, all.reduce((sum, one) => sum + one[name]!, 0) / all.length]),
  )
}
