import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CohereClientV2 } from 'cohere-ai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedder } from '../../embed/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { type TestServer, testServer } from '../testing/server.ts'

const picture = fileURLToPath(new URL('../../../samples/pictures/bricks.jpg', import.meta.url))
const dataUrl = `data:image/jpeg;base64,${readFileSync(picture).toString('base64')}`
const texts = ['football', 'soccer', 'footwear']
const model = 'all-MiniLM-L6-v2'

let server: TestServer
let expected: Float32Array[]

beforeAll(async () => {
  server = await testServer({ models: [model, 'emoji-clip'] })
  const e = await embedder(model, { runtime: { workers: 1, threads: 1 } })
  expected = (await e.embed(texts)).vectors
  await e.dispose()
})
afterAll(async () => {
  expect(server.errors).toEqual([])
  await server.close()
})

describe('/v2/embed, by Cohere’s own client', () => {
  const client = () => new CohereClientV2({ token: 'none', environment: server.url, maxRetries: 0 } as never)

  it('gives vectors in all types', async () => {
    const { embeddings, meta } = await client().embed({
      model,
      texts,
      inputType: 'search_document',
      embeddingTypes: ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'],
    })
    const [float] = embeddings.float!
    expect(cosineSimilarity(float!, expected[0]!)).toBeGreaterThan(0.99999)
    expect(cosineSimilarity(embeddings.int8![0]!, expected[0]!)).toBeGreaterThan(0.999)
    expect(embeddings.uint8![1]).toEqual(embeddings.int8![1]!.map((value) => value + 128))
    expect(embeddings.ubinary![2]).toHaveLength(48)
    expect(embeddings.ubinary![2]![0]! >> 7).toBe(expected[2]![0]! > 0 ? 1 : 0)
    expect(embeddings.binary![2]).toEqual(embeddings.ubinary![2]!.map((value) => value - 128))
    const bytes = Buffer.from(embeddings.base64![0]!, 'base64')
    expect(bytes.readFloatLE(4)).toBeCloseTo(float![1]!, 6)
    expect(meta?.billedUnits).toEqual({ inputTokens: 10, images: 0 })
  })

  it('takes pictures, and inputs of pictures and words', async () => {
    const asked = { model: 'emoji-clip', embeddingTypes: ['float' as const] }
    const images = await client().embed({ ...asked, images: [dataUrl], inputType: 'image' })
    const words = await client().embed({ ...asked, texts: ['bricks'], inputType: 'classification' })
    const both = await client().embed({
      ...asked,
      inputType: 'search_document',
      inputs: [
        {
          content: [
            { type: 'text', text: 'bricks' },
            { type: 'image_url', imageUrl: { url: dataUrl } },
          ],
        },
      ],
    })
    const [image, word, mean] = [images, words, both].map(({ embeddings }) => embeddings.float![0]!)
    expect(cosineSimilarity(mean!, image!)).toBeCloseTo(cosineSimilarity(mean!, word!), 4)
    expect(Math.hypot(...mean!)).toBeCloseTo(1, 4)
  })

  it('cuts what is too long, unless NONE says that it is an error', async () => {
    const asked = {
      model,
      texts: ['owl '.repeat(300)],
      inputType: 'clustering' as const,
      embeddingTypes: ['float' as const],
    }
    expect((await client().embed(asked)).meta?.billedUnits?.inputTokens).toBe(256)
    await expect(client().embed({ ...asked, truncate: 'NONE' })).rejects.toMatchObject({
      statusCode: 400,
      body: { message: expect.stringContaining('256 tokens') },
    })
    await expect(client().embed({ ...asked, model: 'embed-v4.0' })).rejects.toMatchObject({ statusCode: 404 })
  })
})

describe('the interface of text-embeddings-inference', () => {
  it('embeds, pooled and token by token', async () => {
    const { body } = await server.post('/embed', { inputs: texts })
    for (const [i, vector] of body.entries())
      expect(cosineSimilarity(vector, expected[i]!)).toBeGreaterThan(0.99999)
    expect((await server.post('/embed', { inputs: 'football', dimensions: 16 })).body[0]).toHaveLength(16)
    const all = await server.post('/embed_all', { inputs: ['football', 'footwear'] })
    expect(all.body.map((rows: number[][]) => [rows.length, rows[0]!.length])).toEqual([
      [3, 384],
      [4, 384],
    ])
    const early = await server.post('/embed_all', { inputs: 'football', tap: 'hidden_states.1' })
    expect(early.body[0][0]).not.toEqual(all.body[0][0])
  })

  it('says what is too long, or cuts it at either end', async () => {
    const inputs = `${'owl '.repeat(250)}${'football '.repeat(250)}`
    const { status, body } = await server.post('/embed', { inputs })
    expect([status, body.error_type]).toEqual([413, 'Validation'])
    const cut = await Promise.all(
      ['Left', 'Right'].map((side) =>
        server.post('/embed', { inputs, truncate: true, truncation_direction: side }),
      ),
    )
    const [left, right] = cut.map((answer) => answer.body[0])
    expect(cosineSimilarity(left, right)).toBeLessThan(0.999)
  })

  it('ranks and compares by cosines, and says so', async () => {
    const asked = { query: 'soccer', texts: ['footwear', 'football'], return_text: true }
    const { body, headers } = await server.post('/rerank', asked)
    expect(body.map(({ index, text }: { index: number; text: string }) => [index, text])).toEqual([
      [1, 'football'],
      [0, 'footwear'],
    ])
    expect(headers.get('x-scores')).toBe('cosine of a bi-encoder')
    const similarity = await server.post('/similarity', {
      inputs: { source_sentence: 'soccer', sentences: ['football', 'footwear'] },
    })
    expect(similarity.body[0]).toBeCloseTo(cosineSimilarity(expected[1]!, expected[0]!), 4)
    expect(similarity.body[0]).toBeCloseTo(body[0].score, 5)
    const clip = await server.post('/rerank', {
      model: 'emoji-clip',
      query: 'bricks',
      texts: [{ image: dataUrl }, 'a wall of bricks'],
    })
    expect(clip.body).toHaveLength(2)
  })

  it('tells tokens and what it is', async () => {
    const { body } = await server.post('/tokenize', { inputs: 'Towhees' })
    expect(
      body[0].map(({ id, text, special, start, stop }: Record<string, unknown>) => [
        id,
        text,
        special,
        start,
        stop,
      ]),
    ).toEqual([
      [101, '[CLS]', true, null, null],
      [expect.any(Number), 'tow', false, 0, 3],
      [expect.any(Number), '##hee', false, 3, 6],
      [expect.any(Number), '##s', false, 6, 7],
      [102, '[SEP]', true, null, null],
    ])
    expect(
      (await server.post('/tokenize', { inputs: ['a b'], add_special_tokens: false })).body[0],
    ).toHaveLength(2)
    expect((await server.get('/info')).body).toMatchObject({
      model_id: model,
      max_input_length: 256,
      model_dtype: 'fp32',
    })
  })
})
