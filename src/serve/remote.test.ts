// Embedders over Pipilo's own server, as users have them: pipelines, collections, files, evaluation.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Embedder, embedder, readDataset, remote } from '../embed/index.ts'
import { evaluate } from '../evaluate/index.ts'
import { connect, indexFiles } from '../store/index.ts'
import { cosineSimilarity } from '../tensor/index.ts'
import { type TestServer, testServer } from './testing/server.ts'

let server: TestServer
let folder: string
let e: Embedder
let local: Embedder

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-remote-'))
  server = await testServer({ models: ['all-MiniLM-L6-v2', 'emoji-clip'], keys: ['a-long-key-for-tests'] })
  e = await remote({ url: `${server.url}/v1`, model: 'all-MiniLM-L6-v2', key: 'a-long-key-for-tests' })
  local = await embedder('all-MiniLM-L6-v2', { runtime: { workers: 0 } })
})
afterAll(async () => {
  await server.close()
  await local.dispose()
  rmSync(folder, { recursive: true, force: true })
})

it('gives the vectors that the model gives here, through each interface', async () => {
  const texts = ['football', 'soccer', 'a towhee sings in the brush']
  const expected = (await local.embed(texts)).vectors
  const options = { model: 'all-MiniLM-L6-v2', key: 'a-long-key-for-tests' }
  for (const found of [
    e,
    await remote({ url: server.url, api: 'cohere', ...options }),
    await remote({ url: server.url, api: 'tei', ...options }),
  ]) {
    const { vectors } = await found.embed(texts)
    for (const [i, vector] of vectors.entries())
      expect(cosineSimilarity(vector, expected[i]!)).toBeGreaterThan(0.999999)
  }
  expect((await e.embed(['football'])).tokens).toEqual([3])
  await expect(e.embed(['word '.repeat(600)], { truncate: 'error' })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    input: 0,
  })
  await expect(remote({ url: `${server.url}/v1`, ...options, key: 'another' })).rejects.toMatchObject({
    code: 'REMOTE_DENIED',
  })
  // A server of text-embeddings-inference has one model, which nobody names.
  for (const at of [{ url: `${server.url}/v1` }, { url: server.url, api: 'cohere' }] as const)
    await expect(remote({ ...at, ...options, model: 'none' })).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
      message: expect.stringContaining('none'),
    })
  await expect(remote({ url: `${server.url}/elsewhere`, ...options })).rejects.toMatchObject({
    code: 'NETWORK',
  })
})

it('fills a collection that is searched by texts with the embedder given again', async () => {
  mkdirSync(join(folder, 'docs'))
  writeFileSync(join(folder, 'docs', 'birds.txt'), 'A towhee sings in the brush.\n')
  writeFileSync(join(folder, 'docs', 'money.txt'), 'Interest rates rose again.\n')
  const store = await connect(join(folder, 'db'))
  const notes = await store.collection('notes', { embedder: e })
  expect(
    await indexFiles([join(folder, 'docs')], { embedder: e, collection: notes, only: 'text' }),
  ).toMatchObject({
    indexed: 2,
  })
  const [hit] = await notes.search({ text: 'birdsong' })
  expect(hit!.id).toContain('birds.txt')
  expect(JSON.stringify(notes.recipe)).not.toContain('a-long-key-for-tests')
  await notes.close()

  const again = await store.collection('notes')
  await expect(again.search({ text: 'birdsong' })).rejects.toThrow(/remote\(/)
  await again.close()
  await expect(store.collection('notes', { embedder: local })).rejects.toMatchObject({
    code: 'COLLECTION_MISMATCH',
  })
  await store.close()
})

it('has collections that a server gives out by vectors alone, without a word on the address behind them', async () => {
  const db = join(folder, 'served')
  const store = await connect(db)
  const notes = await store.collection('notes', { embedder: e })
  const { vectors } = await e.embed(['a towhee sings'])
  await notes.upsert([{ id: 'a', vector: vectors[0]!, metadata: { text: 'a towhee sings' } }])
  await store.close()
  const other = await testServer({ models: ['all-MiniLM-L6-v2'], db })
  try {
    const path = '/v1/collections/notes'
    const form = new FormData()
    form.append('files', new Blob(['a towhee']), 'a.txt')
    const refused = [
      await other.post(`${path}/search`, { query: { text: 'birdsong' } }),
      await other.post(`${path}/search`, { query: { text: 'a' }, hybrid: true }),
      await other.post(`${path}/upsert`, { rows: [{ id: 'b', text: 'b' }] }),
      await other.post(`${path}/upsert`, { rows: [{ id: 'b', text: 'b' }], tap: 'hidden_states.3' }),
      await other.post(`${path}/files`, form),
    ]
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 409, 400])
    expect(refused[0]!.body.error.message).toBe(
      'The collection "notes" is of a model of another server, which this one does not ask. Bring vectors.',
    )
    const found = await other.post(`${path}/search`, { query: { vector: Array.from(vectors[0]!) } })
    expect(found.body.hits[0].id).toBe('a')
    const about = await other.get(path)
    expect(about.body.uploads).toBe(false)
    for (const { body } of [
      ...refused,
      about,
      await other.get('/v1/collections'),
      await other.get(`${path}/map`),
    ])
      expect(JSON.stringify(body)).not.toContain(new URL(server.url).host)
    expect(other.errors).toEqual([])
  } finally {
    await other.close()
  }
})

it('embeds pictures and texts in one space, and is measured', async () => {
  const both = await remote({
    url: `${server.url}/v1`,
    model: 'emoji-clip',
    key: 'a-long-key-for-tests',
    modality: 'text-image',
  })
  const red = { width: 32, height: 32, channels: 3, data: new Uint8Array(32 * 32 * 3).fill(200) } as const
  const { vectors, tokens } = await both.embed([{ text: 'a red square' }, { image: red }])
  expect(vectors.map(({ length }) => length)).toEqual([both.dimensions, both.dimensions])
  expect(tokens[1]).toBe(0)
  await using here = await embedder('emoji-clip', { modality: 'text-image', runtime: { workers: 0 } })
  const expected = (await here.embed([{ text: 'a red square' }, { image: red }])).vectors
  for (const [i, vector] of vectors.entries())
    expect(cosineSimilarity(vector, expected[i]!)).toBeGreaterThan(0.9999)

  const words = {
    bird: ['towhee', 'owl', 'wren', 'heron', 'gull'],
    money: ['loan', 'bank', 'tax', 'fund', 'price'],
  }
  const rows = Object.entries(words).flatMap(([label, list]) =>
    list.flatMap((word) => [`the ${word}`, `a ${word} again`].map((text) => ({ text, label }))),
  )
  const data = await readDataset(rows)
  const task = { kind: 'classification', name: 'kinds', data } as const
  const [there, at] = [
    await evaluate(e, task, { resamples: 0 }),
    await evaluate(local, task, { resamples: 0 }),
  ]
  expect(there.measures).toEqual(at.measures)
})
