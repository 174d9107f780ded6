import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { matches } from './filter.ts'
import { connect } from './store.ts'
import type { Collection, Metadata, MetadataValue, Store } from './types.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
let store: Store
beforeAll(async () => {
  store = await connect(folder)
})
afterAll(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const vector = [1, 0]
let made = 0
const fresh = () => store.collection(`c${made++}`, { dimensions: 2 })

/** Every row, and what filters on the field `f` find, as in a plain Map of the same rows. */
async function expectAlike(collection: Collection, model: ReadonlyMap<string, Metadata>) {
  const found = new Map<string, Metadata>()
  for await (const { id, metadata } of collection.rows()) {
    expect(found.has(id)).toBe(false)
    found.set(id, metadata)
  }
  expect(found).toEqual(new Map(JSON.parse(JSON.stringify([...model]))))
  const field = (await collection.fields()).find(({ name }) => name === 'f')
  if (!field) {
    // No row has ever had it.
    expect([...model.values()].every(({ f }) => f === undefined)).toBe(true)
    const asked = collection.search(vector, { filter: { f: 1 } })
    await expect(asked).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'f' })
    return
  }
  const values = [...model.values()].flatMap(({ f }) => (f === undefined ? [] : [f]))
  for (const value of new Set<MetadataValue>([...values, null, true, false])) {
    for (const f of [{ eq: value }, { ne: value }]) {
      const asked = collection.search(vector, { k: 1000, filter: { f } })
      const isOfType = value === null || field.types.includes(typeof value as 'string')
      if (field.types.length > 0 && !isOfType) {
        expect(values).not.toContain(value)
        await expect(asked).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'f' })
        continue
      }
      const expected = [...model].filter(([, metadata]) => matches({ f }, metadata)).map(([id]) => id)
      const hits = await asked
      expect(hits.map(({ id }) => id).sort()).toEqual(expected.sort())
    }
  }
}

async function expectKept(batches: readonly (readonly (readonly [id: string, metadata: Metadata])[])[]) {
  const collection = await fresh()
  const model = new Map<string, Metadata>()
  for (const batch of batches) {
    await collection.upsert(batch.map(([id, metadata]) => ({ id, vector, metadata })))
    for (const [id, metadata] of batch) model.set(id, metadata)
  }
  await expectAlike(collection, model)
  await collection.optimize()
  await expectAlike(collection, model)
  await collection.close()
}

const kinds: Record<string, readonly MetadataValue[]> = {
  string: ['x', ''],
  integer: [1, 0],
  number: [0.5, -1e300],
  true: [true, true],
  false: [false, false],
  boolean: [true, false],
  date: ['2024-02-29T12:00:00.000Z', '1970-01-01'],
  'other kinds': ['5', 5, true, null],
}

describe.each(Object.entries(kinds))('metadata of kind %s', (_, [first, second, ...rest]) => {
  const [a, b]: Metadata[] = [{ f: first! }, { f: second! }]
  const others: Metadata[] = rest.map((f) => ({ f }))
  it.each<[string, Metadata[][]]>([
    ['there, then absent', [[a!], [{}]]],
    ['there, then absent, another field there', [[a!], [{ g: 1 }]]],
    ['absent, then there', [[{}], [a!]]],
    ['there, then null', [[a!], [{ f: null }]]],
    ['null, then there, then null', [[{ f: null }], [a!], [{ f: null }]]],
    ['there, then mixed', [[a!], [{}, b!, { f: null }, ...others]]],
    [
      'mixed, then absent',
      [
        [a!, {}, b!, ...others],
        [{}, {}],
      ],
    ],
    ['there, then absent a hundred times', [[a!, b!], Array.from({ length: 100 }, () => ({}))]],
  ])('%s', async (_, batches) => {
    let id = 0
    await expectKept(batches.map((batch) => batch.map((metadata) => [`${id++}`, metadata] as const)))
    // The same again on the same rows: what they had before has gone.
    await expectKept(batches.map((batch) => batch.map((metadata, i) => [`${i}`, metadata] as const)))
  })
})

it('metadata of any kinds, in any order, is that of a plain Map', async () => {
  const value = fc.constantFrom<MetadataValue>(...new Set(Object.values(kinds).flat()))
  const metadata = fc.dictionary(fc.constantFrom('f', 'g'), value, { maxKeys: 2, noNullPrototype: true })
  const id = fc.integer({ min: 0, max: 9 }).map(String)
  const batch = fc.uniqueArray(fc.tuple(id, metadata), { selector: ([id]) => id, minLength: 1, maxLength: 5 })
  await fc.assert(fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 5 }), expectKept), {
    numRuns: 25,
  })
})
