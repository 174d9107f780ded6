// Manners of all routes: unknown fields, forms, methods, names of requests, the description, hints.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ErrorCode, PipiloError } from '../../base/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { type TestServer, testServer } from '../testing/server.ts'
import { refusalOf } from './refusal.ts'

const bricks = readFileSync(fileURLToPath(new URL('../../../samples/pictures/bricks.jpg', import.meta.url)))
const dataUrl = `data:image/jpeg;base64,${bricks.toString('base64')}`
const model = 'all-MiniLM-L6-v2'

let server: TestServer
beforeAll(async () => {
  server = await testServer({
    models: [model, 'emoji-clip'],
    cors: ['https://app.example'],
    limits: { hits: 50, inputs: 30 },
  })
  await server.post('/v1/collections/notes/upsert', { rows: [{ id: 'a', text: 'a towhee' }] })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.close()
})

const said = (body: { error?: string | { message?: string }; message?: string }): string =>
  (typeof body.error === 'string' ? body.error : body.error?.message) ?? body.message ?? ''

function formOf(fields: readonly (readonly [string, string | Uint8Array])[]): FormData {
  const form = new FormData()
  for (const [name, value] of fields) {
    if (typeof value === 'string') form.append(name, value)
    else form.append(name, new Blob([value as Uint8Array<ArrayBuffer>]), 'a.jpg')
  }
  return form
}

describe('a field that does not exist', () => {
  const image = { type: 'image_url', image_url: { url: dataUrl, detial: 'low' } }
  it.each([
    ['/v1/embeddings', { model, input: 'a', dimension: 10 }, 'dimensions'],
    ['/v1/embeddings', { model, input: 'a', layer: 'x' }, undefined],
    ['/v1/embeddings', { model, input: [{ text: 'a', txet: 'b' }] }, 'text'],
    ['/v2/embed', { model, texts: ['a'], input_typ: 'search_query' }, 'input_type'],
    ['/v2/embed', { model, inputs: [{ content: [image] }] }, 'detail'],
    ['/embed', { inputs: 'a', normalise: false }, 'normalize'],
    ['/embed_all', { inputs: 'a', dimensions: 4 }, undefined],
    ['/rerank', { query: 'a', texts: ['b'], return_texts: true }, 'return_text'],
    [
      '/similarity',
      { inputs: { source_sentence: 'a', sentences: ['b'] }, parameters: { trunc: true } },
      'truncate',
    ],
    ['/tokenize', { inputs: 'a', special_tokens: false }, 'add_special_tokens'],
    ['/v1/collections/notes/search', { query: { text: 'a' }, fliter: {} }, 'filter'],
    ['/v1/collections/notes/search', { query: { text: 'a', promt: 'b' } }, undefined],
    ['/v1/collections/notes/search', { query: { text: 'a' }, hybrid: { word: 'b' } }, 'words'],
    ['/v1/collections/notes/upsert', { rows: [{ id: 'a', text: 'a', meta: {} }] }, 'metadata'],
    ['/v1/collections/notes/get', { ids: ['a'], vector: true }, 'vectors'],
    ['/v1/collections/notes/delete', { id: ['a'] }, 'ids'],
    ['/v1/collections/other', { dimension: 3 }, 'dimensions'],
  ])('of %s is named, with the closest: %j', async (path, body, near) => {
    const { status, body: answer } = await server.post(path, body)
    expect([status, said(answer)]).toEqual([400, expect.stringMatching(/There is no field "\w+"/)])
    if (near !== undefined) expect(said(answer)).toContain(`Did you mean ${near}`)
  })

  it('is none of those that the interfaces have and Pipilo does not use', async () => {
    expect((await server.post('/v1/embeddings', { model, input: 'a', user: 'me' })).status).toBe(200)
    expect(
      (await server.post('/v2/embed', { model, texts: ['a'], input_type: 'clustering', priority: 3 })).status,
    ).toBe(200)
    expect((await server.post('/rerank', { query: 'a', texts: ['b'], raw_scores: true })).status).toBe(200)
    const { body } = await server.get('/openapi.json')
    const { user } =
      body.paths['/v1/embeddings'].post.requestBody.content['application/json'].schema.properties
    expect(user.description).toBe('Accepted, and not used')
  })
})

