import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { matches } from './filter.ts'
import { columnName, fieldsOf, toSql } from './lanceSql.ts'
import { connect } from './store.ts'
import type { Collection, Filter, Metadata, Store } from './types.ts'

describe('columns of metadata', () => {
  it('have names that SQL takes as they are', () => {
    expect(columnName('n', 'year')).toBe('n_year')
    expect(columnName('s', 'file_name')).toBe('s_file__name')
    expect(columnName('s', "a'; DROP")).toBe('s_a_27__3b__20__44__52__4f__50_')
  })

  it('differ for different keys', () => {
    const key = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('_', 'a', '5', 'f', 'A', '.') }),
    )
    fc.assert(
      fc.property(key, key, (a, b) => {
        fc.pre(a !== b)
        expect(columnName('s', a)).toMatch(/^s_[a-z0-9_]*$/)
        expect(columnName('s', a)).not.toBe(columnName('s', b))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('SQL of a filter', () => {
  it('quotes values', () => {
    const columns = new Set(['s_name', 'n_year'])
    const sql = toSql(
      [
        { key: 'name', op: 'eq', value: "O'Hara\\" },
        { key: 'year', op: 'gte', value: 2020 },
      ],
      columns,
    )
    expect(sql).toBe("s_name IN ('O''Hara\\') AND n_year >= 2.02e+3")
  })

  it('is decided without the database where no column exists', () => {
    expect(toSql([{ key: 'a', op: 'eq', value: 1 }], new Set())).toBe(false)
    expect(toSql([{ key: 'a', op: 'ne', value: 1 }], new Set())).toBe(true)
    expect(toSql([{ key: 'a', op: 'eq', value: null }], new Set())).toBe(true)
  })
})

describe('filters in LanceDB', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
  const nasty = [
    '',
    "'",
    "''",
    "' OR 1=1 --",
    "\\' OR true; --",
    '"; DROP TABLE x; --',
    '`',
    '%',
    '_',
    '\\',
    '\\\\n',
    '\n',
    '\0',
    '$1',
    '?',
    '/* */',
    '鳥',
    '🐦',
    '\uffff',
    'é',
    'e\u0301',
    'true',
    'null',
    '5',
  ]
  const numbers = [0, -0, 1, -1, 0.1, 5, 2 ** 53, -(2 ** 63), 1e300, -1e-300, 5e-324, Number.MAX_VALUE, 1e21]
  const text = fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: 'binary' }))
  const number = fc.oneof(fc.constantFrom(...numbers), fc.double({ noNaN: true, noDefaultInfinity: true }))
  const value = fc.oneof(text, number, fc.boolean(), fc.constant(null))
  const key = fc.constantFrom(
    'a',
    'A',
    'a.b',
    "k'",
    'k"',
    'k`',
    '__proto__',
    'id',
    'vector',
    '鳥',
    'a b',
    '_distance',
  )
  const bound = fc.oneof(text, number)
  const condition = fc.oneof(
    value,
    fc.record(
      {
        eq: value,
        ne: value,
        gt: bound,
        gte: bound,
        lt: bound,
        lte: bound,
        in: fc.array(value, { maxLength: 4 }),
        contains: text,
        startsWith: text,
      },
      { requiredKeys: [] },
    ),
  )
  const dictionary = <T>(of: fc.Arbitrary<T>, maxKeys: number) =>
    fc.array(fc.tuple(key, of), { maxLength: maxKeys }).map((entries) => Object.fromEntries(entries))
  const fields = dictionary(condition, 2).filter((conditions) =>
    Object.values(conditions).every((c) => typeof c !== 'object' || c === null || Object.keys(c).length > 0),
  )
  const { filter } = fc.letrec<{ filter: object }>((tie) => ({
    filter: fc
      .tuple(
        fields,
        fc.option(fc.array(tie('filter'), { maxLength: 3 }), { nil: undefined, depthIdentifier: 'filter' }),
        fc.option(tie('filter'), { nil: undefined, depthIdentifier: 'filter' }),
      )
      .map(([all, or, not]) => ({ ...all, ...(or && { or }), ...(not && { not }) })),
  }))

  let store: Store
  let collection: Collection
  const rows: Metadata[] = fc.sample(dictionary(value, 8), { numRuns: 300, seed: 3 })

  beforeAll(async () => {
    store = await connect(folder)
    collection = await store.collection('x', { dimensions: 2 })
    await collection.upsert(rows.map((metadata, i) => ({ id: `${i}`, vector: [1, i], metadata })))
  })
  afterAll(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })

  it('find fields in the names of columns', () => {
    const columns = ['id', 'vector', 'metadata', 'n_year', 's_year', 's_file__name', 'b_a_27_', 'z_', 'n___']
    expect([...fieldsOf(columns)]).toEqual([
      ['year', ['n', 's']],
      ['file_name', ['s']],
      ["a'", ['b']],
      ['', ['z']],
      ['_', ['n']],
    ])
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        expect([...fieldsOf([columnName('s', key)]).keys()]).toEqual([key])
      }),
    )
  })

  it('give metadata back as it was put in', async () => {
    const stored = await collection.metadata(rows.map((_, i) => `${i}`))
    // JSON has no negative zero.
    const plain = rows.map((metadata) => JSON.parse(JSON.stringify(metadata)))
    expect(stored).toEqual(plain)
  })

  it('mean what they mean in memory', async () => {
    await fc.assert(
      fc.asyncProperty(filter, async (conditions) => {
        const hits = await collection.search([1, 1], { k: rows.length, filter: conditions as Filter })
        const expected = rows.flatMap((metadata, i) =>
          matches(conditions as Filter, metadata) ? [`${i}`] : [],
        )
        expect(hits.map((hit) => hit.id).sort()).toEqual(expected.sort())
      }),
      { numRuns: 400 },
    )
  })

  it('have as many conditions as a caller likes', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => ({ a: i }))
    for (const conditions of [{ or: many }, { not: { or: many } }] as Filter[]) {
      const hits = await collection.search([1, 1], { k: rows.length, filter: conditions })
      const expected = rows.flatMap((metadata, i) => (matches(conditions, metadata) ? [`${i}`] : []))
      expect(hits.map((hit) => hit.id).sort()).toEqual(expected.sort())
    }
  })

  it('lie as deep within each other as the parser of SQL takes, and are else refused', async () => {
    const deep = (wrap: (inner: object) => object): Filter => {
      let inner: object = { a: 1 }
      for (let i = 0; i < 32; i++) inner = wrap(inner)
      return inner as Filter
    }
    for (const conditions of [deep((or) => ({ or: [or, { a: 5 }] })), deep((not) => ({ not }))]) {
      const hits = await collection.search([1, 1], { k: rows.length, filter: conditions })
      expect(hits.length).toBe(rows.filter((metadata) => matches(conditions, metadata)).length)
    }
    const both = deep((or) => ({ or: [{ or: [or], a: 5 }, { a: 1 }] }))
    const search = collection.search([1, 1], { filter: { not: { or: [both, both] } } })
    await expect(search).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    const mixed = deep((or) => ({ a: 5, or: [or, { a: 1 }] }))
    await expect(collection.search([1, 1], { filter: mixed })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    await expect(collection.delete(mixed)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})
