import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { matrixOf, topK } from '../../tensor/index.ts'
import {
  communityDetection,
  hardNegatives,
  mineHardNegatives,
  paraphraseMining,
  semanticSearch,
} from '../onDemand.ts'
import type { NegativeOptions } from './hardNegatives.ts'
import type { MineHardNegativesOptions } from './mineHardNegatives.ts'

type Mined = [
  anchor: string,
  positive: string,
  negative: string,
  positiveScore: number,
  negativeScore: number,
]
interface Reference {
  queries: number[][]
  corpus: number[][]
  search: Record<'cosine' | 'dot', [number, number][][]>
  pairs: { few: [number, number, number][]; all: [number, number, number][]; count: number }
  communities: Record<string, number[][]>
  pairsOfTexts: [string[], string[]]
  negatives: Record<string, Mined[]>
}
// Made by testdata/mining.py with sentence-transformers.
const reference: Reference = JSON.parse(
  readFileSync(new URL('testdata/mining.json', import.meta.url), 'utf8'),
)
const vectorsOf = (rows: number[][]) => rows.map((row) => Float32Array.from(row, (value) => value / 1000))
const queries = vectorsOf(reference.queries)
const corpus = vectorsOf(reference.corpus)
/** Scores agree to a few units in the last place of float32: sums are in another order. */
const DIGITS = 5

/** Seeded by a formula; `levels` makes equal ones frequent. */
const formula = (rows: number, columns: number, levels: number) =>
  matrixOf(
    Array.from({ length: rows }, (_, i) =>
      Array.from({ length: columns }, (_, j) =>
        Math.round(levels * Math.sin(1 + i * 12.9898 + j * 78.233 + i * j)),
      ),
    ),
  )

