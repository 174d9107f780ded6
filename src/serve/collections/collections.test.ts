import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedder } from '../../embed/index.ts'
import { connect, indexFiles } from '../../store/index.ts'
import { type TestServer, testServer } from '../testing/server.ts'
import { safePath } from './uploads.ts'

const pictures = fileURLToPath(new URL('../../../samples/pictures', import.meta.url))
const bytesOf = (name: string) => readFileSync(join(pictures, name))
const dataUrl = (name: string) => `data:image/jpeg;base64,${bytesOf(name).toString('base64')}`
const model = 'all-MiniLM-L6-v2'

let server: TestServer
beforeAll(async () => {
  server = await testServer({ models: [model, 'mobilenet-v2-whitened'] })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.close()
})

const search = (name: string, query: object, more: object = {}) =>
  server.post(`/v1/collections/${name}/search`, { query, ...more })
const ids = ({ body }: { body: { hits: { id: string }[] } }) => body.hits.map(({ id }) => id)

describe('rows', () => {
  const texts = ['A towhee sings in the brush', 'Manual of the XJ-900', 'Stock markets fell']
  const rows = texts.map((text, i) => ({ id: `${i}`, text, metadata: { year: 2020 + i, draft: i === 1 } }))

  it('go in as texts, and are found by words, vectors and other rows, under filters', async () => {
    expect((await server.post('/v1/collections/notes/upsert', { rows, model })).body).toEqual({ upserted: 3 })
    expect(ids(await search('notes', { text: 'birdsong' }, { k: 1 }))).toEqual(['0'])
    expect(ids(await search('notes', { text: 'xj-900' }, { k: 1, hybrid: true }))).toEqual(['1'])
    expect(
      ids(
        await search(
          'notes',
          { text: 'birdsong' },
          { filter: { year: { gte: 2021 }, not: { draft: true } } },
        ),
      ),
    ).toEqual(['2'])
    expect(ids(await search('notes', { id: '0' }, { k: 3 }))).not.toContain('0')
    const { body } = await server.post('/v1/embeddings', { model, input: 'Stock markets fell' })
    expect(ids(await search('notes', { vector: body.data[0].embedding }, { k: 1 }))).toEqual(['2'])
    const got = await server.post('/v1/collections/notes/get', { ids: ['2', 'none'], vectors: true })
    expect(got.body.rows[0]).toMatchObject({ id: '2', metadata: { text: texts[2], year: 2022 } })
    expect([got.body.rows[0].vector.length, got.body.rows[1]]).toEqual([384, null])
    const { body: about } = await server.get('/v1/collections/notes')
    expect(about).toMatchObject({ name: 'notes', rows: 3, dimensions: 384, model, modality: 'text' })
    expect(about.fields.map(({ name }: { name: string }) => name)).toEqual(['draft', 'text', 'year'])
    expect((await server.post('/v1/collections/notes/delete', { filter: { draft: true } })).body).toEqual({
      deleted: 1,
    })
    expect((await server.get('/v1/collections/notes/count')).body).toEqual({ count: 2 })
  })

  it('of another model, another layer or another length are refused', async () => {
    const upsert = (body: object) => server.post('/v1/collections/notes/upsert', body)
    const other = await upsert({
      rows: [{ id: 'a', image: dataUrl('bricks.jpg') }],
      model: 'mobilenet-v2-whitened',
    })
    expect([other.status, other.body.error.code]).toEqual([409, 'collection_mismatch'])
    expect((await upsert({ rows: [{ id: 'a', text: 'a' }], tap: 'hidden_states.3' })).status).toBe(409)
    expect((await upsert({ rows: [{ id: 'a', text: 'a' }], normalize: false })).status).toBe(409)
    const short = await upsert({ rows: [{ id: 'a', vector: [1, 2] }] })
    expect([short.status, short.body.error.code]).toEqual([400, 'dimension_mismatch'])
    expect((await upsert({ rows: [{ id: 'a', image: dataUrl('bricks.jpg') }] })).status).toBe(400)
    expect((await search('notes', { image: dataUrl('bricks.jpg') })).status).toBe(400)
    expect((await search('notes', { id: 'none' })).status).toBe(400)
    expect((await search('notes', { text: 'a' }, { filter: { yeer: 1 } })).body.error.message).toContain(
      'year',
    )
    expect((await search('nowhere', { text: 'a' })).status).toBe(404)
    expect((await search('..%2fetc', { text: 'a' })).status).toBe(400)
    expect(
      (await server.post('/v1/collections/..%2f..%2fetc/upsert', { rows: [{ id: 'a', text: 'a' }] })).status,
    ).toBe(400)
  })

  it('may be vectors that are brought', async () => {
    const own = [
      { id: 'x', vector: [1, 0, 0] },
      { id: 'y', vector: [0, 1, 0] },
    ]
    expect((await server.post('/v1/collections/own/upsert', { rows: own })).status).toBe(200)
    expect(ids(await search('own', { vector: [0.9, 0.1, 0] }, { k: 1 }))).toEqual(['x'])
    expect((await search('own', { text: 'a' })).body.error.message).toContain('Bring vectors')
    const response = await fetch(`${server.url}/v1/collections/own`, { method: 'DELETE' })
    expect(await response.json()).toEqual({ deleted: 'own' })
    expect((await server.get('/v1/collections/own')).status).toBe(404)
    expect(
      (await server.get('/v1/collections')).body.collections.map(({ name }: { name: string }) => name),
    ).toEqual(['notes'])
  })

  it('that are refused leave no collection behind, and take none that others fill', async () => {
    const upsert = (name: string, body: object) => server.post(`/v1/collections/${name}/upsert`, body)
    const names = async () =>
      (await server.get('/v1/collections')).body.collections.map(({ name }: { name: string }) => name)
    const bad = { id: 'a', vector: [0, 0] }
    for (const body of [
      { rows: [{ id: 'a', text: 'a' }], prompt_name: 'none' },
      { rows: [{ id: 'a', image: 'data:image/png;base64,AAAA' }], model: 'mobilenet-v2-whitened' },
      { rows: [bad] },
      {
        rows: [
          { id: 'a', vector: [1, 0] },
          { id: 'b', vector: [1] },
        ],
      },
    ]) {
      expect((await upsert('fresh', body)).status).toBe(400)
      expect(await names()).not.toContain('fresh')
    }
    const form = new FormData()
    form.append('files', new Blob(['a']), '../..')
    expect((await server.post('/v1/collections/fresh/files', form)).status).toBe(400)
    expect(await names()).not.toContain('fresh')
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        upsert('fresh', { rows: [i % 3 === 0 ? { id: `${i}`, vector: [1, i] } : bad] }),
      ),
    )
    expect(all.map(({ status }) => status)).toEqual(all.map((_, i) => (i % 3 === 0 ? 200 : 400)))
    expect((await server.get('/v1/collections/fresh/count')).body).toEqual({ count: 4 })
    await upsert('fresh', { rows: [bad] })
    expect(await names()).toContain('fresh')
    await fetch(`${server.url}/v1/collections/fresh`, { method: 'DELETE' })
    // A collection that was made by itself stays.
    await server.post('/v1/collections/fresh', { dimensions: 2 })
    expect((await upsert('fresh', { rows: [bad] })).status).toBe(400)
    expect(await names()).toContain('fresh')
    await fetch(`${server.url}/v1/collections/fresh`, { method: 'DELETE' })
  })

  it('of one id, or of two texts, are refused', async () => {
    const upsert = (...all: object[]) => server.post('/v1/collections/notes/upsert', { rows: all })
    const twice = await upsert({ id: 'a', text: 'a' }, { id: 'b', text: 'b' }, { id: 'a', text: 'c' })
    expect([twice.status, twice.body.error]).toEqual([
      400,
      { code: 'invalid_request', message: 'Rows 0 and 2 have the same id, "a".', field: 'rows.2.id' },
    ])
    const other = await upsert({ id: 'a', text: 'a', metadata: { text: 'b' } })
    expect([other.status, other.body.error.field]).toEqual([400, 'rows.0.metadata.text'])
    expect((await server.get('/v1/collections/notes/count')).body).toEqual({ count: 2 })
  })

  it('are found by filters whose values are of the fields’ types', async () => {
    const find = (filter: object) => search('notes', { text: 'birdsong' }, { filter })
    for (const filter of [
      { year: '2022' },
      { year: { gte: '2020' } },
      { year: { in: ['2020', '2022'] } },
      { year: { contains: '20' } },
      { or: [{ draft: true }, { not: { year: { ne: '2022' } } }] },
    ]) {
      const { status, body } = await find(filter)
      expect([status, body.error.message]).toEqual([
        400,
        expect.stringMatching(/"year" compares with a text, .*; the field holds numbers\.$/),
      ])
    }
    expect((await server.post('/v1/collections/notes/delete', { filter: { year: '2022' } })).status).toBe(400)
    expect((await find({ draft: 'yes' })).body.error.message).toContain('truths')
    expect(ids(await find({ year: { in: ['x', 2022] } }))).toEqual(['2'])
    expect(ids(await find({ year: null }))).toEqual([])
    expect(ids(await find({ year: { ne: null } })).sort()).toEqual(['0', '2'])
  })

  it('that are malformed get a 4xx', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('upsert', 'search', 'delete', 'get'),
        fc.oneof(fc.json(), mutated),
        async (what, body) => {
          const { status, body: answer } = await server.post(`/v1/collections/notes/${what}`, body)
          expect(status === 200 || (status >= 400 && status < 500)).toBe(true)
          if (status !== 200) expect(answer.error.message.length).toBeGreaterThan(5)
        },
      ),
      { numRuns: 200 },
    )
  })
})

