import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as bodyOf } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { encodeBase64, PipiloError, retryAfter } from '../../base/index.ts'
import { embedder, remote } from '../onDemand.ts'
import type { Embedder } from '../types.ts'
import type { RemoteOptions } from './types.ts'

interface Asked {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  // biome-ignore lint/suspicious/noExplicitAny: what a client sent
  readonly body: any
}

let local: Embedder
let server: Server
let url: string
const asked: Asked[] = []
let atOnce = 0
let most = 0
/** Answers a request before the real model does; for failures. */
let before: ((asked: Asked, response: ServerResponse) => boolean | Promise<boolean>) | undefined

/** The three interfaces over MiniLM, as their documentation has them. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const given: Asked = {
    path: request.url!,
    headers: request.headers,
    body: JSON.parse(await bodyOf(request)),
  }
  asked.push(given)
  if (await before?.(given, response)) return
  const { path, body } = given
  const send = (value: unknown) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
  const texts: string[] = body.input ?? body.texts ?? body.inputs
  if (texts.some((text) => text.includes('refuse me'))) {
    response.statusCode = 400
    send({ error: { message: 'That text is not allowed.' } })
    return
  }
  const { vectors } = await local.embed(texts)
  const size = body.dimensions ?? body.output_dimension ?? 384
  const rows = vectors.map((vector) => vector.slice(0, size))
  if (path === '/v1/embeddings') {
    const bytes = (row: Float32Array) =>
      encodeBase64(new Uint8Array(row.buffer, row.byteOffset, row.byteLength))
    // In another order, as the interface allows.
    const data = rows.map((row, index) => ({ object: 'embedding', index, embedding: bytes(row) })).reverse()
    const prompt_tokens = texts.reduce((sum, text) => sum + text.split(' ').length + 2, 0)
    send({ object: 'list', data, model: body.model, usage: { prompt_tokens, total_tokens: prompt_tokens } })
  } else if (path === '/v2/embed')
    send({ id: '1', embeddings: { float: rows.map((row) => [...row]) }, texts })
  else if (path === '/embed') send(rows.map((row) => [...row].map((number) => 2 * number)))
  else {
    response.statusCode = 404
    send({ detail: 'Not Found' })
  }
}

beforeAll(async () => {
  local = await embedder('all-MiniLM-L6-v2', { runtime: { workers: 0 } })
  server = createServer((request, response) => {
    most = Math.max(most, ++atOnce)
    response.on('close', () => atOnce--)
    answer(request, response).catch((error) => response.destroy(error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await local.dispose()
})
afterEach(() => {
  before = undefined
  asked.length = 0
  most = 0
})

const openai = (options: Partial<RemoteOptions> = {}) =>
  remote({ url: `${url}/v1`, model: 'minilm', key: 'secret', ...options })

const texts = ['football', 'soccer', 'a towhee sings in the brush', 'footwear', 'interest rates rose']

describe('remote', () => {
  it.each([
    ['openai', '/v1', '/v1/embeddings'],
    ['cohere', '', '/v2/embed'],
    ['tei', '/', '/embed'],
  ] as const)('gives the vectors of the model behind the interface %s, in order', async (api, path, asks) => {
    const e = await remote({ url: url + path, model: 'minilm', key: 'secret', api, batch: 2 })
    expect([e.dimensions, e.modality, e.normalize]).toEqual([384, 'text', true])
    const { vectors, data, errors } = await e.embed(texts)
    const expected = (await local.embed(texts)).data
    expect([data.length, vectors.length, errors]).toEqual([5 * 384, 5, []])
    for (let i = 0; i < data.length; i++) expect(data[i]).toBeCloseTo(expected[i]!, 6)
    expect(asked.map((each) => each.path)).toEqual(new Array(4).fill(asks))
    for (const { headers } of asked) expect(headers.authorization).toBe('Bearer secret')
    const streamed: number[] = []
    for await (const { index, vector } of e.stream(texts)) {
      streamed.push(index)
      expect(vector[0]).toBeCloseTo(expected[index * 384]!, 6)
    }
    expect(streamed).toEqual([0, 1, 2, 3, 4])
  })

  it('asks for dimensions, puts prompts before texts, and tells Cohere which texts are queries', async () => {
    const short = await openai({ dimensions: 64, prompts: { query: 'query: ', document: 'passage: ' } })
    const { vectors, tokens } = await short.embed(['owls'], { prompt: 'query' })
    expect([vectors[0]!.length, tokens, Math.hypot(...vectors[0]!)]).toEqual([64, [4], expect.closeTo(1, 5)])
    expect(asked.at(-1)!.body).toMatchObject({
      input: ['query: owls'],
      dimensions: 64,
      encoding_format: 'base64',
    })
    expect((await short.embed(['owls', 'wrens'])).tokens).toEqual([Number.NaN, Number.NaN])
    await expect(short.embed(['owls'], { prompt: 'other' })).rejects.toMatchObject({ code: 'PROMPT_UNKNOWN' })
    expect(short.recipe.text).toMatchObject({ promptsFor: { query: 'query', document: 'document' } })

    const cohere = await remote({ url, model: 'embed-v4', api: 'cohere' })
    await cohere.embed(['owls'], { prompt: 'query', truncate: 'start' })
    expect(asked.at(-1)!.body).toMatchObject({
      input_type: 'search_query',
      truncate: 'START',
      texts: ['owls'],
    })
    await cohere.embed(['owls'], { truncate: 'error' })
    expect(asked.at(-1)!.body).toMatchObject({ input_type: 'search_document', truncate: 'NONE' })
  })

  it('finds the input that a server refuses, and keeps the others', async () => {
    const e = await openai({ batch: 4 })
    const bad = [...texts, 'refuse me', 'owl', 3 as unknown as string]
    await expect(e.embed(bad.slice(0, 7))).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      input: 5,
      message: expect.stringContaining('That text is not allowed'),
    })
    const { vectors, errors } = await e.embed(bad, { onError: 'skip' })
    expect(errors.map(({ index, error }) => [index, error.code])).toEqual([
      [5, 'INPUT_INVALID'],
      [7, 'TEXT_INVALID'],
    ])
    expect(vectors.map((vector) => Number.isNaN(vector[0]))).toEqual(bad.map((_, i) => i === 5 || i === 7))
    expect(vectors[6]![0]).toBeCloseTo((await local.embed(['owl'])).vectors[0]![0]!, 6)
  })

  it('parts requests that are too large for the server', async () => {
    const e = await openai()
    before = ({ body }, response) => {
      if (body.input.length <= 2) return false
      response.writeHead(413).end('too large')
      return true
    }
    const { errors, vectors } = await e.embed(texts)
    expect([errors, vectors.length]).toEqual([[], 5])
  })

  it('comes again when a server is busy, when it says so, and not for ever', async () => {
    const e = await openai({ retries: 3 })
    let busy = 2
    before = (_, response) => {
      if (busy-- <= 0) return false
      response.writeHead(busy === 1 ? 429 : 503, { 'retry-after': '0' }).end('{"error":"busy"}')
      return true
    }
    expect((await e.embed(['owl'])).errors).toEqual([])
    expect(asked.length).toBe(1 + 3)
    busy = 99
    await expect(e.embed(['owl'])).rejects.toMatchObject({
      code: 'BUSY',
      message: expect.stringContaining('busy'),
    })
    before = (_, response) => Boolean(response.writeHead(429, { 'retry-after': '3600' }).end('{}'))
    await expect(e.embed(['owl'])).rejects.toMatchObject({
      code: 'BUSY',
      message: expect.stringContaining('3600 s'),
    })
    let cuts = 1
    before = (_, response) => {
      if (cuts-- <= 0) return false
      response.destroy()
      return true
    }
    expect((await e.embed(['owl'])).errors).toEqual([])
  })

  it('has no more requests under way than it is told, and calls take turns', async () => {
    const e = await openai({ batch: 1, concurrency: 2 })
    before = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      return false
    }
    const [many, one] = await Promise.all([e.embed(new Array(12).fill('owl')), e.embed(['wren'])])
    expect([many.vectors.length, one.vectors.length]).toEqual([12, 1])
    expect(most).toBeLessThanOrEqual(2)
  })

  it('stops with its signal, and in time', async () => {
    const e = await openai({ timeout: 500, retries: 0 })
    before = () => new Promise((resolve) => setTimeout(() => resolve(true), 2000))
    await expect(e.embed(['owl'])).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('500 ms'),
    })
    before = undefined
    const slow = await openai()
    before = () => new Promise((resolve) => setTimeout(() => resolve(true), 2000))
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 20)
    await expect(slow.embed(['owl'], { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await slow.dispose()
    await expect(slow.embed(['owl'])).rejects.toMatchObject({ code: 'DISPOSED' })
  })

  it.each([
    ['another count', { data: [] }, 'RESULT_INVALID'],
    ['no list', { hello: 1 }, 'RESULT_INVALID'],
    ['numbers as texts', { data: [{ index: 0, embedding: ['1'] }] }, 'RESULT_INVALID'],
    ['half a number', { data: [{ index: 0, embedding: 'AAAA' }] }, 'RESULT_INVALID'],
    ['what is not finite', { data: [{ index: 0, embedding: 'AADAfw==' }] }, 'DIMENSION_MISMATCH'],
    ['another length', { data: [{ index: 0, embedding: [1, 2] }] }, 'DIMENSION_MISMATCH'],
  ])('refuses an answer with %s', async (_, given, code) => {
    const e = await openai()
    before = (__, response) => Boolean(response.end(JSON.stringify(given)))
    await expect(e.embed(['owl'])).rejects.toMatchObject({ code })
  })

  it('reads no more than there can be, follows no redirect with its key, and says what a server says', async () => {
    const e = await openai({ retries: 0 })
    before = (_, response) => Boolean(response.end(' '.repeat(2 ** 20)))
    await expect(e.embed(['owl'])).rejects.toMatchObject({ code: 'RESULT_INVALID' })
    before = (_, response) =>
      Boolean(response.writeHead(307, { location: 'http://elsewhere.example/' }).end())
    await expect(e.embed(['owl'])).rejects.toThrow(/redirects to http:\/\/elsewhere\.example/)
    before = (_, response) =>
      Boolean(response.writeHead(401).end('{"error":{"message":"Incorrect API key"}}'))
    await expect(e.embed(['owl'])).rejects.toMatchObject({
      code: 'REMOTE_DENIED',
      message: expect.stringContaining('Incorrect API key'),
    })
    before = (_, response) => Boolean(response.writeHead(400).end('{"error":{"message":"no such model"}}'))
    await expect(openai()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('no such model'),
    })
  })

  it('never hangs or throws what is no error of ours, whatever comes back', async () => {
    const e = await openai({ retries: 0 })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 200, max: 599 }).filter((status) => ![204, 205, 304].includes(status)),
        fc.oneof(fc.string(), fc.json()),
        async (status, body) => {
          before = (_, response) => Boolean(response.writeHead(status).end(body))
          await expect(e.embed(['owl'])).rejects.toBeInstanceOf(PipiloError)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('refuses options that mean nothing, before anything is sent', async () => {
    for (const options of [
      undefined,
      { url },
      { model: 'm' },
      { url: 'file:///etc', model: 'm' },
      { url: 'http://a:b@localhost/', model: 'm' },
      { url, model: 'm', api: 'other' },
      { url, model: 'm', keys: 'k' },
      { url, model: 'm', batch: 0 },
    ])
      await expect(remote(options as unknown as RemoteOptions)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      })
    expect(asked).toEqual([])
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    await expect(remote({ url: `http://127.0.0.1:${port}`, model: 'm' })).rejects.toMatchObject({
      code: 'NETWORK',
    })
    const e = await openai()
    await expect(e.model()).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await expect(e.embed(['owl'], { pool: 'cls' } as never)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    expect(JSON.stringify(e.recipe)).not.toContain('secret')
  })

  it('reads Retry-After in seconds and as a date', () => {
    expect([retryAfter(null), retryAfter('1.5'), retryAfter('soon')]).toEqual([undefined, 1500, undefined])
    expect(retryAfter('Wed, 21 Oct 2015 07:28:10 GMT', Date.parse('Wed, 21 Oct 2015 07:28:00 GMT'))).toBe(
      10_000,
    )
    expect(retryAfter('Wed, 21 Oct 2015 07:28:00 GMT')).toBe(0)
  })
})
