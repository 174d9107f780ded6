import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Gathering } from './gathering.ts'
import { costOf } from './pack.ts'
import type { Unit } from './preparation.ts'

it('runs every unit once, gives each call its own results, and keeps batches within their bound', async () => {
  const call = fc.array(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 4,
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ pieces: call, given: fc.boolean() }), { minLength: 1, maxLength: 25 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 100, max: 300 }),
      fc.nat(100),
      async (calls, concurrency, batch, broken) => {
        let under = 0
        let most = 0
        const limits = { unit: 'tokens', batch, least: 4, smallest: 32, waiting: 1000 } as const
        const fails = (unit: Unit) => unit.owner === broken
        const gathering = new Gathering<Unit>(concurrency, limits, async (units) => {
          most = Math.max(most, ++under)
          await new Promise((resolve) => setImmediate(resolve))
          under--
          joined.push(units)
          if (units.some(fails)) throw new Error('broken')
          return [...units]
        })
        const joined: (readonly Unit[])[] = []
        let owner = 0
        let waiting = 0
        const stops = calls.map(() => new AbortController())
        const all = calls.flatMap(({ pieces }, i) =>
          pieces.map((sizes) => {
            const units = sizes.map((size): Unit => ({ owner: owner++, size, content: [], truncated: false }))
            waiting++
            const running = gathering.run(units, stops[i]!.signal, () => waiting--)
            running.catch(() => {}) // Looked at below.
            return { i, units, running }
          }),
        )
        for (const [i, { given }] of calls.entries()) if (given) stops[i]!.abort()
        for (const { i, units, running } of all) {
          if (calls[i]!.given) await expect(running).rejects.toMatchObject({ code: 'ABORTED' })
          else if (units.some(fails)) await expect(running).rejects.toThrow('broken')
          else expect(await running).toEqual(units)
        }
        expect(most).toBeLessThanOrEqual(concurrency + 1)
        const piece = new Map(all.flatMap(({ units }, index) => units.map(({ owner }) => [owner, index])))
        for (const units of joined) {
          const pieces = new Set(units.map(({ owner }) => piece.get(owner)))
          if (pieces.size > 1) expect(costOf(units, 4)).toBeLessThanOrEqual(batch)
        }
        const given = all.filter(({ i }) => calls[i]!.given).length
        expect(waiting).toBe(given)
      },
    ),
  )
})
