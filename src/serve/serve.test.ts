import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serve } from './serve.ts'
import { serveSettings } from './settings.ts'
import { type TestServer, testServer } from './testing/server.ts'

const model = 'all-MiniLM-L6-v2'
let server: TestServer

beforeAll(async () => {
  server = await testServer({
    models: [model, 'mobilenet-v2-whitened'],
    cors: ['https://app.example'],
    fetchFrom: ['images.example', '127.0.0.1', 'localhost', '[::1]', '169.254.169.254'],
    limits: { body: 2 ** 20, seconds: 30 },
  })
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.close()
})

/** What a raw request is answered: its first line, and the whole. */
function raw(port: number, text: string | Iterable<string>): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connectSocket(port, '127.0.0.1', () => {
      for (const part of typeof text === 'string' ? [text] : text) socket.write(part)
    })
    socket.on('data', (data) => {
      answer += data
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

/** A PNG that says how large it is and holds next to nothing. */
function hugePng(width: number, height: number): string {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(data.length, 0)
    body.copy(out, 4)
    out.writeUInt32BE(crc32(body), body.length + 4)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 2, 0, 0, 0], 8)
  const bytes = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ])
  return `data:image/png;base64,${bytes.toString('base64')}`
}

function crc32(bytes: Uint8Array): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

describe('upkeep', () => {
  it('tells that it lives, is ready, what it did, and how it is asked', async () => {
    expect((await server.get('/health')).body.status).toBe('ok')
    expect((await server.get('/ready')).body).toEqual({ status: 'ready', models: [model] })
    await server.post('/v1/embeddings', { model, input: 'towhee' })
    const { body: metrics } = await server.get('/metrics')
    expect(metrics).toMatch(/^pipilo_requests_total\{route="\/v1\/embeddings",status="200"\} 1$/m)
    expect(metrics).toMatch(/^pipilo_seconds_bucket\{stage="model",le="\+Inf"\} [1-9]/m)
    const { body: document } = await server.get('/openapi.json')
    expect(document.openapi).toBe('3.1.0')
    const schema = document.paths['/v1/embeddings'].post.requestBody.content['application/json'].schema
    expect(schema.required).toEqual(['model', 'input'])
    expect(Object.keys(schema.properties)).toContain('prompt_name')
  })

  it('looks once for all who ask at a time whether it is ready, also where the first of them leaves', async () => {
    const asked = await testServer({ models: [model] })
    try {
      const gone = new AbortController()
      const first = fetch(`${asked.url}/ready`, { signal: gone.signal })
      const others = Array.from({ length: 20 }, () => asked.get('/ready'))
      gone.abort()
      await expect(first).rejects.toThrow()
      for (const { status } of await Promise.all(others)) expect(status).toBe(200)
      expect((await asked.get('/metrics')).body).toMatch(/^pipilo_inputs_total 1$/m)
    } finally {
      await asked.close()
    }
  })

  it('takes no more texts apart than may wait', async () => {
    const asked = await testServer({ models: [model], limits: { waitingTokens: 2048 } })
    const inputs = Array.from({ length: 200 }, (_, i) => `${i} towhees sing in the brush. `.repeat(30))
    try {
      expect((await asked.post('/tokenize', { inputs })).body).toHaveLength(inputs.length)
      const all = await Promise.all(Array.from({ length: 16 }, () => asked.post('/tokenize', { inputs })))
      const statuses = all.map(({ status }) => status)
      expect([...new Set(statuses)].sort()).toEqual([200, 429])
      expect(all.find(({ status }) => status === 429)!.headers.get('retry-after')).toMatch(/^\d+$/)
      expect((await asked.post('/tokenize', { inputs: 'Towhees' })).status).toBe(200)
      expect(asked.errors).toEqual([])
    } finally {
      await asked.close()
    }
  })
})

