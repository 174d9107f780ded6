import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Model, open } from '../models/index.ts'
import { cosineSimilarity, type Matrix } from '../tensor/index.ts'
import { embedder } from './embedder.ts'
import references from './testdata/minilm.json' with { type: 'json' }
import { Steps } from './text/steps/index.ts'
import type { Embedder, EmbedOptions, Input, StreamResult } from './types.ts'

let text: Embedder
let image: Embedder
let folder: string
let pictures: string[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-embedder-'))
  pictures = await Promise.all(
    ['red', 'green', 'blue', 'white', 'black'].map(async (background) => {
      const path = join(folder, `${background}.jpg`)
      await sharp({ create: { width: 64, height: 48, channels: 3, background } }).toFile(path)
      return path
    }),
  )
  await writeFile(join(folder, 'notes.jpg'), 'not a picture')
  ;[text, image] = await Promise.all([
    embedder('all-MiniLM-L6-v2'),
    embedder('mobilenet-v2', { batchPixels: 2 * 224 ** 2 }),
  ])
})
afterAll(async () => {
  await Promise.all([text?.dispose(), image?.dispose()])
  await rm(folder, { recursive: true, force: true })
})

const norm = (vector: Float32Array) => Math.hypot(...vector)
/** Texts of many lengths, each its own. */
const texts = (count: number) =>
  Array.from({ length: count }, (_, i) => `${i} ${'towhee '.repeat((i * 7) % 23)}`)

async function* slowly<T>(items: Iterable<T>, pause = 0): AsyncGenerator<T> {
  for (const item of items) {
    await new Promise((resolve) => setTimeout(resolve, pause))
    yield item
  }
}

