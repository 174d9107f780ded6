// Chooses hard negatives among vectors: near an anchor, and none of its positives.
import { checkCount, is, type OptionTable, PipiloError, throwIfAborted } from '../../base/index.ts'
import { seeded } from '../../nn/index.ts'
import type { Matrix, Neighbor, Vector } from '../../tensor/index.ts'
import { type NearestBlock, nearest } from './products.ts'
import { type Score, scores, type VectorSet, vectorSet } from './vectorSet.ts'

/** Conditions on negatives. */
export interface NegativeOptions {
  /** Negatives of an anchor. Default 3. */
  readonly count?: number
  /**
   * Ranks, among candidates that meet the other conditions, to choose from: from `from` (default 0; more leaves out the nearest, which may be positives that nobody has marked)
   * up to `to`, exclusive. Default `from` + `count` + the most positives of an anchor; ten times `count` where there are other conditions.
   */
  readonly range?: { readonly from?: number; readonly to?: number }
  /** A negative's score is at least this much below that of the anchor's farthest positive. */
  readonly margin?: number
  /** The same, as a share of that score: 0.05 asks for 95% of it at most. */
  readonly relativeMargin?: number
  readonly maxScore?: number
  readonly minScore?: number
  /** `top`: the nearest; `random`: any of those in range. Default `top`. */
  readonly sampling?: 'top' | 'random'
  /** Of `random`. Default 0. */
  readonly seed?: number
  /** Default `cosine`. */
  readonly score?: Score
  readonly signal?: AbortSignal
}

/** Types of {@link NegativeOptions}. */
export const hardNegativesOptions: OptionTable<NegativeOptions> = {
  count: is.count(1),
  range: is.parts<NonNullable<NegativeOptions['range']>>({ from: is.count(0), to: is.count(1) }),
  margin: is.numeric(),
  relativeMargin: is.numeric(),
  maxScore: is.numeric(),
  minScore: is.numeric(),
  sampling: is.oneOf(['top', 'random']),
  seed: is.integer,
  score: is.oneOf(scores),
  signal: is.abortSignal,
}

/** Vectors to choose among. */
export interface NegativeVectors {
  readonly anchors: readonly Vector[] | Matrix
  readonly corpus: readonly Vector[] | Matrix
  /** For each anchor, the indices of its positives in the corpus. */
  readonly positives: readonly (readonly number[])[]
}

/** Negatives of one anchor. */
export interface AnchorNegatives {
  /** Scores of the positives, in the order given. */
  readonly positiveScores: readonly number[]
  /** Best first; fewer than were asked for where there are no more. */
  readonly negatives: readonly Neighbor[]
}

/** See `hardNegatives` in onDemand.ts. */
export async function hardNegatives(
  { anchors, corpus, positives }: NegativeVectors,
  options: NegativeOptions = {},
): Promise<AnchorNegatives[]> {
  const { score = 'cosine', signal } = options
  const asked = vectorSet(anchors, score, 'anchors')
  const searched = vectorSet(corpus, score, 'corpus')
  checkPositives(positives, asked, searched)
  const mostPositives = positives.reduce((most, { length }) => Math.max(most, length), 0)
  const { from, to, count } = rangeOf(options, mostPositives)
  const results: AnchorNegatives[] = []
  for await (const block of nearest(asked, searched, to + mostPositives, signal)) {
    throwIfAborted(signal)
    for (let row = 0; row < block.rows; row++) {
      const anchor = block.first + row
      const own = positives[anchor]!
      const positiveScores = own.map((place) => product(asked, anchor, searched, place))
      const candidates = allowed(block, row, own, positiveScores, options).slice(from, to)
      results.push({ positiveScores, negatives: chosen(candidates, count, anchor, options) })
    }
  }
  return results
}

