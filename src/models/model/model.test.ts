import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { readOnnx, writeOnnx } from '../../graph/files/index.ts'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { compile } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { cards, open } from '../index.ts'
import type { Model } from '../types.ts'

const fixture = fileURLToPath(new URL('../testdata/sentence-transformers', import.meta.url))

let folder: string
let text: Model
let image: Model
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-model-'))
  vi.stubEnv('PIPILO_CACHE', join(folder, 'cache'))
  text = await open(fixture)
  image = await open('mobilenet-v2')
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const ids = [2, 64, 66, 67, 3, 0, 0, 0]
const words = {
  input_ids: tensor('int64', [1, 8], ids),
  attention_mask: tensor(
    'int64',
    [1, 8],
    ids.map((id) => Number(id > 0)),
  ),
  token_type_ids: tensor(
    'int64',
    [1, 8],
    ids.map(() => 0),
  ),
}
const pixels = (height = 224, width = 224) =>
  tensor(
    'uint8',
    [1, height, width, 3],
    Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 7919) % 251),
  )

/** The outputs of a graph. Feeds that it does not take are left out. */
async function run(graph: Graph, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await compile(graph, { workers: 0 })
  const taken = graph.inputs.map(({ name }) => [name, feeds[name]!] as const)
  // Arrays of the feeds may be moved away.
  const copies = taken.map(([name, value]) => [name, structuredClone(value)])
  const outputs = await session.run(Object.fromEntries(copies))
  await session.dispose()
  return outputs
}
async function embed(graph: Graph, feeds: Record<string, Tensor>): Promise<number[]> {
  return [...((await run(graph, feeds))['embedding']!.data as Float32Array)]
}
const norm = (vector: readonly number[]) => Math.hypot(...vector)
const shapeOf = (graph: Graph) =>
  graph.outputs[0]?.type?.kind === 'tensor' ? graph.outputs[0].type.shape : []
function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found.length).toBe(expected.length)
  expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-5)
}

describe('cards', () => {
  it.each(cards().map((card) => [card.name, card] as const))('%s is true', async (name, card) => {
    const model = await open(name)
    expect(model.card).toEqual(card)
    for (const one of model.towers ? [model.towers.text, model.towers.image] : [model]) {
      expect(shapeOf(one.embedding())).toEqual(['batch', card.dimensions])
      expect(one.cut('penultimate').graph.outputs).toHaveLength(1)
    }
    expect(model.unused).toEqual([])
  })
})

