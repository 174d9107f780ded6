import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matrixOf, row } from './matrix.ts'
import { cosineSimilarity, l2Normalize, similarityMatrix, topK } from './similarity.ts'

const number = fc.float({ noNaN: true, min: -100, max: 100 })
const vectors = fc
  .integer({ min: 1, max: 6 })
  .chain((n) => fc.array(fc.array(number, { minLength: n, maxLength: n }), { minLength: 1, maxLength: 40 }))

describe('cosineSimilarity', () => {
  it('is 1, 0 and -1 for the same, a perpendicular and the opposite direction', () => {
    expect(cosineSimilarity([3, 4], [6, 8])).toBeCloseTo(1, 12)
    expect(cosineSimilarity([1, 0], [0, 5])).toBe(0)
    expect(cosineSimilarity(Float32Array.of(1, 2), [-1, -2])).toBeCloseTo(-1, 12)
  })

  it('is 0 with a vector of zeros', () => {
    expect(cosineSimilarity([0, 0], [1, 2])).toBe(0)
  })

  it('refuses vectors of different lengths', () => {
    expect(() => cosineSimilarity([1], [1, 2])).toThrow(
      expect.objectContaining({ code: 'DIMENSION_MISMATCH' }),
    )
  })
})

describe('similarityMatrix', () => {
  it('compares each with each', () => {
    const { rows, columns, data } = similarityMatrix(
      [
        [1, 0],
        [0, 1],
        [1, 1],
      ],
      matrixOf([
        [1, 0],
        [0, 2],
      ]),
    )
    expect([rows, columns]).toEqual([3, 2])
    expect(Array.from(data)).toEqual([1, 0, 0, 1, Math.fround(Math.SQRT1_2), Math.fround(Math.SQRT1_2)])
  })

  it('is symmetric for one list', () => {
    fc.assert(
      fc.property(vectors, (list) => {
        const { rows, data } = similarityMatrix(list)
        for (let i = 0; i < rows; i++)
          for (let j = 0; j < rows; j++) expect(data[i * rows + j]).toBe(data[j * rows + i])
      }),
    )
  })
})

describe('topK', () => {
  it('agrees with sorting everything', () => {
    fc.assert(
      fc.property(vectors, fc.integer({ min: 0, max: 50 }), ([query, ...list], k) => {
        const all = list.map((vector, index) => ({ index, score: cosineSimilarity(query!, vector) }))
        const sorted = all.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, k)
        expect(topK(query!, list, k)).toEqual(sorted)
        if (list.length > 0)
          expect(topK(query!, matrixOf(list), k).map(({ index }) => index)).toHaveLength(sorted.length)
      }),
    )
  })

  it('puts the lower index first among equals and leaves rows of NaN out', () => {
    const list = [
      [0, 1],
      [2, 0],
      [1, 0],
      [Number.NaN, Number.NaN],
    ]
    expect(topK([1, 0], list, 2)).toEqual([
      { index: 1, score: 1 },
      { index: 2, score: 1 },
    ])
    expect(topK([1, 0], list, 10)).toHaveLength(3)
  })

  it('refuses vectors of another model', () => {
    expect(() => topK([1, 2], [[1, 2, 3]], 1)).toThrow(
      expect.objectContaining({ code: 'DIMENSION_MISMATCH' }),
    )
  })
})

describe('l2Normalize', () => {
  it('scales to length 1, zeros excepted', () => {
    expect(Array.from(l2Normalize([3, 4]))).toEqual([Math.fround(0.6), Math.fround(0.8)])
    expect(Array.from(l2Normalize([0, 0]))).toEqual([0, 0])
  })
})

describe('row', () => {
  it('shares memory and refuses rows that are not there', () => {
    const matrix = matrixOf([
      [1, 2],
      [3, 4],
    ])
    row(matrix, 1)[0] = 9
    expect(Array.from(matrix.data)).toEqual([1, 2, 9, 4])
    expect(() => row(matrix, 2)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
    expect(() => matrixOf([[1], [1, 2]])).toThrow(expect.objectContaining({ code: 'DIMENSION_MISMATCH' }))
  })
})
