import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AnyInput, decodeImage, type Embedder, embedder, type RawImage } from '../../embed/index.ts'
import { writeOnnx } from '../../graph/files/index.ts'
import { Builder, type Dimension, type Graph, op, type Value } from '../../graph/index.ts'
import { testdata } from '../../models/testing/fixtures.ts'
import { towerFolder } from '../../models/testing/towers.ts'
import { compile } from '../../runtime/index.ts'
import { cosineSimilarity, type Tensor, type Vector } from '../../tensor/index.ts'
import { freshNetwork } from '../../train/index.ts'
import { attribute } from '../index.ts'
import type { AttributeOptions, ImageAttribution, TextAttribution } from './types.ts'

const folder = await mkdtemp(join(tmpdir(), 'pipilo-attribute-'))
const texts = await embedder('all-MiniLM-L6-v2')
const pictures = await embedder('mobilenet-v2')
const small = await embedder(testdata('sentence-transformers'))
afterAll(async () => {
  await Promise.all([texts, pictures, small].map((each) => each.dispose()))
  await rm(folder, { recursive: true, force: true })
})

const sample = (name: string) =>
  fileURLToPath(new URL(`../../../samples/pictures/${name}.jpg`, import.meta.url))
const seen = (name: string): Promise<RawImage> => decodeImage(sample(name), pictures.card.image)

async function pixelsOf(
  e: Embedder,
  input: AnyInput,
  towards: AnyInput | Vector,
  options?: AttributeOptions,
): Promise<ImageAttribution> {
  const found = await attribute(e, input, towards, options)
  if (found.kind !== 'image') throw new Error('This is no picture.')
  return found
}

async function tokensOf(
  e: Embedder,
  input: AnyInput,
  towards: AnyInput | Vector,
  options?: AttributeOptions,
): Promise<TextAttribution> {
  const found = await attribute(e, input, towards, options)
  if (found.kind !== 'text') throw new Error('This is no text.')
  return found
}

async function cosineOf(e: Embedder, a: AnyInput, b: AnyInput): Promise<number> {
  const { vectors } = await e.embed([a, b])
  return cosineSimilarity(vectors[0]!, vectors[1]!)
}

const sum = (values: Iterable<number>) => Array.from(values).reduce((total, value) => total + value, 0)
const code = (name: string, message?: RegExp) =>
  expect.objectContaining({ code: name, ...(message && { message: expect.stringMatching(message) }) })

describe('Shares sum to the similarity less that of the baseline', () => {
  // MiniLM is smooth: 32 points are off by less than 2e-4 in four sentences that were tried.
  it.each([
    ['The sparrow sings', 'bird'],
    ['stock markets fell', 'economy'],
  ])('of tokens: %s', async (input, towards) => {
    const { similarity, baseline, difference, tokens } = await tokensOf(texts, input, towards)
    expect(similarity).toBeCloseTo(await cosineOf(texts, input, towards), 5)
    expect(sum(tokens.map(({ value }) => value))).toBeCloseTo(similarity - baseline + difference, 6)
    expect(Math.abs(difference)).toBeLessThan(1e-3)
  })

  // MobileNetV2 has corners (ReLU6), and a black picture is far from all that it has learnt.
  it.each([
    ['blurred', 5e-3],
    ['mean', 0.1],
  ] as const)('of pixels, from a baseline that is %s, within %d', async (kind, tolerance) => {
    const found = await pixelsOf(pictures, sample('cat'), sample('cat-face'), { baseline: kind })
    const { width, height, values, similarity, baseline, difference } = found
    expect([width, height, values.length]).toEqual([224, 224, 224 * 224])
    expect(similarity).toBeCloseTo(await cosineOf(pictures, sample('cat'), sample('cat-face')), 4)
    expect(baseline).toBeLessThan(0.5)
    expect(sum(values)).toBeCloseTo(similarity - baseline + difference, 4)
    expect(Math.abs(difference)).toBeLessThan(tolerance)
  })
})

