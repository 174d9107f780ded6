import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { seeded } from '../../nn/index.ts'
import { confidentLearning, suspects } from './suspects.ts'

// Made by testdata/suspects_reference.py with cleanlab.
const { probabilities, labels, wrong } = JSON.parse(
  readFileSync(new URL('testdata/suspects.json', import.meta.url), 'utf8'),
) as { probabilities: number[]; labels: number[]; wrong: number[] }

describe('confident learning', () => {
  it('finds the labels that cleanlab finds, in its order', () => {
    const found = confidentLearning(probabilities, labels, 4)
    expect(found.ranking.filter((one) => one.wrong).map(({ index }) => index)).toEqual(wrong)
    expect(found.wrong).toBe(wrong.length)
    expect(found.ranking).toHaveLength(labels.length)
    const margins = found.ranking.map(({ margin }) => margin)
    expect(margins).toEqual(margins.toSorted((a, b) => a - b))
  })
  it('leaves a label that is as likely as another, as cleanlab does', () => {
    const [own, other] = [
      [0.3, 0.7],
      [0.7, 0.3],
    ] as const
    const rows = [...Array(4).fill(own), ...Array(4).fill(other), [0.5, 0.5], [0.5, 0.5]].flat()
    const { ranking } = confidentLearning(rows, [0, 0, 0, 0, 1, 1, 1, 1, 0, 1], 2)
    const named = ranking.filter(({ wrong }) => wrong).map(({ index }) => index)
    expect(named).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })
  it.each([
    ['a label beyond the classes', [0.5, 0.5], [2], /beyond/],
    ['a number that is no probability', [0.5, Number.NaN], [0], /Element 1 of probabilities is NaN/],
    ['too few probabilities', [0.5, 0.5], [0, 1], /belong together/],
  ])('refuses %s', (_, numbers, given, message) => {
    expect(() => confidentLearning(numbers, given, 2)).toThrow(message)
  })
})

it('Labels that were turned come first, by their neighbours.', async () => {
  const random = seeded(3, 'suspects')
  const centers = Array.from({ length: 5 }, () => Float32Array.from({ length: 12 }, () => random.normal()))
  const truth = Array.from({ length: 400 }, (_, i) => i % 5)
  const vectors = truth.map((label) => centers[label]!.map((value) => value + 0.5 * random.normal()))
  const turned = new Set(Array.from({ length: 20 }, (_, i) => 20 * i + (i % 7)))
  const given = truth.map((label, i) => (turned.has(i) ? (label + 1 + (i % 4)) % 5 : label))
  for (const by of ['probe', 'both'] as const) {
    const { ranking: other } = await suspects({ vectors, labels: given }, { by })
    expect(other.slice(0, 20).filter(({ index }) => turned.has(index)).length).toBeGreaterThan(17)
  }
  await expect(suspects({ vectors, labels: given }, { by: 'guess' as 'both' })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
  })
  const { ranking, wrong } = await suspects({ vectors, labels: given })
  const right = ranking.slice(0, turned.size).filter(({ index }) => turned.has(index)).length
  expect(right / turned.size).toBeGreaterThan(0.9)
  expect(ranking[0]!.likelier).toBe(truth[ranking[0]!.index])
  expect(Math.abs(wrong - turned.size)).toBeLessThan(8)
})
