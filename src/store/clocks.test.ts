import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { connect } from './store.ts'
import { dimensions, rowsOf } from './testdata/rows.ts'
import { writerProcess } from './testdata/writerProcess.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
const shim = join(folder, 'clock.so')
/** LanceDB asks the system for the time, not JavaScript: only what stands before the C library can move its clock. */
const reason = (() => {
  if (process.platform !== 'linux') return 'a clock can be moved for one process on Linux only'
  const source = fileURLToPath(new URL('testdata/clock.c', import.meta.url))
  const { status, error } = spawnSync('cc', ['-shared', '-fPIC', '-o', shim, source, '-ldl'])
  return error || status !== 0 ? 'there is no C compiler' : undefined
})()
if (reason) console.warn(`Clocks are not tested: ${reason}.`)

const days = 86_400
let db: string
const offset = join(folder, 'offset')
beforeEach(() => {
  db = mkdtempSync(join(folder, 'db-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Two processes write, one of them with a clock that is off; nothing of either may be missing. */
async function both(
  seconds: () => number,
  { batches, first, flags = [] }: { batches: number; first: 'right' | 'wrong'; flags?: string[] },
) {
  writeFileSync(offset, String(seconds()))
  const moving = setInterval(() => writeFileSync(offset, String(seconds())), 300)
  const env = { LD_PRELOAD: shim, CLOCK_FILE: offset }
  const start = {
    right: () =>
      writerProcess(db, 'right', 0, batches, { flags: flags.filter((flag) => flag !== 'optimize') }),
    wrong: () => writerProcess(db, 'wrong', 0, batches, { flags, env }),
  }
  const writers = [start[first]()]
  try {
    await writers[0]!.begun
    writers.push(start[first === 'right' ? 'wrong' : 'right']())
    const codes = await Promise.all(writers.map(({ ended }) => ended))
    expect(writers.map(({ errors }) => errors())).toEqual(['', ''])
    expect(codes).toEqual([0, 0])
  } finally {
    clearInterval(moving)
    for (const { child } of writers) child.kill('SIGKILL')
  }
  const store = await connect(db)
  const collection = await store.collection('birds', { dimensions })
  expect(await collection.count()).toBe(2 * (15 * batches + 1))
  for (const name of ['right', 'wrong']) {
    const rows = Array.from({ length: batches }, (_, batch) => rowsOf(name, batch).slice(1)).flat()
    expect(await collection.get(rows.map(({ id }) => id))).toEqual(rows)
    const hits = await collection.search(rows[7]!.vector, { k: 20, filter: { writer: name } })
    expect(hits).toHaveLength(20)
  }
  await collection.upsert(rowsOf('later', 0))
  await collection.optimize()
  expect(await collection.count()).toBe(2 * (15 * batches + 1) + 16)
  await store.close()
}

// Processes that write in turns take long where the machine has other work.
const patient = { timeout: 240_000 }

describe.skipIf(reason)(
  'a writer whose clock is wrong loses nothing of another, nor of its own',
  patient,
  () => {
    it('30 days ahead', () => both(() => 30 * days, { batches: 100, first: 'right' }))
    it('30 days ahead, and it made the collection', () =>
      both(() => 30 * days, { batches: 60, first: 'wrong', flags: ['optimize'] }))
    it('30 days behind', () => both(() => -30 * days, { batches: 60, first: 'wrong', flags: ['optimize'] }))
    it('30 days ahead or behind, at random', () =>
      both(() => Math.round((Math.random() - 0.5) * 60 * days), {
        batches: 60,
        first: 'right',
        flags: ['optimize'],
      }))
    it('30 days ahead, where there are no locks (object storage)', () =>
      both(() => 30 * days, { batches: 60, first: 'wrong', flags: ['unlocked', 'optimize'] }))
  },
)
