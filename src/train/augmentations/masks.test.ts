import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Tensor } from '../../tensor/index.ts'
import { blockMask, patchMask } from './masks.ts'

const rowsOf = ({ shape, data }: Tensor): number[][] =>
  Array.from({ length: shape[0]! }, (_, i) =>
    Array.from(data.slice(i * shape[1]!, (i + 1) * shape[1]!) as ArrayLike<number | bigint>, Number),
  )

describe('patchMask', () => {
  it('keeps, masks and restores', () => {
    fc.assert(
      fc.property(
        fc.record({
          patches: fc.integer({ min: 2, max: 60 }),
          ratio: fc.double({ min: 0, max: 0.5, noNaN: true }),
          seed: fc.integer(),
          step: fc.nat(),
        }),
        ({ patches, ratio, seed, step }) => {
          const masks = patchMask({ patches, ratio, seed, step, count: 3 })
          const [keep, restore, mask] = [masks.ids_keep, masks.ids_restore, masks.mask].map(rowsOf)
          for (let i = 0; i < 3; i++) {
            const kept = keep![i]!
            expect(new Set(kept).size).toBe(kept.length)
            expect([...restore![i]!].sort((a, b) => a - b)).toEqual(restore![i]!.map((_, n) => n))
            for (const [rank, patch] of kept.entries()) expect(restore![i]![patch]).toBe(rank)
            expect(mask![i]!.map((masked, patch) => Number(!kept.includes(patch)) === masked)).not.toContain(
              false,
            )
          }
        },
      ),
    )
  })

  it('keeps as many as MAE: a quarter of 196 is 49, and a fifth of 10 is 2 in spite of rounding', () => {
    expect(patchMask({ patches: 196, seed: 0, step: 0, count: 2 }).ids_keep.shape).toEqual([2, 49])
    expect(patchMask({ patches: 10, ratio: 0.8, seed: 0, step: 0, count: 1 }).ids_keep.shape).toEqual([1, 2])
  })

  it('keeps every patch equally often, and others in other steps', () => {
    const [count, patches] = [4000, 16]
    const { mask } = patchMask({ patches, seed: 1, step: 1, count })
    for (let patch = 0; patch < patches; patch++) {
      const masked = rowsOf(mask).filter((row) => row[patch]).length
      expect(Math.abs(masked / count - 0.75)).toBeLessThan(4 * Math.sqrt((0.75 * 0.25) / count))
    }
    expect(patchMask({ patches, seed: 1, step: 1, count }).mask).toEqual(mask)
    expect(patchMask({ patches, seed: 1, step: 2, count }).mask).not.toEqual(mask)
    const part = patchMask({ patches, seed: 1, step: 1, count: 10, first: 20 }).mask
    expect(part.data).toEqual((mask.data as Uint8Array).slice(20 * patches, 30 * patches))
  })

  it.each([
    [{ ratio: 1 }, 'ratio'],
    [{ ratio: -0.1 }, 'ratio'],
    [{ ratio: 0.99 }, 'ratio'],
    [{ patches: 0 }, 'patches'],
    [{ count: 0 }, 'count'],
    [{ step: 1.5 }, 'step'],
  ])('refuses %j', (options, input) => {
    expect(() => patchMask({ patches: 16, seed: 0, step: 0, count: 1, ...options })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', input }),
    )
  })
})

describe('blockMask', () => {
  it('masks exactly as many as asked for', () => {
    fc.assert(
      fc.property(
        fc.record({
          rows: fc.integer({ min: 1, max: 12 }),
          columns: fc.integer({ min: 4, max: 12 }),
          ratio: fc.double({ min: 0.2, max: 0.8, noNaN: true }),
          seed: fc.integer(),
        }),
        ({ rows, columns, ratio, seed }) => {
          const mask = blockMask({ grid: [rows, columns], ratio, seed, step: 0, count: 2 })
          expect(mask.shape).toEqual([2, rows * columns])
          for (const row of rowsOf(mask)) {
            expect(row.filter(Boolean)).toHaveLength(Math.round(ratio * rows * columns))
          }
        },
      ),
    )
  })

  it('lies in blocks: neighbours agree far more often than by chance', () => {
    const size = 14
    const agreement = (row: number[]) => {
      const pairs = row.flatMap((masked, i) => (i % size < size - 1 ? [masked === row[i + 1]] : []))
      return pairs.filter(Boolean).length / pairs.length
    }
    const options = { seed: 3, step: 0, count: 200 }
    const blocks = rowsOf(blockMask({ grid: [size, size], ratio: 0.4, ...options })).map(agreement)
    const alone = rowsOf(patchMask({ patches: size * size, ratio: 0.6, ...options }).mask).map(agreement)
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    // By chance two neighbours agree with probability 0.4² + 0.6² = 0.52.
    expect(Math.abs(mean(alone) - 0.52)).toBeLessThan(0.02)
    expect(mean(blocks)).toBeGreaterThan(0.75)
  })

  it.each([
    [{ ratio: 0 }, 'ratio'],
    [{ ratio: 1 }, 'ratio'],
    [{ smallest: 0 }, 'smallest'],
    [{ aspect: [3, 0.3] as const }, 'aspect'],
    [{ grid: [0, 4] as const }, 'grid'],
  ])('refuses %j', (options, input) => {
    expect(() => blockMask({ grid: [8, 8], seed: 0, step: 0, count: 1, ...options })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', input }),
    )
  })
})