describe('what is refused', () => {
  it('are bodies that are too long, by what they announce or by what comes', async () => {
    const { status, body } = await server.post('/v1/embeddings', { model, input: 'a'.repeat(2 ** 20) })
    expect([status, body.error.code]).toEqual([413, 'body_too_large'])
    const head = 'POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const announced = await raw(server.port, `${head}Content-Length: 99999999999\r\n\r\n`)
    expect(announced).toMatch(/^HTTP\/1.1 413 /)
    function* endless() {
      yield `${head}Transfer-Encoding: chunked\r\n\r\n`
      for (let i = 0; i < 40; i++) yield `10000\r\n${'a'.repeat(65536)}\r\n`
    }
    expect(await raw(server.port, endless())).toMatch(/^HTTP\/1.1 413 /)
  })

  it('are bodies of so many values, or parts, that each would become something larger', async () => {
    for (const body of [
      `{"rows":[${'{},'.repeat(300_000)}{}]}`,
      `{"model":"${model}","input":[${'1,'.repeat(300_000)}1]}`,
    ]) {
      const { status, body: answer } = await server.post('/v1/embeddings', body)
      expect([status, answer.error.code]).toEqual([413, 'body_too_large'])
    }
    const form = (parts: string) =>
      fetch(`${server.url}/v1/embeddings`, {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=x' },
        body: `${parts}--x--\r\n`,
      })
    const part = (name: string, value: string) =>
      `--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    expect((await form(part('a', '').repeat(11_000))).status).toBe(413)
    for (const json of [`"${'a'.repeat(900_000)}"`, '[1, 2]', 'null', '5'])
      expect((await form(part('json', json))).status).toBe(400)
    expect((await form(part('json', JSON.stringify({ model, input: 'owl' })))).status).toBe(200)
  })

  it('are names of layers without end, which would be kept', async () => {
    const { status, body } = await server.post('/v1/embeddings', { model, input: 'a', tap: 'x'.repeat(600) })
    expect([status, body.error.param]).toEqual([400, 'tap'])
  })

  it('is a picture of 60,000 × 60,000, before it is decoded', async () => {
    const { status, body } = await server.post('/v1/embeddings', {
      model: 'mobilenet-v2-whitened',
      input: [{ image: hugePng(60_000, 60_000) }],
    })
    expect([status, body.error.code]).toEqual([413, 'image_too_large'])
  })

  it.each([
    'http://127.0.0.1:1/a.png',
    'http://localhost:1/a.png',
    'http://[::1]/a.png',
    'http://[::ffff:127.0.0.1]/a.png',
    'http://2130706433/a.png',
    'http://0x7f.1/a.png',
    'http://169.254.169.254/latest/meta-data/',
    'http://elsewhere.example/a.png',
    'http://images.example@127.0.0.1/a.png',
    'file:///etc/passwd',
    'ftp://images.example/a.png',
    '/etc/passwd',
    'samples/pictures/bricks.jpg',
    'npm:pipilo',
  ])('is %s for a picture', async (url) => {
    const { status, body } = await server.post('/v1/embeddings', {
      model: 'mobilenet-v2-whitened',
      input: [{ image: url }],
    })
    expect(status).toBe(400)
    expect(['url_refused', 'image_invalid']).toContain(body.error.code)
    expect(JSON.stringify(body)).not.toMatch(/ECONNREFUSED|root:/)
  })

  it('are other names of this machine, and pages of other origins', async () => {
    expect(await raw(server.port, 'GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n')).toMatch(
      /^HTTP\/1.1 403 /,
    )
    const asked = (origin: string) => server.post('/v1/embeddings', { model, input: 'a' }, { origin })
    expect((await asked('https://evil.example')).status).toBe(403)
    const { status, headers } = await asked('https://app.example')
    expect([status, headers.get('access-control-allow-origin')]).toEqual([200, 'https://app.example'])
    expect((await asked(server.url)).status).toBe(200)
    const plain = await server.post('/v1/embeddings', '{}', { 'content-type': 'text/plain' })
    expect(plain.status).toBe(415)
    const preflight = await fetch(`${server.url}/v1/embeddings`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'GET, POST, PUT, DELETE',
    ])
  })

  it('are malformed requests: each gets a 4xx with a clear body, and no stack', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...taking),
        fc.oneof(fc.json(), fc.string(), mutated),
        async (path, body) => {
          const { status, body: answer } = await server.post(path, body)
          const isRight = status === 200
          expect(isRight || (status >= 400 && status < 500)).toBe(true)
          if (isRight) return
          expect((answer.error?.message ?? answer.message ?? answer.error).length).toBeGreaterThan(10)
          expect(JSON.stringify(answer)).not.toMatch(/at .*\.[tj]s:\d+|node_modules/)
        },
      ),
      { numRuns: 800 },
    )
  })
})

/** Paths that take JSON. */
const taking = ['/v1/embeddings', '/v2/embed', '/embed', '/embed_all', '/rerank', '/similarity', '/tokenize']

/** Requests that are almost right. */
const mutated = fc
  .record(
    {
      model: fc.oneof(fc.constant(model), fc.string(), fc.anything()),
      input: fc.oneof(
        fc.string(),
        fc.array(fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.object()), { maxLength: 4 }),
        fc.anything(),
      ),
      inputs: fc.oneof(
        fc.string(),
        fc.array(fc.oneof(fc.string(), fc.object()), { maxLength: 3 }),
        fc.object(),
      ),
      texts: fc.array(fc.string(), { maxLength: 3 }),
      query: fc.string(),
      dimensions: fc.oneof(fc.integer(), fc.double(), fc.string()),
      encoding_format: fc.oneof(fc.constant('base64'), fc.string()),
      tap: fc.oneof(fc.string(), fc.array(fc.string())),
      pool: fc.string(),
      truncate: fc.oneof(fc.constant('end'), fc.string()),
      prompt: fc.oneof(fc.string(), fc.anything()),
    },
    { requiredKeys: [] },
  )
  .map(
    (body) =>
      JSON.stringify(body, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ??
      'null',
  )

describe('a page', () => {
  it('is served from its folder at the root, with nothing from elsewhere, and without a key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pipilo-page-'))
    mkdirSync(join(folder, 'parts'))
    writeFileSync(join(folder, 'index.html'), '<title>birds</title>')
    writeFileSync(join(folder, 'parts/a.js'), 'let a')
    const paged = await testServer({ models: [model], keys: ['the-key-of-the-page'], page: folder })
    try {
      const { body, headers } = await paged.get('/')
      expect([body, headers.get('content-type')]).toEqual([
        '<title>birds</title>',
        'text/html; charset=utf-8',
      ])
      expect(headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self';")
      expect((await paged.get('/parts/a.js')).body).toBe('let a')
      expect((await paged.get('/parts/..%2f..%2f..%2fetc%2fpasswd')).status).toBe(404)
      expect(Object.keys((await paged.get('/openapi.json')).body.paths)).not.toContain('/')
      await expect(serve({ models: [model], port: 0, page: join(folder, 'none') })).rejects.toMatchObject({
        code: 'FILE_NOT_FOUND',
      })
    } finally {
      await paged.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('keys', () => {
  it('are asked for, but for health, readiness and the description', async () => {
    const locked = await testServer({
      models: [model],
      keys: ['the-first-of-two-keys', 'the-second-of-two-keys'],
    })
    try {
      expect((await locked.get('/health')).status).toBe(200)
      expect((await locked.get('/v1/models')).status).toBe(401)
      const missing = await locked.get('/v1/models')
      expect(missing.body.error.message).toBe('A key is needed: Authorization: Bearer KEY.')
      const wrong = await locked.get('/v1/models', { authorization: 'Bearer the-first-of-two-key' })
      expect([wrong.status, wrong.body.error.message]).toEqual([401, expect.stringContaining('not right')])
      const { status } = await locked.get('/v1/models', { authorization: 'Bearer the-second-of-two-keys' })
      expect([status, locked.lines.at(-1)]).toMatchObject([200, { key: 2 }])
      expect((await locked.get('/openapi.json')).body.paths['/v1/models'].get.security).toEqual([{ key: [] }])
    } finally {
      await locked.close()
    }
  })

  it('are needed where others reach the server', async () => {
    const other = serve({ models: [model], host: '0.0.0.0', port: 0 })
    await expect(other).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'keys' })
  })
})

describe('options', () => {
  const refuses = (options: unknown, found: object) =>
    expect(serve(options as Parameters<typeof serve>[0])).rejects.toMatchObject({
      name: 'PipiloError',
      code: 'OPTION_INVALID',
      ...found,
    })

  it('that a server does not have, or that are of another type, are refused by name', async () => {
    await refuses({ modles: [model] }, { input: 'modles', hint: 'Did you mean models?' })
    await refuses(
      { models: model },
      { input: 'models', message: expect.stringMatching(/has to be an array/) },
    )
    await refuses({ models: { model } }, { input: 'models' })
    await refuses({ models: [{ model, dtyp: 'int8' }] }, { input: 'models', hint: 'Did you mean dtype?' })
    await refuses({ limits: { bodys: 1 } }, { input: 'limits', hint: 'Did you mean body?' })
    await refuses({ port: 99_999 }, { input: 'port' })
    await refuses({ cache: {} }, { input: 'cache' })
    await refuses('x', { input: 'options' })
  })

  it('that cannot work are refused before anything is opened', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pipilo-options-'))
    const file = join(folder, 'file')
    writeFileSync(file, '')
    try {
      await refuses({ db: join(file, 'db') }, { input: 'db' })
      await refuses({ db: file }, { input: 'db' })
      await refuses({ cache: { folder: join(file, 'kept') } }, { input: 'cache' })
      await refuses({ files: file }, { input: 'files' })
      await refuses({ files: join(folder, 'none') }, { input: 'files' })
      await refuses({ cors: ['app.example'] }, { hint: 'Did you mean https://app.example?' })
      await refuses({ cors: ['https://app.example/'] }, { hint: 'Did you mean https://app.example?' })
      await refuses({ fetchFrom: ['https://a.example/b'] }, { hint: 'Did you mean a.example?' })
      await refuses({ fetchFrom: ['*'] }, { input: 'fetchFrom' })
      await refuses(
        { keys: ['short-and-clear'] },
        { input: 'keys', message: expect.not.stringContaining('clear') },
      )
      const { limits, cors, idle } = await serveSettings({
        db: join(folder, 'db'),
        limits: { hits: 5 },
        cors: ['*', 'http://localhost:3000', 'chrome-extension://abc'],
        fetchFrom: ['*.example', '10.0.0.1', '[::1]', '::1'],
      })
      expect([limits.hits, limits.inputs, cors.length, idle]).toEqual([5, 2048, 3, 900])
      // Nothing was made.
      expect(readdirSync(folder)).toEqual(['file'])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('a server', () => {
  it('says when its port is taken', async () => {
    await expect(serve({ models: [model], port: server.port })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  })

  it('refuses a model that does not exist before it listens', async () => {
    await expect(serve({ models: ['all-MiniLM-L6'], port: 0 })).rejects.toMatchObject({
      code: expect.stringMatching(/MODEL_UNKNOWN|OFFLINE|NETWORK/),
    })
  })

  it('answers what is under way when it is stopped, and then no more', async () => {
    const stopping = await testServer({ models: [model] })
    const input = Array.from({ length: 200 }, (_, i) => `The ${i}th towhee sings in the brush.`)
    const under = stopping.post('/v1/embeddings', { model, input })
    while (!(await stopping.get('/metrics')).body.includes('pipilo_open_models 1'))
      await new Promise((resolve) => setTimeout(resolve, 5))
    const closed = stopping.close()
    expect((await under).body.data).toHaveLength(200)
    await closed
    await expect(stopping.get('/health')).rejects.toThrow()
    expect(stopping.errors).toEqual([])
  })

  // Requests under way are given 30 seconds.
  it('waits for no connection that has asked for nothing when it is stopped', {
    timeout: 20_000,
  }, async () => {
    const stopping = await testServer({ models: [model] })
    const sockets = ['', 'GET /health HTTP/1.1\r\n'].map((begun) => {
      const socket = connectSocket(stopping.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(begun)
      return socket
    })
    expect((await stopping.get('/health')).status).toBe(200)
    await stopping.close()
    for (const socket of sockets) socket.destroy()
  })

  it('gives up work whose time is over, and bodies that do not come', async () => {
    const hasty = await testServer({ models: [model], limits: { seconds: 1 } })
    try {
      const input = Array(2000).fill('A towhee sings in the brush. '.repeat(20))
      const { status, body } = await hasty.post('/v1/embeddings', { model, input })
      expect([status, body.error.code, body.error.type]).toEqual([504, 'too_late', 'server_error'])
      const head =
        'POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{'
      expect(await raw(hasty.port, head)).toMatch(/^HTTP\/1.1 408 /)
      expect(hasty.errors).toEqual([])
    } finally {
      await hasty.close(1)
    }
  })

  it('waits for nobody who does not read', async () => {
    const body = JSON.stringify({ inputs: Array(60).fill('A towhee sings in the brush. '.repeat(8)) })
    const socket = connectSocket(server.port, '127.0.0.1')
    socket.pause()
    socket.write(
      `POST /embed_all HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await expect
      .poll(() => server.lines.some(({ path }) => path === '/embed_all'), { timeout: 30_000 })
      .toBe(true)
    expect((await server.post('/v1/embeddings', { model, input: 'towhee' })).status).toBe(200)
    socket.destroy()
  })

  it('gives no answer that would be too large to write', async () => {
    const { status, body } = await server.post('/embed_all', {
      inputs: Array(1000).fill('A towhee sings in the brush. '.repeat(20)),
      truncate: true,
    })
    expect([status, body.code]).toEqual([413, 'answer_too_large'])
    // Words before every text are read with each.
    const prompted = await server.post('/embed_all', {
      inputs: Array(1000).fill('owl'),
      prompt: 'A towhee sings in the brush. '.repeat(20),
    })
    expect([prompted.status, prompted.body.code]).toEqual([413, 'answer_too_large'])
  })

  it('traces requests by what OpenTelemetry’s interface is given', async () => {
    const { trace } = await import('@opentelemetry/api')
    const spans: string[] = []
    const span = {
      end: () => spans.push('end'),
      setStatus: () => spans.push('error'),
      recordException: () => {},
    }
    const tracer = {
      startActiveSpan: (name: string, _: unknown, __: unknown, work: (span: unknown) => unknown) => {
        spans.push(name)
        return work(span)
      },
    }
    trace.setGlobalTracerProvider({ getTracer: () => tracer } as never)
    const traced = await testServer({ models: [model], traces: true })
    try {
      await traced.get('/health')
      await traced.post('/v1/embeddings', { model: 'none', input: 'a' })
      expect(spans).toEqual(['GET /health', 'end', 'POST /v1/embeddings', 'error', 'end'])
    } finally {
      trace.disable()
      await traced.close()
    }
  })

  it('takes work from who has gone, and gives the place to others', async () => {
    const controller = new AbortController()
    const body = JSON.stringify({ model, input: Array(1000).fill('A towhee sings in the brush. '.repeat(8)) })
    const gone = fetch(`${server.url}/v1/embeddings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: controller.signal,
    })
    setTimeout(() => controller.abort(), 100)
    await expect(gone).rejects.toThrow()
    const { status } = await server.post('/v1/embeddings', { model, input: 'towhee' })
    expect(status).toBe(200)
    await expect.poll(() => server.lines.find(({ code }) => code === 'client_gone')?.status).toBe(499)
  })
})