/** Bodies that are almost right. */
const mutated = fc
  .record(
    {
      rows: fc.array(
        fc.record({
          id: fc.string(),
          vector: fc.array(fc.double()),
          metadata: fc.dictionary(fc.string(), fc.anything()),
        }),
        { maxLength: 2 },
      ),
      query: fc.oneof(
        fc.record({ vector: fc.array(fc.double()) }),
        fc.record({ id: fc.string() }),
        fc.object(),
      ),
      filter: fc.oneof(
        fc.object(),
        fc.record({ year: fc.record({ gte: fc.anything() }) }),
        fc.record({ or: fc.anything() }),
      ),
      ids: fc.array(fc.string()),
      k: fc.oneof(fc.integer(), fc.string()),
      distinct: fc.oneof(fc.boolean(), fc.string()),
      hybrid: fc.oneof(fc.boolean(), fc.object()),
      probes: fc.integer(),
    },
    { requiredKeys: [] },
  )
  .map(
    (body) =>
      JSON.stringify(body, (_, entry: unknown) => (typeof entry === 'bigint' ? String(entry) : entry)) ??
      'null',
  )

describe('a collection that another server of the database', () => {
  const drop = (from: TestServer, name: string) =>
    fetch(`${from.url}/v1/collections/${name}`, { method: 'DELETE' })
  const row = { id: 'a', vector: [1, 0], metadata: { year: 2020 } }
  const withOther = async (work: (other: TestServer) => Promise<void>) => {
    const other = await testServer({ models: [model], db: join(server.folder, 'db') })
    try {
      await work(other)
      expect(other.errors).toEqual([])
    } finally {
      await other.close()
    }
  }

  it('deletes is one that is not there', () =>
    withOther(async (other) => {
      await server.post('/v1/collections/shared/upsert', { rows: [row] })
      const path = '/v1/collections/shared'
      const asked = [
        () => other.post(`${path}/search`, { query: { vector: [1, 0] } }),
        () => other.post(`${path}/search`, { query: { vector: [1, 0] }, filter: { year: 2020 } }),
        () => other.post(`${path}/get`, { ids: ['a'] }),
        () => other.post(`${path}/delete`, { ids: ['a'] }),
        () => other.get(path),
        () => other.get(`${path}/count`),
        () => other.get(`${path}/fields`),
        () => other.get(`${path}/map`),
      ]
      for (const ask of asked) {
        await server.post(`${path}/upsert`, { rows: [row] })
        expect((await other.get(`${path}/count`)).body).toEqual({ count: 1 })
        await drop(server, 'shared')
        for (const answer of [await ask(), await ask()])
          expect([answer.status, answer.body.error.code]).toEqual([404, 'collection_unknown'])
      }
    }))

  it('makes again for other vectors is the new one', () =>
    withOther(async (other) => {
      const path = '/v1/collections/shared'
      await server.post(`${path}/upsert`, { rows: [row] })
      expect((await other.get(`${path}/count`)).body).toEqual({ count: 1 })
      await drop(server, 'shared')
      await server.post(`${path}/upsert`, { rows: [{ id: 'b', vector: [1, 0, 0] }] })
      const query = { vector: [1, 0, 0] }
      await other.post(`${path}/search`, { query: { vector: [1, 0] } })
      expect(ids(await other.post(`${path}/search`, { query }))).toEqual(['b'])
      // A collection that has not changed stays open, and refuses other vectors.
      expect((await other.post(`${path}/upsert`, { rows: [{ id: 'c', text: 'c' }], model })).status).toBe(409)
      expect(ids(await other.post(`${path}/search`, { query }))).toEqual(['b'])
      await drop(other, 'shared')
    }))
})