describe('a form', () => {
  it('has lists as repeated fields, names also as a JSON array, and one value as a list of one', async () => {
    const kinds = await server.post(
      '/v2/embed',
      formOf([
        ['model', model],
        ['texts', '["a","b"]'],
        ['embedding_types', '["int8","binary"]'],
      ]),
    )
    expect(Object.keys(kinds.body.embeddings)).toEqual(['int8', 'binary'])
    expect(kinds.body.texts).toEqual(['["a","b"]'])
    const one = await server.post('/v2/embed', { model, texts: 'a', embedding_types: 'ubinary' })
    expect([Object.keys(one.body.embeddings), one.body.texts]).toEqual([['ubinary'], ['a']])
    const two = await server.post(
      '/v1/embeddings',
      formOf([
        ['model', model],
        ['input', 'bird'],
        ['input', '5'],
      ]),
    )
    expect(two.body.data).toHaveLength(2)
    const numbers = await server.post(
      '/rerank',
      formOf([
        ['query', '5'],
        ['texts', '5'],
        ['texts', 'true'],
      ]),
    )
    expect(numbers.body).toHaveLength(2)
  })

  it('has pictures for queries and rows, where a dot leads into objects and lists', async () => {
    const upserted = await server.post(
      '/v1/collections/walls/upsert',
      formOf([
        ['rows.0.image', bricks],
        ['rows', '[{"id":"a","metadata":{"year":2020}}]'],
        ['rows.1.id', '7'],
        ['rows.1.text', '12'],
        ['model', 'emoji-clip'],
      ]),
    )
    expect(upserted.body).toEqual({ upserted: 2 })
    const found = await server.post(
      '/v1/collections/walls/search',
      formOf([
        ['query.image', bricks],
        ['k', '1'],
        ['filter.year.gte', '2020'],
      ]),
    )
    expect(found.body.hits[0]).toMatchObject({ id: 'a', metadata: { year: 2020 } })
    const word = await server.post(
      '/v1/collections/walls/search',
      formOf([
        ['query', '{"text":"12"}'],
        ['k', '1'],
      ]),
    )
    expect(word.body.hits[0]).toMatchObject({ id: '7', metadata: { text: '12' } })
  })

  it.each([
    'rows.1.id',
    'rows.x',
    'query.__proto__.text',
    'k.k',
    'a.b.c.d.e.f.g.h.i.j',
  ])('refuses the field %s, which leads nowhere', async (name) => {
    const { status, body } = await server.post(
      '/v1/collections/walls/search',
      formOf([
        ['k', '1'],
        ['rows', '[]'],
        [name, 'a'],
      ]),
    )
    expect([status, body.error.code]).toEqual([400, 'form_invalid'])
  })
})

it('A picture as a data URL is no text, whatever the model; prose on them is.', async () => {
  for (const [path, body] of [
    ['/v1/embeddings', { model, input: dataUrl }],
    ['/v1/embeddings', { model: 'emoji-clip', input: ['a', { text: ` ${dataUrl}` }] }],
    ['/embed', { inputs: 'data:image/svg+xml;charset=utf-8,<svg/>' }],
    ['/v1/collections/notes/search', { query: { text: dataUrl } }],
    ['/v1/collections/notes/upsert', { rows: [{ id: 'b', text: dataUrl }] }],
  ] as const) {
    const { status, body: answer } = await server.post(path, body)
    expect([status, said(answer)]).toEqual([400, expect.stringContaining('{ "image": "data:image/…" }')])
  }
  const cohere = await server.post('/v2/embed', { model, texts: [dataUrl] })
  expect([cohere.status, cohere.body.message]).toEqual([400, expect.stringContaining('as images')])
  const input = ['data:image/png is how such a URL begins, and base64 comes after it']
  expect((await server.post('/v1/embeddings', { model, input })).status).toBe(200)
})

it('Matrices are refused in base64, which would not say how long their rows are.', async () => {
  const asked = { model, input: 'a', pool: 'none', encoding_format: 'base64' }
  const { status, body } = await server.post('/v1/embeddings', asked)
  expect([status, body.error.param]).toEqual([400, 'encoding_format'])
})

