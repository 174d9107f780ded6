import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedder } from '../../embed/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { type TestServer, testServer } from '../testing/server.ts'

const picture = fileURLToPath(new URL('../../../samples/pictures/bricks.jpg', import.meta.url))
const dataUrl = `data:image/jpeg;base64,${readFileSync(picture).toString('base64')}`
const texts = ['football', 'soccer', 'footwear']
const model = 'all-MiniLM-L6-v2'

let server: TestServer
let client: OpenAI
let expected: Float32Array[]

beforeAll(async () => {
  server = await testServer()
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
  const e = await embedder(model, { runtime: { workers: 1, threads: 1 } })
  expected = (await e.embed(texts)).vectors
  await e.dispose()
})
afterAll(() => server.close())

describe('/v1/embeddings, by OpenAI’s own client', () => {
  it('gives the vectors of embed, also by base64, which the client asks for by itself', async () => {
    const { data, usage } = await client.embeddings.create({ model, input: texts })
    expect(data.map(({ index }) => index)).toEqual([0, 1, 2])
    for (const [i, { embedding }] of data.entries()) {
      expect(embedding).toHaveLength(384)
      expect(cosineSimilarity(embedding, expected[i]!)).toBeGreaterThan(0.99999)
    }
    expect(usage).toEqual({ prompt_tokens: 10, total_tokens: 10 })
    const plain = await client.embeddings.create({ model, input: 'football', encoding_format: 'float' })
    expect(cosineSimilarity(plain.data[0]!.embedding, expected[0]!)).toBeGreaterThan(0.99999)
    expect(server.lines.at(-1)).toMatchObject({
      status: 200,
      path: '/v1/embeddings',
      model,
      inputs: 1,
      tokens: 3,
    })
  })

  it('cuts vectors to the dimensions asked for, of length 1 again', async () => {
    const { data } = await client.embeddings.create({ model, input: 'football', dimensions: 64 })
    const { embedding } = data[0]!
    expect(embedding).toHaveLength(64)
    expect(Math.hypot(...embedding)).toBeCloseTo(1, 5)
    expect(cosineSimilarity(embedding, expected[0]!.slice(0, 64))).toBeGreaterThan(0.99999)
  })

  it('takes pictures and texts in one call, as objects or in a form', async () => {
    const input = [{ text: 'bricks' }, { image: dataUrl }] as unknown as string[]
    const { data } = await client.embeddings.create({ model: 'emoji-clip', input })
    expect(data).toHaveLength(2)
    const form = new FormData()
    form.set('model', 'emoji-clip')
    form.set('input', new Blob([readFileSync(picture)]), 'bricks.jpg')
    const { status, body } = await server.post('/v1/embeddings', form)
    expect(status).toBe(200)
    expect(cosineSimilarity(body.data[0].embedding, data[1]!.embedding)).toBeGreaterThan(0.9999)
  })

  it('reads another layer with another pooling, by the words of the recipe', async () => {
    const asked = { model, input: 'football', tap: 'hidden_states.3', pool: 'max', normalize: false }
    const { data } = await client.embeddings.create(asked as never)
    const e = await embedder(model, { tap: 'hidden_states.3', pool: 'max', normalize: false })
    const [vector] = (await e.embed(['football'])).vectors
    await e.dispose()
    expect(cosineSimilarity(data[0]!.embedding, vector!)).toBeGreaterThan(0.99999)
    const matrix = await server.post('/v1/embeddings', { model, input: 'football', pool: 'none' })
    expect(matrix.body.data[0].embedding).toHaveLength(3)
  })

  it('reads any layer that the server lists', async () => {
    const { body } = await server.get(`/v1/layers?model=${model}`)
    expect([body.model, body.tap]).toEqual([model, ['last_hidden_state']])
    const layer = body.layers.find(({ name }: { name: string }) => name === 'encoder.layer.3')
    expect(layer).toMatchObject({ kind: 'BertLayer', parameters: 1_774_464 })
    expect(layer.shape.at(-1)).toBe(384)
    const input = 'football'
    const { data } = await client.embeddings.create({ model, input, ...{ tap: layer.name } })
    expect(cosineSimilarity(data[0]!.embedding, expected[0]!)).toBeLessThan(0.9)
    const unknown = await server.get('/v1/layers?model=all-MiniLM')
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'model_not_found'])
  })

  it('has the error classes of OpenAI for what is wrong', async () => {
    const create = (body: object) => client.embeddings.create({ model, input: 'a', ...body } as never)
    await expect(create({ model: 'all-MiniLM-L6' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
      message: expect.stringContaining('Did you mean all-MiniLM-L6-v2?'),
    })
    await expect(create({ input: [1, 2, 3] })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('not started to take ids'),
    })
    await expect(create({ input: '' })).rejects.toMatchObject({ status: 400, param: 'input' })
    await expect(create({ input: [] })).rejects.toMatchObject({ status: 400, param: 'input' })
    await expect(create({ input: Array(2049).fill('a') })).rejects.toMatchObject({
      status: 400,
      param: 'input',
    })
    await expect(create({ dimensions: 385 })).rejects.toMatchObject({ status: 400, param: 'dimensions' })
    await expect(create({ tap: 'hidden_states.33' })).rejects.toMatchObject({
      status: 400,
      code: 'layer_unknown',
    })
    await expect(create({ prompt_name: 'query' })).rejects.toMatchObject({
      status: 400,
      code: 'prompt_unknown',
    })
    await expect(create({ input: [{ image: dataUrl }] })).rejects.toMatchObject({ status: 400 })
    await expect(
      create({ input: [{ image: picture }], model: 'mobilenet-v2-whitened' }),
    ).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('paths'),
    })
  })

  it('refuses texts that are too long, unless it may cut them', async () => {
    const input = 'owl '.repeat(300)
    await expect(client.embeddings.create({ model, input })).rejects.toMatchObject({
      status: 400,
      code: 'input_too_long',
    })
    const { usage } = await client.embeddings.create({ model, input, truncate: 'start' } as never)
    expect(usage.prompt_tokens).toBe(256)
  })

  it('lists models', async () => {
    const models = await client.models.list()
    expect(models.data.map(({ id }) => id)).toEqual([model, 'mobilenet-v2-whitened', 'emoji-clip'])
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, dimensions: 384, max_tokens: 256 })
    await expect(client.models.retrieve('gpt')).rejects.toMatchObject({ status: 404 })
  })
})

describe('token ids', () => {
  it('are taken for the model’s own where the server says so', async () => {
    const taking = await testServer({ models: [{ name: 'mine', model }], tokenIds: true })
    try {
      const own = new OpenAI({ baseURL: `${taking.url}/v1`, apiKey: 'none', maxRetries: 0 })
      const { data, usage } = await own.embeddings.create({
        model: 'mine',
        input: [
          [101, 2374, 102],
          [101, 4715, 102],
        ],
      })
      expect(cosineSimilarity(data[0]!.embedding, expected[0]!)).toBeGreaterThan(0.99999)
      expect(cosineSimilarity(data[1]!.embedding, expected[1]!)).toBeGreaterThan(0.99999)
      expect(usage.prompt_tokens).toBe(6)
      await expect(own.embeddings.create({ model: 'mine', input: [101, 99999] })).rejects.toMatchObject({
        status: 400,
      })
      await expect(own.embeddings.create({ model: 'mine', input: Array(300).fill(5) })).rejects.toMatchObject(
        { status: 400 },
      )
      expect(taking.errors).toEqual([])
    } finally {
      await taking.close()
    }
  })
})
