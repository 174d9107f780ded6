import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { withLock } from '../base/files/index.ts'
import { schemaOf } from './lanceArrow.ts'
import { withoutLocks } from './lanceSharing.ts'
import { LanceTable } from './lanceTable.ts'
import { connect } from './store.ts'
import type { Collection, Row, Store } from './types.ts'

const DIMENSIONS = 64
const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
let store: Store | undefined
afterEach(async () => {
  await store?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Numbers that look random and are always the same. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Vectors in clusters, as those of real texts lie. */
function clustered(seed: number): (index: number) => Row {
  const random = generator(seed)
  const centres = Array.from({ length: 100 }, () =>
    Float32Array.from({ length: DIMENSIONS }, () => random() - 0.5),
  )
  return (index) => {
    const centre = centres[Math.floor(random() * centres.length)]!
    return {
      id: `${index}`,
      vector: centre.map((value) => value + (random() - 0.5) * 0.6),
      metadata: { part: index % 50 },
    }
  }
}

function exact(rows: readonly Row[], query: Row, k: number): string[] {
  const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    let [dot, aa, bb] = [0, 0, 0]
    for (let i = 0; i < a.length; i++) {
      dot += a[i]! * b[i]!
      aa += a[i]! ** 2
      bb += b[i]! ** 2
    }
    return dot / Math.sqrt(aa * bb)
  }
  return rows
    .map(({ id, vector }) => ({ id, score: cosine(vector, query.vector) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, k)
    .map(({ id }) => id)
}

async function recall(collection: Collection, rows: readonly Row[], queries: readonly Row[], part?: number) {
  const among = part === undefined ? rows : rows.filter(({ metadata }) => metadata!.part === part)
  let found = 0
  for (const query of queries) {
    const hits = await collection.search(query.vector, part === undefined ? {} : { filter: { part } })
    const expected = exact(among, query, 10)
    found += hits.filter(({ id }) => expected.includes(id)).length / expected.length
  }
  return found / queries.length
}

/** The place that locks of this machine say. */
function placeOfLocks(): Promise<string> {
  const path = join(folder, 'own.lock')
  return withLock(path, undefined, async () => JSON.parse(readFileSync(path, 'utf8')).place as string)
}

describe('the index of a collection', () => {
  it('is built as it grows, finds what an exact search finds, and what came after it', async () => {
    store = await connect(folder, { indexAt: 4000 })
    const collection = await store.collection('birds', { dimensions: DIMENSIONS })
    const make = clustered(1)
    const rows = Array.from({ length: 6000 }, (_, i) => make(i))
    const queries = Array.from({ length: 20 }, (_, i) => make(100_000 + i))
    for (let i = 0; i < 5000; i += 500) await collection.upsert(rows.slice(i, i + 500))
    await collection.close() // Waits for the index.
    const indices = join(folder, 'birds.lance', '_indices')
    expect(readdirSync(indices).length).toBeGreaterThan(0)

    const again = await store.collection('birds')
    await again.upsert(rows.slice(5000))
    expect(await recall(again, rows, queries)).toBeGreaterThanOrEqual(0.95)
    expect(await recall(again, rows, queries, 7)).toBeGreaterThanOrEqual(0.95)
    const late = rows[5999]!
    expect((await again.search(late.vector, { k: 1 }))[0]?.id).toBe(late.id)

    const replaced = { ...make(0), id: late.id }
    await again.upsert([replaced])
    expect((await again.search(replaced.vector, { k: 1 }))[0]?.id).toBe(late.id)
    expect((await again.search(late.vector, { k: 3 })).filter(({ score }) => score > 0.9999)).toEqual([])
    await again.delete([late.id])
    expect((await again.search(replaced.vector, { k: 5 })).map(({ id }) => id)).not.toContain(late.id)
  })

  it('does not leave more and more files behind', async () => {
    store = await connect(folder)
    const collection = await store.collection('birds', { dimensions: DIMENSIONS })
    const make = clustered(2)
    // Half of the rows are new, half replace earlier ones.
    for (let i = 0; i < 120; i++) {
      await collection.upsert(Array.from({ length: 8 }, (_, j) => make(j % 2 ? i * 8 + j : j)))
    }
    expect(await collection.count()).toBe(4 + 4 * 120)
    await collection.close()
    const lancedb = await import('@lancedb/lancedb')
    const table = async () => (await lancedb.connect(folder)).openTable('birds')
    const files = async () => (await (await table()).stats()).fragmentStats.numFragments
    expect(await files()).toBeLessThan(80)
    // All of this has taken less time than old versions may stay: their number is bounded, too.
    expect((await (await table()).listVersions()).length).toBeLessThan(100)
    const again = await store.collection('birds')
    await again.optimize()
    expect(await files()).toBe(1)
    expect(await again.count()).toBe(4 + 4 * 120)
  })

  it('deletes no file while somebody is in a long read, and nothing that is not committed', async () => {
    store = await connect(folder)
    const collection = await store.collection('birds', { dimensions: DIMENSIONS })
    const make = clustered(4)
    const write = () => collection.upsert(Array.from({ length: 8 }, (_, i) => make(i)))
    const data = () => readdirSync(join(folder, 'birds.lance', 'data'))
    for (let i = 0; i < 50; i++) await write()
    // As old as LanceDB takes for abandoned.
    const alien = join(folder, 'birds.lance', 'data', 'not-committed.lance')
    writeFileSync(alien, 'x')
    utimesSync(alien, new Date(0), new Date(0))

    const reading = collection.rows()[Symbol.asyncIterator]()
    await reading.next()
    const before = data()
    for (let i = 0; i < 50; i++) await write()
    await collection.optimize()
    expect(data()).toEqual(expect.arrayContaining(before))
    await reading.return?.(undefined)
    expect(readdirSync(join(folder, '.locks'))).toEqual([])
    await collection.optimize()
    const after = data()
    expect(before.filter((file) => after.includes(file)).length).toBeLessThan(before.length)
    expect(await collection.count()).toBe(8)
  })

  it('has nothing in its way of a reader or an upkeep that was killed', async () => {
    store = await connect(folder)
    const collection = await store.collection('birds', { dimensions: DIMENSIONS })
    const make = clustered(5)
    for (let i = 0; i < 50; i++) await collection.upsert([make(0)])
    const lancedb = await import('@lancedb/lancedb')
    const table = await (await lancedb.connect(folder)).openTable('birds')
    await (await table.tags()).create('pipilo-killed', await table.version())
    const dead = { id: 'a', pid: 2 ** 22 + 1, place: await placeOfLocks(), fd: 30 }
    writeFileSync(join(folder, '.locks', 'birds.reading.dead.lock'), JSON.stringify(dead))
    await collection.upsert([make(0)])
    await collection.optimize()
    await collection.upsert([make(0)])
    await collection.optimize()
    expect((await table.listVersions()).length).toBeLessThan(40)
    expect(await (await table.tags()).list()).toEqual({})
    expect(readdirSync(join(folder, '.locks'))).toEqual([])
  })

  it('merges files and deletes none where nobody can be kept from writing (object storage)', async () => {
    const lancedb = await import('@lancedb/lancedb')
    const connection = await lancedb.connect(folder, { readConsistencyInterval: 0 })
    const lance = await connection.createEmptyTable('birds', schemaOf({ dimensions: DIMENSIONS }))
    const table = new LanceTable(lance, { dimensions: DIMENSIONS }, withoutLocks, { indexAt: 500 })
    const make = clustered(6)
    const row = (i: number) => {
      const { id, vector } = make(i)
      return { id, vector: vector as Float32Array, metadata: { text: `word${i}` } }
    }
    await table.upsert(
      Array.from({ length: 600 }, (_, i) => row(i)),
      {},
    )
    await table.searchText('word1', 'text', { k: 1, predicates: [] })
    for (let i = 0; i < 60; i++) await table.upsert([row(1000 + i)], {})
    const files = readdirSync(join(folder, 'birds.lance', 'data'))
    await table.optimize()
    // Those that are in an index, and those that are not.
    expect((await lance.stats()).fragmentStats.numFragments).toBeLessThanOrEqual(2)
    expect(readdirSync(join(folder, 'birds.lance', 'data'))).toEqual(expect.arrayContaining(files))
    expect(await (await lance.tags()).list()).toEqual({})
    expect(await table.searchText('word1030', 'text', { k: 3, predicates: [] })).toHaveLength(1)
    // More new rows than a share: both indices are built again.
    await table.upsert(
      Array.from({ length: 700 }, (_, i) => row(2000 + i)),
      {},
    )
    await table.optimize()
    for (const { numUnindexedRows } of await lance.listIndices()) expect(numUnindexedRows).toBe(0)
    await table.optimize({ alone: true })
    expect(readdirSync(join(folder, 'birds.lance', 'data')).length).toBeLessThan(files.length)
    expect(await table.count()).toBe(1360)
    await table.close()
  })

  it('reports what failed in the background when the collection is closed', async () => {
    store = await connect(folder, { indexAt: 200 })
    const collection = await store.collection('birds', { dimensions: DIMENSIONS })
    const make = clustered(3)
    await collection.upsert(Array.from({ length: 150 }, (_, i) => make(i)))
    // A file where the index's folder has to be: the index cannot be written, rows can.
    writeFileSync(join(folder, 'birds.lance', '_indices'), '')
    await collection.upsert(Array.from({ length: 150 }, (_, i) => make(1000 + i)))
    expect(await collection.count()).toBe(300)
    await expect(collection.close()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })
})