describe('every answer', () => {
  it('has the name of its request: the client’s own where it can stand in a header', async () => {
    for (const path of ['/health', '/v1/models', '/none', '/v1/collections/none', '/metrics']) {
      const own = await server.get(path, { 'x-request-id': 'a-1:b.c' })
      expect([path, own.headers.get('x-request-id')]).toEqual([path, 'a-1:b.c'])
      const odd = await server.get(path, { 'x-request-id': '<a b>' })
      expect(odd.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
    }
    expect((await server.post('/rerank', '{')).headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
  })

  it('says what a page may read of it', async () => {
    const { headers } = await server.get('/none', { origin: 'https://app.example' })
    expect(headers.get('access-control-expose-headers')).toContain('x-scores')
  })

  it('by a wrong method is 405 with those that there are, in the interface’s form', async () => {
    const { status, headers, body } = await server.get('/v1/embeddings')
    expect([status, headers.get('allow'), body.error.code]).toEqual([405, 'POST', 'method_not_allowed'])
    expect(headers.get('x-request-id')).toBeTruthy()
    const put = await fetch(`${server.url}/v1/collections/notes`, { method: 'PUT' })
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST, DELETE, HEAD'])
    expect((await fetch(`${server.url}/v1/models`, { method: 'HEAD' })).status).toBe(200)
    expect((await server.get('/v2/embed')).body.message).toContain('POST')
  })

  it('at paths of Cohere’s that are not served has the form of its errors', async () => {
    for (const path of ['/v1/embed', '/v2/rerank']) {
      const { status, body } = await server.post(path, {})
      expect([status, body.code]).toEqual([404, 'not_found'])
    }
    expect((await server.get('/v1/nothing')).body.error.code).toBe('not_found')
  })
})

it('The description says what is enforced, and files where they can be sent.', async () => {
  const { body } = await server.get('/openapi.json')
  const posted = (path: string) => body.paths[path].post
  const search = posted('/v1/collections/{name}/search')
  const json = (path: string) => posted(path).requestBody.content['application/json'].schema.properties
  expect(json('/v1/collections/{name}/search').k.maximum).toBe(50)
  expect(json('/v1/collections/{name}/upsert').rows.maxItems).toBe(30)
  expect(JSON.stringify(json('/v1/embeddings').input)).toContain('"maxItems":30')
  expect(JSON.stringify(json('/v1/collections/{name}/upsert'))).not.toMatch(/binary|"not"|"bytes"/)
  const form = search.requestBody.content['multipart/form-data'].schema
  expect(JSON.stringify(form.properties.query)).toContain('{"type":"string","format":"binary"}')
  expect(search.requestBody.description).toContain('query.image=@')
  expect(Object.keys(posted('/v1/collections/{name}/files').requestBody.content)).toEqual([
    'multipart/form-data',
  ])
  expect(Object.keys(posted('/tokenize').requestBody.content)).toEqual(['application/json'])
  expect(Object.keys(search.responses)).toEqual(['200', '413', '429', '503', '504', '4XX'])
  expect(JSON.stringify(body)).not.toContain('"limit"')
  const tooMany = await server.post('/v1/collections/notes/search', { query: { text: 'a' }, k: 51 })
  expect(tooMany.status).toBe(400)
})

describe('an error of the library', () => {
  const told = (hint: string, code: ErrorCode = 'INPUT_INVALID') =>
    refusalOf(new PipiloError(code, 'This is wrong.', { hint })).message
  it.each([
    ['Make it smaller, or raise maxPixels.', 'This is wrong. Make it smaller.'],
    [
      'To delete the whole collection: store.drop(name).',
      'This is wrong. To delete the whole collection: DELETE /v1/collections/NAME.',
    ],
    ['Did you mean year?', 'This is wrong. Did you mean year?'],
    ['For example { year: { gte: 2020 } }.', 'This is wrong. For example { year: { gte: 2020 } }.'],
    ['Open it again with connect().', 'This is wrong.'],
    ['On the command line: --unheard-of.', 'This is wrong.'],
  ])('says %j in the words of HTTP', (hint, expected) => expect(told(hint)).toBe(expected))

  it('comes through routes so', async () => {
    const prompt = await server.post('/v1/embeddings', { model, input: 'a', prompt_name: 'none' })
    expect(said(prompt.body)).toMatch(/has no prompt 'none'\..* are sent as prompt\.$/)
    const long = await server.post('/v1/embeddings', { model, input: 'owl '.repeat(400) })
    expect(said(long.body)).toMatch(/let truncate cut it\.$/)
    const all = await server.post('/v1/collections/notes/delete', { filter: {} })
    expect(said(all.body)).toContain('DELETE /v1/collections/NAME')
    const short = await server.post('/v1/collections/notes/search', { query: { vector: [1] } })
    expect(said(short.body)).not.toContain('embedder')
  })
})

it('A form gives the vectors that JSON gives.', async () => {
  const asked = [
    ['model', 'emoji-clip'],
    ['images', bricks],
  ] as const
  const [form, json] = await Promise.all([
    server.post('/v2/embed', formOf(asked)),
    server.post('/v2/embed', { model: 'emoji-clip', images: [dataUrl] }),
  ])
  expect(cosineSimilarity(form.body.embeddings.float[0], json.body.embeddings.float[0])).toBeCloseTo(1, 4)
})
