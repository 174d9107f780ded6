import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Embedder, type EmbedderOptions, embedder } from '../embed/index.ts'
import { indexFiles } from './indexFiles.ts'
import { connect } from './store.ts'
import type { Store } from './types.ts'

// `early` was made by Pipilo 0.1 before there were recipes: two lines of notes.txt, embedded with the tap hidden_states.1 and pool max.
const early = fileURLToPath(new URL('testdata/early', import.meta.url))
const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
const notes = ['A towhee sings in the brush.', 'Stock markets fell.']

let folder: string
let store: Store
const opened: Embedder[] = []
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-early-'))
  cpSync(early, join(folder, 'db'), { recursive: true })
  writeFileSync(join(folder, 'notes.txt'), `${notes.join('\n')}\n`)
  store = await connect(join(folder, 'db'))
})
afterEach(async () => {
  for (const e of opened.splice(0)) await e.dispose()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(options: EmbedderOptions): Promise<Embedder> {
  const e = (await embedder(model, { ...options, runtime: { workers: 0 } })) as Embedder
  opened.push(e)
  return e
}

it('opens a collection without a recipe, and says what it was made with', async () => {
  const collection = await store.collection('notes')
  expect(collection.recipe).toBeUndefined()
  expect(collection.identity).toMatchObject({ tap: 'hidden_states.1', pool: 'max', dimensions: 8 })
})

it.each([
  { tap: 'hidden_states.1' },
  { tap: ['encoder.layer.0'] },
  { tap: 'encoder.layer.0.output', normalize: true },
])('takes the embedder that it was made with, in other words too: %j', async (words) => {
  const e = await open({ ...words, pool: 'max' })
  const collection = await store.collection('notes', { embedder: e })
  const { vectors } = await e.embed(notes)
  for (const [i, vector] of vectors.entries()) {
    const [best] = await collection.search(vector)
    expect(best).toMatchObject({ id: `notes.txt:${i + 1}`, score: expect.closeTo(1, 5) })
  }
  const again = await indexFiles(['notes.txt'], { cwd: folder, embedder: e, collection })
  expect(again).toMatchObject({ indexed: 0, unchanged: 2 })
  const prompted = await indexFiles(['notes.txt'], {
    cwd: folder,
    embedder: e,
    collection,
    prompt: 'document',
  })
  expect(prompted).toMatchObject({ indexed: 2, unchanged: 0 })
})

it.each<[EmbedderOptions, string]>([
  [{ tap: 'hidden_states.0', pool: 'max' }, 'kind: tap encoder.layer.0.output'],
  [{ tap: 'hidden_states.1' }, 'kind: pool max, not cls.'],
  [{ tap: 'hidden_states.1', pool: 'max', dimensions: 4 }, 'kind: dimensions 8, not 4.'],
  [{ tap: 'hidden_states.1', pool: 'max', dtype: 'int8' }, 'kind: model model, not '],
])('refuses another: %j', async (options, words) => {
  const call = store.collection('notes', { embedder: await open(options) })
  await expect(call).rejects.toMatchObject({
    code: 'COLLECTION_MISMATCH',
    message: expect.stringContaining(words),
  })
})
