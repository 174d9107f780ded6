import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { marginalRelevance } from './marginalRelevance.ts'
import { cosineSimilarity, topK } from './similarity.ts'

const at = (degrees: number) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)]

describe('marginalRelevance', () => {
  it('takes the nearest, then what is near and new', () => {
    // Two at 10°, two at 12° and one on the other side at -30°.
    const vectors = [at(10), at(10.5), at(12), at(-30), at(90)]
    expect(marginalRelevance(at(0), vectors, { k: 3 }).map(({ index }) => index)).toEqual([0, 3, 1])
    // cos -30° - cos 40° = 0.866 - 0.766 = 0.10 before cos 10.5° - cos 0.5° = -0.017.
    expect(marginalRelevance(at(0), vectors, { k: 2 })[1]!.score).toBeCloseTo(Math.cos(Math.PI / 6), 6)
    expect(marginalRelevance(at(0), vectors, { k: 3, lambda: 0.95 }).map(({ index }) => index)).toEqual([
      0, 1, 2,
    ])
  })

  it('is topK with lambda 1, chooses each vector once, and by the formula', () => {
    const vector = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(
        vector,
        fc.array(vector, { maxLength: 12 }),
        fc.integer({ min: 1, max: 14 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (query, vectors, k, lambda) => {
          expect(marginalRelevance(query, vectors, { k, lambda: 1 })).toEqual(topK(query, vectors, k))
          const chosen = marginalRelevance(query, vectors, { k, lambda })
          const indices = chosen.map(({ index }) => index)
          expect(new Set(indices).size).toBe(Math.min(k, vectors.length))
          for (const [place, { index }] of chosen.entries()) {
            if (place === 0) continue
            const before = indices.slice(0, place)
            const worth = (i: number) =>
              lambda * cosineSimilarity(query, vectors[i]!) -
              (1 - lambda) * Math.max(...before.map((j) => cosineSimilarity(vectors[j]!, vectors[i]!)))
            for (const i of vectors.keys())
              if (!before.includes(i)) expect(worth(index)).toBeGreaterThanOrEqual(worth(i) - 1e-12)
          }
        },
      ),
    )
  })

  it('leaves out NaN, and refuses other numbers for its options', () => {
    const vectors = [[Number.NaN, 1], at(5)]
    expect(marginalRelevance(at(0), vectors).map(({ index }) => index)).toEqual([1])
    expect(marginalRelevance(at(0), [])).toEqual([])
    for (const options of [{ k: 0 }, { k: 1.5 }, { lambda: -0.1 }, { lambda: 1.1 }, { lambda: Number.NaN }])
      expect(() => marginalRelevance(at(0), vectors, options)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      )
  })
})