describe('semanticSearch', () => {
  it('finds what sentence-transformers finds, in its order', async () => {
    for (const score of ['cosine', 'dot'] as const) {
      const found = await semanticSearch(queries, corpus, { k: 5, score })
      for (const [q, hits] of reference.search[score].entries()) {
        expect(found[q]!.map(({ index }) => index)).toEqual(hits.map(([index]) => index))
        for (const [i, [, wanted]] of hits.entries()) expect(found[q]![i]!.score).toBeCloseTo(wanted, DIGITS)
      }
    }
  })

  it('is the same over blocks as one by one; of equal scores the lower index comes first', async () => {
    // More than a block of queries and two of the corpus; directions repeat, so that scores are equal often.
    const many = formula(9000, 3, 2)
    const some = formula(1100, 3, 2)
    const found = await semanticSearch(some, many, { k: 7, score: 'dot' })
    for (const q of [0, 1, 1023, 1024, 1099]) {
      const scores = Array.from({ length: many.rows }, (_, i) =>
        [0, 1, 2].reduce((sum, k) => sum + some.data[q * 3 + k]! * many.data[i * 3 + k]!, 0),
      )
      const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b)
      expect(found[q]).toEqual(order.slice(0, 7).map((index) => ({ index, score: scores[index]! })))
    }
    const [query] = queries
    const [hits] = await semanticSearch([query!], corpus, { k: 70 })
    expect(hits!.map(({ index }) => index)).toEqual(topK(query!, corpus, 70).map(({ index }) => index))
  })

  it('leaves out vectors with NaN, and finds less where there is less', async () => {
    const bad = Float32Array.of(Number.NaN, 1)
    const found = await semanticSearch([bad, [1, 0]], [[0, 1], bad, [1, 1], [0, 0]], { k: 10 })
    expect(found[0]).toEqual([])
    expect(found[1]!.map(({ index }) => index)).toEqual([2, 0, 3])
    expect(await semanticSearch([[1, 0]], [])).toEqual([[]])
    expect(await semanticSearch([], [[1, 0]])).toEqual([])
  })

  it('refuses what cannot be compared', async () => {
    await expect(semanticSearch([[1, 0]], [[1, 0, 0]])).rejects.toMatchObject({ code: 'DIMENSION_MISMATCH' })
    await expect(semanticSearch([[1, 0], [1]], [[1, 0]])).rejects.toThrow(
      'Vector 1 of the queries has 1 numbers',
    )
    await expect(semanticSearch([[1]], [[1]], { k: 0 })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    const wrong = { score: 'cosin' } as object
    await expect(semanticSearch([[1]], [[1]], wrong)).rejects.toThrow("score is 'cosin'")
    await expect(semanticSearch([[3e38]], [[3e38]], { score: 'dot' })).rejects.toMatchObject({
      code: 'RESULT_INVALID',
    })
    const signal = AbortSignal.abort()
    await expect(semanticSearch([[1]], [[1]], { signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('paraphraseMining', () => {
  it('finds the pairs of sentence-transformers, in its order', async () => {
    const few = await paraphraseMining(corpus, { k: 3, maxPairs: 20 })
    const all = await paraphraseMining(corpus)
    expect(all).toHaveLength(reference.pairs.count)
    for (const [found, wanted] of [
      [few, reference.pairs.few],
      [all.slice(0, 200), reference.pairs.all],
    ] as const) {
      expect(found.map(({ a, b }) => [a, b])).toEqual(wanted.map(([a, b]) => [a, b]))
      for (const [i, { score }] of found.entries()) expect(score).toBeCloseTo(wanted[i]![2], DIGITS)
    }
  })

  it('keeps of equal pairs those with lower indices', async () => {
    const same = Array.from({ length: 6 }, () => [1, 0])
    const pairs = await paraphraseMining(same, { maxPairs: 4 })
    expect(pairs.map(({ a, b }) => `${a}${b}`)).toEqual(['01', '02', '03', '04'])
    expect(
      await paraphraseMining([
        [1, 0],
        [Number.NaN, 0],
        [1, 1],
      ]),
    ).toMatchObject([{ a: 0, b: 2 }])
    expect(await paraphraseMining([])).toEqual([])
  })
})

describe('communityDetection', () => {
  it('finds the communities of sentence-transformers, in its order', async () => {
    for (const [name, wanted] of Object.entries(reference.communities)) {
      const [threshold, minSize] = name.split('/').map(Number)
      expect(await communityDetection(corpus, { threshold: threshold!, minSize: minSize! }), name).toEqual(
        wanted,
      )
    }
  })

  it('puts equals in the order of their indices, after the centre', async () => {
    const two = Array.from({ length: 9 }, (_, i) => (i % 3 === 0 ? [1, 0] : [0, 1]))
    expect(await communityDetection(two, { minSize: 3 })).toEqual([
      [1, 2, 4, 5, 7, 8],
      [0, 3, 6],
    ])
    expect(await communityDetection(two, { minSize: 10 })).toEqual([])
    await expect(communityDetection(two, { threshold: 75 })).rejects.toThrow('a number from -1 to 1')
  })
})

describe('mineHardNegatives', () => {
  const [anchors, positives] = reference.pairsOfTexts
  const texts = corpus.map((_, i) => `c${i}`)
  /** Gives the vector that a text names, as the script's model does, and notes the prompts. */
  const prompts: (string | undefined)[] = []
  const embedder = {
    card: { text: { maxLength: 8, prompts: { query: 'query: ' } } },
    embed: async (inputs: readonly string[], { prompt }: { prompt?: string } = {}) => {
      prompts.push(prompt)
      return {
        vectors: inputs.map((text) => (text.startsWith('a') ? queries : corpus)[Number(text.slice(1))]!),
      }
    },
  } as unknown as MineHardNegativesOptions['embedder']
  const cases: Record<string, NegativeOptions & { corpus?: readonly string[] }> = {
    default: { corpus: texts },
    positives: {},
    margin: { corpus: texts, margin: 0.1, count: 4 },
    relative: { corpus: texts, relativeMargin: 0.05, count: 4, range: { to: 30 } },
    scores: { corpus: texts, maxScore: 0.6, minScore: 0.2 },
    range: { corpus: texts, range: { from: 3, to: 9 }, count: 5 },
  }

  it.each(Object.keys(cases))('chooses as sentence-transformers does: %s', async (name) => {
    const { triplets } = await mineHardNegatives({ anchors, positives, embedder, ...cases[name]! })
    const wanted = reference.negatives[name]!
    expect(wanted.length).toBeGreaterThan(10)
    expect(triplets.map(({ anchor, positive, negative }) => [anchor, positive, negative])).toEqual(
      wanted.map((row) => row.slice(0, 3)),
    )
    for (const [i, { scores }] of triplets.entries()) {
      expect(scores[0]).toBeCloseTo(wanted[i]![3], DIGITS)
      expect(scores[1]).toBeCloseTo(wanted[i]![4], DIGITS)
    }
    expect(prompts.slice(-2)).toEqual(['query', undefined])
  })

  it('says how many are missing, and refuses what makes no sense', async () => {
    const strict = await mineHardNegatives({ anchors, positives, embedder, maxScore: -0.9 })
    expect([strict.triplets.length, strict.missing]).toEqual([0, 3 * 12])
    const mine = (options: object) => mineHardNegatives({ anchors, positives, embedder, ...options })
    await expect(mine({ positives: [] })).rejects.toThrow('13 anchors and 0 positives')
    await expect(mine({ range: { from: 5, to: 7 } })).rejects.toThrow('from 5 to 7 are fewer than 3')
    await expect(mine({ count: 0 })).rejects.toThrow('count is 0')
    await expect(mine({ margin: Number.NaN })).rejects.toThrow('margin is NaN')
    await expect(mine({ sampling: 'best' })).rejects.toThrow('one of top, random')
  })

  it('chooses at random among those in range, the same for a seed', async () => {
    const vectors = { anchors: queries, corpus, positives: queries.map((_, i) => [i]) }
    const range = { from: 2, to: 12 }
    const options = { count: 4, range, sampling: 'random' } as const
    const [allowed, first, again, other] = await Promise.all([
      hardNegatives(vectors, { count: 10, range }),
      hardNegatives(vectors, { ...options, seed: 1 }),
      hardNegatives(vectors, { ...options, seed: 1 }),
      hardNegatives(vectors, { ...options, seed: 2 }),
    ])
    expect(first).toEqual(again)
    expect(first).not.toEqual(other)
    for (const [i, { negatives }] of first.entries()) {
      const indices = negatives.map(({ index }) => index)
      const inRange = allowed[i]!.negatives.map(({ index }) => index)
      expect(indices).toEqual(inRange.filter((index) => indices.includes(index)))
      expect(indices).toHaveLength(4)
    }
    await expect(hardNegatives({ ...vectors, positives: [[1]] })).rejects.toThrow(
      '9 anchors, and positives of 1',
    )
    const bad = { ...vectors, positives: queries.map(() => [70]) }
    await expect(hardNegatives(bad)).rejects.toThrow('Anchor 0 has the positive 70')
    const none = { ...vectors, positives: queries.map(() => []) }
    await expect(hardNegatives(none)).rejects.toThrow('Anchor 0 has no positive')
    const holed = { ...vectors, anchors: queries.map(() => [Number.NaN]) }
    await expect(hardNegatives(holed)).rejects.toThrow('The anchors hold vectors with NaN')
  })
})