describe('The gradient by pixels', () => {
  it('is that of finite differences of the embedder’s graph', async () => {
    const [picture, other] = [await seen('coffee'), await seen('coffee-cup')]
    const { vectors } = await pictures.embed([other])
    const found = await pixelsOf(pictures, picture, vectors[0]!, { method: 'gradient', baseline: 'black' })
    const session = await compile((await pictures.model()).embedding({ preprocess: false }), { workers: 1 })
    try {
      // A tenth of a grey level: less drowns in float32's rounding, and with more ReLU6 turns a corner.
      const step = 0.1
      const order = Array.from(found.values.keys()).sort(
        (a, b) => Math.abs(found.values[b]!) - Math.abs(found.values[a]!),
      )
      const errors: number[] = []
      for (const pixel of order.slice(0, 8)) {
        const rows = [1, -1].flatMap((sign) => [0, 1, 2].map((channel) => ({ channel, by: sign * step })))
        const { embedding } = await session.run({ pixel_values: moved(picture, pixel, rows) })
        const cosines = rows.map((_, row) => {
          const width = pictures.dimensions
          const vector = (embedding!.data as Float32Array).subarray(row * width, (row + 1) * width)
          return cosineSimilarity(vector, vectors[0]!)
        })
        const slopes = [0, 1, 2].map((channel) => (cosines[channel]! - cosines[channel + 3]!) / (2 * step))
        const share = sum(slopes.map((slope, channel) => slope * picture.data[3 * pixel + channel]!))
        errors.push(Math.abs(share / found.values[pixel]! - 1))
      }
      // A pixel or two of this picture lie on a corner, where the slopes to both sides differ.
      expect(errors.sort((a, b) => a - b)[5]).toBeLessThan(0.05)
    } finally {
      await session.dispose()
    }
  })

  /** Copies of a picture, each with one channel of a pixel moved by some grey levels, as the network takes them. */
  function moved(
    { width, height, data }: RawImage,
    pixel: number,
    rows: readonly { channel: number; by: number }[],
  ): Tensor {
    const { mean, std } = pictures.card.image!
    const plane = width * height
    const values = new Float32Array(rows.length * 3 * plane)
    for (let i = 0; i < values.length; i++) {
      const [row, channel, at] = [Math.floor(i / (3 * plane)), Math.floor(i / plane) % 3, i % plane]
      const extra = at === pixel && rows[row]!.channel === channel ? rows[row]!.by : 0
      values[i] = ((data[3 * at + channel]! + extra) / 255 - mean[channel]!) / std[channel]!
    }
    return { dtype: 'float32', shape: [rows.length, 3, height, width], data: values }
  }
})

describe('What a picture or a text has of another', () => {
  it('is found where a part of the other was pasted', async () => {
    const [ground, other] = [await seen('gravel'), await seen('cat-face')]
    const [size, left, top] = [112, 100, 96]
    const data = ground.data.slice()
    const isInside = (pixel: number) => {
      const [x, y] = [pixel % 224, Math.floor(pixel / 224)]
      return x >= left && x < left + size && y >= top && y < top + size
    }
    for (let i = 0; i < data.length; i++) if (isInside(Math.floor(i / 3))) data[i] = other.data[i]!
    const { values } = await pixelsOf(pictures, { ...ground, data }, other, { baseline: 'blurred' })
    const inside = sum(values.filter((_, pixel) => isInside(pixel)))
    const area = size ** 2 / 224 ** 2
    expect(inside).toBeGreaterThan(2 * area * sum(values))
    const mass = (of: Float32Array) => sum(of.map(Math.abs))
    expect(mass(values.filter((_, pixel) => isInside(pixel)))).toBeGreaterThan(area * mass(values))
  })

  it('is in the word for it', async () => {
    const { tokens, truncated } = await tokensOf(texts, 'The sparrow sings', 'bird')
    const [start, the, sparrow, sings, end] = tokens
    expect(truncated).toBe(false)
    expect(tokens.map(({ text, special }) => [text, special])).toEqual([
      ['[CLS]', true],
      ['the', false],
      ['sparrow', false],
      ['sings', false],
      ['[SEP]', true],
    ])
    expect([sparrow!.start, sparrow!.end]).toEqual([4, 11])
    expect([start!.value, end!.value, start!.start]).toEqual([0, 0, undefined])
    expect(sparrow!.value).toBeGreaterThan(5 * Math.max(Math.abs(the!.value), Math.abs(sings!.value) / 2))
  })
})

