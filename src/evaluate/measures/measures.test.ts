import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Matrix, row } from '../../tensor/index.ts'
import { bootstrap } from './bootstrap.ts'
import { classificationMeasures } from './classification.ts'
import { clusterMeasures } from './clusters.ts'
import { pearson, ranks, spearman } from './correlation.ts'
import { kMeans } from './kMeans.ts'
import { linearProbe, logisticRegression } from './logisticRegression.ts'
import { nearestNeighbors } from './nearestNeighbors.ts'
import { rankingMeasures } from './ranking.ts'
import { alignment, anisotropy, hubness, rankMe, uniformity } from './space.ts'

// Made by testdata/measures_reference.py with scikit-learn, SciPy and pytrec-eval-terrier.
const reference = JSON.parse(readFileSync(new URL('testdata/measures.json', import.meta.url), 'utf8'))
const given = reference.vectors
const matrix = (numbers: number[]): Matrix => ({
  rows: numbers.length / given.columns,
  columns: given.columns,
  data: Float32Array.from(numbers),
})
const [vectors, asked] = [matrix(given.vectors), matrix(given.asked)]

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6): void {
  expect(found).toHaveLength(expected.length)
  for (let i = 0; i < expected.length; i++) expect(Math.abs(found[i]! - expected[i]!)).toBeLessThan(tolerance)
}

describe('correlation', () => {
  const { a, b, ...expected } = reference.correlation
  it('is SciPy’s', () => {
    expect(pearson(a, b)).toBeCloseTo(expected.pearson, 12)
    expect(spearman(a, b)).toBeCloseTo(expected.spearman, 12)
    expect([...ranks(a)]).toEqual(expected.ranks)
  })
  it('does not change with scale and shift, nor Spearman’s with any rising function', () => {
    const list = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 3, maxLength: 30 })
    fc.assert(
      fc.property(list, fc.integer({ min: 1, max: 9 }), (numbers, scale) => {
        fc.pre(new Set(numbers).size > 1)
        const other = numbers.map((value, i) => value * ((i % 3) - 1) + i)
        fc.pre(new Set(other).size > 1)
        const moved = other.map((value) => scale * value - 7)
        expect(pearson(numbers, moved)).toBeCloseTo(pearson(numbers, other), 9)
        expect(
          spearman(
            numbers,
            other.map((value) => value ** 3),
          ),
        ).toBeCloseTo(spearman(numbers, other), 9)
      }),
    )
  })
  it('holds for huge and tiny numbers', () => {
    expect(pearson([1e200, 2e200, 4e200], [1, 2, 4])).toBeCloseTo(1, 12)
    expect(pearson([1e-200, 2e-200, 4e-200], [4, 2, 1])).toBeCloseTo(pearson([1, 2, 4], [4, 2, 1]), 12)
  })
  it.each([
    ['unlike lengths', [1, 2], [1, 2, 3], /a has 2 elements and b has 3/],
    ['one pair', [1], [2], /a has 1 element; at least 2/],
    ['NaN', [1, Number.NaN], [1, 2], /Element 1 of a is NaN/],
    ['the same numbers', [1, 2], [3, 3], /All numbers of b are 3/],
  ])('refuses %s', (_, x, y, message) => {
    expect(() => pearson(x, y)).toThrowError(
      expect.objectContaining({ code: 'INPUT_INVALID', message: expect.stringMatching(message) }),
    )
  })
})

