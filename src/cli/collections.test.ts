import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PipiloError } from '../base/index.ts'
import { connect } from '../store/index.ts'
import { parseArguments, type Terminal } from './command.ts'
import { collections } from './commands/collections.ts'

const db = mkdtempSync(join(tmpdir(), 'pipilo-'))
beforeAll(async () => {
  const store = await connect(db)
  const birds = await store.collection('birds', { dimensions: 2 })
  await birds.upsert([
    { id: 'a', vector: [1, 0], metadata: { year: 2020, note: null } },
    { id: 'b', vector: [0, 1], metadata: { year: 'unknown', kind: 'owl' } },
  ])
  await store.collection('empty', { dimensions: 3 })
  await store.collection('damaged', { dimensions: 3 })
  await store.close()
  const versions = join(db, 'damaged.lance', '_versions')
  for (const name of readdirSync(versions)) truncateSync(join(versions, name), 3)
})
afterAll(() => rmSync(db, { recursive: true, force: true }))

async function run(...argv: string[]) {
  const printed = { out: '', err: '' }
  const terminal: Terminal = {
    async out(text) {
      printed.out += text
    },
    err(text) {
      printed.err += text
    },
    interactive: false,
    width: 80,
    signal: new AbortController().signal,
  }
  const error = await collections
    .run(parseArguments(collections, [...argv, '--db', db]), terminal)
    .then(() => undefined)
    .catch((error: unknown) => error as PipiloError)
  return { ...printed, code: error?.code, message: error?.message }
}

it('Collections are listed with what is known of them; one that is damaged is named, and is an error.', async () => {
  const { out, code, message } = await run('--json')
  expect([code, message]).toEqual(['STORE_FAILED', expect.stringContaining('"damaged"')])
  expect(JSON.parse(out)).toEqual([
    {
      name: 'birds',
      model: null,
      taps: null,
      dimensions: 2,
      rows: 2,
      bytes: expect.any(Number),
      fields: [
        { name: 'kind', types: ['string'] },
        { name: 'note', types: [] },
        { name: 'year', types: ['number', 'string'] },
      ],
      recipe: null,
    },
    expect.objectContaining({ name: 'empty', dimensions: 3, rows: 0, fields: [] }),
  ])
  expect((await run()).out).toMatch(/^birds +2 +2 +\d+ kB +kind, note, year$/m)
  expect((await run('show', 'birds')).out).toMatch(/^field year +number or string$/m)
})

it('A collection is deleted only when that is said twice, also one that is damaged.', async () => {
  expect(await run('delete', 'birds')).toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('2 rows'),
  })
  expect((await run('delete', 'birds', '--yes')).out).toBe('birds: deleted, 2 rows\n')
  expect(JSON.parse((await run('delete', 'damaged', '--yes', '--json')).out)).toEqual({
    deleted: 'damaged',
    rows: null,
  })
  expect(JSON.parse((await run('--json')).out).map(({ name }: { name: string }) => name)).toEqual(['empty'])
  expect(await run('delete', 'birds', '--yes')).toMatchObject({ code: 'COLLECTION_UNKNOWN' })
  for (const words of [['shwo'], ['show'], ['delete'], ['show', 'a', 'b'], ['list', 'a']])
    expect(await run(...words)).toMatchObject({ code: 'USAGE' })
})