/** Calls `turn` in every turn of the event loop, and once more when it is stopped. */
function eachTurn(turn: () => void): { stop(): void } {
  let next = setImmediate(function again() {
    turn()
    next = setImmediate(again)
  })
  return {
    stop() {
      clearImmediate(next)
      turn()
    },
  }
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

describe('texts', () => {
  it('gives the vectors of sentence-transformers', async () => {
    const { vectors, data, dimensions, truncated, errors } = await text.embed(
      references.map(([given]) => given as string),
    )
    for (const [i, [given, vector]] of (references as [string, number[]][]).entries()) {
      expect(cosineSimilarity(vectors[i]!, vector), given).toBeGreaterThan(0.99999)
      expect(norm(vectors[i]!)).toBeCloseTo(1, 5)
    }
    expect([data.length, dimensions, truncated, errors]).toEqual([
      references.length * 384,
      384,
      [references.length - 1],
      [],
    ])
    expect(data.subarray(384, 768)).toEqual(vectors[1])
  })

  it('keeps the caller’s order, whatever the batches, and reports progress', async () => {
    const inputs = texts(60)
    const events: number[] = []
    const { vectors } = await text.embed(inputs, {
      onProgress: ({ done, total }) => events.push(done, total),
    })
    for (const i of [0, 22, 23, 59]) {
      const alone = (await text.embed([inputs[i]!])).vectors[0]!
      expect(cosineSimilarity(vectors[i]!, alone)).toBeGreaterThan(0.999999)
    }
    expect(events.slice(-2)).toEqual([60, 60])
  })

  it('has the vectors of one call as views of one array, and those of a stream each in memory of its own', async () => {
    const inputs = texts(30)
    const tokens = await embedder('all-MiniLM-L6-v2', { pool: 'none', runtime: { workers: 1 } })
    const chunks = await embedder('all-MiniLM-L6-v2', {
      chunk: { tokens: 8, pool: 'keep' },
      runtime: { workers: 1 },
    })
    for (const e of [text, tokens, chunks]) {
      const { vectors, data } = await e.embed(inputs)
      const numbers = vectors.map((one) => (one instanceof Float32Array ? one : one.data))
      expect(new Set(numbers.map(({ buffer }) => buffer))).toEqual(new Set([data.buffer]))
      // A row that somebody keeps is no reason to keep its batch.
      const rows = (await all<StreamResult<string, Float32Array | Matrix>>(e.stream(inputs))).map(
        ({ vector }) => (vector instanceof Float32Array ? vector : vector.data),
      )
      expect(rows.map(({ byteLength }) => byteLength)).toEqual(rows.map(({ buffer }) => buffer.byteLength))
      expect(rows.map(({ length }) => length)).toEqual(numbers.map(({ length }) => length))
    }
    await Promise.all([tokens.dispose(), chunks.dispose()])
  })

  it('takes nothing and gives nothing', async () => {
    expect(await text.embed([])).toMatchObject({
      vectors: [],
      dimensions: 384,
      truncated: [],
      tokens: [],
      errors: [],
    })
  })

  it('names an input that is no text, and goes on where asked to', async () => {
    const inputs = ['a', 7, new Uint8Array(3), 'b', null, new URL('file:///a.jpg')] as Input[]
    await expect(text.embed(inputs)).rejects.toMatchObject({ code: 'TEXT_INVALID', input: 1 })
    const { vectors, errors } = await text.embed(inputs, { onError: 'skip' })
    expect(errors.map(({ index, error }) => [index, error.code])).toEqual(
      [1, 2, 4, 5].map((i) => [i, 'TEXT_INVALID']),
    )
    expect(errors[1]!.error.message).toContain('choose an image model')
    expect(vectors[1]!.every(Number.isNaN)).toBe(true)
    expect(cosineSimilarity(vectors[3]!, (await text.embed(['b'])).vectors[0]!)).toBeGreaterThan(0.999999)
    await expect(text.embed('a text' as never)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  it('puts prompts before texts, by name or by their words', async () => {
    const card = { text: { maxLength: 16, prompts: { query: 'search for: ' }, defaultPrompt: 'query' } }
    const e = await embedder('all-MiniLM-L6-v2', { card })
    const [expected] = (await text.embed(['search for: towhee'])).vectors
    const prompted = [
      (await e.embed(['towhee'])).vectors[0]!,
      (await e.embed(['towhee'], { prompt: 'query' })).vectors[0]!,
      (await text.embed(['towhee'], { prompt: { text: 'search for: ' } })).vectors[0]!,
      (await e.embed(['search for: towhee'], { prompt: { text: '' } })).vectors[0]!,
      (await e.embed(['search for: towhee'], { prompt: '' })).vectors[0]!,
    ]
    for (const vector of prompted) expect(cosineSimilarity(vector, expected!)).toBeGreaterThan(0.999999)
    expect((await e.embed(['word '.repeat(20)])).truncated).toEqual([0])
    await e.dispose()
  })

  it('cuts long texts at their end, at their start, or refuses them, and says how many tokens it read', async () => {
    const e = await embedder('all-MiniLM-L6-v2', { maxLength: 6 })
    const long = 'one two three four five six'
    const texts = ['two three', long]
    const [, end] = (await e.embed(texts)).vectors
    expect(await e.embed(texts, { truncate: 'end' })).toMatchObject({ truncated: [1], tokens: [4, 6] })
    expect(cosineSimilarity(end!, (await e.embed(['one two three four'])).vectors[0]!)).toBeGreaterThan(
      0.999999,
    )
    const start = await e.embed(texts, { truncate: 'start' })
    expect([start.truncated, start.tokens]).toEqual([[1], [4, 6]])
    const tail = (await e.embed(['three four five six'])).vectors[0]!
    expect(cosineSimilarity(start.vectors[1]!, tail)).toBeGreaterThan(0.999999)
    await expect(e.embed(texts, { truncate: 'error' })).rejects.toMatchObject({
      code: 'INPUT_TOO_LONG',
      input: 1,
    })
    const kept = await e.embed(texts, { truncate: 'error', onError: 'skip' })
    expect([kept.errors.map(({ index }) => index), kept.tokens]).toEqual([[1], [4, 0]])
    expect((await all(e.stream(texts, { truncate: 'start' }))).map(({ tokens }) => tokens)).toEqual([4, 6])
    await expect(e.embed(texts, { truncate: 'middle' as 'end' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    await e.dispose()
  })

  it('refuses a prompt that the model does not name, however it is asked for', async () => {
    // As a word before the text, 'query' gave a vector at a cosine of 0.748.
    const none = {
      code: 'PROMPT_UNKNOWN',
      input: 'query',
      hint: expect.stringContaining('{ text: "query" }'),
    }
    await expect(text.embed(['towhee'], { prompt: 'query' })).rejects.toMatchObject(none)
    await expect(text.embed([], { prompt: 'query' })).rejects.toMatchObject(none)
    await expect(text.embed(['a'], { prompt: 'query', onError: 'skip' })).rejects.toMatchObject(none)
    await expect(all(text.stream(['a'], { prompt: 'query' }))).rejects.toMatchObject(none)
    await expect(embedder('all-MiniLM-L6-v2', { prompt: 'query' })).rejects.toMatchObject(none)
    await expect(text.embed(['a'], { prompt: 'toString' })).rejects.toMatchObject({ code: 'PROMPT_UNKNOWN' })

    const prompts = { passage: 'passage: ', query: 'query: ', document: '' }
    const e = await embedder('all-MiniLM-L6-v2', {
      card: { text: { maxLength: 16, prompts } },
      prompt: 'passage',
      runtime: { workers: 0 },
    })
    await expect(e.embed(['a'], { prompt: 'documents' })).rejects.toThrow(
      /no prompt 'documents'.*names document, passage, query\./,
    )
    const vectorOf = async (options: EmbedOptions) => (await e.embed(['a towhee'], options)).vectors[0]!
    const plain = (await text.embed(['a towhee'])).vectors[0]!
    expect(cosineSimilarity(await vectorOf({ prompt: 'document' }), plain)).toBeGreaterThan(0.999999)
    expect(cosineSimilarity(await vectorOf({}), plain)).toBeLessThan(0.99)
    expect(await vectorOf({})).toEqual(await vectorOf({ prompt: { text: 'passage: ' } }))
    for (const prompt of [7, {}, { text: 7 }, ['query']])
      await expect(vectorOf({ prompt: prompt as never })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await e.dispose()
    const card = { text: { maxLength: 16, prompts, defaultPrompt: 'search' } }
    await expect(embedder('all-MiniLM-L6-v2', { card })).rejects.toMatchObject({
      code: 'PROMPT_UNKNOWN',
      input: 'search',
    })
  })

  it('has no prompts for pictures', async () => {
    const refused = { code: 'OPTION_INVALID', message: expect.stringMatching(/mobilenet-v2 embeds pictures/) }
    await expect(image.embed(pictures, { prompt: { text: 'a photo of ' } })).rejects.toMatchObject(refused)
    await expect(embedder('mobilenet-v2', { prompt: 'query' })).rejects.toMatchObject(refused)
  })
})

describe('options', () => {
  let model: Model
  beforeAll(async () => {
    model = await open('all-MiniLM-L6-v2')
  })

  it("gives a row a token with pool: 'none'", async () => {
    const e = await embedder(model, { pool: 'none', normalize: false })
    const { vectors, data } = await e.embed(['Hello, world!', '', 'a b', 3 as never], { onError: 'skip' })
    expect(vectors.map(({ rows, columns }) => [rows, columns])).toEqual([
      [6, 384],
      [2, 384],
      [4, 384],
      [0, 384],
    ])
    expect(data.length).toBe(12 * 384)
    expect(vectors[2]!.data).toEqual(data.subarray(8 * 384))
    const mean = Float32Array.from({ length: 384 }, (_, j) => {
      return [0, 1, 2, 3].reduce((sum, i) => sum + vectors[2]!.data[i * 384 + j]!, 0)
    })
    expect(cosineSimilarity(mean, (await text.embed(['a b'])).vectors[0]!)).toBeGreaterThan(0.99999)
    await e.dispose()
  })

  it('keeps the first dimensions, of length 1 again', async () => {
    const e = await embedder(model, { dimensions: 64 })
    const [short] = (await e.embed(['towhee'])).vectors
    const [long] = (await text.embed(['towhee'])).vectors
    expect([e.dimensions, short!.length, e.recipe.dimensions]).toEqual([64, 64, 64])
    expect(norm(short!)).toBeCloseTo(1, 5)
    expect(cosineSimilarity(short!, long!.subarray(0, 64))).toBeGreaterThan(0.999999)
    await e.dispose()
    for (const dimensions of [385, 0, 1.5]) {
      await expect(embedder(model, { dimensions })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    }
  })

  it('says what it is', async () => {
    const e = await embedder(model, {
      tap: ['encoder.layer.2', 'penultimate'],
      pool: 'cls',
      normalize: false,
    })
    const { fingerprint } = model
    expect(e.recipe).toEqual({
      version: 1,
      source: { name: 'all-MiniLM-L6-v2', fingerprint },
      modality: 'text',
      taps: ['encoder.layer.2', 'penultimate'].map(model.resolve),
      pool: 'cls',
      normalize: false,
      dimensions: 768,
      dtype: 'fp32',
      text: {
        tokenizer: expect.stringMatching(/^[0-9a-f]{32}$/),
        lowercase: false,
        maxLength: 256,
        prompt: '',
        prompts: {},
      },
    })
    expect(e.tap).toBe(e.recipe.taps.join(','))
    expect([e.modality, e.card.name, e.name]).toEqual(['text', 'all-MiniLM-L6-v2', 'all-MiniLM-L6-v2'])
    await e.dispose()
  })

  it('splits long texts into chunks, kept or averaged', async () => {
    const long = Array.from({ length: 300 }, (_, i) => `number ${i},`).join(' ')
    const kept = await embedder(model, { chunk: { tokens: 64, overlap: 8, pool: 'keep' } })
    const { vectors, chunks } = await kept.embed(['short', long])
    expect(chunks!.length).toBe(vectors.length)
    expect(chunks![0]).toEqual({ input: 0, start: 0, end: 5, tokens: 3 })
    expect(chunks!.slice(1).every(({ input, tokens }) => input === 1 && tokens <= 64)).toBe(true)
    expect(chunks!.at(-1)!.end).toBe(long.length)
    const slices = chunks!.map(({ input, start, end }) => ['short', long][input]!.slice(start, end))
    const alone = await text.embed(slices)
    for (const [i, vector] of vectors.entries()) {
      expect(cosineSimilarity(vector, alone.vectors[i]!)).toBeGreaterThan(0.99999)
    }
    const streamed = await all(kept.stream(['short', long]))
    expect(streamed.map(({ chunk }) => chunk)).toEqual(chunks)
    await kept.dispose()

    const averaged = await embedder(model, { chunk: { tokens: 64, overlap: 8 } })
    const mean = await averaged.embed(['short', long])
    const read = [3, chunks!.slice(1).reduce((sum, { tokens }) => sum + tokens, 0)]
    expect([mean.vectors.length, mean.chunks, mean.truncated, mean.tokens]).toEqual([2, undefined, [], read])
    const sum = new Float32Array(384)
    for (const [i, vector] of vectors.entries()) {
      if (i > 0) for (const [j, value] of vector.entries()) sum[j]! += value * chunks![i]!.tokens
    }
    expect(cosineSimilarity(mean.vectors[1]!, sum)).toBeGreaterThan(0.999999)
    expect(norm(mean.vectors[1]!)).toBeCloseTo(1, 5)
    await averaged.dispose()
  })
})

describe('pictures', () => {
  it('embeds files, and the same pixels however they come', async () => {
    const { vectors, dimensions } = await image.embed(pictures)
    expect(dimensions).toBe(image.card.dimensions)
    expect(vectors.every((vector) => vector.length === dimensions && Math.abs(norm(vector) - 1) < 1e-5)).toBe(
      true,
    )
    const bytes = await sharp(pictures[2]!).raw().toBuffer()
    const [raw] = (await image.embed([{ width: 64, height: 48, channels: 3, data: bytes }])).vectors
    expect(cosineSimilarity(raw!, vectors[2]!)).toBeGreaterThan(0.9999)
    expect(cosineSimilarity(raw!, vectors[1]!)).toBeLessThan(0.999)
  })

  it('skips what is no picture and keeps the rest in order', async () => {
    const inputs = [
      pictures[0]!,
      join(folder, 'notes.jpg'),
      join(folder, 'nowhere.jpg'),
      pictures[1]!,
      'a bird in a tree',
    ]
    const { vectors, errors } = await image.embed(inputs, { onError: 'skip' })
    expect(errors.map(({ index, error }) => [index, error.code])).toEqual([
      [1, 'IMAGE_INVALID'],
      [2, 'FILE_NOT_FOUND'],
      [4, 'FILE_NOT_FOUND'],
    ])
    expect(errors[2]!.error.message).toContain('for words choose a text model')
    const whole = await image.embed(pictures)
    expect(cosineSimilarity(vectors[3]!, whole.vectors[1]!)).toBeGreaterThan(0.999999)
    await expect(image.embed(inputs)).rejects.toMatchObject({ code: 'IMAGE_INVALID', input: inputs[1] })
    await expect(image.embed([pictures[0]!, new Uint8Array()])).rejects.toMatchObject({ input: 'input 1' })
  })

  it('names the first of several bad ones, however fast the others fail', async () => {
    const e = await embedder(await image.model(), { batchPixels: 8 * 224 * 224 })
    const inputs = [pictures[0]!, join(folder, 'notes.jpg'), 7 as never, join(folder, 'nowhere.jpg')]
    await expect(e.embed(inputs)).rejects.toMatchObject({ code: 'IMAGE_INVALID', input: inputs[1] })
    await e.dispose()
  })

  it('says of a card whose pictures cannot be prepared what is wrong, before there are any', async () => {
    const card = { image: { ...image.card.image!, interpolation: 'cubic' as never } }
    await expect(embedder('mobilenet-v2', { card })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      input: 'card',
      message: expect.stringContaining('card.image.interpolation'),
    })
  })

  it("gives a row a position with pool: 'none'", async () => {
    const e = await embedder(await image.model(), { pool: 'none' })
    const [map] = (await e.embed([pictures[0]!])).vectors
    expect([Math.sqrt(map!.rows) % 1, map!.columns, map!.data.length]).toEqual([
      0,
      e.dimensions,
      map!.rows * e.dimensions,
    ])
    await e.dispose()
  })
})

describe('stream', () => {
  it('gives results in order from lists and slow sources, as they come', async () => {
    const inputs = texts(12)
    const expected = await text.embed(inputs)
    for (const source of [inputs, slowly(inputs, 15)]) {
      let seen = 0
      for await (const { index, input, vector, truncated } of text.stream(source)) {
        expect([index, input, truncated]).toEqual([seen, inputs[seen], false])
        expect(cosineSimilarity(vector, expected.vectors[seen]!)).toBeGreaterThan(0.999999)
        seen++
      }
      expect(seen).toBe(12)
    }
  })

  it('does not wait for a source that pauses, and asks for no more than it needs', async () => {
    let asked = 0
    let closed = false
    async function* endless() {
      try {
        for (;;) yield `text ${asked++}`
      } finally {
        closed = true
      }
    }
    for await (const { index } of text.stream(endless())) if (index === 3) break
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(asked).toBeLessThan(4 * 1024)
    expect(closed).toBe(true)
    const never = async function* () {
      yield 'one'
      await new Promise(() => {})
    }
    for await (const { index } of text.stream(never())) {
      expect(index).toBe(0)
      break
    }
  })

  it('passes on errors of the source, and of an input unless it skips', async () => {
    const broken = async function* () {
      yield 'one'
      throw new Error('the source broke')
    }
    await expect(all(text.stream(broken()))).rejects.toThrow('the source broke')
    await expect(all(text.stream(['a', 1 as never]))).rejects.toMatchObject({ code: 'TEXT_INVALID' })
    const results = await all(text.stream(['a', 1 as never], { onError: 'skip' }))
    expect(results.map(({ error }) => error?.code)).toEqual([undefined, 'TEXT_INVALID'])
  })
})

describe('ends', () => {
  it('stops when the signal fires, before or between batches, and goes on afterwards', async () => {
    const signal = AbortSignal.abort()
    await expect(text.embed(['a'], { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    const stop = new AbortController()
    const inputs = texts(400)
    const work = text.embed(inputs, { signal: stop.signal, onProgress: () => stop.abort() })
    await expect(work).rejects.toMatchObject({ code: 'ABORTED' })
    const hung = new AbortController()
    const never = async function* (): AsyncGenerator<string> {
      await new Promise(() => {})
    }
    setTimeout(() => hung.abort(), 20)
    await expect(text.stream(never(), { signal: hung.signal }).next()).rejects.toMatchObject({
      code: 'ABORTED',
    })
    expect((await text.embed(['a'])).vectors).toHaveLength(1)
  })

  it('stops a stream whose reader gives up, and leaves no failure that nobody heeds', async () => {
    const unheeded = vi.fn()
    process.on('unhandledRejection', unheeded)
    for (const count of [150, 2500]) {
      const stop = new AbortController()
      let read = 0
      const reading = async () => {
        for await (const _ of text.stream(texts(count), { signal: stop.signal }))
          if (++read === 100) stop.abort()
      }
      await expect(reading()).rejects.toMatchObject({ code: 'ABORTED' })
      expect(read).toBe(100)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    process.off('unhandledRejection', unheeded)
    expect(unheeded).not.toHaveBeenCalled()
  })

  it('leaves the event loop free while it prepares texts', async () => {
    const long = 'a few more words about towhees, '.repeat(20_000)
    const e = await embedder(await text.model(), { chunk: { pool: 'keep', tokens: 256, overlap: 0 } })
    const encode = vi.spyOn(Steps.prototype, 'ids')
    const stop = new AbortController()
    // Characters that the tokenizer was given: in all, and in one turn of the event loop at most.
    let [total, most] = [0, 0]
    const loop = eachTurn(() => {
      const given = encode.mock.calls.reduce((sum: number, [words]: string[]) => sum + words!.length, 0)
      encode.mockClear()
      most = Math.max(most, given)
      total += given
    })
    const onProgress = () => stop.abort()
    await e.embed([...texts(300), long], { signal: stop.signal, onProgress }).catch(() => {})
    loop.stop()
    encode.mockRestore()
    // Its words are measured one by one, then its chunks are made.
    expect(total).toBeGreaterThan(2 * 0.8 * long.length)
    expect(most).toBeLessThan(total / 4)
    await e.dispose()
  })

  it('leaves the event loop free while the model runs', async () => {
    let [turns, batches] = [0, 0]
    const loop = eachTurn(() => turns++)
    await text.embed(texts(300), { onProgress: () => batches++ })
    loop.stop()
    // A model that runs on the caller's thread lets the loop turn a few times a batch.
    expect(batches).toBeGreaterThan(5)
    expect(turns / batches).toBeGreaterThan(50)
  })

  it('lets the calls of embed under way end when it is disposed, with all their batches', async () => {
    const e = await embedder(await text.model())
    const calls = [e.embed(texts(300)), e.embed(['a']), e.embed([3] as never)]
    const refused = expect(calls[2]).rejects.toMatchObject({ name: 'PipiloError' })
    await e.dispose()
    await refused
    expect((await calls[0]!).vectors).toHaveLength(300)
    expect((await calls[1]!).vectors).toHaveLength(1)
    await expect(e.embed(['a'])).rejects.toMatchObject({ code: 'DISPOSED' })
  })

  it('refuses work after it was disposed', async () => {
    const e = await embedder(await text.model())
    await e[Symbol.asyncDispose]()
    await e.dispose()
    await expect(e.embed(['a'])).rejects.toMatchObject({ code: 'DISPOSED' })
    await expect(e.stream(['a']).next()).rejects.toMatchObject({ code: 'DISPOSED' })
  })
})

describe('calibration', () => {
  it('reads the ranges of int8 from pictures of the caller', async () => {
    const options = { dtype: 'int8' } as const
    const own = await embedder('mobilenet-v2', options)
    const calibrated = await embedder('mobilenet-v2', { ...options, calibration: pictures })
    const sides = [image, own, calibrated]
    const [exact, first, second] = await Promise.all(
      sides.map(async (side) => (await side.embed(pictures)).data),
    )
    await Promise.all([own.dispose(), calibrated.dispose()])
    expect(cosineSimilarity(exact!, second!)).toBeGreaterThan(0.99)
    expect(second).not.toEqual(first)
    expect(calibrated.recipe.calibration).toMatch(/^[0-9a-f]{64}$/)
    expect(calibrated.recipe.source.fingerprint).not.toBe(own.recipe.source.fingerprint)
  })

  it.each([
    [{ calibration: ['a.jpg'] }, 'mobilenet-v2', 'OPTION_INVALID', /dtype|int8/],
    [{ dtype: 'int8', calibration: [] }, 'mobilenet-v2', 'OPTION_INVALID', /at least one/],
    [{ dtype: 'int8', calibration: ['a.jpg'] }, 'all-MiniLM-L6-v2', 'OPTION_INVALID', /takes no pictures/],
    [{ dtype: 'int8', calibration: ['not-there.jpg'] }, 'mobilenet-v2', 'FILE_NOT_FOUND', /not-there/],
  ] as const)('refuses %j of %s', async (options, model, code, message) => {
    const opening = embedder(model, options)
    await expect(opening).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })
})
