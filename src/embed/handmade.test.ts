import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, type Dimension, op, type Value } from '../graph/index.ts'
import { open } from '../models/index.ts'
import { towerFolder } from '../models/testing/towers.ts'
import { type DType, float32ToFloat16, tensor } from '../tensor/index.ts'
import { embedder } from './embedder.ts'
import type { EmbedderOptions } from './types.ts'

const folder = await mkdtemp(join(tmpdir(), 'pipilo-handmade-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

let files = 0
async function write(builder: Builder): Promise<string> {
  const path = join(folder, `${files++}.onnx`)
  await writeOnnx(builder.build(), path)
  return path
}

const SIZE = 8
const image = {
  size: [SIZE, SIZE],
  crop: 'squash',
  interpolation: 'bilinear',
  mean: [0, 0, 0],
  std: [1, 1, 1],
} as const
const plain = { tap: 'out', normalize: false, card: { image } } as const

/** A network for pictures of 8 × 8, [batch, 3, 8, 8], whose vectors are at `out`. */
async function network(build: (x: Value) => Value, batch: Dimension = 'n') {
  const b = new Builder()
  b.output('out', build(b.input('pixel_values', 'float32', [batch, 3, SIZE, SIZE])))
  return write(b)
}

const picture = (seed: number) => ({
  width: SIZE,
  height: SIZE,
  channels: 3 as const,
  data: Uint8Array.from({ length: 3 * SIZE * SIZE }, (_, i) => (seed === 0 ? 0 : (i * seed * 7) % 251)),
})
const pictures = [1, 2, 3, 4].map(picture)
/** The means of a picture's channels, from 0 to 1. */
const means = ({ data }: ReturnType<typeof picture>) =>
  [0, 1, 2].map(
    (channel) => data.reduce((sum, value, i) => sum + (i % 3 === channel ? value : 0), 0) / 64 / 255,
  )

async function embed(path: string, inputs: readonly ReturnType<typeof picture>[], onError?: 'skip') {
  const e = await embedder(path, plain)
  try {
    return await e.embed(inputs, { ...(onError && { onError }) })
  } finally {
    await e.dispose()
  }
}

const mean = (x: Value) => op.reduceMean(x, [2, 3])
const tokens = (x: Value) => op.transpose(x, [0, 2, 3, 1])

describe('a batch that is fixed', () => {
  it.each<[string, (x: Value) => Value, Dimension?]>([
    ['in no place', mean],
    ['to one in the input', mean, 1],
    ['to three in the input', mean, 3],
    ['in the input, and mixes what is more', (x) => op.reduceMean(op.reshape(x, [1, 3, -1]), [2]), 1],
    ['in a Reshape', (x) => op.reduceMean(op.reshape(x, [1, 3, -1]), [2])],
    [
      'in a Reshape in the middle, so that rows are mixed and their number is right',
      (x) => {
        const all = op.reshape(tokens(x), [1, -1, 3])
        const each = op.reduceMean(op.reshape(all, [-1, SIZE * SIZE, 3]), [1])
        // Of one picture its mean, of several something of all.
        return op.sub(op.add(each, each), op.reduceMean(all, [1]))
      },
    ],
    ['by a Reshape of the vectors', (x) => op.reshape(mean(x), [1, -1])],
    ['to the first row', (x) => op.slice(mean(x), [0], [1], { axes: [0] })],
    ['to the mean of all rows', (x) => op.reduceMean(mean(x), [0], { keepDims: true })],
    [
      'to a number that the graph does not say',
      (x) => {
        const first = x.builder.constant(tensor('bool', [1], [1]))
        return x.builder.node('Compress', [mean(x), first], { axis: { type: 'int', value: 0 } })[0]!
      },
    ],
    [
      'by a token that is there once, so that two inputs fail',
      (x) => {
        const first = x.builder.constant(tensor('float32', [1, 1, 3], [0, 0, 0]))
        const all = op.concat([first, op.reshape(tokens(x), [0, SIZE * SIZE, 3])], 1)
        return op.mul(op.reduceMean(all, [1]), x.builder.constant(65 / 64, 'float32'))
      },
    ],
  ])('%s: each picture has its own vector', async (_, build, batch) => {
    const path = await network(build, batch)
    const { vectors, dimensions } = await embed(path, pictures)
    expect(dimensions).toBe(3)
    for (const [i, vector] of vectors.entries()) {
      const expected = means(pictures[i]!)
      expect(vector).toHaveLength(3)
      for (const [j, value] of vector.entries()) expect(value).toBeCloseTo(expected[j]!, 5)
    }
    expect((await embed(path, [pictures[2]!])).vectors[0]![1]).toBeCloseTo(means(pictures[2]!)[1]!, 5)
  })

  it('is in the graph that is exported, too', async () => {
    const path = await network((x) => op.reduceMean(op.reshape(x, [1, 3, -1]), [2]))
    const e = await embedder(path, plain)
    const { card: _, ...read } = plain
    const [input] = (await e.model()).embedding(read).inputs
    expect(input).toMatchObject({ name: 'pixels', type: { shape: [1, SIZE, SIZE, 3] } })
    await e.dispose()
  })
})

describe('a result that is none', () => {
  it.each<[string, (x: Value) => Value]>([
    ['two rows an input', (x) => op.concat([mean(x), mean(x)], 0)],
    // Three pictures have as many rows as numbers.
    ['rows and numbers in each other’s place', (x) => op.transpose(mean(x), [1, 0])],
  ])('%s is an error', async (_, build) => {
    const path = await network(build)
    await expect(embed(path, pictures.slice(0, 3))).rejects.toMatchObject({
      code: 'RESULT_INVALID',
      input: 0,
    })
    const { errors, vectors } = await embed(path, pictures.slice(0, 3), 'skip')
    expect(errors.map(({ index, error }) => [index, error.code])).toEqual(
      [0, 1, 2].map((i) => [i, 'RESULT_INVALID']),
    )
    for (const vector of vectors) expect(vector.every(Number.isNaN)).toBe(true)
  })

  it.each([false, true])('no finite number is an error of its input, normalised: %s', async (normalize) => {
    // One over the mean: of a black picture that is infinite.
    const path = await network((x) => op.div(x.builder.constant(1, 'float32'), mean(x)))
    const e = await embedder(path, { ...plain, normalize })
    const inputs = [pictures[0]!, picture(0), pictures[1]!]
    await expect(e.embed(inputs)).rejects.toMatchObject({ code: 'RESULT_INVALID', input: 1 })
    const { errors, vectors } = await e.embed(inputs, { onError: 'skip' })
    expect(errors.map(({ index, error }) => [index, error.code])).toEqual([[1, 'RESULT_INVALID']])
    expect(vectors.map((vector) => vector.every(Number.isFinite))).toEqual([true, false, true])
    await e.dispose()
    const all = await embedder(path, { ...plain, pool: 'none', normalize })
    await expect(all.embed(inputs)).rejects.toMatchObject({ code: 'RESULT_INVALID', input: 1 })
    await all.dispose()
  })

  it('names an input of two towers by its place among all', async () => {
    const clip = await towerFolder('clip', folder)
    const { card } = await open(clip)
    const e = await embedder(clip, {
      modality: 'text-image',
      card: { image: { ...card.image!, std: [1e-45, 1, 1] } },
    })
    const inputs = [{ text: 'a' }, { text: 'b' }, { image: pictures[1]! }, { text: 'c' }]
    await expect(e.embed(inputs)).rejects.toMatchObject({ code: 'RESULT_INVALID', input: 2 })
    const { errors, vectors } = await e.embed(inputs, { onError: 'skip' })
    expect(errors.map(({ index, error }) => [index, error.input])).toEqual([[2, 2]])
    expect(vectors.map((vector) => vector.every(Number.isFinite))).toEqual([true, true, false, true])
    await e.dispose()
  })
})

const tokenizer = join(folder, 'tokenizer.json')
const vocab = Object.fromEntries(['[UNK]', 'a', 'b', 'c', 'd'].map((word, i) => [word, i]))
await writeFile(
  tokenizer,
  JSON.stringify({
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    post_processor: null,
    decoder: null,
    pre_tokenizer: { type: 'Whitespace' },
    model: { type: 'WordLevel', vocab, unk_token: '[UNK]' },
  }),
)
const WORDS = Array.from({ length: 5 * 4 }, (_, i) => ((i * 37) % 19) - 9)

/** A vector for each word, in a dtype. */
async function words(dtype: DType, more: (b: Builder, hidden: Value) => Value = (_, hidden) => hidden) {
  const b = new Builder()
  const ids = b.input('input_ids', 'int64', ['batch', 'sequence'])
  const mask = b.input('attention_mask', 'int64', ['batch', 'sequence'])
  const table = b.initializer('words', tensor('float32', [5, 4], WORDS))
  const hidden = op.mul(op.gather(table, ids), op.unsqueeze(op.cast(mask, 'float32'), [2]))
  b.output('hidden', more(b, dtype === 'float32' ? hidden : op.cast(hidden, dtype)))
  return write(b)
}

async function embedTexts(path: string, options: EmbedderOptions, texts = ['a b c', 'd', 'b a']) {
  const e = await embedder(path, options)
  try {
    return await e.embed(texts)
  } finally {
    await e.dispose()
  }
}

describe('a layer of other numbers than float32', () => {
  it.each<DType>(['float16', 'bfloat16', 'float64', 'int8'])('gives numbers from %s', async (dtype) => {
    const [expected, given] = [await words('float32'), await words(dtype)]
    for (const pool of ['mean', 'cls', 'max', 'last', 'none'] as const) {
      for (const normalize of [false, true]) {
        const { data } = await embedTexts(given, { pool, normalize })
        const { data: exact } = await embedTexts(expected, { pool, normalize })
        expect(data).toHaveLength(exact.length)
        for (const [i, value] of data.entries()) expect(value).toBeCloseTo(exact[i]!, 5)
      }
    }
  })

  it('gives numbers where weights and arithmetic are float16', async () => {
    const b = new Builder({ opset: 17 })
    const ids = b.input('input_ids', 'int64', ['batch', 'sequence'])
    const data = float32ToFloat16(Float32Array.from(WORDS))
    const table = b.initializer('words', { dtype: 'float16', shape: [5, 4], data })
    b.output('hidden', op.add(op.gather(table, ids), b.constant(1, 'float16')))
    const { vectors } = await embedTexts(await write(b), { pool: 'cls', normalize: false })
    expect(vectors[1]).toEqual(Float32Array.from(WORDS.slice(16, 20), (value) => value + 1))
  })

  it('refuses integers that are no embedding', async () => {
    const path = await words('int64')
    await expect(embedTexts(path, {})).rejects.toMatchObject({ code: 'DTYPE_MISMATCH', input: 'hidden' })
  })

  it('refuses vectors that are as long as their text', async () => {
    const path = await words('float32', (_, hidden) => op.reduceMean(hidden, [2]))
    const options = { batchTokens: 1 }
    await expect(embedTexts(path, options)).rejects.toMatchObject({ code: 'RESULT_INVALID' })
  })
})

describe('inputs beside the tokens', () => {
  const placed = (b: Builder, hidden: Value) => {
    const positions = b.input('word_places', 'int64', ['batch', 'sequence'])
    return op.add(hidden, op.unsqueeze(op.cast(positions, 'float32'), [2]))
  }

  it('are named where nobody knows what goes there', async () => {
    const path = await words('float32', placed)
    const error = await embedTexts(path, {}).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'INPUT_UNKNOWN', input: 'word_places' })
    expect(error.message).toContain('"word_places"')
  })
  it('keep the value that the graph gives them', async () => {
    const b = new Builder()
    const ids = b.input('input_ids', 'int64', ['batch', 'sequence'])
    b.input('offset', 'int64', [1])
    const table = b.initializer('words', tensor('float32', [5, 4], WORDS))
    const offset = op.cast(b.value('offset'), 'float32')
    b.output('hidden', op.add(op.gather(table, ids), offset))
    const graph = b.build()
    const path = join(folder, 'offset.onnx')
    const initializers = new Map(graph.initializers).set('offset', tensor('int64', [1], [2]))
    await writeOnnx({ ...graph, initializers }, path)
    const { data } = await embedTexts(path, { pool: 'cls', normalize: false }, ['d'])
    expect([...data]).toEqual(WORDS.slice(16, 20).map((value) => value + 2))
  })
})
