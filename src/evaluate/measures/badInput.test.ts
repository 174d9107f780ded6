import { describe, expect, it } from 'vitest'
import { seeded } from '../../nn/index.ts'
import {
  alignment,
  anisotropy,
  bootstrap,
  classificationMeasures,
  clusterMeasures,
  compareEmbeddings,
  fewShot,
  hubness,
  kMeans,
  linearProbe,
  logisticRegression,
  nearestNeighbors,
  rankMe,
  spearman,
  suspects,
  uniformity,
  zeroShotPredictions,
} from '../index.ts'

const random = seeded(5, 'bad input')
const draw = (rows: number, columns: number) =>
  Array.from({ length: rows }, () => Float32Array.from({ length: columns }, () => random.normal()))
const halves = (rows: number) => Array.from({ length: rows }, (_, i) => i % 2)
const invalid = { code: 'INPUT_INVALID' }

type Vectors = readonly Float32Array[]
/** Everything that takes vectors, some with labels. */
const takers: Readonly<Record<string, (vectors: Vectors, labels: readonly number[]) => unknown>> = {
  nearestNeighbors: (vectors, labels) => nearestNeighbors({ vectors, labels }, undefined, { k: 2 }),
  logisticRegression: (vectors, labels) => logisticRegression({ vectors, labels }),
  linearProbe: (vectors, labels) => linearProbe({ vectors, labels }, { strengths: [1] }),
  fewShot: (vectors, labels) => fewShot({ vectors, labels }, { shots: 1, episodes: 2 }),
  suspects: (vectors, labels) => suspects({ vectors, labels }, { k: 2 }),
  kMeans: (vectors) => kMeans(vectors, { k: 2 }),
  hubness: (vectors) => hubness(vectors, { k: 2 }),
  rankMe: (vectors) => rankMe(vectors),
  uniformity: (vectors) => uniformity(vectors),
  anisotropy: (vectors) => anisotropy(vectors),
  alignment: (vectors) => alignment(vectors, vectors),
  compareEmbeddings: (vectors) => compareEmbeddings(vectors, vectors, { k: 2 }),
  zeroShotPredictions: (vectors) => zeroShotPredictions(vectors, [draw(1, 4), draw(1, 4)]),
}
const names = Object.keys(takers)
const withLabels = ['nearestNeighbors', 'logisticRegression', 'linearProbe', 'fewShot', 'suspects']
/** What was thrown, at once or later. */
const outcome = async (name: string, vectors: Vectors, labels: readonly number[]) =>
  takers[name]!(vectors, labels)

describe('rows with NaN', () => {
  it.each(names)('are refused by %s, which names the row', async (name) => {
    const vectors = draw(12, 4)
    vectors[7]![2] = Number.NaN
    await expect(outcome(name, vectors, halves(12))).rejects.toMatchObject({ ...invalid, input: 7 })
  })
})

describe('nothing', () => {
  it.each(names.filter((name) => name !== 'zeroShotPredictions'))('is refused by %s', async (name) => {
    await expect(outcome(name, [], [])).rejects.toMatchObject(invalid)
  })
  it('is refused by measures of labels, and is classified as nothing', async () => {
    expect(() => classificationMeasures([], [])).toThrow(/at least 1/)
    expect(() => clusterMeasures([], [])).toThrow(/at least 1/)
    expect(() => spearman([], [])).toThrow(/at least 2/)
    expect(() => bootstrap([])).toThrow(/no examples/)
    expect(await zeroShotPredictions([], [draw(1, 4), draw(1, 4)])).toHaveLength(0)
  })
})

describe('one class only', () => {
  it.each(withLabels)('is refused by %s', async (name) => {
    const told = outcome(
      name,
      draw(12, 4),
      halves(12).map(() => 1),
    )
    await expect(told).rejects.toMatchObject(invalid)
  })
  it('is one row of confusion, and one part', () => {
    expect(classificationMeasures([0, 0], [0, 0])).toMatchObject({
      accuracy: 1,
      balancedAccuracy: 1,
      macroF1: 1,
    })
    expect(clusterMeasures([0, 0], [0, 0])).toMatchObject({ vMeasure: 1, adjustedRand: 1 })
  })
})

it.each([
  ['nearestNeighbors', /choose 2 neighbours/],
  ['suspects', /choose 2 neighbours/],
  ['hubness', /at least 3/],
  ['compareEmbeddings', /at least 3/],
  ['kMeans', undefined],
])('Fewer vectors than neighbours are refused by %s, or an answer.', async (name, message) => {
  const told = outcome(name, draw(2, 4), [0, 1])
  if (message)
    await expect(told).rejects.toMatchObject({ ...invalid, message: expect.stringMatching(message) })
  else expect(await told).toBeDefined()
})

describe('columns that are the same in all rows', () => {
  it.each(names)('give %s the answer without them, or none of their own', async (name) => {
    const vectors = draw(12, 4).map((vector) => Float32Array.of(vector[0]!, 0, vector[1]!, 0))
    expect(JSON.stringify(await outcome(name, vectors, halves(12)))).not.toMatch(/NaN|null/)
  })
  it('that are all there is: equal vectors have neighbours, one direction, and classes at chance', async () => {
    const same = Array.from({ length: 12 }, () => Float32Array.of(1, 2, 2, 0))
    expect(await rankMe(same)).toBeCloseTo(1, 5)
    expect(anisotropy(same)).toBeCloseTo(1, 5)
    expect(uniformity(same)).toBeCloseTo(0, 5)
    const { probabilities } = await nearestNeighbors({ vectors: same, labels: halves(12) })
    expect([...probabilities].every((share) => share >= 0 && share <= 1)).toBe(true)
    const classifier = await logisticRegression({ vectors: same, labels: halves(12) })
    expect(classifier.probabilities(same)[0]).toBeCloseTo(0.5, 3)
  })
})

describe('more dimensions than rows', () => {
  it.each(names.filter((name) => name !== 'zeroShotPredictions'))('are no harm to %s', async (name) => {
    const found = await outcome(name, draw(8, 40), halves(8))
    expect(JSON.stringify(found)).not.toMatch(/NaN|null/)
  })
  it('give no more rank than rows', async () => {
    expect(await rankMe(draw(8, 40))).toBeLessThanOrEqual(8)
  })
})
