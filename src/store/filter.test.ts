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
    [{ year: { contains: 5 } }],
    [{ year: { startsWith: '\ud800' } }],
    [{ or: { year: 2020 } }],
    [{ or: [2020] }],
    [{ or: [{ year: { $gt: 3 } }] }],
    [{ not: [{ year: 2020 }] }],
    [{ not: 'year' }],
    [{ not: null }],
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

  it('hold for one of several filters, and not for another', () => {
    const bird = { kind: 'bird', year: 2020 }
    expect(matches({ or: [{ kind: 'owl' }, { year: 2020 }] }, bird)).toBe(true)
    expect(matches({ or: [{ kind: 'owl' }, { year: 2021 }] }, bird)).toBe(false)
    expect(matches({ kind: 'bird', or: [{ year: 2021 }] }, bird)).toBe(false)
    expect(matches({ or: [] }, bird)).toBe(false)
    expect(matches({ not: { kind: 'bird', year: 2021 } }, bird)).toBe(true)
    expect(matches({ not: { kind: 'bird', year: 2020 } }, bird)).toBe(false)
    expect(matches({ not: { size: { gt: 3 } } }, bird)).toBe(true)
    expect(matches({ not: {} }, bird)).toBe(false)
    expect(matches({ not: { or: [{ kind: 'bird' }] } }, bird)).toBe(false)
  })

  it('look into texts, and at their beginnings', () => {
    expect(matches({ a: { contains: '.*' } }, { a: 'x.*y' })).toBe(true)
    expect(matches({ a: { contains: 'Owl' } }, { a: 'an owl' })).toBe(false)
    expect(matches({ a: { startsWith: 'an' } }, { a: 'an owl' })).toBe(true)
    expect(matches({ a: { startsWith: 'owl' } }, { a: 'an owl' })).toBe(false)
    expect(matches({ a: { contains: '5' } }, { a: 5 })).toBe(false)
    expect(matches({ a: { contains: '' } }, {})).toBe(false)
  })

  it('compare dates as rows store them', () => {
    const modified = '2024-05-01T12:00:00.000Z'
    expect(matches({ modified: new Date(modified) }, { modified })).toBe(true)
    expect(matches({ modified: { gte: new Date('2024-05-01') } }, { modified })).toBe(true)
    expect(matches({ modified: { lt: new Date('2024-05-01') } }, { modified })).toBe(false)
    expect(matches({ modified: { in: [new Date(0), new Date(modified)] } }, { modified })).toBe(true)
    for (const date of [new Date(Number.NaN), new Date(-1e14), new Date(3e14)])
      expect(codeOf(() => parseFilter({ modified: date }))).toBe('INPUT_INVALID')
  })

  it('go no deeper than a parser of SQL can', () => {
    let deep: Filter = { a: 1 }
    for (let i = 0; i < 32; i++) deep = i % 2 ? { not: deep } : { or: [deep] }
    expect(matches(deep, { a: 1 })).toBe(true)
    expect(codeOf(() => parseFilter({ not: deep }))).toBe('OPTION_INVALID')
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
