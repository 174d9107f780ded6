import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbedderOptions, embedder, type RawImage } from '../embed/index.ts'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, op } from '../graph/index.ts'
import { defaultImageModel, open } from '../models/index.ts'
import { cosineSimilarity, tensor } from '../tensor/index.ts'
import { dc, FailedRow, glob, ops, type Pipeline, pipe, pipeline } from './index.ts'
import { share } from './shared.ts'

const texts = ['A towhee sings in the brush.', 'Stock markets fell.', 'A bird calls from a bush.']

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-pictures-'))
  const colours = { a: 'red', b: 'green', c: 'blue' }
  for (const [name, background] of Object.entries(colours))
    await sharp({ create: { width: 64, height: 48, channels: 3, background } })
      .png()
      .toFile(join(folder, `${name}.png`))
  await writeFile(join(folder, 'broken.jpg'), 'this is no picture')
})
afterAll(() => rm(folder, { recursive: true }))

/** Vectors of the same model by hand. */
async function byHand(model: string, inputs: readonly (string | RawImage)[]): Promise<Float32Array[]> {
  const e = await embedder(model)
  const { vectors } = await e.embed(inputs)
  await e.dispose()
  return vectors as Float32Array[]
}

function expectSame(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  expect(actual).toHaveLength(expected.length)
  actual.forEach((vector, i) => {
    expect(cosineSimilarity(vector, expected[i]!)).toBeGreaterThan(0.9999)
  })
}

const scaling = {
  tap: 'out',
  normalize: false,
  card: {
    image: { size: [8, 8], crop: 'squash', interpolation: 'bilinear', mean: [0, 0, 0], std: [1, 1, 1] },
  },
} as const

/** Writes a network whose vector of a white picture is the scale, in each place: as `m.onnx` in the folder, or in a new one. */
async function scalingModel(scale: number, to?: string): Promise<string> {
  const there = to ?? (await mkdtemp(join(folder, 'scaling-')))
  const b = new Builder()
  const x = b.input('pixel_values', 'float32', ['n', 3, 8, 8])
  b.output('out', op.mul(op.reduceMean(x, [2, 3]), b.constant(tensor('float32', [1], [scale]))))
  await writeOnnx(b.build(), join(there, 'm.onnx'))
  return there
}

/** The first value of each pipeline's vector of a white picture. */
function firstValues(pipelines: readonly Pipeline[]): Promise<number[]> {
  const white = { width: 8, height: 8, channels: 3, data: new Uint8Array(192).fill(255) } as const
  return Promise.all(pipelines.map(async (embed) => Math.round((await embed(white))[0]! * 1000) / 1000))
}

