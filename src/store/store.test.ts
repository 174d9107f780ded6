import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Recipe } from '../embed/index.ts'
import { connect } from './store.ts'
import type { Collection, Row, Store } from './types.ts'

const folders: string[] = []
const stores: Store[] = []

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
  folders.push(folder)
  return folder
}

async function database(folder = emptyFolder()): Promise<Store> {
  const store = await connect(folder)
  stores.push(store)
  return store
}

async function birds(dimensions = 2): Promise<Collection> {
  return (await database()).collection('birds', { dimensions })
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close().catch(() => {})
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const recipe: Recipe = {
  version: 1,
  source: { name: 'all-MiniLM-L6-v2', fingerprint: 'abc' },
  modality: 'text',
  taps: ['pooled'],
  pool: 'mean',
  normalize: true,
  dimensions: 2,
  dtype: 'fp32',
  text: { tokenizer: 'a', lowercase: false, maxLength: 256, prompt: '', prompts: {} },
}

describe('a collection', () => {
  it('finds what is near, best first, with the cosine as score and the metadata as given', async () => {
    const collection = await birds()
    await collection.upsert([
      { id: 'east', vector: [1, 0], metadata: { name: 'Ost', number: 1, is: true, none: null } },
      { id: 'north', vector: new Float32Array([0, 3]) },
      { id: 'west', vector: [-2, 0] },
    ])
    const hits = await collection.search([1, 1])
    expect(hits.map(({ id }) => id)).toEqual(expect.arrayContaining(['east', 'north', 'west']))
    expect(hits[2]!.id).toBe('west')
    expect(hits.map(({ score }) => score)).toEqual([
      expect.closeTo(Math.SQRT1_2, 6),
      expect.closeTo(Math.SQRT1_2, 6),
      expect.closeTo(-Math.SQRT1_2, 6),
    ])
    const [east] = await collection.search([1, 0], { k: 1 })
    expect(east).toEqual({
      id: 'east',
      score: expect.closeTo(1, 6),
      metadata: { name: 'Ost', number: 1, is: true, none: null },
    })
  })

  it('is searched when empty', async () => {
    expect(await (await birds()).search([1, 0])).toEqual([])
  })

  it('replaces by id, also metadata that the new row does not have', async () => {
    const collection = await birds()
    await collection.upsert([{ id: 'a', vector: [1, 0], metadata: { year: 2020, kind: 'owl' } }])
    await collection.upsert([{ id: 'a', vector: [0, 1], metadata: { year: 'unknown' } }])
    expect(await collection.count()).toBe(1)
    expect(await collection.search([0, 1], { filter: { kind: 'owl' } })).toEqual([])
    expect(await collection.search([0, 1], { filter: { year: 2020 } })).toEqual([])
    const [hit] = await collection.search([0, 1], { filter: { year: 'unknown' } })
    expect(hit).toEqual({ id: 'a', score: expect.closeTo(1, 6), metadata: { year: 'unknown' } })
  })

  it('takes the last of rows with one id', async () => {
    const collection = await birds()
    const rows: Row[] = Array.from({ length: 10 }, (_, n) => ({ id: 'a', vector: [1, n], metadata: { n } }))
    await collection.upsert(rows)
    expect(await collection.metadata(['a'])).toEqual([{ n: 9 }])
    expect(await collection.count()).toBe(1)
  })

  it('gets rows in the order of ids, and undefined for those that are not there', async () => {
    const collection = await birds()
    const nasty = ["it's", 'a"b', '\\', '鳥 🐦', ' ', "'); DROP TABLE birds; --", 'a\nb', '\0']
    await collection.upsert(nasty.map((id, i) => ({ id, vector: [1, i], metadata: { i } })))
    const got = await collection.get([...nasty, 'nobody', nasty[0]!])
    expect(got.map((row) => row?.id)).toEqual([...nasty, undefined, nasty[0]])
    expect(got[3]).toEqual({ id: '鳥 🐦', vector: new Float32Array([1, 3]), metadata: { i: 3 } })
    await collection.delete([nasty[0]!, nasty[5]!, 'nobody'])
    expect(await collection.count()).toBe(nasty.length - 2)
    expect(await collection.get([nasty[5]!])).toEqual([undefined])
  })

  it('gets and deletes long lists of ids', async () => {
    const collection = await birds()
    const ids = Array.from({ length: 5000 }, (_, i) => `row ${i}`)
    await collection.upsert(ids.map((id, i) => ({ id, vector: [1, i], metadata: {} })))
    expect((await collection.get(ids)).map((row) => row?.id)).toEqual(ids)
    const all: string[] = []
    for await (const { id } of collection.rows()) all.push(id)
    expect(all.sort()).toEqual([...ids].sort())
    await collection.delete(ids.slice(1))
    expect(await collection.count()).toBe(1)
  })

  it('keeps every row of overlapping upserts', async () => {
    const collection = await birds()
    const upserts = Array.from({ length: 20 }, (_, n) =>
      collection.upsert([
        { id: 'shared', vector: [1, n], metadata: { n } },
        { id: `own ${n}`, vector: [1, n], metadata: { [`key ${n}`]: n } },
      ]),
    )
    await Promise.all(upserts)
    expect(await collection.count()).toBe(21)
    expect(await collection.metadata(['shared'])).toEqual([{ n: 19 }])
  })

  it.each([
    ['DIMENSION_MISMATCH', { id: 'b', vector: [1, 2, 3] }, '"b"'],
    ['INPUT_INVALID', { id: 'b', vector: [1, Number.NaN] }, 'NaN at position 1'],
    ['INPUT_INVALID', { id: 'b', vector: [Number.POSITIVE_INFINITY, 1] }, 'Infinity'],
    ['INPUT_INVALID', { id: 'b', vector: [1e39, 1] }, 'Infinity'],
    ['INPUT_INVALID', { id: 'b', vector: [1, null] as never }, 'null at position 1'],
    ['INPUT_INVALID', { id: 'b', vector: ['1', 1] as never }, 'type string at position 0'],
    ['INPUT_INVALID', { id: 'b', vector: [1, true] as never }, 'type boolean at position 1'],
    ['INPUT_INVALID', { id: 'b', vector: [1, [1]] as never }, 'a list at position 1'],
    ['INPUT_INVALID', { id: 'b', vector: Array(2) as never }, 'undefined at position 0'],
    ['INPUT_INVALID', { id: 'b', vector: [0, 0] }, 'zeros'],
    ['INPUT_INVALID', { id: 'b', vector: [1e-30, 0] }, 'cosine'],
    ['INPUT_INVALID', { id: 'b', vector: undefined }, 'no vector'],
    ['INPUT_INVALID', { id: 5, vector: [1, 0] }, 'number for an id'],
    ['INPUT_INVALID', { id: '\ud83d', vector: [1, 0] }, 'Unicode'],
    ['INPUT_INVALID', { id: 'b', vector: [1, 0], metadata: { a: [1] } }, 'a list in "a"'],
    ['INPUT_INVALID', { id: 'b', vector: [1, 0], metadata: { a: Number.NaN } }, 'NaN in "a"'],
    ['INPUT_INVALID', { id: 'b', vector: [1, 0], metadata: { a: { b: 1 } } }, 'object in "a"'],
    ['INPUT_INVALID', { id: 'b', vector: [1, 0], metadata: { a: undefined } }, 'undefined in "a"'],
  ])('refuses a row with %s, and stores nothing of the call: %j', async (code, row, words) => {
    const collection = await birds()
    const call = collection.upsert([{ id: 'a', vector: [1, 0] }, row as unknown as Row])
    await expect(call).rejects.toMatchObject({ code, message: expect.stringContaining(words) })
    expect(await collection.count()).toBe(0)
  })

  it('refuses a query that cannot be answered', async () => {
    const collection = await birds()
    await expect(collection.search([1, 2, 3])).rejects.toMatchObject({ code: 'DIMENSION_MISMATCH' })
    await expect(collection.search([1, null] as never)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringContaining('null at position 1'),
    })
    await expect(collection.search([0, 0])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(collection.search([1, 0], { k: 0 })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  it('waits for what is being written when it is closed', async () => {
    const folder = emptyFolder()
    const collection = await (await database(folder)).collection('birds', { dimensions: 2 })
    const writes = Array.from({ length: 5 }, (_, i) => collection.upsert([{ id: `${i}`, vector: [1, i] }]))
    await collection.close()
    await Promise.all(writes)
    expect(await (await (await database(folder)).collection('birds')).count()).toBe(5)
  })

  it('bounds the number of fields', async () => {
    const collection = await birds()
    const rows = Array.from({ length: 1100 }, (_, i) => ({
      id: `${i}`,
      vector: [1, i],
      metadata: { [`k${i}`]: 1 },
    }))
    await expect(collection.upsert(rows)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await collection.upsert(rows.slice(0, 900))
    expect(await collection.search([1, 0], { filter: { k899: 1 } })).toHaveLength(1)
  })

  it('is of no use once closed', async () => {
    const store = await database()
    const collection = await store.collection('birds', { dimensions: 2 })
    await collection.close()
    await collection.close()
    await expect(collection.count()).rejects.toMatchObject({ code: 'DISPOSED' })
    await expect(collection.upsert([])).rejects.toMatchObject({ code: 'DISPOSED' })
    const again = await store.collection('birds')
    await store.close()
    await expect(again.count()).rejects.toMatchObject({ code: 'DISPOSED' })
    await expect(store.list()).rejects.toMatchObject({ code: 'DISPOSED' })
  })
})

describe('a database', () => {
  it('makes no folder before there is something to put in', async () => {
    const folder = join(emptyFolder(), 'deep', 'down')
    const store = await database(folder)
    expect(await store.list()).toEqual([])
    await expect(store.collection('birds')).rejects.toMatchObject({ code: 'COLLECTION_UNKNOWN' })
    expect(existsSync(folder)).toBe(false)
    await store.collection('birds', { dimensions: 2 })
    expect(await store.list()).toEqual(['birds'])
  })

  it('remembers its collections and the embedder that each was made with', async () => {
    const folder = emptyFolder()
    const first = await database(folder)
    for (let i = 0; i < 12; i++) await first.collection(`c${i}`, { dimensions: 3 })
    const made = await first.collection('birds', { embedder: { recipe, dimensions: 2 } })
    await made.upsert([{ id: 'a', vector: [1, 0], metadata: { year: 2020 } }])
    await made.optimize()
    await first.close()
    const store = await database(folder)
    expect(await store.list()).toHaveLength(13)
    const collection = await store.collection('birds')
    expect(collection).toMatchObject({ name: 'birds', dimensions: 2, recipe })
    expect(await collection.count()).toBe(1)
    await expect(store.collection('brids')).rejects.toMatchObject({
      code: 'COLLECTION_UNKNOWN',
      message: expect.stringContaining('birds'),
    })
    await store.drop('birds')
    expect(await store.list()).toHaveLength(12)
    await expect(store.drop('birds')).rejects.toMatchObject({ code: 'COLLECTION_UNKNOWN' })
  })

  const { source, text } = recipe
  it.each<[Partial<Recipe>, string]>([
    [{ source: { ...source, fingerprint: 'xyz' } }, 'other weights of all-MiniLM-L6-v2.'],
    [{ source: { fingerprint: 'xyz', name: 'other' } }, 'model all-MiniLM-L6-v2, not other.'],
    [{ dtype: 'int8', source: { ...source, fingerprint: 'xyz' } }, 'another kind: dtype fp32, not int8.'],
    [{ taps: ['layer.3', 'pooled'] }, 'tap pooled, not layer.3,pooled.'],
    [{ pool: 'cls' }, 'pool mean, not cls.'],
    [{ normalize: false, pool: 'max' }, 'pool mean, not max; normalize true, not false.'],
    [{ dimensions: 3 }, 'dimensions 2, not 3.'],
    [{ text: { ...text!, tokenizer: 'b' } }, 'tokenizer a, not b.'],
    [{ text: { ...text!, lowercase: true } }, 'lowercase false, not true.'],
  ])('refuses vectors of another kind: %j', async (difference, words) => {
    const store = await database()
    await store.collection('birds', { embedder: { recipe, dimensions: 2 } })
    const other = { ...recipe, ...difference }
    const call = store.collection('birds', { embedder: { recipe: other, dimensions: other.dimensions } })
    await expect(call).rejects.toMatchObject({
      code: 'COLLECTION_MISMATCH',
      message: expect.stringContaining(words),
    })
  })

  it('takes the same model by another name, read otherwise, and a plain dimension that fits', async () => {
    const store = await database()
    await store.collection('birds', { embedder: { recipe, dimensions: 2 } })
    for (const same of [
      {
        ...recipe,
        source: { ...source, name: 'hf:sentence-transformers/all-MiniLM-L6-v2', size: [1, 2] as const },
      },
      { ...recipe, text: { ...text!, prompt: 'query: ', prompts: { query: 'query: ' }, maxLength: 32 } },
      { ...recipe, text: { ...text!, chunk: { tokens: 32, pool: 'keep' as const } } },
    ]) {
      expect((await store.collection('birds', { embedder: { recipe: same, dimensions: 2 } })).recipe).toEqual(
        recipe,
      )
    }
    await store.collection('birds', { dimensions: 2 })
    await expect(store.collection('birds', { dimensions: 3 })).rejects.toMatchObject({
      code: 'COLLECTION_MISMATCH',
    })
  })

  it('refuses names and addresses that it cannot use', async () => {
    const store = await database()
    for (const name of ['', '../x', 'a b', '.a', 'a/b', "a'b"]) {
      await expect(store.collection(name, { dimensions: 2 })).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      })
    }
    await expect(store.collection('x', { dimensions: 0 })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(connect('milvus://localhost')).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    const file = join(emptyFolder(), 'file')
    writeFileSync(file, '')
    await expect(connect(file)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })

  it('says when the disk does not let it write', async () => {
    const file = join(emptyFolder(), 'file')
    writeFileSync(file, '')
    // Below a regular file there can be no folder, whoever asks; /proc lets not even root write.
    for (const folder of [join(file, 'below'), ...(existsSync('/proc/self') ? ['/proc/pipilo'] : [])]) {
      const store = await database(folder)
      await expect(store.collection('birds', { dimensions: 2 })).rejects.toMatchObject({
        code: expect.stringMatching(/WRITE_FAILED|STORE_FAILED/),
        message: expect.stringContaining(folder),
      })
    }
  })

  it('says when a folder is not one of its collections', async () => {
    const folder = emptyFolder()
    const lancedb = await import('@lancedb/lancedb')
    const foreign = await lancedb.connect(folder)
    await foreign.createTable('foreign', [{ a: 1 }])
    mkdirSync(join(folder, 'junk.lance', 'data'), { recursive: true })
    writeFileSync(join(folder, 'junk.lance', 'data', 'x'), 'x')
    const store = await database(folder)
    for (const name of ['foreign', 'junk']) {
      await expect(store.collection(name, { dimensions: 1 })).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining(name),
      })
    }
  })

  it('says when its files were damaged', async () => {
    const folder = emptyFolder()
    const first = await database(folder)
    await (await first.collection('data', { dimensions: 2 })).upsert([{ id: 'a', vector: [1, 0] }])
    await first.collection('manifest', { dimensions: 2 })
    await first.close()
    const data = join(folder, 'data.lance', 'data')
    for (const name of readdirSync(data)) rmSync(join(data, name))
    const versions = join(folder, 'manifest.lance', '_versions')
    for (const name of readdirSync(versions)) truncateSync(join(versions, name), 3)
    const store = await database(folder)
    await expect(store.collection('manifest')).rejects.toMatchObject({ code: 'STORE_FAILED' })
    const collection = await store.collection('data')
    await expect(collection.search([1, 0])).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(collection.get(['a'])).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })

  it('makes a collection whose making was cut short', async () => {
    const folder = emptyFolder()
    mkdirSync(join(folder, 'birds.lance', '_versions'), { recursive: true })
    const store = await database(folder)
    expect(await store.list()).toEqual([])
    const collection = await store.collection('birds', { dimensions: 2 })
    await collection.upsert([{ id: 'a', vector: [1, 0] }])
    expect(await collection.count()).toBe(1)
  })

  it('tells handles of a collection that was deleted and made again otherwise, and writes nothing into it', async () => {
    const folder = emptyFolder()
    const [store, other] = [await database(folder), await database(folder)]
    const old = await store.collection('birds', { dimensions: 2 })
    await old.upsert([{ id: 'a', vector: [1, 0] }])
    await other.drop('birds')
    const deleted = { code: 'COLLECTION_UNKNOWN', input: 'birds' }
    await expect(old.upsert([{ id: 'b', vector: [1, 0] }])).rejects.toMatchObject(deleted)
    for (const read of [
      () => old.search([1, 0]),
      () => old.search([1, 0], { filter: { kind: 'owl' } }),
      () => old.get(['a']),
      () => old.count(),
      () => old.fields(),
      () => old.delete(['a']),
      async () => {
        for await (const _ of old.rows());
      },
    ])
      await expect(read()).rejects.toMatchObject(deleted)
    expect(await other.list()).toEqual([])
    // Of the same length, but by a model.
    const again = await other.collection('birds', { embedder: { recipe, dimensions: 2 } })
    const gone = { code: 'COLLECTION_MISMATCH', message: expect.stringContaining('made again') }
    await expect(old.upsert([{ id: 'b', vector: [1, 0] }])).rejects.toMatchObject(gone)
    await expect(old.search([1, 0])).rejects.toMatchObject(gone)
    await expect(old.delete({ kind: 'owl' })).rejects.toMatchObject(gone)
    expect(await again.count()).toBe(0)
  })
})