describe('A model of two towers', () => {
  it('shows pixels that a text is about, and words that a picture shows', async () => {
    const e = await embedder(await towerFolder('clip', folder), { modality: 'text-image' })
    try {
      const both = [{ image: sample('cat') }, { text: 'a cat on a mat' }] as const
      const { vectors } = await e.embed(both)
      const cosine = cosineSimilarity(vectors[0]!, vectors[1]!)
      const pixels = await attribute(e, both[0], both[1])
      const words = await attribute(e, both[1], both[0])
      expect([pixels.kind, words.kind]).toEqual(['image', 'text'])
      for (const { similarity, difference } of [pixels, words]) {
        expect(similarity).toBeCloseTo(cosine, 5)
        expect(Math.abs(difference)).toBeLessThan(1e-3)
      }
      if (words.kind === 'text') expect(words.tokens.filter(({ special }) => special)).toHaveLength(2)
    } finally {
      await e.dispose()
    }
  })
})

describe('Options', () => {
  it('give the layer, the pooling and the prompt of the embedder', async () => {
    const e = await embedder(testdata('sentence-transformers'), {
      tap: 'hidden_states.1',
      pool: 'max',
      dimensions: 5,
    })
    try {
      const { similarity, tokens } = await tokensOf(e, 'a towhee', 'a song', { prompt: { text: 'query: ' } })
      const [a, b] = [await e.embed(['a towhee'], { prompt: { text: 'query: ' } }), await e.embed(['a song'])]
      expect(similarity).toBeCloseTo(cosineSimilarity(a.vectors[0]!, b.vectors[0]!), 5)
      const placed = tokens.filter(({ start }) => start !== undefined)
      expect(placed[0]).toMatchObject({ text: 'a', start: 0, end: 1 })
      expect(placed.length).toBeLessThan(tokens.filter(({ special }) => !special).length)
    } finally {
      await e.dispose()
    }
  })

  it('are refused where they mean nothing', async () => {
    const refused = (options: object) => expect(attribute(small, 'a', 'b', options)).rejects
    await refused({ method: 'occlusion' }).toThrow(code('OPTION_INVALID', /method/))
    await refused({ baseline: 'black' }).toThrow(code('OPTION_INVALID', /padding/))
    await refused({ steps: 0 }).toThrow(code('OPTION_INVALID', /steps/))
    await refused({ batch: 1.5 }).toThrow(code('OPTION_INVALID', /batch/))
    await refused({ signal: AbortSignal.abort() }).toThrow(code('ABORTED'))
  })
})

describe('Errors', () => {
  it('name a vector that does not fit, and several inputs', async () => {
    await expect(attribute(small, 'a', new Float32Array(7))).rejects.toThrow(code('DIMENSION_MISMATCH', /7/))
    const zero = new Float32Array(small.dimensions)
    await expect(attribute(small, 'a', zero)).rejects.toThrow(code('INPUT_INVALID', /no direction/))
    await expect(attribute(small, 'a', zero.fill(Number.NaN))).rejects.toThrow(code('INPUT_INVALID'))
    const several: unknown = ['a', 'b']
    await expect(attribute(small, several as string, 'b')).rejects.toThrow(code('INPUT_INVALID', /one input/))
    await expect(attribute(small, 'a', several as string)).rejects.toThrow(code('INPUT_INVALID', /one input/))
  })

  it.each([
    [{ pool: 'none' }, /pool none/],
    [{ dtype: 'int8' }, /int8/],
    [{ chunk: { tokens: 8 } }, /chunks/],
  ] as const)('name an embedder that has no gradient: %o', async (options, message) => {
    const e = (await embedder(testdata('sentence-transformers'), options)) as Embedder
    await expect(attribute(e, 'a', 'b')).rejects.toThrow(code('OPTION_INVALID', message))
    await e.dispose()
  })
})