describe('texts', () => {
  it('become vectors, one a text', async () => {
    const vectors = await dc(texts).textEmbedding.sentence().toList()
    expectSame(vectors, await byHand('all-MiniLM-L6-v2', texts))
    const [towhee, stocks, bird] = vectors as [Float32Array, Float32Array, Float32Array]
    expect(cosineSimilarity(towhee, bird)).toBeGreaterThan(cosineSimilarity(towhee, stocks))
  })

  it('become matrices of tokens, start and end included', async () => {
    const [short, long] = await dc(['hello', 'hello hello hello']).textEmbedding.transformers().toList()
    expect([short!.rows, short!.columns]).toEqual([3, 384])
    expect([long!.rows, long!.columns]).toEqual([5, 384])
    const norm = Math.hypot(...short!.data.subarray(0, 384))
    expect(Math.abs(norm - 1)).toBeGreaterThan(0.1)
  })

  it('fail row by row', async () => {
    const rows = await dc(['good', 7 as unknown as string, 'fine'])
      .textEmbedding.sentence()
      .toList({ onError: 'keep' })
    expect(rows.map((row) => row instanceof FailedRow)).toEqual([false, true, false])
  })

  it('have a prompt by its name or by its words', async () => {
    const chain = dc(texts).textEmbedding
    const words = await chain.sentence({ prompt: { text: 'query: ' } }).toList()
    expectSame(
      words,
      await byHand(
        'all-MiniLM-L6-v2',
        texts.map((text) => `query: ${text}`),
      ),
    )
    const unknown = { code: 'PROMPT_UNKNOWN' }
    await expect(chain.sentence({ prompt: 'query' }).toList()).rejects.toMatchObject(unknown)
    await expect(chain.transformers({ prompt: 'query' }).toList()).rejects.toMatchObject(unknown)
    await expect(pipeline('text-embedding', { prompt: 'query' })).rejects.toMatchObject(unknown)
    const card = { text: { maxLength: 16, prompts: { q: 'query: ' } } }
    const named = await pipeline('text-embedding', { card, prompt: 'q' })
    const literal = await pipeline('text-embedding', { card, prompt: { text: 'q' } })
    expectSame([await named(texts[0]!)], words.slice(0, 1))
    expect(literal.embedder).not.toBe(named.embedder)
    await Promise.all([named.dispose(), literal.dispose()])
  })

  it('refuse a model for pictures', async () => {
    const wrong = dc(texts).textEmbedding.sentence({ model: 'mobilenet-v2' })
    await expect(wrong.toList()).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})

describe('pictures', () => {
  it('become vectors', async () => {
    const files = glob('*.png', { cwd: folder })
    const vectors = await files.imageDecode().imageEmbedding.timm().toList()
    const images = await files.imageDecode().toList()
    expect(images[0]).toMatchObject({ width: 64, height: 48, channels: 3 })
    expectSame(vectors, await byHand(defaultImageModel, images))
    const [positions] = await files.imageEmbedding.timm({ tap: 'out_relu', pool: 'none' }).toList()
    expect(positions!.rows).toBe(49)
  })

  it('go through columns, and broken ones are kept, with their path', async () => {
    const index = pipe
      .input<{ path: string }>('path')
      .map('path', 'image', ops.imageDecode())
      .map('image', 'vector', ops.imageEmbedding.timm({ tap: 'block_10_project_BN', pool: 'mean' }))
      .map(['path', 'vector'], 'row', (path, vector) => ({ id: path, length: vector.length }))
      .output('path', 'row')
    const { row } = await index(join(folder, 'a.png'))
    expect(row).toEqual({ id: join(folder, 'a.png'), length: 96 })
    const rows = await index.batch(glob('*.{png,jpg}', { cwd: folder }), { onError: 'keep' })
    expect(rows.map(({ error }) => error?.code)).toEqual([
      undefined,
      undefined,
      expect.any(String),
      undefined,
    ])
    expect(rows[2]!.path).toBe(join(folder, 'broken.jpg'))
    expect(rows[2]!.error!.message).toContain('broken.jpg')
    await index.dispose()
  })
})

describe('pipeline', () => {
  it('is a function of one input or of many', async () => {
    const embed = await pipeline('text-embedding')
    const vectors = await embed(texts)
    expectSame([await embed(texts[0]!)], [vectors[0]!])
    expect(embed.embedder.dimensions).toBe(384)
    await embed.dispose()
    const pictures = await pipeline('image-embedding')
    expect(await pictures(join(folder, 'a.png'))).toHaveLength(pictures.embedder.dimensions)
    await pictures.dispose()
  })

  it('names the tasks that are close to an unknown one, and refuses models for others', async () => {
    await expect(pipeline('txt-embedding' as 'text-embedding')).rejects.toThrow(/Closest: text-embedding/)
    await expect(pipeline('text-embedding', { model: 'mobilenet-v2' })).rejects.toThrow(/a model for image/)
    await expect(pipeline('image-embedding', { model: 'all-MiniLM-L6-v2' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})

describe('an embedder', () => {
  it('is shared by all who ask for the same model and options, and freed with the last of them', async () => {
    const [one, two] = await Promise.all([
      share('mobilenet-v2', { pool: 'mean', normalize: true }),
      share('mobilenet-v2', { normalize: true, pool: 'mean' }),
    ])
    const other = await share('mobilenet-v2', { pool: 'max' })
    expect(one.embedder).toBe(two.embedder)
    expect(other.embedder).not.toBe(one.embedder)
    const picture = join(folder, 'a.png')
    await one.release()
    await one.release()
    expect((await two.embedder.embed([picture])).vectors).toHaveLength(1)
    await two.release()
    await other.release()
    await expect(one.embedder.embed([picture])).rejects.toMatchObject({ code: 'DISPOSED' })
    const again = await share('mobilenet-v2', { pool: 'mean', normalize: true })
    expect(again.embedder).not.toBe(one.embedder)
    await again.release()
  })

  it('is another one for another layer, size or calibration in an array, with the vectors of its own options', async () => {
    // Arrays fell out of the key: the second got the first one's embedder, and its vectors.
    const model = fileURLToPath(new URL('../models/testdata/vision/resnet50', import.meta.url))
    const [red, green] = [join(folder, 'a.png'), join(folder, 'b.png')]
    const pairs: readonly [EmbedderOptions, EmbedderOptions, string?][] = [
      [{ tap: ['block_2_add'] }, { tap: ['block_4_add'] }, 'mobilenet-v2'],
      [
        { size: [32, 32], tap: 'stages.2' },
        { size: [64, 64], tap: 'stages.2' },
      ],
      [
        { dtype: 'int8', calibration: [red] },
        { dtype: 'int8', calibration: [green] },
      ],
    ]
    for (const [first, second, name = model] of pairs) {
      const both = await Promise.all(
        [first, second].map((options) => pipeline('image-embedding', { model: name, ...options })),
      )
      expect(both[0]!.embedder).not.toBe(both[1]!.embedder)
      for (const [i, options] of [first, second].entries()) {
        const alone = await embedder(name, options)
        expect(await both[i]!(red)).toEqual((await alone.embed([red])).vectors[0])
        await alone.dispose()
      }
      await Promise.all(both.map((each) => each.dispose()))
    }
  })

  it('keeps the options of the call, whatever the caller makes of them afterwards', async () => {
    const tap = ['hidden_states.3']
    const first = pipeline('text-embedding', { tap })
    const direct = embedder('all-MiniLM-L6-v2', { tap })
    tap[0] = 'hidden_states.1'
    const later = await pipeline('text-embedding', { tap: ['hidden_states.3'] })
    const alone = await embedder('all-MiniLM-L6-v2', { tap: 'hidden_states.3' })
    const [expected] = (await alone.embed(['a bird'])).vectors
    expect(await (await first)('a bird')).toEqual(expected)
    expect(await later('a bird')).toEqual(expected)
    expect((await (await direct).embed(['a bird'])).vectors[0]).toEqual(expected)
    await Promise.all([(await first).dispose(), later.dispose(), alone.dispose(), (await direct).dispose()])
  })

  it('is another one for the same relative path in another folder', async () => {
    const home = process.cwd()
    const folders = await Promise.all([1, 3].map((scale) => scalingModel(scale)))
    const embeds: Pipeline[] = []
    try {
      for (const there of folders) {
        process.chdir(there)
        embeds.push(await pipeline('image-embedding', { model: './m.onnx', ...scaling }))
      }
    } finally {
      process.chdir(home)
    }
    expect(await firstValues(embeds)).toEqual([1, 3])
    await Promise.all(embeds.map((each) => each.dispose()))
  })

  it('is another one when the file of the model was replaced while it is open', async () => {
    const there = await scalingModel(1)
    const options = { model: join(there, 'm.onnx'), ...scaling }
    const before = await pipeline('image-embedding', options)
    await scalingModel(3, there)
    const after = await pipeline('image-embedding', options)
    expect(await firstValues([before, after])).toEqual([1, 3])
    await Promise.all([before.dispose(), after.dispose()])
  })

  it('is one in whatever words it is asked for, and for a model that was opened', async () => {
    const model = await open('all-MiniLM-L6-v2')
    const shares = await Promise.all([
      share('all-MiniLM-L6-v2', {}),
      share('all-MiniLM-L6-v2', { tap: ['hidden_states.6'], pool: 'mean', dimensions: 384, prompt: '' }),
      share('all-MiniLM-L6-v2', { tap: 'encoder.layer.5', signal: new AbortController().signal }),
      share(model, {}),
      share(model, { normalize: true }),
    ])
    for (const { embedder } of shares) expect(embedder).toBe(shares[0]!.embedder)
    const other = await Promise.all([
      share(model, { runtime: { workers: 0 } }),
      share(model, { batchTokens: 64 }),
      share(await open('all-MiniLM-L6-v2', { dtype: 'int8' }), {}),
    ])
    const all = new Set([...shares, ...other].map(({ embedder }) => embedder))
    expect(all.size).toBe(4)
    await Promise.all([...shares.slice(1), ...other].map(({ release }) => release()))
    expect((await shares[0]!.embedder.embed(['a'])).vectors).toHaveLength(1)
    await shares[0]!.release()
    await expect(shares[0]!.embedder.embed(['a'])).rejects.toMatchObject({ code: 'DISPOSED' })
  })

  it('is not handed out when its last user leaves in the same moment', async () => {
    const first = await share('mobilenet-v2', {})
    const asking = share('mobilenet-v2', {})
    const leaving = first.release()
    const second = await asking
    await leaving
    expect((await second.embedder.embed([join(folder, 'a.png')])).vectors).toHaveLength(1)
    await second.release()
  })

  it('may be of a model that was opened, in pipeline, ops and dc', async () => {
    const model = await open('all-MiniLM-L6-v2')
    const expected = await byHand('all-MiniLM-L6-v2', texts)
    const embed = await pipeline('text-embedding', { model })
    expectSame(await embed(texts), expected)
    await embed.dispose()
    expectSame(await dc(texts).textEmbedding.sentence({ model }).toList(), expected)
    const index = pipe
      .input<{ text: string }>('text')
      .map('text', 'vector', ops.textEmbedding.sentence({ model }))
      .output('vector')
    expectSame([(await index(texts[0]!)).vector], expected.slice(0, 1))
    await index.dispose()
    const cut = (await open('mobilenet-v2')).cut('block_2_add')
    const [vector] = await glob('a.png', { cwd: folder }).imageEmbedding.timm({ model: cut }).toList()
    expect(vector).toHaveLength(24)
    await expect(pipeline('image-embedding', { model })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  it('does not keep a process alive that is done with it', async () => {
    const script = `
      import { pipe, ops } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
      const index = pipe.input('text').map('text', 'vector', ops.textEmbedding.sentence()).output('vector')
      const { vector } = await index('towhee')
      console.log(vector.length)`
    const options = { timeout: 30_000 }
    const node = ['--import', 'tsx', '--input-type=module', '--eval', script]
    const { stdout } = await promisify(execFile)(process.execPath, node, options)
    expect(stdout.trim()).toBe('384')
  })

  it('that cannot be opened says so, each time it is asked for', async () => {
    for (let i = 0; i < 2; i++)
      await expect(
        dc(texts).textEmbedding.sentence({ model: 'file:/nowhere/at/all' }).toList({ onError: 'skip' }),
      ).rejects.toMatchObject({ name: 'PipiloError' })
  })
})
