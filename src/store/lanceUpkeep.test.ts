import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
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
    const files = async () => {
      const table = await (await lancedb.connect(folder)).openTable('birds')
      return (await table.stats()).fragmentStats.numFragments
    }
    expect(await files()).toBeLessThan(80)
    const again = await store.collection('birds')
    await again.optimize()
    expect(await files()).toBe(1)
    expect(await again.count()).toBe(4 + 4 * 120)
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
