import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches, parseFilter } from './filter.ts'
import type { Filter } from './types.ts'

const codeOf = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    return (error as { code: string }).code
  }
  return 'nothing'
}

describe('filters', () => {
  it('come apart into comparisons', () => {
    expect(parseFilter({ year: { gte: 2020, lt: 2030 }, kind: 'bird', note: null })).toEqual([
      { key: 'year', op: 'gte', value: 2020 },
      { key: 'year', op: 'lt', value: 2030 },
      { key: 'kind', op: 'eq', value: 'bird' },
      { key: 'note', op: 'eq', value: null },
    ])
  })

  it.each([
    [{ year: { $gt: 3 } }],
    [{ year: {} }],
    [{ year: [1, 2] }],
    [{ year: undefined }],
    [{ year: Number.NaN }],
    [{ year: { in: 3 } }],
    [{ year: { in: [1, undefined] } }],
    [{ year: { gt: null } }],
    [{ year: { gt: true } }],
    [{ year: { eq: Number.POSITIVE_INFINITY } }],
    [{ year: '\ud800' }],
    [['year']],
    ['year = 3'],
  ])('refuse %j', (filter) => {
    expect(codeOf(() => parseFilter(filter as unknown as Filter))).toBe('OPTION_INVALID')
  })

  it('compare within a type only', () => {
    expect(matches({ a: '5' }, { a: 5 })).toBe(false)
    expect(matches({ a: { gt: '4' } }, { a: 5 })).toBe(false)
    expect(matches({ a: { in: [true, 5] } }, { a: 5 })).toBe(true)
  })

  it('take what is missing for null', () => {
    expect(matches({ a: null }, {})).toBe(true)
    expect(matches({ a: { ne: null } }, {})).toBe(false)
    expect(matches({ a: { ne: 3 } }, {})).toBe(true)
    expect(matches({ a: { lt: 3 } }, { a: null })).toBe(false)
    expect(matches({ constructor: { ne: null } }, {})).toBe(false)
  })

  it('order strings by code point', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        const points = (text: string) => Array.from(text, (character) => character.codePointAt(0)!)
        const [x, y] = [points(a), points(b)]
        let i = 0
        while (i < x.length && i < y.length && x[i] === y[i]) i++
        const less = i < y.length && (i >= x.length || x[i]! < y[i]!)
        expect(matches({ text: { lt: b } }, { text: a })).toBe(less)
      }),
    )
  })
})
