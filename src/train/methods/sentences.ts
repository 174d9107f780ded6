/** Sentence embeddings: from scored or labelled pairs, from pairs and triplets that belong together, or from single texts. */

import { checkOptions, is, type OptionTable, PipiloError } from '../../base/index.ts'
import { op, type Value } from '../../graph/index.ts'
import type { Objective, Scope } from '../objective.ts'
import { type ContrastiveOptions, contrastive } from '../objectives/contrastive.ts'
import { matryoshka } from '../objectives/matryoshka.ts'
import { multipleNegativesRanking, simCse } from '../objectives/multipleNegatives.ts'
import { coSent, cosineSimilarityLoss } from '../objectives/similarityScores.ts'
import { type TripletOptions, tripletLoss } from '../objectives/triplet.ts'

const labelledPairsTypes: OptionTable<LabelledPairsOptions> = {
  dims: is.listOf(is.count(1), 1),
  margin: is.numeric(),
  distance: is.any,
}

const rankedPairsTypes: OptionTable<RankedPairsOptions> = {
  dims: is.listOf(is.count(1), 1),
  negatives: is.flag,
  scale: is.numeric(),
}

const scoredPairsTypes: OptionTable<ScoredPairsOptions> = {
  dims: is.listOf(is.count(1), 1),
  loss: is.oneOf(['cosine', 'cosent']),
  scale: is.numeric(),
}

const singleTextsTypes: OptionTable<SingleTextsOptions> = {
  dims: is.listOf(is.count(1), 1),
  temperature: is.numeric(0),
}

const textTripletsTypes: OptionTable<TextTripletsOptions> = {
  dims: is.listOf(is.count(1), 1),
  margin: is.numeric(),
  distance: is.any,
}

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
export function scoredPairs(given: ScoredPairsOptions = {}): Objective {
  checkOptions('scoredPairs', given, scoredPairsTypes)
  const { loss = 'cosine', scale = 1, dims } = given
  return {
    name: `scored pairs (${loss})`,
    build(scope) {
      const [a, b] = [vectors(scope, 'sentence1'), vectors(scope, 'sentence2')]
      const scores = scaled(scope.numbers('score'), 1 / scale)
      const of = (x: Value, y: Value) =>
        loss === 'cosine' ? cosineSimilarityLoss(x, y, scores) : coSent(x, y, scores)
      return { loss: atWidths([a, b], of, dims) }
    },
  }
}

/** Options of {@link labelledPairs}. */
export interface LabelledPairsOptions extends SentencesOptions, ContrastiveOptions {}

/**
 * Pairs of texts of which a label says whether they belong together (1) or not (0): the contrastive loss.
 *
 * @example
 * ```ts
 * const data = await readDataset('duplicates.csv')      // sentence1,sentence2,label
 * await train({ network: await openedNetwork('all-MiniLM-L6-v2'), objective: labelledPairs({ margin: 0.5 }), data })
 * ```
 *
 * @remarks The data has the columns `sentence1`, `sentence2` and `label`, whose classes are `0` and `1`.
 *
 * @throws `INPUT_INVALID` for other classes
 */
export function labelledPairs(given: LabelledPairsOptions = {}): Objective {
  checkOptions('labelledPairs', given, labelledPairsTypes)
  const { dims, ...options } = given
  return {
    name: 'labelled pairs',
    build(scope) {
      checkTwoClasses(scope)
      const [a, b] = [vectors(scope, 'sentence1'), vectors(scope, 'sentence2')]
      const labels = scope.labels()
      return { loss: atWidths([a, b], (x, y) => contrastive(x, y, labels, options), dims) }
    },
  }
}

/** Names of classes are put in order: which of them means that two texts belong together, only 0 and 1 say. */
function checkTwoClasses({ classes }: Scope): void {
  if (classes === undefined || classes.every((name, index) => index < 2 && name === String(index))) return
  throw new PipiloError('INPUT_INVALID', `The labels of the pairs are ${classes.slice(0, 5).join(', ')}.`, {
    input: 'label',
    hint: 'Write 1 for pairs that belong together and 0 for others.',
  })
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
export function rankedPairs(given: RankedPairsOptions = {}): Objective {
  checkOptions('rankedPairs', given, rankedPairsTypes)
  const { negatives = false, scale = 20, dims } = given
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
      return { loss: atWidths([anchor, positive, ...others], of, dims) }
    },
  }
}

/** Options of {@link textTriplets}. */
export interface TextTripletsOptions extends SentencesOptions, TripletOptions {}

/**
 * Triplets of texts: an anchor, one that belongs to it, and one that does not; the triplet loss, which looks at no other rows of the batch.
 *
 * @example
 * ```ts
 * await train({ network: await openedNetwork('all-MiniLM-L6-v2'), objective: textTriplets({ margin: 1 }), data: await readDataset('triplets.csv') })
 * ```
 *
 * @remarks
 * The data has the columns `anchor`, `positive` and `negative`. {@link rankedPairs} with `negatives: true` mostly learns more from the same data, as
 * it tells each anchor from the whole batch.
 */
export function textTriplets(given: TextTripletsOptions = {}): Objective {
  checkOptions('textTriplets', given, textTripletsTypes)
  const { dims, ...options } = given
  return {
    name: 'text triplets',
    build(scope) {
      const all = ['anchor', 'positive', 'negative'].map((column) => vectors(scope, column))
      const of = (anchor: Value, positive: Value, negative: Value) =>
        tripletLoss(anchor, positive, negative, options)
      return { loss: atWidths(all as [Value, Value, Value], of, dims) }
    },
  }
}

/** Options of {@link singleTexts}. */
export interface SingleTextsOptions extends SentencesOptions {
  /** Default 0.05. */
  readonly temperature?: number
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
export function singleTexts(given: SingleTextsOptions = {}): Objective {
  checkOptions('singleTexts', given, singleTextsTypes)
  const { temperature = 0.05, dims } = given
  return {
    name: 'simcse',
    leastBatch: 2,
    sampling: 'distinct',
    build(scope) {
      const of = (first: Value, second: Value) => simCse(first, second, { temperature })
      return { loss: atWidths([vectors(scope, 'text'), vectors(scope, 'text')], of, dims) }
    },
  }
}

/** A loss of embeddings, or the sum of it over several widths. */
function atWidths<const Embeddings extends readonly Value[]>(
  embeddings: Embeddings,
  loss: (...embeddings: { -readonly [Key in keyof Embeddings]: Value }) => Value,
  dims: readonly number[] | undefined,
): Value {
  if (dims) return matryoshka(embeddings, loss, { dims })
  return loss(...([...embeddings] as { -readonly [Key in keyof Embeddings]: Value }))
}

const vectors = (scope: Scope, column: string): Value => scope.embed(scope.texts(column))

function scaled(scores: Value, factor: number): Value {
  return factor === 1 ? scores : op.mul(scores, factor)
}