describe('A network of grey pictures', () => {
  const SIZE = 16
  const picture = (seed: number): RawImage => ({
    width: SIZE,
    height: SIZE,
    channels: 3,
    data: Uint8Array.from({ length: 3 * SIZE * SIZE }, (_, i) => (i * seed * 7) % 251),
  })
  let grey: Embedder
  beforeAll(async () => {
    const config = { num_classes: 3, padding: 2 }
    const network = freshNetwork('lenet', { config, size: [SIZE, SIZE], mean: [0.2], std: [0.5], seed: 1 })
    const path = join(folder, 'grey')
    await network.write!(path, tensorsOf(network.inference))
    grey = await embedder(path)
  })
  afterAll(() => grey.dispose())

  const tensorsOf = ({ initializers }: Graph) =>
    new Map(
      [...initializers].flatMap(([name, found]) =>
        'data' in found && /weight|bias/.test(name) ? [[name, found] as const] : [],
      ),
    )

  it.each([
    'blurred',
    'mean',
    'black',
  ] as const)('has shares of pixels, from a baseline that is %s', async (kind) => {
    const found = await pixelsOf(grey, picture(1), picture(2), { baseline: kind })
    const { width, height, values, seen: shown, similarity, baseline, difference } = found
    expect([width, height, values.length, shown.channels]).toEqual([SIZE, SIZE, SIZE * SIZE, 3])
    expect(similarity).toBeCloseTo(await cosineOf(grey, picture(1), picture(2)), 5)
    expect(sum(values)).toBeCloseTo(similarity - baseline + difference, 5)
    expect(Math.abs(difference)).toBeLessThan(1e-2 * Math.abs(similarity - baseline))
  })

  it.each([
    ['black', 0],
    // The mean of its one channel, as a byte.
    ['mean', 51],
  ] as const)('has the baseline %s that is the grey level %d', async (kind, level) => {
    const { baseline } = await pixelsOf(grey, picture(1), picture(2), { baseline: kind, steps: 1 })
    const even = { ...picture(1), data: picture(1).data.fill(level) }
    expect(baseline).toBeCloseTo(await cosineOf(grey, even, picture(2)), 5)
  })
})

describe('A network of one’s own', () => {
  const SIZE = 8
  const image = {
    size: [SIZE, SIZE],
    crop: 'squash',
    interpolation: 'bilinear',
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.5, 1],
  } as const
  type ImageCard = Omit<typeof image, 'mean'> & {
    readonly mean: readonly [number, number, number]
    readonly order?: 'bgr'
  }
  const picture = (seed: number): RawImage => ({
    width: SIZE,
    height: SIZE,
    channels: 3,
    data: Uint8Array.from({ length: 3 * SIZE * SIZE }, (_, i) => (i * seed * 7) % 251),
  })

  async function network(
    build: (b: Builder, x: Value) => Value,
    rows: Dimension = 'n',
    preparation: ImageCard = image,
  ): Promise<Embedder> {
    const b = new Builder()
    b.output('out', build(b, b.input('pixel_values', 'float32', [rows, 3, SIZE, SIZE])))
    const path = join(folder, `${Math.random()}.onnx`)
    await writeOnnx(b.build(), path)
    return embedder(path, { tap: 'out', pool: 'mean', normalize: false, card: { image: preparation } })
  }
  const smooth = (_: Builder, x: Value) => op.sigmoid(op.reduceMean(x, [2]))

  it('may take a fixed number of pictures at a time', async () => {
    const flat = (b: Builder, x: Value) => op.flatten(smooth(b, x))
    const [free, fixed] = [await network(flat), await network(flat, 3)]
    const expected = await pixelsOf(free, picture(1), picture(2))
    const found = await pixelsOf(fixed, picture(1), picture(2), { steps: 20 })
    expect(Math.abs(expected.difference)).toBeLessThan(1e-6)
    for (const [i, value] of found.values.entries()) expect(value).toBeCloseTo(expected.values[i]!, 5)
    await Promise.all([free.dispose(), fixed.dispose()])
  })

  it('may take blue first', async () => {
    const flat = (b: Builder, x: Value) => op.flatten(smooth(b, x))
    const uneven = { ...image, mean: [0.1, 0.5, 0.8] } as const
    const [rgb, bgr] = [
      await network(flat, 'n', uneven),
      await network(flat, 'n', { ...uneven, order: 'bgr' }),
    ]
    const turned = ({ data, ...size }: RawImage): RawImage => ({
      ...size,
      data: data.map((_, i) => data[i + 2 - 2 * (i % 3)]!),
    })
    const expected = await pixelsOf(rgb, turned(picture(1)), turned(picture(2)), { baseline: 'mean' })
    const found = await pixelsOf(bgr, picture(1), picture(2), { baseline: 'mean' })
    for (const [i, value] of found.values.entries()) expect(value).toBeCloseTo(expected.values[i]!, 6)
    await Promise.all([rgb.dispose(), bgr.dispose()])
  })

  it('passes on that an operator has no gradient', async () => {
    const e = await network((b, x) => b.node('Det', [x])[0]!)
    await expect(attribute(e, picture(1), picture(2))).rejects.toThrow(code('OPERATOR_UNSUPPORTED', /Det/))
    await e.dispose()
  })
})