describe('uploaded files', () => {
  /** The states of a job, as events. */
  async function follow(id: string): Promise<{ event: string; data: Record<string, unknown> }[]> {
    const text = await (await fetch(`${server.url}/v1/jobs/${id}/events`)).text()
    return [...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => ({
      event: event!,
      data: JSON.parse(data!),
    }))
  }
  const upload = (
    name: string,
    files: Record<string, Uint8Array | string>,
    more: Record<string, string> = {},
  ) => {
    const form = new FormData()
    for (const [field, value] of Object.entries(more)) form.set(field, value)
    for (const [path, content] of Object.entries(files))
      form.append('files', new Blob([content as Uint8Array<ArrayBuffer>]), path)
    return server.post(`/v1/collections/${name}/files`, form)
  }

  it('are indexed as a job, which says how far it is, and have thumbnails', async () => {
    const { body, status } = await upload('photos', {
      'walls/bricks.jpg': bytesOf('bricks.jpg'),
      'peaks.jpg': bytesOf('mountain-peaks.jpg'),
    })
    expect([status, body.collection]).toEqual([200, 'photos'])
    const events = await follow(body.id)
    expect(events.at(-1)).toMatchObject({
      event: 'end',
      data: { state: 'done', report: { indexed: 2, skippedCount: 0 } },
    })
    const hits = await search('photos', { image: dataUrl('bricks.jpg') }, { k: 1 })
    const [{ id }] = hits.body.hits
    expect(id).toMatch(/bricks\.jpg$/)
    const response = await fetch(
      `${server.url}/v1/collections/photos/thumbnail?id=${encodeURIComponent(id)}&size=64`,
    )
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/webp'])
    expect(
      Buffer.from(await response.arrayBuffer())
        .subarray(8, 12)
        .toString(),
    ).toBe('WEBP')
    expect((await server.get('/v1/collections/photos/thumbnail?id=none')).status).toBe(404)
    expect((await server.get('/v1/jobs')).body.jobs[0]).toMatchObject({ id: body.id, state: 'done' })
  })

  it('are texts passage by passage; names lead nowhere, and what cannot be read is named', async () => {
    const { body } = await upload('docs', {
      '../../../outside.md': '# Birds\n\nThe towhee sings in the brush.\n\n# Money\n\nStock markets fell.',
      'broken.pdf': '%PDF-1.7 and no more',
    })
    const { data } = (await follow(body.id)).at(-1)!
    expect(data).toMatchObject({ state: 'done', report: { indexed: 1, skippedCount: 1 } })
    // Where files lie on the server is nobody's business.
    expect(JSON.stringify(data)).not.toContain(server.folder)
    const [best] = (await search('docs', { text: 'birdsong' })).body.hits
    expect(best.metadata).toMatchObject({ path: 'outside.md', text: expect.stringContaining('towhee') })
  })

  it('are refused where the name of one is that of a folder', async () => {
    for (const files of [
      { 'clash/a.txt': 'an owl', clash: 'a wren' },
      { other: 'a wren', 'other/b.txt': 'an owl' },
    ]) {
      const { status, body } = await upload('clashes', files)
      expect([status, body.error.code]).toEqual([409, 'name_invalid'])
      expect(body.error.message).not.toContain(server.folder)
    }
  })

  it("do not go into a collection of the server's own files: their ids would say where it keeps them", async () => {
    const own = join(server.folder, 'own')
    mkdirSync(own)
    writeFileSync(join(own, 'notes.txt'), 'A towhee sings.')
    const store = await connect(join(server.folder, 'db'))
    const e = await embedder('all-MiniLM-L6-v2', { runtime: { workers: 0 } })
    const collection = await store.collection('own', { embedder: e })
    await indexFiles(['notes.txt'], { embedder: e, collection, cwd: own })
    await store.close()
    await e.dispose()
    expect((await server.get('/v1/collections/own')).body.uploads).toBe(false)
    const { status, body } = await upload('own', { 'more.txt': 'An owl hunts.' })
    expect([status, JSON.stringify(body).includes(server.folder)]).toEqual([409, false])
    expect((await server.get('/v1/collections/own/count')).body.count).toBe(1)
    expect((await server.get('/v1/collections/docs')).body.uploads).toBe(true)
  })

  it('stop being indexed when the job is stopped', async () => {
    const lines = Array.from(
      { length: 3000 },
      (_, i) => `The ${i}th towhee sings in the brush of the garden.`,
    ).join('\n')
    const { body } = await upload('many', { 'many.txt': lines }, { by: 'line' })
    // Meanwhile a search is answered.
    expect((await search('notes', { text: 'birdsong' })).status).toBe(200)
    await fetch(`${server.url}/v1/jobs/${body.id}`, { method: 'DELETE' })
    expect((await follow(body.id)).at(-1)).toMatchObject({ event: 'end', data: { state: 'cancelled' } })
    expect((await server.get('/v1/jobs/none')).status).toBe(404)
  })

  it('say early how much there is, and go on in small steps', async () => {
    // So long that a batch is embedded for longer than all files are counted, also beside other work.
    const words = 'The towhee sings in the brush of the garden. '.repeat(9)
    const files = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`${i}.txt`, `${i}: ${words}`]))
    const { body } = await upload('steps', files)
    const told = (await follow(body.id)).map(
      ({ data }) => data['progress'] as { done: number; total?: number },
    )
    // A state is told ten times a second at most, so that a step may be passed over.
    const steps = [...new Set(told.map(({ done }) => done))]
    expect([0, 64, 128, 150]).toEqual(expect.arrayContaining(steps))
    expect([steps.at(-1), steps.some((done) => done === 64 || done === 128)]).toEqual([150, true])
    // Known as soon as all files have been counted, which goes on beside the first batches.
    expect(told.find(({ done, total }) => done < 150 && total !== undefined)).toMatchObject({ total: 150 })
    await fetch(`${server.url}/v1/collections/steps`, { method: 'DELETE' })
  })

  it('leave no collection behind where the job that made it is stopped before anything was stored', async () => {
    const lines = Array(3000).fill('A towhee sings in the brush of the garden.').join('\n')
    const long = await upload('long', { 'many.txt': lines }, { by: 'line' })
    // Both wait for the long one.
    await server.post('/v1/collections/made', { model })
    const waiting = [await upload('fresh', { 'a.txt': 'owls' }), await upload('made', { 'a.txt': 'owls' })]
    for (const { body } of [...waiting, long])
      await fetch(`${server.url}/v1/jobs/${body.id}`, { method: 'DELETE' })
    for (const { body } of [...waiting, long])
      expect((await follow(body.id)).at(-1)!.data['state']).toBe('cancelled')
    expect((await server.get('/v1/collections/fresh')).status).toBe(404)
    expect((await server.get('/v1/collections/made/count')).body).toEqual({ count: 0 })
  })

  it('are served from below their folders alone', async () => {
    const folder = join(server.folder, 'db/.uploads/photos')
    writeFileSync(join(server.folder, 'secret.jpg'), bytesOf('bricks.jpg'))
    mkdirSync(folder, { recursive: true })
    symlinkSync(join(server.folder, 'secret.jpg'), join(folder, 'link.jpg'))
    writeFileSync(join(folder, 'notes.txt'), 'secret words')
    mkdirSync(join(folder, 'inner'), { recursive: true })
    const vector = Array(192).fill(0.1)
    const metadata = (path: string) => ({ metadata: { path }, vector })
    await server.post('/v1/collections/photos/upsert', {
      rows: [
        { id: 'up', ...metadata('../../../secret.jpg') },
        { id: 'link', ...metadata('link.jpg') },
        { id: 'root', ...metadata('/etc/passwd') },
        { id: 'text', ...metadata('notes.txt') },
        { id: 'folder', ...metadata('inner') },
      ],
    })
    for (const id of ['up', 'link', 'root', 'text', 'folder']) {
      const { status, body } = await server.get(`/v1/collections/photos/thumbnail?id=${id}`)
      expect([status, body.error.message]).toEqual([404, 'The row has no picture here.'])
    }
    // Nor does a map say more of them.
    const { body: map } = await server.get('/v1/collections/photos/map')
    const shown = map.ids.filter((_: string, i: number) => map.thumbnails[i] !== null)
    expect(shown.sort()).toEqual(['peaks.jpg', 'walls/bricks.jpg'])
    expect(JSON.stringify(map)).not.toMatch(new RegExp(`secret words|${server.folder}`))
  })
})

it('Names of uploaded files become paths that lead nowhere else.', () => {
  expect(safePath('../../etc/pass*wd')).toBe('etc/pass_wd')
  expect(safePath('C:\\photos\\.hidden\\a.jpg')).toBe('C_/photos/hidden/a.jpg')
  expect(() => safePath('../..')).toThrow('empty')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      let path: string
      try {
        path = safePath(name)
      } catch {
        return
      }
      for (const part of path.split('/')) expect(part).toMatch(/^[^./\\-][^/\\:*?\0]*$/u)
    }),
  )
})
