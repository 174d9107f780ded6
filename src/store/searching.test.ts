import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { embedder, type Prompt } from '../embed/index.ts'
import { towerFolder } from '../models/testing/towers.ts'
import { connect } from './store.ts'
import type { Collection, Filter, Hit, Row, SearchOptions, Store } from './types.ts'

let folder: string
let store: Store
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
  store = await connect(folder)
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const birds = async (rows: readonly Row[] = []): Promise<Collection> => {
  const collection = await store.collection('birds', { dimensions: 2 })
  await collection.upsert(rows)
  return collection
}
const ids = (hits: readonly Hit[]) => hits.map(({ id }) => id)
/** Rows whose vectors turn away from [1, 0] one after the other. */
const turning = (metadata: readonly Row['metadata'][]): Row[] =>
  metadata.map((each, i) => ({ id: `${i}`, vector: [1, i / 100], ...(each && { metadata: each }) }))

describe('a filter', () => {
  it('takes or, not, contains, startsWith and dates', async () => {
    const collection = await birds(
      turning([
        { title: 'A towhee', year: 2019, seen: new Date('2024-05-01') },
        { title: 'An owl', year: 2021, seen: new Date('2024-06-01') },
        { title: 'A wren', seen: new Date('2024-07-01') },
        {},
      ]),
    )
    const found = async (filter: Filter) => ids(await collection.search([1, 0], { filter }))
    expect(await found({ or: [{ title: { contains: 'owl' } }, { year: { lt: 2020 } }] })).toEqual(['0', '1'])
    expect(await found({ title: { startsWith: 'A ' } })).toEqual(['0', '2'])
    expect(await found({ not: { year: { gt: 2020 } } })).toEqual(['0', '2', '3'])
    expect(await found({ not: { title: { startsWith: 'A' } } })).toEqual(['3'])
    expect(await found({ seen: { gte: new Date('2024-06-01') } })).toEqual(['1', '2'])
    expect(await found({ seen: { startsWith: '2024-05' } })).toEqual(['0'])
    const [first] = await collection.metadata(['0'])
    expect(first!.seen).toBe('2024-05-01T00:00:00.000Z')
  })

  it('on a field that no row has is an error with the closest name', async () => {
    const collection = await birds(turning([{ year: 2020, kind: 'owl', none: null }]))
    const search = (filter: Filter) => collection.search([1, 0], { filter })
    for (const filter of [{ yaer: 2020 }, { not: { or: [{ yaer: 2020 }] } }]) {
      await expect(search(filter)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/"birds" has a field "yaer"\. Did you mean year\?/),
        input: 'yaer',
      })
      await expect(collection.delete(filter)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    }
    await expect(search({ somethingElse: null })).rejects.toThrow('There are: kind, none, year.')
    expect(ids(await search({ none: null }))).toEqual(['0'])
    expect(await collection.fields()).toEqual([
      { name: 'kind', types: ['string'] },
      { name: 'none', types: [] },
      { name: 'year', types: ['number'] },
    ])
    await collection.upsert([{ id: 'b', vector: [1, 1], metadata: { none: true, year: 'unknown' } }])
    expect(await collection.fields()).toEqual([
      { name: 'kind', types: ['string'] },
      { name: 'none', types: ['boolean'] },
      { name: 'year', types: ['number', 'string'] },
    ])
  })

  it('with a type that no row has in the field is an error with both', async () => {
    const collection = await birds(
      turning([
        { year: 2020, kind: 'owl', tame: true, none: null, mixed: 1 },
        { mixed: 'one' },
        { year: 2022 },
      ]),
    )
    const found = async (filter: Filter) => ids(await collection.search([1, 0], { filter }))
    for (const filter of [
      { year: '2022' },
      { year: { ne: '2022' } },
      { year: { gte: '2020' } },
      { year: { gte: new Date(2020, 0) } },
      { year: { in: ['2020', true] } },
      { year: { startsWith: '20' } },
      { or: [{ kind: 'owl' }, { not: { year: '2022' } }] },
    ] as Filter[]) {
      const error = {
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/"year" compares with a text, ".*"; the field holds numbers\.$/),
        input: 'year',
      }
      await expect(found(filter)).rejects.toMatchObject(error)
      await expect(
        collection.search([1, 0], { filter, hybrid: { words: 'owl', field: 'kind' } }),
      ).rejects.toMatchObject(error)
      await expect(collection.delete(filter)).rejects.toMatchObject(error)
    }
    await expect(found({ kind: 5 })).rejects.toThrow('compares with a number, 5; the field holds texts.')
    await expect(found({ tame: 'yes' })).rejects.toThrow('the field holds truths.')
    await expect(found({ mixed: false })).rejects.toThrow('the field holds numbers and texts.')
    // Types that some row has, that are not known, and that are of any field.
    expect(await found({ or: [{ mixed: 1 }, { mixed: 'one' }] })).toEqual(['0', '1'])
    expect(await found({ year: { in: ['x', 2022] } })).toEqual(['2'])
    expect(await found({ year: { in: ['x', null] } })).toEqual(['1'])
    expect(await found({ year: { in: [] } })).toEqual([])
    expect(await found({ year: { ne: null } })).toEqual(['0', '2'])
    expect(await found({ none: { ne: 'x' } })).toEqual(['0', '1', '2'])
    // Once a row has had the type, it may be asked for.
    await collection.upsert([{ id: 'b', vector: [1, 1], metadata: { year: 'unknown' } }])
    expect(await found({ year: { startsWith: 'un' } })).toEqual(['b'])
    await collection.delete(['b'])
    expect(await found({ year: 'unknown' })).toEqual([])
  })

  it('finds nothing in an empty collection, whatever it asks', async () => {
    const collection = await birds()
    expect(await collection.search([1, 0], { filter: { year: 2020 } })).toEqual([])
    expect(await collection.delete({ year: 2020 })).toBe(0)
  })

  it('has words of its own, which are no fields', async () => {
    for (const word of ['or', 'not']) {
      const row = { id: 'a', vector: [1, 0], metadata: { [word]: true } }
      await expect(birds([row])).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        message: expect.stringContaining(`a field "${word}"`),
      })
    }
  })

  it('deletes what it matches, and never all of it by being empty', async () => {
    const collection = await birds(turning(Array.from({ length: 10 }, (_, n) => ({ n }))))
    expect(await collection.delete({ or: [{ n: 3 }, { n: { gte: 8 } }] })).toBe(3)
    expect(await collection.delete(['0', '0', 'nobody'])).toBe(1)
    expect(await collection.count()).toBe(6)
    for (const all of [{}, { or: [{}] }, { or: [{}, { n: 1 }] }, { not: { or: [] } }])
      await expect(collection.delete(all)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    expect(await collection.delete([])).toBe(0)
    expect(await collection.delete({ not: { n: -1 } })).toBe(6)
    expect(await collection.count()).toBe(0)
  })
})