describe('rankings', () => {
  const { relevant, results, queries } = reference.ranking
  const judged = new Map(
    Object.entries<Record<string, number>>(relevant).map(([query, grades]) => [
      query,
      new Map(Object.entries(grades)),
    ]),
  )
  it('are measured as by trec_eval', () => {
    const found = rankingMeasures(new Map(Object.entries<string[]>(results)), judged)
    for (const [query, expected] of Object.entries<Record<string, number>>(queries)) {
      for (const [name, value] of Object.entries(expected))
        expect(found.queries.get(query)![name]).toBeCloseTo(value, 9)
    }
    const means = Object.values<Record<string, number>>(queries)
    const mean = means.reduce((sum, one) => sum + one['ndcg@10']!, 0) / means.length
    expect(found.mean['ndcg@10']).toBeCloseTo(mean, 9)
  })
  it('of a query with grades of 0 only are 0, as by trec_eval', () => {
    const { relevant, results, mean } = reference.unanswerable
    const grades = Object.entries<Record<string, number>>(relevant).map(
      ([query, judged]) => [query, new Map(Object.entries(judged))] as const,
    )
    const found = rankingMeasures(new Map(Object.entries<string[]>(results)), new Map(grades), { at: [10] })
    for (const [name, value] of Object.entries<number>(mean)) expect(found.mean[name]).toBeCloseTo(value, 9)
    expect(found.queries.get('nothing')).toMatchObject({ map: 0, mrr: 0, 'ndcg@10': 0, 'recall@10': 0 })
  })
  it('count a query without results as 0, and leave out one without judgements', () => {
    const relevant = new Map([
      ['a', new Map([['x', 1]])],
      ['b', new Map([['x', 0]])],
      ['c', new Map<string, number>()],
    ])
    const { mean, queries } = rankingMeasures(new Map(), relevant, { at: [1] })
    expect([...queries.keys()]).toEqual(['a', 'b'])
    expect(mean).toEqual({ 'recall@1': 0, 'precision@1': 0, 'ndcg@1': 0, 'map@1': 0, map: 0, mrr: 0 })
  })
  it('refuses a document twice, and judgements of nothing', () => {
    const relevant = new Map([['a', new Map([['x', 1]])]])
    expect(() => rankingMeasures(new Map([['a', ['x', 'x']]]), relevant)).toThrow(/name a document twice/)
    expect(() => rankingMeasures(new Map(), new Map())).toThrow(/No query has a relevant document/)
    expect(() => rankingMeasures(new Map(), relevant, { at: [0] })).toThrowError(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
  })
})

it('Predicted classes are measured as by scikit-learn.', () => {
  const { labels, predictions, confusion, ...expected } = reference.classification
  const found = classificationMeasures(predictions, labels)
  for (const [name, value] of Object.entries(expected))
    expect(found[name as 'accuracy']).toBeCloseTo(value as number, 12)
  expect(found.confusion.map((counts) => [...counts])).toEqual(confusion)
  const years = (list: number[]) => list.map((label) => 7 + 20_000_000 * label)
  const far = classificationMeasures(years(predictions), years(labels))
  expect(far).toEqual({ ...found, classes: years([...found.classes]) })
})

describe('clusters', () => {
  it('are compared with classes as by scikit-learn', () => {
    const { clusters, classes, ...expected } = reference.clusters
    const found = clusterMeasures(clusters, classes)
    for (const [name, value] of Object.entries(expected))
      expect(found[name as 'vMeasure']).toBeCloseTo(value as number, 12)
  })
  it('of large numbers are compared as those of small ones', () => {
    const { clusters, classes } = reference.clusters
    const large = (list: number[]) => list.map((label) => 1_000_000 * (label + 1))
    expect(clusterMeasures(large(clusters), large(classes))).toEqual(clusterMeasures(clusters, classes))
  })
  it('that are the classes under other names agree wholly', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 40 }), (classes) => {
        const found = clusterMeasures(
          classes.map((label) => 4 - label),
          classes,
        )
        for (const value of Object.values(found)) expect(value).toBeCloseTo(1, 9)
      }),
    )
  })
  it('of k-means from given centres are scikit-learn’s', async () => {
    const centers = Array.from({ length: 3 }, (_, i) => row(vectors, i))
    const found = await kMeans(vectors, { k: 3, centers })
    expect([...found.labels]).toEqual(given.kMeans.labels)
    expectClose(found.centers.data, given.kMeans.centers)
    expect(found.inertia).toBeCloseTo(given.kMeans.inertia, 4)
    const [best, again] = [
      await kMeans(vectors, { k: 4, starts: 5 }),
      await kMeans(vectors, { k: 4, starts: 5 }),
    ]
    expect(best).toEqual(again)
    expect(best.inertia).toBeLessThan(found.inertia)
  })
  it('may be as many as vectors that are all the same', async () => {
    const same = Array.from({ length: 3 }, () => Float32Array.of(1, 2))
    expect((await kMeans(same, { k: 3 })).inertia).toBe(0)
    await expect(kMeans(same, { k: 4 })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe('nearest neighbours', () => {
  it.each(['uniform', 'distance'] as const)('vote as in scikit-learn, weights %s', async (weights) => {
    const found = await nearestNeighbors({ vectors, labels: given.labels }, asked, { weights })
    expectClose(found.probabilities, given[`neighbors.${weights}`], 2e-6)
  })
  it('of a vector among the known are the others', async () => {
    const twice = [...Array.from({ length: 60 }, (_, i) => row(vectors, i)), row(vectors, 0)]
    const found = await nearestNeighbors({ vectors: twice, labels: [...given.labels, 3] }, undefined, {
      k: 1,
    })
    expect(found.predictions[0]).toBe(3)
    expect(found.predictions[60]).toBe(given.labels[0])
  })
  it('need as many vectors, and two classes', async () => {
    const few = { vectors: [row(vectors, 0), row(vectors, 1)], labels: [0, 1] }
    await expect(nearestNeighbors(few, asked)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(nearestNeighbors({ ...few, labels: [1, 1] }, asked, { k: 1 })).rejects.toThrow(/one class/)
    const broken = { vectors: [Float32Array.of(1, Number.NaN), Float32Array.of(1, 2)], labels: [0, 1] }
    await expect(nearestNeighbors(broken, undefined, { k: 1 })).rejects.toThrow(/Row 0 of known holds NaN/)
  })
})

describe('logistic regression', () => {
  it.each(['pair', 'all'])('has scikit-learn’s minimum, classes: %s', async (name) => {
    const { rows, coef, intercept, probabilities } = given[`logistic.${name}`]
    const chosen = {
      vectors: rows.map((i: number) => row(vectors, i)),
      labels: rows.map((i: number) => given.labels[i]),
    }
    const found = await logisticRegression(chosen, { c: 0.5, tolerance: 1e-9 })
    expect(found.converged).toBe(true)
    expectClose(found.probabilities(asked), probabilities)
    if (name === 'pair') {
      const { weight, bias } = found
      expectClose(
        weight.slice(6).map((value, i) => value - weight[i]!),
        coef,
      )
      expect(bias[1]! - bias[0]!).toBeCloseTo(intercept[0], 6)
    } else expectClose(found.weight, coef)
  })
  it('knows only labels that occur', async () => {
    const labels = given.labels.map((label: number) => 3 * label + 1)
    const found = await logisticRegression({ vectors, labels })
    expect(found.labels).toEqual([1, 4, 7, 10])
    expect([...found.predict(vectors)].every((label) => found.labels.includes(label))).toBe(true)
    expect(() => found.predict([Float32Array.of(1)])).toThrowError(
      expect.objectContaining({ code: 'DIMENSION_MISMATCH' }),
    )
  })
  it('as a probe chooses its strength by data held out', async () => {
    const found = await linearProbe({ vectors, labels: given.labels }, { strengths: [1e-6, 1] })
    expect(found.c).toBe(1)
    const three = { vectors: [0, 1, 2].map((i) => row(vectors, i)), labels: [0, 1, 2] }
    await expect(linearProbe(three)).rejects.toThrow(/Of 3 rows in 3 classes .* a class needs two rows/)
    await expect(
      linearProbe({ vectors, labels: vectors.data.slice(0, 60).map(() => 2) }),
    ).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
  })
})

it('The space is described by its definitions.', async () => {
  const { space } = reference
  const first = Array.from({ length: 20 }, (_, i) => row(vectors, i))
  expect(alignment(first, asked)).toBeCloseTo(space.alignment, 5)
  expect(uniformity(vectors)).toBeCloseTo(space.uniformity, 5)
  expect(anisotropy(vectors)).toBeCloseTo(space.anisotropy, 5)
  const { skewness, orphans, largest } = await hubness(vectors, { k: 5 })
  expect(skewness).toBeCloseTo(space.skewness, 9)
  expect([orphans, largest]).toEqual([space.orphans, space.largest])
  expect(await rankMe(vectors)).toBeCloseTo(space.rankMe, 9)
})

it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('The space is not described with %s.', (number) => {
  const refused = expect.objectContaining({ code: 'OPTION_INVALID' })
  expect(() => alignment(vectors, vectors, { alpha: number })).toThrowError(refused)
  expect(() => uniformity(vectors, { t: number })).toThrowError(refused)
})

describe('RankMe', () => {
  const eye = (count: number) =>
    Array.from({ length: count }, (_, i) => Float32Array.from({ length: 9 }, (_, j) => +(i === j)))
  it('is the number of directions that are filled evenly, however many vectors there are', async () => {
    expect(await rankMe(eye(9))).toBeCloseTo(9, 9)
    expect(await rankMe(eye(4))).toBeCloseTo(4, 9)
    expect(await rankMe([...eye(4), ...eye(4)])).toBeCloseTo(4, 9)
    expect(
      await rankMe([
        [1, 2],
        [2, 4],
        [-3, -6],
      ]),
    ).toBeCloseTo(1, 6)
  })
  it('refuses zeros, NaN and nothing', async () => {
    for (const broken of [[[0, 0]], [[1, Number.NaN]], []])
      await expect(rankMe(broken)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe('bootstrap', () => {
  it('holds the mean about as often as it says, and is the same for a seed', () => {
    let held = 0
    for (let trial = 0; trial < 60; trial++) {
      const numbers = Array.from({ length: 40 }, (_, i) => Math.sin(1000 * Math.sin(trial * 40 + i)))
      const { low, high } = bootstrap(numbers, undefined, { confidence: 0.9, resamples: 300, seed: trial })
      if (low <= 0 && 0 <= high) held++
    }
    expect(held).toBeGreaterThan(45)
    expect(bootstrap([1, 2, 3])).toEqual(bootstrap([1, 2, 3]))
    expect(bootstrap([2, 2])).toEqual({ low: 2, high: 2 })
  })
  it('draws again what has no measure', () => {
    const { low } = bootstrap(4, (rows) => spearman(rows, rows))
    expect(low).toBeCloseTo(1, 12)
    expect(() => bootstrap([])).toThrow(/no examples/)
    expect(() => bootstrap([1, Number.NaN])).toThrowError(
      expect.objectContaining({
        code: 'INPUT_INVALID',
        message: expect.stringMatching(/Element 1 of examples is NaN/),
      }),
    )
    expect(bootstrap(2, ([first]) => (first === 0 ? Number.NaN : 1))).toEqual({ low: 1, high: 1 })
  })
})
