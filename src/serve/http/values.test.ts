import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasMoreValues } from './values.ts'

/** Values of data, keys among them. */
function valuesIn(data: unknown): number {
  if (typeof data !== 'object' || data === null) return 1
  const inner = Object.values(data).reduce((sum: number, value) => sum + valuesIn(value), 1)
  return Array.isArray(data) ? inner : inner + Object.keys(data).length
}

describe('values of JSON', () => {
  it('are counted as they are written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1), (data, space) => {
        const json = Buffer.from(JSON.stringify(data, undefined, space))
        const count = valuesIn(JSON.parse(json.toString()))
        expect([count - 1, count].map((most) => hasMoreValues(json, most, false))).toEqual([true, false])
      }),
      { numRuns: 500 },
    )
  })

  it('weigh less where vectors are expected, but for numbers with an exponent', () => {
    const many = (one: string) => Buffer.from(`[${Array(1600).fill(one).join(', ')}]`)
    expect(hasMoreValues(many('-0.25'), 101, true)).toBe(false)
    expect(hasMoreValues(many('-0.25'), 1000, false)).toBe(true)
    expect(hasMoreValues(many('1e999'), 1000, true)).toBe(true)
    expect(hasMoreValues(many('"1"'), 1000, true)).toBe(true)
  })

  it('are counted also in what is no JSON', () => {
    for (const text of ['"', '"\\"', '"\\\\', '-', 'tru', '\\"', '[[[', ''])
      expect(hasMoreValues(Buffer.from(text), 3, false)).toBe(false)
  })
})