describe('a search', () => {
  it('finds the neighbours of a row, without the row', async () => {
    const collection = await birds(turning([{}, {}, {}, {}]))
    expect(ids(await collection.search({ id: '1' }, { k: 2 })).sort()).toEqual(['0', '2'])
    expect(ids(await collection.search({ id: '3' }, { k: 9 }))).toEqual(['2', '1', '0'])
    await expect(collection.search({ id: 'nobody' })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  it('takes a text by the model of the collection, and refuses a picture', async () => {
    const e = await embedder('all-MiniLM-L6-v2')
    const collection = await store.collection('texts', { embedder: e })
    const texts = ['a bird sings', 'stock markets fell', 'the train is late']
    const { vectors } = await e.embed(texts)
    await collection.upsert(texts.map((text, i) => ({ id: text, vector: vectors[i]!, metadata: { text } })))
    const { vectors: queries } = await e.embed(['the song of birds'])
    await e.dispose()
    await collection.close()

    const again = await store.collection('texts')
    const hits = await again.search({ text: 'the song of birds' }, { k: 3 })
    expect(hits[0]!.id).toBe('a bird sings')
    const same = await again.search(queries[0]!, { k: 3 })
    hits.forEach(({ id, score }, i) => {
      expect([id, score]).toEqual([same[i]!.id, expect.closeTo(same[i]!.score, 5)])
    })
    expect(ids(await again.search({ text: 'late markets' }, { k: 2, hybrid: true })).sort()).toEqual([
      'stock markets fell',
      'the train is late',
    ])
    await expect(again.search({ image: 'owl.jpg' })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(again.search({ text: 5 } as never)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    const bare = await birds(turning([{}]))
    await expect(bare.search({ text: 'a towhee' })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  it("puts the model's prompt of queries before a text, or the one that it brings", async () => {
    const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    const e = await embedder(model, { runtime: { workers: 0 } })
    const collection = await store.collection('texts', { embedder: e })
    const prompts = ['query', 'document', { text: '' }] as const
    const vectors = await Promise.all(prompts.map((prompt) => e.embed(['an owl'], { prompt })))
    await collection.upsert(vectors.map((made, i) => ({ id: `${i}`, vector: made.vectors[0]! })))
    await e.dispose()
    const best = async (query: { text: string; prompt?: Prompt }) =>
      (await collection.search(query, { k: 1 })).map(({ id, score }) => [id, score])
    expect(await best({ text: 'an owl' })).toEqual([['0', expect.closeTo(1, 5)]])
    expect(await best({ text: 'an owl', prompt: 'document' })).toEqual([['1', expect.closeTo(1, 5)]])
    expect(await best({ text: 'an owl', prompt: { text: '' } })).toEqual([['2', expect.closeTo(1, 5)]])
  })

  it('takes a text or a picture by a model of both', async () => {
    const model = await towerFolder('clip', folder)
    const e = await embedder(model, { modality: 'text-image' })
    const collection = await store.collection('both', { embedder: e })
    const picture = await sharp({ create: { width: 40, height: 32, channels: 3, background: '#c02010' } })
      .png()
      .toBuffer()
    const inputs = [{ text: 'a towhee sings' }, { text: 'stock markets fell' }, { image: picture }]
    const { vectors } = await e.embed(inputs)
    await e.dispose()
    await collection.upsert(vectors.map((vector, i) => ({ id: `${i}`, vector })))
    for (const [i, input] of inputs.entries()) {
      const [hit] = await collection.search(input, { k: 1 })
      expect(hit).toEqual({ id: `${i}`, score: expect.closeTo(1, 5), metadata: {} })
    }
    await expect(collection.search({ image: join(folder, 'none.png') })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    })
  })

  it('is not filled by equal passages', async () => {
    const same = Array.from({ length: 5 }, (_, i) => ({ text: 'the same', path: `${i}.txt` }))
    const collection = await birds([
      ...turning([...same, { text: 'another', path: '0.txt' }, { text: 'a third', path: '6.txt' }]),
      { id: 'bare', vector: [0, 1] },
      { id: 'bare again', vector: [0, 1] },
    ])
    expect(ids(await collection.search([1, 0], { k: 3 }))).toEqual(['0', '1', '2'])
    expect(ids(await collection.search([1, 0], { k: 3, distinct: true }))).toEqual(['0', '5', '6'])
    expect(await collection.search([1, 0], { k: 9, distinct: true })).toHaveLength(4)
    const byPath = await collection.search([1, 0], { k: 20, distinct: 'path' })
    expect(ids(byPath).slice(0, 6)).toEqual(['0', '1', '2', '3', '4', '6'])
    expect(byPath).toHaveLength(8) // Rows without a path are all different.
    const unknown = collection.search([1, 0], { distinct: 'paht' })
    await expect(unknown).rejects.toThrow('Did you mean path?')
  })

  it('looks as far as it must for hits that differ', async () => {
    const rows = turning(Array.from({ length: 900 }, (_, n) => ({ text: n < 850 ? 'the same' : `${n}` })))
    const collection = await birds(rows)
    expect(ids(await collection.search([1, 0], { k: 5, distinct: true }))).toEqual([
      '0',
      '850',
      '851',
      '852',
      '853',
    ])
  })

  it('refuses options that contradict each other or are none', async () => {
    const collection = await birds(turning([{ text: 'a' }]))
    const wrong: SearchOptions[] = [
      { k: 1.5 },
      { probes: 0 },
      { probes: 3, exact: true },
      { hybrid: true },
      { hybrid: { field: 'text' } },
      { hybrid: { words: 'a', field: 'txet' } },
      { distinct: 5 as never },
    ]
    for (const options of wrong)
      await expect(collection.search([1, 0], options)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    for (const query of [undefined, null, 'a text', {}, { text: 'a', id: 'b' }])
      await expect(collection.search(query as never)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe('a hybrid search', () => {
  const words = [
    'a towhee sings in the brush',
    'owls hunt at night',
    'the XJ-900 manual',
    'an owl and a towhee',
    'Überführung eines Vogels',
    'nothing of the kind',
    '鳥が歌う。',
    `the file ${'0123456789abcdef'.repeat(8)}`,
  ]
  const rows = turning(words.map((text, n) => ({ text, n, title: `number ${n}` })))

  it('joins ranks by vector and by words: 1 / (60 + rank), summed', async () => {
    const collection = await birds(rows)
    const hits = await collection.search([1, 0], { k: 6, hybrid: { words: 'xj-900' } })
    expect(hits[0]!.id).toBe('2')
    expect(hits[0]!.score).toBeCloseTo(1 / 63 + 1 / 61, 12)
    expect(hits.slice(1).map(({ id }) => id)).toEqual(['0', '1', '3', '4', '5'])
    expect(hits[1]!.score).toBeCloseTo(1 / 61, 12)
    expect(hits[0]!.metadata).toEqual({ text: 'the XJ-900 manual', n: 2, title: 'number 2' })
  })

  it('finds words as they are, but for case and accents, with a filter and in any field', async () => {
    const collection = await birds(rows)
    const first = async (options: { words: string; field?: string }, filter?: Filter) =>
      (await collection.search([0, 1], { k: 1, hybrid: options, ...(filter && { filter }) }))[0]!.id
    expect(await first({ words: 'UBERFUHRUNG' })).toBe('4')
    expect(await first({ words: 'the' }, { n: { lt: 1 } })).toBe('0')
    expect(await first({ words: '鳥' })).toBe('6')
    expect(await first({ words: '0123456789abcdef'.repeat(8) })).toBe('7')
    expect(await first({ words: '2', field: 'title' })).toBe('2')
    // No hit by words: the order is that by vectors.
    expect(await first({ words: 'hunting' })).toBe('7')
    expect(await first({ words: '"; drop (table) *' })).toBe('7')
  })

  it('gives no rank to rows that share only frequent words with the query', async () => {
    const kinds = [
      'telescope',
      'sparrow',
      'nurse',
      'market',
      'train',
      'river',
      'lamp',
      'stone',
      'ball',
      'song',
    ]
    const texts = Array.from({ length: 40 }, (_, i) => `a ${kinds[i % 10]} in a place of number ${i}`)
    const collection = await birds(turning(texts.map((text) => ({ text }))))
    const hits = await collection.search([1, 0], { k: 40, hybrid: { words: 'a ball in a game' } })
    const ranked = hits.filter(({ score, metadata }) => {
      const place = texts.indexOf(metadata['text'] as string)
      return score > 1 / (61 + place) + 1e-9
    })
    expect(ranked.map(({ metadata }) => metadata['text']).sort()).toEqual(
      texts.filter((text) => text.includes('ball')).sort(),
    )
  })

  it('finds what was written, replaced and deleted after the index was built', async () => {
    const collection = await birds(rows)
    const found = async (words: string) => {
      const ranks = new Map(ids(await collection.search([1, 0], { k: 100 })).map((id, i) => [id, i + 1]))
      const hits = await collection.search([1, 0], { k: 100, hybrid: { words } })
      return ids(hits.filter(({ id, score }) => score > 1 / (60 + ranks.get(id)!) + 1e-9)).sort()
    }
    expect(await found('owl towhee')).toEqual(['0', '3'])
    await collection.upsert([
      { id: 'new', vector: [1, 0], metadata: { text: 'a snowy owl' } },
      { id: '3', vector: [1, 0.03], metadata: { text: 'rewritten' } },
    ])
    await collection.delete(['0'])
    for (let i = 0; i < 2; i++) {
      expect(await found('owl towhee')).toEqual(['new'])
      expect(await found('rewritten')).toEqual(['3'])
      await collection.optimize()
    }
    for (let i = 0; i < 70; i++)
      await collection.upsert([{ id: `later ${i}`, vector: [1, 1 + i], metadata: { text: `heron ${i}` } }])
    expect(await found('heron')).toHaveLength(70)
    await collection.close()
    expect(await (await store.collection('birds')).count()).toBe(78)
  })
})

describe('an index of vectors', () => {
  it('is passed over by an exact search, and read as far as is asked', async () => {
    const indexed = await connect(folder, { indexAt: 500 })
    const collection = await indexed.collection('many', { dimensions: 16 })
    const vector = (i: number) => Float32Array.from({ length: 16 }, (_, d) => Math.sin(i * (d + 1.7) + d))
    await collection.upsert(Array.from({ length: 3000 }, (_, i) => ({ id: `${i}`, vector: vector(i) })))
    await collection.optimize()
    const query = vector(0.5)
    const cosine = (a: Float32Array) => {
      const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
      return dot(a, query) / Math.sqrt(dot(a, a) * dot(query, query))
    }
    const expected = Array.from({ length: 3000 }, (_, i) => i).sort(
      (a, b) => cosine(vector(b)) - cosine(vector(a)),
    )
    const exact = await collection.search(query, { k: 20, exact: true })
    expect(ids(exact)).toEqual(expected.slice(0, 20).map(String))
    for (const { id, score } of await collection.search(query, { k: 5, probes: 1 }))
      expect(score).toBeCloseTo(cosine(vector(Number(id))), 5)
    await indexed.close()
  })
})