describe('embedding', () => {
  it('of a text model: tap, pooling, first numbers', async () => {
    const cls = await embed(text.embedding(), words)
    expect(norm(cls)).toBeCloseTo(1)
    const first = await embed(text.embedding({ dimensions: 3 }), words)
    expect(norm(first)).toBeCloseTo(1)
    const scale = norm(cls.slice(0, 3))
    expectClose(
      first,
      cls.slice(0, 3).map((value) => value / scale),
    )
    expect(norm(await embed(text.embedding({ normalize: false }), words))).toBeGreaterThan(1.5)
    expect(shapeOf(text.embedding({ pool: 'none' }))).toEqual(['batch', 'sequence', 8])
    expect(shapeOf(text.embedding({ tap: 'encoder.layer.0.intermediate', pool: 'mean' }))).toEqual([
      'batch',
      16,
    ])
  })

  it('takes the mask also where the layers need none', async () => {
    const graph = text.embedding({ tap: 'embeddings', pool: 'mean' })
    expect(graph.inputs.map(({ name }) => name)).toEqual(['input_ids', 'attention_mask', 'token_type_ids'])
    const padded = await embed(graph, words)
    const cut = (name: keyof typeof words) =>
      tensor('int64', [1, 5], (words[name].data as BigInt64Array).slice(0, 5))
    const short = {
      input_ids: cut('input_ids'),
      attention_mask: cut('attention_mask'),
      token_type_ids: cut('token_type_ids'),
    }
    expectClose(padded, await embed(graph, short))
  })

  it('of several layers is each of them, normalised, side by side', async () => {
    const taps = ['encoder.layer.0', 'last_hidden_state']
    const both = await embed(text.embedding({ tap: taps, normalize: false }), words)
    const each = await Promise.all(taps.map((tap) => embed(text.embedding({ tap, normalize: true }), words)))
    expectClose(both, each.flat())
    expect(norm(await embed(text.embedding({ tap: taps }), words))).toBeCloseTo(1)
  })

  it('of an image model takes bytes, or prepared pixels', async () => {
    const bytes = await embed(image.embedding(), { pixels: pixels() })
    const graph = image.embedding({ preprocess: false })
    const source = pixels().data as Uint8Array
    const values = new Float32Array(3 * 224 * 224)
    for (let i = 0; i < 224 * 224; i++)
      for (let c = 0; c < 3; c++) values[c * 224 * 224 + i] = source[i * 3 + c]! / 255
    const prepared = await embed(graph, { pixel_values: tensor('float32', [1, 3, 224, 224], values) })
    expectClose(bytes, prepared)
    expect(shapeOf(image.embedding({ pool: 'none' }))).toEqual(['batch', 196, 96])
    expect(shapeOf(image.embedding({ tap: 'penultimate' }))).toEqual(['batch', 1280])
  })

  it.each([
    ['an unknown layer', { tap: 'encoder.layr.1' }, 'LAYER_UNKNOWN', /encoder\.layer\.1/],
    ['no layer', { tap: [] }, 'OPTION_INVALID', /at least one/],
    ['too many dimensions', { dimensions: 9 }, 'OPTION_INVALID', /9 dimensions of 8/],
    ['tokens of a vector', { tap: 'pooler', pool: 'last' as const }, 'OPTION_INVALID', /no last token/],
  ])('refuses %s', (_, options, code, message) => {
    let error: unknown
    try {
      text.embedding(options)
    } catch (reason) {
      error = reason
    }
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it('refuses tokens of a picture', () => {
    expect(() => image.embedding({ pool: 'cls' })).toThrow(/feature map/)
  })
})

describe('a changed model', () => {
  it('is cut at a layer, which is then its tap', () => {
    const headless = image.cut('penultimate')
    expect(headless.graph.outputs).toHaveLength(1)
    expect(headless.layers().length).toBeLessThan(image.layers().length)
    expect(headless.card).toMatchObject({ dimensions: 1280, penultimate: 'flatten_1' })
    expect(shapeOf(headless.embedding())).toEqual(['batch', 1280])
    const early = image.cut('block_3_expand')
    expect(early.card.penultimate).toBeUndefined()
    expect(() => early.cut('penultimate')).toThrow(/does not say which layer/)
    expect(new Set([image, headless, early].map(({ fingerprint }) => fingerprint)).size).toBe(3)
    expect(() => image.cut('block_99')).toThrow(/no layer block_99/)
  })

  it('is tapped at further layers', async () => {
    const tapped = text.tap('encoder.layer.0', 'embeddings')
    expect(tapped.graph.outputs).toHaveLength(text.graph.outputs.length + 2)
    expect(tapped.card).toEqual(text.card)
  })
})

describe('a saved model', () => {
  it('exported embeds the same from its file alone', async () => {
    const path = join(folder, 'text.onnx')
    await text.export(path, { tap: 'encoder.layer.0', pool: 'mean', dimensions: 5 })
    const again = await open(path)
    expect(again.card).toMatchObject({
      tap: 'embedding',
      pool: 'mean',
      normalize: true,
      dimensions: 5,
      source: `file:${path}`,
    })
    expect(again.card.text).toEqual(text.card.text)
    expect(await readFile(again.tokenizer ?? '', 'utf8')).toBe(await readFile(text.tokenizer ?? '', 'utf8'))
    expectClose(
      await embed(again.embedding(), words),
      await embed(text.embedding({ tap: 'encoder.layer.0', pool: 'mean', dimensions: 5 }), words),
    )
  })

  it('exported takes bytes of pictures', async () => {
    const path = join(folder, 'image.onnx')
    await image.export(path)
    const again = await open(path)
    expect(again.modality).toBe('image')
    expect(again.graph.inputs.map(({ name }) => name)).toEqual(['pixels'])
    expect(again.card.image).toEqual(image.card.image)
    expectClose(
      await embed(again.embedding(), { pixels: pixels() }),
      await embed(image.embedding(), { pixels: pixels() }),
    )
  })

  it('saved bare is the same model', async () => {
    const path = join(folder, 'bare.onnx')
    await text.save(path)
    const again = await open(path)
    expect(again.graph.outputs.map(({ name }) => name)).toEqual(text.graph.outputs.map(({ name }) => name))
    expectClose(await embed(again.embedding(), words), await embed(text.embedding(), words))
  })

  it('saved with preprocessing, pooling and normalisation holds them', async () => {
    const path = join(folder, 'headless.onnx')
    await image.cut(image.card.tap).save(path, { preprocess: true, pool: 'mean', normalize: true })
    const graph = await readOnnx(path)
    expect(graph.inputs.map(({ name }) => name)).toEqual(['pixels'])
    expectClose(
      await embed(graph, { pixels: pixels() }),
      await embed(image.embedding(), { pixels: pixels() }),
    )
    await expect(text.tap('embeddings').save(path, { pool: 'mean' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    await expect(image.save('/dev/null/x.onnx')).rejects.toMatchObject({ code: 'WRITE_FAILED' })
  })
})

describe('an ONNX file of somebody else', () => {
  const weight = (shape: number[]) =>
    tensor(
      'float32',
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)),
    )

  function classifier(shape: (number | string)[]): Graph {
    const b = new Builder({ name: 'classifier' })
    const x = b.input('data', 'float32', shape)
    const picture = shape[3] === 3 ? op.transpose(x, [0, 3, 1, 2]) : x
    const features = b.scope('pool', () =>
      op.flatten(op.globalAveragePool(op.conv(picture, b.initializer('w', weight([4, 3, 3, 3]))))),
    )
    b.output(
      'scores',
      op.softmax(b.scope('fc', () => op.matMul(features, b.initializer('fc.weight', weight([4, 2]))))),
    )
    return b.build()
  }

  it.each([
    ['channels first', ['n', 3, 32, 24]],
    ['channels last', ['n', 32, 24, 3]],
  ])('of an image model, %s: below the head, prepared as ImageNet', async (_, shape) => {
    const path = join(folder, 'classifier.onnx')
    await writeOnnx(classifier(shape), path)
    const model = await open(path)
    expect(model.card).toMatchObject({
      modality: 'image',
      dimensions: 4,
      image: { size: [32, 24], crop: 'center' },
    })
    const vector = await embed(model.embedding(), { pixels: pixels(32, 24) })
    expect(vector).toHaveLength(4)
    expect(norm(vector)).toBeCloseTo(1)
    const scores = await open(path, { card: { tap: 'scores', normalize: false } })
    expect(scores.card.dimensions).toBe(2)
    const sum = (await embed(scores.embedding(), { pixels: pixels(32, 24) })).reduce((a, b) => a + b)
    expect(sum).toBeCloseTo(1)
  })

  it('of a text model: a vector a token, and a note on its card', async () => {
    const b = new Builder()
    const input = b.input('input_ids', 'int64', ['batch', 'sequence'])
    b.output('hidden', op.gather(b.initializer('words', weight([70, 6])), input))
    const path = join(folder, 'words.onnx')
    await writeOnnx(b.build(), path)
    const model = await open(path)
    expect(model.card).toMatchObject({ modality: 'text', tap: 'hidden', pool: 'mean', dimensions: 6 })
    expect(model.card.notes).toMatch(/mean pooling/)
    expect(model.tokenizer).toBeUndefined()
    expect(await embed(model.embedding(), words)).toHaveLength(6)
  })
})
