/** Sentence embeddings: from scored pairs, from pairs that belong together, or from single texts. */
import { op, type Value } from '../../graph/index.ts'
import type { Objective, Scope } from '../objective.ts'
import { matryoshka } from '../objectives/matryoshka.ts'
import { multipleNegativesRanking, simCse } from '../objectives/multipleNegatives.ts'
import { coSent, cosineSimilarityLoss } from '../objectives/similarityScores.ts'

/** Options of the objectives of sentences. */
export interface SentencesOptions {
  /** Train the first numbers of the vector to be embeddings of their own: these widths (https://arxiv.org/abs/2205.13147). */
  readonly dims?: readonly number[]
}

/** Options of {@link scoredPairs}. */
export interface ScoredPairsOptions extends SentencesOptions {
  /** `cosine`: the squared difference of cosine and score; `cosent`: their order. Default `cosine`. */
  readonly loss?: 'cosine' | 'cosent'
  /** Scores are divided by this: the largest that the data has. Default 1. */
  readonly scale?: number
}

/**
 * Pairs of texts with a likeness.
 *
 * @example
 * ```ts
 * const objective = scoredPairs({ scale: 5 })      // STS-B's scores go from 0 to 5
 * await train({ network: await openedNetwork('all-MiniLM-L6-v2'), objective, data: await readDataset('train.csv') })
 * ```
 *
 * @remarks The data has the columns `sentence1`, `sentence2` and `score`.
 */
export function scoredPairs({ loss = 'cosine', scale = 1, dims }: ScoredPairsOptions = {}): Objective {
  return {
    name: `scored pairs (${loss})`,
    build(scope) {
      const [a, b] = [vectors(scope, 'sentence1'), vectors(scope, 'sentence2')]
      const scores = scaled(scope.numbers('score'), 1 / scale)
      const of = (x: Value, y: Value) =>
        loss === 'cosine' ? cosineSimilarityLoss(x, y, scores) : coSent(x, y, scores)
      return { loss: dims ? matryoshka([a, b], of, { dims }) : of(a, b) }
    },
  }
}

/** Options of {@link rankedPairs}. */
export interface RankedPairsOptions extends SentencesOptions {
  /** The data has a column `negative` as well. Default `false`. */
  readonly negatives?: boolean
  /** Factor of cosines. Default 20. */
  readonly scale?: number
}

/**
 * Pairs of texts that belong together, each among the others of its batch: multiple negatives ranking.
 *
 * @example
 * ```ts
 * await train({ network: await openedNetwork('all-MiniLM-L6-v2'), objective: rankedPairs(), data: await readDataset('questions.jsonl') })
 * ```
 *
 * @remarks The data has the columns `anchor` and `positive` (and `negative`). No batch holds a text twice.
 */
export function rankedPairs({ negatives = false, scale = 20, dims }: RankedPairsOptions = {}): Objective {
  return {
    name: 'ranked pairs',
    leastBatch: 2,
    sampling: 'distinct',
    build(scope) {
      const columns = ['anchor', 'positive', ...(negatives ? ['negative'] : [])]
      const all = columns.map((column) => vectors(scope, column))
      const of = (anchor: Value, positive: Value, ...others: Value[]) =>
        multipleNegativesRanking(anchor, positive, { negatives: others, scale })
      const [anchor, positive, ...others] = all as [Value, Value, ...Value[]]
      const loss = dims
        ? matryoshka(all, (...cut) => of(cut[0]!, cut[1]!, ...cut.slice(2)), { dims })
        : of(anchor, positive, ...others)
      return { loss }
    },
  }
}

/**
 * Single texts, whose second view is another dropout mask: SimCSE (https://arxiv.org/abs/2104.08821).
 *
 * @example
 * ```ts
 * await train({ network: await openedNetwork('all-MiniLM-L6-v2'), objective: singleTexts(), data: await readDataset('lines.csv') })
 * ```
 *
 * @remarks The data has the column `text`. The network needs dropout.
 */
export function singleTexts({ temperature = 0.05 }: { readonly temperature?: number } = {}): Objective {
  return {
    name: 'simcse',
    leastBatch: 2,
    sampling: 'distinct',
    build: (scope) => ({ loss: simCse(vectors(scope, 'text'), vectors(scope, 'text'), { temperature }) }),
  }
}

const vectors = (scope: Scope, column: string): Value => scope.embed(scope.texts(column))

function scaled(scores: Value, factor: number): Value {
  return factor === 1 ? scores : op.mul(scores, factor)
}
