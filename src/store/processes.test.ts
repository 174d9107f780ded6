import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { connect } from './store.ts'
import { indexerProcess } from './testdata/indexerProcess.ts'
import { dimensions, rowsOf } from './testdata/rows.ts'
import { writerProcess as writer } from './testdata/writerProcess.ts'

const folders: string[] = []
const emptyFolder = () => {
  folders.push(mkdtempSync(join(tmpdir(), 'pipilo-')))
  return folders.at(-1)!
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

// They take long where the machine has other work.
describe('several processes', { timeout: 240_000 }, () => {
  it('lose no acknowledged batch to kill -9', async () => {
    const folder = emptyFolder()
    const acknowledged = new Set<number>()
    for (let round = 0; round < 4; round++) {
      const { child, acknowledged: own, begun, ended, errors } = writer(folder, 'a', round * 10_000, 10_000)
      await begun
      await new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 400))
      child.kill('SIGKILL')
      await ended
      expect(errors()).toBe('')
      expect(own.length).toBeGreaterThan(0)
      for (const batch of own) acknowledged.add(batch)

      const store = await connect(folder)
      const collection = await store.collection('birds', { dimensions })
      const rows = [...acknowledged].flatMap((batch) => rowsOf('a', batch).slice(1))
      const stored = await collection.get(rows.map(({ id }) => id))
      expect(stored).toEqual(rows)
      const last = rows.at(-1)!
      const [nearest] = await collection.search(last.vector, {
        k: 1,
        filter: { batch: last.metadata!.batch! },
      })
      expect(nearest).toEqual({ id: last.id, score: expect.closeTo(1, 5), metadata: last.metadata })
      await store.close()
    }
  })

  it('write to one collection in turns, and read what others have committed', async () => {
    const folder = emptyFolder()
    const store = await connect(folder)
    const collection = await store.collection('birds', { dimensions })
    const batches = 40
    const writers = ['a', 'b'].map((name) => writer(folder, name, 0, batches))
    await Promise.all(writers.map(({ begun }) => begun))
    expect(await collection.count()).toBeGreaterThan(0)
    const codes = await Promise.all(writers.map(({ ended }) => ended))
    expect(writers.map(({ errors }) => errors())).toEqual(['', ''])
    expect(codes).toEqual([0, 0])
    expect(await collection.count()).toBe(2 * (15 * batches + 1))
    for (const name of ['a', 'b']) {
      const rows = Array.from({ length: batches }, (_, batch) => rowsOf(name, batch).slice(1)).flat()
      expect(await collection.get(rows.map(({ id }) => id))).toEqual(rows)
      const hits = await collection.search(rows[7]!.vector, {
        k: 2000,
        filter: { [`by ${name}`]: { gte: 0 } },
      })
      expect(hits).toHaveLength(15 * batches + 1)
    }
    await store.close()
  })

  it('write and bring in order at once where there are no locks (object storage), and lose nothing', async () => {
    const folder = emptyFolder()
    const batches = 25
    const first = writer(folder, 'a', 0, batches, { flags: ['unlocked', 'optimize'] })
    await first.begun
    const others = ['b', 'c', 'd'].map((name) =>
      writer(folder, name, 0, batches, { flags: ['unlocked', 'optimize'] }),
    )
    const writers = [first, ...others]
    expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual([0, 0, 0, 0])
    expect(writers.map(({ errors }) => errors())).toEqual(['', '', '', ''])
    const store = await connect(folder)
    const collection = await store.collection('birds', { dimensions })
    expect(await collection.count()).toBe(4 * (15 * batches + 1))
    for (const name of ['a', 'b', 'c', 'd']) {
      const rows = Array.from({ length: batches }, (_, batch) => rowsOf(name, batch).slice(1)).flat()
      expect(await collection.get(rows.map(({ id }) => id))).toEqual(rows)
    }
    await store.close()
  })

  it('index the same texts four at once, two of them killed: each once, and what was stored stays', async () => {
    const [folder, texts] = [emptyFolder(), emptyFolder()]
    const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    mkdirSync(join(texts, 'more'))
    const expected: string[] = []
    for (const file of ['a.txt', 'b.txt', 'more/c.txt']) {
      const lines = Array.from({ length: 40 }, (_, i) => `line ${i} of ${file}`)
      writeFileSync(join(texts, file), `${lines.join('\n')}\n`)
      expected.push(...lines.map((_, i) => `${file}:${i + 1}`))
    }
    const before = new Map<string, Float32Array>()
    for (const round of [1, 2]) {
      const ends = await Promise.all(
        [20 * round, 60 * round, undefined, undefined].map((kill) =>
          indexerProcess(folder, texts, model, kill),
        ),
      )
      expect(ends.map(({ errors }) => errors)).toEqual(['', '', '', ''])
      expect(ends.slice(2).map(({ done }) => done)).toEqual([true, true])
      const store = await connect(folder)
      const collection = await store.collection('texts')
      const ids: string[] = []
      for await (const { id } of collection.rows()) ids.push(id)
      expect(ids.sort()).toEqual([...expected].sort())
      for (const row of await collection.get(ids)) {
        if (before.has(row!.id)) expect(row!.vector).toEqual(before.get(row!.id))
        before.set(row!.id, row!.vector)
      }
      if (round === 1) await collection.delete(ids.filter((_, i) => i % 3 === 0))
      await store.close()
    }
  })
})
