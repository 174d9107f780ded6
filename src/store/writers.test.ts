import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from '../base/files/index.ts'
import { arrow, hasKey, infoOf, schemaOf } from './lanceArrow.ts'
import { withoutLocks } from './lanceSharing.ts'
import { LanceTable } from './lanceTable.ts'
import { connect } from './store.ts'
import { dimensions, sameRows } from './testdata/rows.ts'
import type { Collection, Metadata, Store } from './types.ts'

let folder: string
const stores: Store[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(): Promise<Collection> {
  stores.push(await connect(folder))
  return stores.at(-1)!.collection('birds', { dimensions })
}

async function idsOf(collection: Collection): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of collection.rows()) ids.push(id)
  return ids.sort()
}

const locks = () => readdirSync(join(folder, '.locks'))

describe('writers of the same new ids', () => {
  it('store each once: two handles of one process', async () => {
    const handles = [await open(), await open()]
    handles.push(await stores[0]!.collection('birds'))
    const expected: string[] = []
    for (let round = 0; round < 30; round++) {
      await Promise.all(handles.map((handle, i) => handle.upsert(sameRows(`${round}`, `${i}`))))
      expected.push(...sameRows(`${round}`, '').map(({ id }) => id))
      expect(await handles[0]!.count()).toBe(expected.length)
    }
    expect(await idsOf(handles[0]!)).toEqual(expected.sort())
    expect(locks()).toEqual([])
  })

  it('store each once: two processes and this one', async () => {
    const own = await open()
    const script = fileURLToPath(new URL('./testdata/upserter.ts', import.meta.url))
    const others = ['a', 'b'].map((name) => {
      const child = spawn(process.execPath, ['--import', 'tsx', script, folder, name], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      return { child, said: async () => (await lines.next()).value as string }
    })
    try {
      for (const { said } of others) expect(await said()).toBe('ready')
      for (let round = 0; round < 40; round++) {
        const written = others.map(({ child, said }) => {
          child.stdin.write(`${round}\n`)
          return said()
        })
        await own.upsert(sameRows(`${round}`, 'own'))
        expect(await Promise.all(written)).toEqual([`${round}`, `${round}`])
        expect(await own.count()).toBe(50 * (round + 1))
      }
      const ids = await idsOf(own)
      expect(new Set(ids).size).toBe(ids.length)
      // What a row's single fields hold is all of one writer.
      for (const writer of ['a', 'b', 'own']) {
        const hits = await own.search(new Float32Array(dimensions).fill(1), {
          k: 2000,
          filter: { [`by ${writer}`]: true },
        })
        expect(hits.filter(({ metadata }) => metadata.writer !== writer)).toEqual([])
      }
    } finally {
      for (const { child } of others) child.kill('SIGKILL')
    }
  })

  it('store each once by the database alone, where there is no lock (object storage)', async () => {
    const lancedb = await import('@lancedb/lancedb')
    const tables: LanceTable[] = []
    for (let i = 0; i < 2; i++) {
      const connection = await lancedb.connect(folder, { readConsistencyInterval: 0 })
      const table = i
        ? await connection.openTable('birds')
        : await connection.createEmptyTable('birds', schemaOf({ dimensions }))
      tables.push(new LanceTable(table, infoOf(await table.schema())!, withoutLocks))
    }
    const stored = (round: string, writer: string) =>
      sameRows(round, writer).map((row) => ({
        ...row,
        vector: row.vector as Float32Array,
        metadata: row.metadata as Metadata,
      }))
    for (let round = 0; round < 20; round++) {
      await Promise.all(tables.map((table, i) => table.upsert(stored(`${round}`, `${i}`), {})))
      if (round % 5 === 4) await tables[0]!.optimize()
      expect(await tables[0]!.count()).toBe(50 * (round + 1))
    }
    for (const table of tables) await table.close()
  })

  it('store each once in a collection of an earlier version, too', async () => {
    const { Schema, Field } = arrow()
    const now = schemaOf({ dimensions })
    const then = new Schema(
      now.fields.map(({ name, type, nullable }) => new Field(name, type, nullable)),
      now.metadata,
    )
    const lancedb = await import('@lancedb/lancedb')
    const connection = await lancedb.connect(folder)
    const table = await connection.createEmptyTable('birds', then)
    expect(hasKey(await table.schema())).toBe(false)
    const handles = [await open(), await open()]
    await Promise.all(handles.map((handle, i) => handle.upsert(sameRows('0', `${i}`))))
    expect(await handles[0]!.count()).toBe(50)
    await table.checkoutLatest()
    expect(hasKey(await table.schema())).toBe(true)
  })

  it('leave the last write of each id, whatever they write and delete at once', async () => {
    const handles = [await open(), await open()]
    const step = fc.record({
      write: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 6 }),
      remove: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 2 }),
    })
    const plan = fc.array(step, { minLength: 1, maxLength: 4 })
    let run = 0
    await fc.assert(
      fc.asyncProperty(plan, plan, async (...plans) => {
        const key = run++
        const id = (n: number) => `${key}:${n}`
        // What each writer alone would leave: an id's last write, or its removal.
        const last = await Promise.all(
          plans.map(async (steps, w) => {
            const left = new Map<string, number | undefined>()
            for (const [at, { write, remove }] of steps.entries()) {
              const vector = new Float32Array(dimensions).fill(1)
              await handles[w]!.upsert(write.map((n) => ({ id: id(n), vector, metadata: { w, at } })))
              for (const n of write) left.set(id(n), at)
              await handles[w]!.delete(remove.map(id))
              for (const n of remove) left.set(id(n), undefined)
            }
            return left
          }),
        )
        const found = new Map<string, number>()
        for await (const row of handles[0]!.rows()) {
          if (!row.id.startsWith(`${key}:`)) continue
          expect(found.has(row.id)).toBe(false)
          found.set(row.id, row.metadata.at as number)
          expect(last[row.metadata.w as number]!.get(row.id)).toBe(row.metadata.at)
        }
        // A row may only be missing when one of the writers removed it last.
        for (const id of new Set([...last[0]!.keys(), ...last[1]!.keys()])) {
          const removed = last.some((left) => left.has(id) && left.get(id) === undefined)
          if (!removed) expect(found.has(id)).toBe(true)
        }
      }),
      { numRuns: 15 },
    )
  })
})

describe('a writer who waits', () => {
  it('is released by its signal, has then written nothing, and holds up nobody', async () => {
    const collection = await open()
    const other = await open()
    const controller = new AbortController()
    let release = () => {}
    let held = Promise.resolve()
    // The writers begin when the lock is taken.
    await new Promise<void>((taken) => {
      const until = () =>
        new Promise<void>((resolve) => {
          release = resolve
          taken()
        })
      held = withLock(join(folder, '.locks', 'birds.lock'), undefined, until)
    })
    const rows = sameRows('0', 'a')
    const { signal } = controller
    const stopped = [
      collection.upsert(rows, { signal }),
      collection.upsert(rows, { signal }), // Waits for the one before.
      other.delete(['0:1'], { signal }),
    ]
    const goesOn = collection.upsert(sameRows('1', 'a'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await collection.count()).toBe(0) // Readers never wait.
    controller.abort()
    for (const { status, reason } of (await Promise.allSettled(stopped)) as PromiseRejectedResult[]) {
      expect([status, reason.code]).toEqual(['rejected', 'ABORTED'])
    }
    release()
    await held
    await goesOn
    expect(await idsOf(collection)).toEqual(
      sameRows('1', 'a')
        .map(({ id }) => id)
        .sort(),
    )
    await expect(collection.upsert(rows, { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(locks()).toEqual([])
  })
})
