import fc from 'fast-check'
import { expect, it } from 'vitest'
import { packByLength } from './pack.ts'

const unit = (size: number, owner: number) => ({ owner, size, content: [], truncated: false })
const cost = (batch: readonly { size: number }[]) => batch.length * Math.max(...batch.map(({ size }) => size))

it('packs every unit once, within the budget, in no more rounds and with no larger batch than greedily', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 64, max: 600 }),
      fc.integer({ min: 1, max: 4 }),
      (sizes, budget, concurrency) => {
        const units = sizes.map(unit)
        const batches = packByLength(units, budget, { concurrency })
        const greedy = packByLength(units, budget)
        expect(
          batches
            .flat()
            .map(({ owner }) => owner)
            .toSorted((a, b) => a - b),
        ).toEqual([...units.keys()])
        for (const batch of batches) if (batch.length > 1) expect(cost(batch)).toBeLessThanOrEqual(budget)
        const rounds = (all: readonly unknown[]) => Math.ceil(all.length / concurrency)
        expect(rounds(batches)).toBe(rounds(greedy))
        expect(Math.max(...batches.map(cost))).toBeLessThanOrEqual(Math.max(...greedy.map(cost)))
      },
    ),
  )
})

it('makes few batches equal, so that workers end at the same time', () => {
  const units = Array.from({ length: 70 }, (_, i) => unit(32, i))
  expect(packByLength(units, 512).map(({ length }) => length)).toEqual([16, 16, 16, 16, 6])
  expect(packByLength(units, 512, { concurrency: 2 }).map(({ length }) => length)).toEqual([
    12, 12, 12, 12, 12, 10,
  ])
})

it('does not take apart what is small', () => {
  const units = Array.from({ length: 4 }, (_, i) => unit(32, i))
  expect(packByLength(units, 512, { concurrency: 2 })).toHaveLength(1)
})