function checkPositives(
  positives: NegativeVectors['positives'],
  anchors: VectorSet,
  corpus: VectorSet,
): void {
  for (const [name, set] of [
    ['anchors', anchors],
    ['corpus', corpus],
  ] as const) {
    if (set.rows === set.given && set.rows > 0) continue
    const fault = set.given === 0 ? 'are empty' : 'hold vectors with NaN'
    throw new PipiloError('INPUT_INVALID', `The ${name} ${fault}.`, { input: name })
  }
  if (positives.length !== anchors.rows) {
    throw new PipiloError(
      'INPUT_INVALID',
      `There are ${anchors.rows} anchors, and positives of ${positives.length}.`,
      {
        input: 'positives',
      },
    )
  }
  for (const [anchor, own] of positives.entries()) {
    const bad = own.find((place) => !(Number.isInteger(place) && place >= 0 && place < corpus.rows))
    if (own.length > 0 && bad === undefined) continue
    const fault =
      bad === undefined ? 'has no positive' : `has the positive ${bad}, and the corpus ${corpus.rows} vectors`
    throw new PipiloError('INPUT_INVALID', `Anchor ${anchor} ${fault}.`, { input: anchor })
  }
}

function rangeOf(
  options: NegativeOptions,
  mostPositives: number,
): { from: number; to: number; count: number } {
  const { count = 3, range = {}, sampling = 'top', margin, relativeMargin, maxScore, minScore } = options
  checkCount('count', count, 1)
  const isLimited = [margin, relativeMargin, maxScore].some((limit) => limit !== undefined)
  for (const [name, value] of Object.entries({ margin, relativeMargin, maxScore, minScore })) {
    if (value === undefined || Number.isFinite(value)) continue
    throw new PipiloError('OPTION_INVALID', `${name} is ${value}; it has to be a number.`, { input: name })
  }
  if (sampling !== 'top' && sampling !== 'random') {
    throw new PipiloError(
      'OPTION_INVALID',
      `sampling is '${String(sampling)}'; it has to be top or random.`,
      {
        input: 'sampling',
      },
    )
  }
  const { from = 0 } = range
  const to = range.to ?? from + count * (isLimited ? 10 : 1) + mostPositives
  checkCount('range.from', from, 0)
  checkCount('range.to', to, 1)
  if (to - from >= count) return { from, to, count }
  throw new PipiloError(
    'OPTION_INVALID',
    `The ranks from ${from} to ${to} are fewer than ${count} negatives.`,
    {
      input: 'range',
    },
  )
}

/** Product of two rows, in float32 as the scores of a block are. */
function product(a: VectorSet, i: number, b: VectorSet, j: number): number {
  let sum = 0
  for (let k = 0; k < a.columns; k++) sum += a.data[i * a.columns + k]! * b.data[j * b.columns + k]!
  return Math.fround(sum)
}

function allowed(
  { count, indices, scores }: NearestBlock,
  row: number,
  own: readonly number[],
  positiveScores: readonly number[],
  { margin, relativeMargin, maxScore, minScore }: NegativeOptions,
): Neighbor[] {
  const positives = new Set(own)
  // The farthest positive is the safe one to measure by.
  const positive = Math.min(...positiveScores)
  // Every step in float32, as the scores are.
  const share =
    relativeMargin === undefined ? 0 : Math.fround(Math.abs(positive) * Math.fround(relativeMargin))
  const highest = Math.min(
    Math.fround(maxScore ?? Number.POSITIVE_INFINITY),
    relativeMargin === undefined ? Number.POSITIVE_INFINITY : Math.fround(positive - share),
  )
  const lowest = Math.fround(minScore ?? Number.NEGATIVE_INFINITY)
  const all: Neighbor[] = []
  for (let at = row * count; at < (row + 1) * count; at++) {
    const [index, score] = [indices[at]!, scores[at]!]
    if (positives.has(index) || score > highest || score < lowest) continue
    if (margin !== undefined && Math.fround(score + Math.fround(margin)) > positive) continue
    all.push({ index, score })
  }
  return all
}

function chosen(
  candidates: readonly Neighbor[],
  count: number,
  anchor: number,
  { sampling, seed = 0 }: NegativeOptions,
): Neighbor[] {
  if (sampling !== 'random' || candidates.length <= count) return candidates.slice(0, count)
  const random = seeded(seed, `negatives of ${anchor}`)
  const places = candidates.map((_, i) => i)
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(random.uniform() * (places.length - i))
    ;[places[i], places[other]] = [places[other]!, places[i]!]
  }
  return places
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((place) => candidates[place]!)
}
