// Foreign ONNX graphs of pictures: what goes in and what comes out.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, type Dimension, type Graph, op, type Value } from '../graph/index.ts'
import { open, readSafetensors } from '../models/index.ts'
import { cosineSimilarity, type DType, tensor } from '../tensor/index.ts'
import { embedder } from './embedder.ts'
import type { EmbedderOptions } from './types.ts'

const folder = await mkdtemp(join(tmpdir(), 'pipilo-foreign-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

let made = 0
/** A folder with a graph and JSON files beside it. */
async function model(graph: Graph, beside: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const path = join(folder, `${made++}`)
  await mkdir(path)
  await writeOnnx(graph, join(path, 'model.onnx'))
  for (const [name, content] of Object.entries(beside))
    await writeFile(join(path, name), JSON.stringify(content))
  return join(path, 'model.onnx')
}

const SIZE = 8
const FREE = ['n', 3, 'h', 'w'] as const
const FIXED = ['n', 3, SIZE, SIZE] as const
/** A graph of one input and the outputs that `build` gives. */
function network(
  shape: readonly Dimension[],
  build: (x: Value) => Readonly<Record<string, Value>>,
  { name = 'pixel_values', dtype = 'float32' as DType } = {},
): Graph {
  const b = new Builder()
  for (const [output, value] of Object.entries(build(b.input(name, dtype, shape)))) b.output(output, value)
  return b.build()
}

const picture = (seed: number, width = SIZE, height = SIZE) => ({
  width,
  height,
  channels: 3 as const,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * seed * 7) % 251),
})
type Picture = ReturnType<typeof picture>
const pictures = [1, 2, 3, 4, 5].map((seed) => picture(seed))
/** Means of a picture's channels, of bytes. */
const means = ({ data }: Picture) =>
  [0, 1, 2].map(
    (channel) => (3 * data.reduce((sum, value, i) => sum + (i % 3 === channel ? value : 0), 0)) / data.length,
  )
const normalised = (values: number[], mean = 0.5, std = 0.5) =>
  values.map((value) => (value / 255 - mean) / std)

async function embed(path: string, inputs: readonly Picture[] = pictures, options: EmbedderOptions = {}) {
  const e = await embedder(path, { normalize: false, runtime: { workers: 0 }, ...options })
  try {
    return (await e.embed(inputs)).vectors as Float32Array[]
  } finally {
    await e.dispose()
  }
}

function expectRows(found: readonly Float32Array[], expected: readonly (readonly number[])[], digits = 3) {
  expect(found.map((row) => row.length)).toEqual(expected.map((row) => row.length))
  for (const [i, row] of found.entries())
    for (const [j, value] of row.entries()) expect(value, `${i}, ${j}`).toBeCloseTo(expected[i]![j]!, digits)
}

async function refusal(action: Promise<unknown>): Promise<PipiloError> {
  const error = await action.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(PipiloError)
  return error as PipiloError
}

const mean = (x: Value) => op.reduceMean(op.cast(x, 'float32'), [2, 3])
/** Through integers and back. */
function quantized(x: Value, scale: number, zero: number, dtype: 'int8' | 'uint8'): Value {
  const b = x.builder
  const type = { kind: 'tensor', shape: x.shape } as const
  const own = [b.constant(scale, 'float32'), b.constant(zero, dtype)]
  const [codes] = b.node('QuantizeLinear', [x, ...own], {}, { types: [{ ...type, dtype }] })
  return b.node('DequantizeLinear', [codes!, ...own], {}, { types: [{ ...type, dtype: 'float32' }] })[0]!
}
function normalizedBy(x: Value, centre: number[], variance: number[]): Value {
  const three = (values: number[]) => x.builder.constant(tensor('float32', [3], values))
  return op.batchNormalization(x, three([1, 1, 1]), three([0, 0, 0]), three(centre), three(variance))
}
const half = {
  'preprocessor_config.json': {
    image_processor_type: 'ViTImageProcessor',
    do_resize: true,
    size: { height: SIZE, width: SIZE },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  },
}
const changed = (change: Readonly<Record<string, unknown>>) => ({
  'preprocessor_config.json': { ...half['preprocessor_config.json'], ...change },
})
const ofBytes = pictures.map(means)

it("takes timm's preparation from preprocessor_config.json where only that says it", async () => {
  const graph = network(FIXED, (x) => ({ out: op.reduceMean(x, [2, 3]) }))
  const pretrained_cfg = {
    input_size: [3, SIZE, SIZE],
    mean: [0.1, 0.1, 0.1],
    std: [0.3, 0.3, 0.3],
    interpolation: 'bilinear',
    crop_pct: 1,
  }
  const config = { image_processor_type: 'TimmWrapperImageProcessor', pretrained_cfg }
  expectRows(
    await embed(await model(graph, { 'preprocessor_config.json': config })),
    ofBytes.map((row) => normalised(row, 0.1, 0.3)),
    2,
  )
})

describe('the type and layout of the input (a-10, a-29)', () => {
  it.each<[string, DType, boolean]>([
    ['float16', 'float16', false],
    ['float64, channels last', 'float64', true],
    ['float32, channels last', 'float32', true],
  ])('%s is normalised', async (_, dtype, last) => {
    const shape = last ? ['n', SIZE, SIZE, 3] : FIXED
    const graph = network(
      shape,
      (x) => ({ out: op.reduceMean(op.cast(x, 'float32'), last ? [1, 2] : [2, 3]) }),
      {
        dtype,
        name: 'input',
      },
    )
    expectRows(
      await embed(await model(graph, half)),
      ofBytes.map((row) => normalised(row)),
      2,
    )
  })

  it.each<[string, DType, boolean]>([
    ['uint8', 'uint8', false],
    ['uint8, channels last', 'uint8', true],
    ['int32', 'int32', true],
  ])('%s takes bytes as they are, whatever the folder says of mean and deviation', async (_, dtype, last) => {
    const shape = last ? ['n', SIZE, SIZE, 3] : FIXED
    const graph = network(
      shape,
      (x) => ({ out: op.reduceMean(op.cast(x, 'float32'), last ? [1, 2] : [2, 3]) }),
      {
        dtype,
        name: 'image',
      },
    )
    const path = await model(graph, half)
    expectRows(await embed(path), ofBytes)
    expect((await open(path)).card.notes).toMatch(/takes bytes/)
    const error = await refusal(embed(path, pictures, { card: { image: { mean: [0.5, 0.5, 0.5] } } }))
    expect(error).toMatchObject({ code: 'OPTION_INVALID', input: 'mean' })
  })

  it('floats from 0 to 255 are those where the folder does not scale, or where the graph does', async () => {
    const plain = network(FIXED, (x) => ({ out: mean(x) }))
    const raw = changed({ do_rescale: false, do_normalize: false })
    expectRows(await embed(await model(plain, raw)), ofBytes)
    const bytes = changed({
      do_rescale: false,
      image_mean: [127.5, 127.5, 127.5],
      image_std: [127.5, 127.5, 127.5],
    })
    expectRows(
      await embed(await model(plain, bytes)),
      ofBytes.map((row) => normalised(row)),
    )
    const scaling = network(FIXED, (x) => ({
      out: mean(op.sub(op.div(x, x.builder.constant(127.5, 'float32')), x.builder.constant(1, 'float32'))),
    }))
    const whole = { card: { image: { crop: 'squash', cropRatio: 1 } } } as const
    expectRows(
      await embed(await model(scaling), pictures, whole),
      ofBytes.map((row) => normalised(row)),
    )
    expect(await refusal(open(await model(scaling, half)))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/by itself, and preprocessor_config.json/),
    })
  })

  it.each<[string, (x: Value) => Value, number, number]>([
    ['a cut at 0 and 1', (x) => op.clip(x, 0, 1), 0, 1],
    ['a cut at 0 and 255', (x) => op.clip(x, 0, 255), 0, 1 / 255],
    ['a cut at -1 and 1', (x) => op.clip(x, -1, 1), 0.5, 0.5],
    ['a cast to bytes', (x) => op.cast(op.cast(x, 'uint8'), 'float32'), 0, 1 / 255],
    ['a quantisation of 0…1', (x) => quantized(x, 1 / 255, 0, 'uint8'), 0, 1],
    ['a quantisation of -1…1', (x) => quantized(x, 2 / 255, 0, 'int8'), 0.5, 0.5],
    [
      'a normalisation by statistics of bytes',
      (x) => normalizedBy(x, [123, 116, 104], [3300, 3200, 3300]),
      0,
      1 / 255,
    ],
    [
      'a normalisation by statistics of 0…1',
      (x) => normalizedBy(x, [0.48, 0.45, 0.4], [0.07, 0.07, 0.08]),
      0,
      1,
    ],
  ])('the range that the graph itself shows is fed: %s', async (_, first, mean, std) => {
    const path = await model(
      network(FIXED, (x) => ({ out: op.reduceMean(first(x), [2, 3]) }), { name: 'input' }),
    )
    const { image } = (await open(path)).card
    expect(image).toMatchObject({ mean: [mean, mean, mean], std: [std, std, std] })
  })

  it.each<[string, (x: Value) => Value]>([
    ['nothing', (x) => op.mul(x, x)],
    ['a normalisation of what is normalised', (x) => normalizedBy(x, [0.01, 0.02, 0], [1, 1.1, 0.9])],
    ['a cut elsewhere', (x) => op.clip(x, -3, 3)],
  ])('and where it shows none the usual is fed: %s', async (_, first) => {
    const path = await model(
      network(FIXED, (x) => ({ out: op.reduceMean(first(x), [2, 3]) }), { name: 'input' }),
    )
    expect((await open(path)).card.image).toMatchObject({ mean: [0.485, 0.456, 0.406] })
  })

  it('one channel is grey', async () => {
    const graph = network(['n', 1, SIZE, SIZE], (x) => ({ out: mean(x) }))
    const grey = pictures.map(({ data }) => {
      let sum = 0
      for (let i = 0; i < data.length; i += 3)
        sum += Math.floor((19595 * data[i]! + 38470 * data[i + 1]! + 7471 * data[i + 2]! + 0x8000) / 0x10000)
      return sum / SIZE / SIZE
    })
    const options = { card: { tap: 'out' } }
    // One number a picture is an embedding only where somebody asks for it.
    expect(await refusal(embed(await model(graph, half)))).toMatchObject({ code: 'LAYER_UNKNOWN' })
    expectRows(
      await embed(await model(graph, half), pictures, options),
      grey.map((value) => normalised([value])),
    )
    for (const mean of [[0.1], 0.1, [0.1, 0.1, 0.1]])
      expectRows(
        await embed(await model(graph, changed({ image_mean: mean, image_std: [0.3] })), pictures, options),
        grey.map((value) => normalised([value], 0.1, 0.3)),
      )
    expectRows(
      await embed(await model(graph), pictures, options),
      grey.map((value) => [value / 255]),
    )
    const given = { card: { tap: 'out', image: { mean: [0.2], std: [0.4] } } } as const
    expectRows(
      await embed(await model(graph), pictures, given),
      grey.map((value) => normalised([value], 0.2, 0.4)),
    )
    expect(await refusal(open(await model(graph, changed({ image_mean: [0.1, 0.2, 0.3] }))))).toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(/one number/),
    })
  })

  it('axes without a size or a name, and no shape at all, are what the first convolution reads', async () => {
    const b = new Builder()
    const weight = b.initializer(
      'w',
      tensor(
        'float32',
        [4, 3, 2, 2],
        Array.from({ length: 48 }, (_, i) => ((i * 7) % 11) - 5),
      ),
    )
    const convolved = (x: Value) => ({
      out: op.reduceMean(op.conv(x, b.value('w'), undefined, { strides: [2, 2] }), [2, 3]),
    })
    void weight
    const x = b.input('input', 'float32', FIXED)
    for (const [name, value] of Object.entries(convolved(x))) b.output(name, value)
    const graph = b.build()
    const retyped = (shape: readonly Dimension[] | undefined): Graph => ({
      ...graph,
      inputs: [{ name: 'input', type: { kind: 'tensor', dtype: 'float32', ...(shape && { shape }) } }],
      outputs: [{ name: 'out', type: { kind: 'tensor', dtype: 'float32' } }],
      values: new Map(),
    })
    const expected = await embed(await model(graph, half))
    for (const shape of [
      undefined,
      [-1, 3, -1, -1],
      ['', '', '', ''],
      ['a', 'b', 'c', 'd'],
      [-1, -1, SIZE, SIZE],
    ])
      expectRows(
        await embed(await model(retyped(shape), half)),
        expected.map((row) => [...row]),
      )
    // Initializers that are listed among the inputs, as files of IR version 3 do.
    const listed = {
      ...graph,
      inputs: [
        ...graph.inputs,
        { name: 'w', type: { kind: 'tensor', dtype: 'float32', shape: [4, 3, 2, 2] } },
      ],
    } as Graph
    expectRows(
      await embed(await model(listed, half)),
      expected.map((row) => [...row]),
    )
  })

  it('a pixel_mask says that all is picture; what else a graph asks for is named', async () => {
    for (const [dtype, shape] of [
      ['int64', ['n', 'h', 'w']],
      ['bool', ['n', SIZE, SIZE]],
      ['float32', ['n', 1, 4, 4]],
    ] as const) {
      const b = new Builder()
      const x = b.input('pixel_values', 'float32', FIXED)
      const mask = op.cast(b.input('pixel_mask', dtype, shape), 'float32')
      const axes = shape.map((_, i) => i).slice(1)
      b.output('features', op.mul(mean(x), op.unsqueeze(op.reduceMean(mask, axes), [1])))
      expectRows(
        await embed(await model(b.build(), half)),
        ofBytes.map((row) => normalised(row)),
      )
    }
    const b = new Builder()
    const x = b.input('pixel_values', 'float32', FIXED)
    b.output('features', op.add(mean(x), b.input('style', 'float32', ['n', 3])))
    expect(await refusal(embed(await model(b.build(), half)))).toMatchObject({
      code: 'INPUT_UNKNOWN',
      input: 'style',
    })
    expectRows(
      await embed(await model(b.build(), half), pictures, { inputs: { style: 2 } }),
      ofBytes.map((row) => normalised(row).map((value) => value + 2)),
    )
  })
})

describe('an input that is no picture', () => {
  it.each<[string, readonly Dimension[], string?]>([
    ['a spectrogram', ['n', 76, 32, 1]],
    ['a spectrogram, channels first', ['n', 1, 80, 'time']],
    ['a square one that says so', ['n', 1, 64, 64], 'mel_spectrogram'],
    ['features of sound in three channels', ['n', 3, 'frames', 160]],
    ['the same, channels last', ['n', 'num_frames', 160, 3]],
    ['a latent', ['n', 4, 8, 8]],
    ['a video', ['n', 3, 4, 8, 8]],
    ['a series', ['n', 100, 3]],
  ])('%s is none, unless somebody says that it is one', async (_, shape, name = 'input') => {
    const graph = network(shape, (x) => ({ out: op.reduceMean(x, [-1]) }), { name })
    const path = await model(graph)
    expect((await open(path)).modality).toBe('tensor')
  })

  it('with another one beside it is none: of speechmos’ AECMOS features and a state', async () => {
    const b = new Builder()
    const x = b.input('input', 'float32', ['n', 3, 16, 16])
    const state = b.input('h0', 'float32', [4, 1, 3])
    b.output('out', op.add(op.reduceMean(x, [2, 3]), op.reduceMean(state, [0, 1])))
    const path = await model(b.build())
    expect((await open(path)).modality).toBe('tensor')
    expect((await open(path, { modality: 'image' })).modality).toBe('image')
    expect(await refusal(embed(path, pictures, { inputs: { h0: 0 } }))).toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(/is a picture, and .* takes tensors/),
      hint: expect.stringMatching(/modality: 'image'/),
    })
  })

  it('beside one of texts is read where somebody says so: CLIP’s towers in one file', async () => {
    const b = new Builder()
    const ids = b.input('input_ids', 'int64', ['texts', 'sequence'])
    const x = b.input('pixel_values', 'float32', FIXED)
    const text = op.reduceMean(op.cast(ids, 'float32'), [1], { keepDims: true })
    b.output('logits_per_image', op.matMul(mean(x), op.transpose(op.concat([text, text, text], 1), [1, 0])))
    b.output('text_embeds', op.mul(text, b.constant(1, 'float32')))
    b.output('image_embeds', op.mul(mean(x), b.constant(1, 'float32')))
    const path = await model(b.build(), half)
    expectRows(
      await embed(path, pictures, { modality: 'image' }),
      ofBytes.map((row) => normalised(row)),
    )
  })

  it('that is said to be one is believed', async () => {
    const graph = network(['n', 1, 6, 8], (x) => ({ out: op.reduceMean(x, [1, 2]) }), { name: 'x' })
    const path = await model(graph)
    for (const options of [{ modality: 'image' }, { card: { modality: 'image' } }] as const) {
      const rows = await embed(path, pictures.slice(0, 2), options)
      expect(rows.map((row) => row.length)).toEqual([8, 8])
      expect((await open(path, options)).modality).toBe('image')
    }
    expect(await refusal(open('all-MiniLM-L6-v2', { modality: 'image' }))).toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})

describe('weights in Constant nodes', () => {
  it('are parameters, saved and made int8 as others are', async () => {
    const b = new Builder()
    const x = b.input('pixel_values', 'float32', FIXED)
    const data = Array.from({ length: 192 * 64 }, (_, i) => ((i * 37) % 101) / 50 - 1)
    const value = { type: 'tensor', value: tensor('float32', [192, 64], data) } as const
    const [weight] = b.node('Constant', [], { value })
    b.output(
      'features',
      b.scope('fc', () => op.matMul(op.reshape(x, [0, -1]), weight!)),
    )
    const path = await model(b.build(), half)
    const exact = await open(path)
    expect(exact.layers().find(({ name }) => name === 'fc')?.parameters).toBe(192 * 64)
    const parameters = join(folder, 'parameters.safetensors')
    await exact.saveParameters(parameters)
    expect([...(await readSafetensors(parameters)).tensors.values()].map(({ shape }) => shape)).toEqual([
      [192, 64],
    ])
    const small = await open(path, { dtype: 'int8' })
    expect(
      [...small.graph.initializers.values()].some(
        ({ dtype, shape }) => dtype === 'int8' && shape.length === 2,
      ),
    ).toBe(true)
    const [a, c] = [await embed(path), await embed(path, pictures, { dtype: 'int8' })]
    for (const [i, row] of a.entries()) expect(cosineSimilarity(row, c[i]!)).toBeGreaterThan(0.995)
  })
})

describe('a batch that is fixed (b-02, b-03)', () => {
  const joined = (x: Value, count: number) => {
    const zero = x.builder.constant(tensor('float32', [count, 1, 3], new Array(3 * count).fill(0)))
    const all = op.concat([zero, op.reshape(op.transpose(x, [0, 2, 3, 1]), [0, SIZE * SIZE, 3])], 1)
    return op.mul(op.reduceMean(all, [1]), x.builder.constant(65 / 64, 'float32'))
  }
  it.each<[string, (x: Value) => Value, Dimension?]>([
    ['to four in the input', mean, 4],
    ['to four in a Reshape', (x) => op.reduceMean(op.reshape(x, [4, 3, SIZE * SIZE]), [2])],
    ['to four in a Reshape with one free size', (x) => op.reduceMean(op.reshape(x, [4, 3, -1]), [2])],
    ['to one by a token', (x) => joined(x, 1)],
    ['to four by a token', (x) => joined(x, 4)],
    [
      'in the second axis, where two pictures would be mixed in silence',
      (x) => {
        // As attention with the batch second does: [tokens, batch, features] to [tokens, heads, …].
        const first = op.transpose(op.reshape(x, [0, 3, SIZE * SIZE]), [2, 0, 1])
        const heads = op.reshape(first, [SIZE * SIZE, 3, -1])
        const back = op.reshape(op.reduceMean(heads, [0]), [-1, 3])
        return back
      },
    ],
  ])('%s: each picture is embedded as if it were alone', async (_, build, rows = 'n') => {
    const path = await model(
      network([rows, 3, SIZE, SIZE], (x) => ({ features: build(x) })),
      half,
    )
    const expected = ofBytes.map((row) => normalised(row))
    expectRows(await embed(path), expected)
    expectRows(await embed(path, pictures.slice(0, 2)), expected.slice(0, 2))
  })
})

describe('the size of pictures (a-15, b-07, b-13)', () => {
  /** Height and width, as the graph sees them. */
  const sides = (x: Value) => ({
    features: op.reshape(op.tile(op.cast(op.shape(x, 2, 4), 'float32'), [1]), [1, 2]),
  })
  const seen = async (beside: Readonly<Record<string, unknown>>, options: EmbedderOptions = {}) => {
    const b = new Builder()
    const x = b.input('pixel_values', 'float32', FREE)
    const ones = op.reduceMean(op.mul(x, b.constant(0, 'float32')), [1, 2, 3])
    b.output('features', op.add(op.unsqueeze(ones, [1]), sides(x).features))
    const [row] = await embed(await model(b.build(), beside), [picture(3, 60, 40)], options)
    return [...row!].map(Math.round)
  }

  it('is that of the preprocessor where the graph takes any', async () => {
    expect(await seen(changed({ size: { height: 12, width: 10 } }))).toEqual([12, 10])
    expect(await seen(changed({ size: 12 }))).toEqual([12, 12])
    const cropped = {
      do_center_crop: true,
      crop_size: { height: 10, width: 14 },
      image_processor_type: 'CLIPImageProcessor',
    }
    expect(await seen(changed({ ...cropped, size: { shortest_edge: 16 } }))).toEqual([10, 14])
    expect(
      await seen(
        changed({
          image_processor_type: 'ConvNextImageProcessor',
          crop_pct: 0.875,
          size: { shortest_edge: 14 },
        }),
      ),
    ).toEqual([14, 14])
    expect(await seen({ 'config.json': { model_type: 'unheard', image_size: 12 } })).toEqual([12, 12])
  })

  it('is the caller’s, who may say it alone', async () => {
    expect(await seen(half, { size: [6, 4] })).toEqual([6, 4])
    expect(await seen(half, { size: 6 })).toEqual([6, 6])
    expect(await seen({}, { size: 6 })).toEqual([6, 6])
    expect(await seen({}, { card: { image: { size: [6, 7] } } })).toEqual([6, 7])
  })

  it('is a whole number of patches, where somebody asks for it', async () => {
    const patches = (x: Value) =>
      op.conv(x, x.builder.constant(tensor('float32', [2, 3, 4, 4], new Array(96).fill(0.1))), undefined, {
        strides: [4, 4],
      })
    const path = await model(
      network(FREE, (x) => ({ last_hidden_state: patches(x) })),
      half,
    )
    expect((await embed(path, pictures, { size: 12 }))[0]).toHaveLength(2)
    expect(await refusal(open(path, { size: 13 }))).toMatchObject({ code: 'OPTION_INVALID', input: 'size' })
  })

  it('that nobody says is not guessed', async () => {
    const path = await model(network(FREE, (x) => ({ features: mean(x) })))
    expect((await open(path)).card.image).toBeUndefined()
    expect(await refusal(embed(path))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/any size, and nothing says which/),
    })
  })

  it('that the file fixes is no other', async () => {
    const path = await model(
      network(FIXED, (x) => ({ features: mean(x) })),
      half,
    )
    for (const options of [{ size: 16 }, { card: { image: { size: [16, 16] } } }] as const)
      expect(await refusal(embed(path, pictures, options))).toMatchObject({
        code: 'OPTION_INVALID',
        input: 'size',
      })
    const one = await model(
      network(['n', 3, SIZE, 'w'], (x) => ({ features: mean(x) })),
      half,
    )
    expect(await refusal(embed(one, pictures, { size: 16 }))).toMatchObject({ code: 'OPTION_INVALID' })
    expectRows(
      await embed(one),
      ofBytes.map((row) => normalised(row)),
    )
  })

  it('of a preparation whose parts the caller changes: the others stay', async () => {
    const path = await model(
      network(FIXED, (x) => ({ features: mean(x) })),
      half,
    )
    const { card } = await open(path, { card: { image: { mean: [0, 0, 0], crop: 'center' } } })
    expect(card.image).toMatchObject({
      mean: [0, 0, 0],
      std: [0.5, 0.5, 0.5],
      crop: 'center',
      size: [SIZE, SIZE],
    })
    const wrong = { image: { men: [0, 0, 0] } } as never
    expect(await refusal(open(path, { card: wrong }))).toMatchObject({
      code: 'OPTION_INVALID',
      hint: expect.stringMatching(/mean/),
    })
    // What the folder says and is not followed does not matter where the caller says all.
    const image = {
      size: [SIZE, SIZE],
      crop: 'squash',
      interpolation: 'bilinear',
      mean: [0, 0, 0],
      std: [1, 1, 1],
    } as const
    const odd = await model(
      network(FIXED, (x) => ({ features: mean(x) })),
      changed({ do_flip_channel_order: true }),
    )
    expect((await refusal(open(odd))).code).toBe('FORMAT_UNSUPPORTED')
    expectRows(
      await embed(odd, pictures, { card: { image } }),
      ofBytes.map((row) => normalised(row, 0, 1)),
    )
  })
})

describe('the embedding (a-13, a-17)', () => {
  const b16 = (shape: readonly number[], seed: number) =>
    tensor(
      'float32',
      shape,
      Array.from(
        { length: shape.reduce((all, size) => all * size, 1) },
        (_, i) => (((i + 1) * seed * 13) % 23) / 11 - 1,
      ),
    )
  /** Patches of 4 × 4, and perhaps a class token before them: [batch, 4 or 5, 6]. */
  function tokensOf(x: Value, hasClass: boolean): Value {
    const { builder } = x
    const map = op.conv(x, builder.constant(b16([6, 3, 4, 4], 3)), undefined, { strides: [4, 4] })
    const patches = op.transpose(op.reshape(map, [0, 6, -1]), [0, 2, 1])
    if (!hasClass) return patches
    return op.concat(
      [op.mul(op.reduceMean(patches, [1], { keepDims: true }), builder.constant(b16([6], 5))), patches],
      1,
    )
  }
  const project = (x: Value, features = 5) =>
    op.matMul(x, x.builder.constant(b16([x.shape.at(-1) as number, features], 7)))
  const cls = (tokens: Value) => op.gather(tokens, 0, 1)
  const chosen = async (graph: Graph, beside: Readonly<Record<string, unknown>>) => {
    const { card } = await open(await model(graph, beside))
    return [card.tap, card.pool, card.dimensions]
  }

  it('is the projected one where the file has it, wherever it stands', async () => {
    for (const name of ['image_embeds', 'image_features', 'image_embedding']) {
      const graph = network(FIXED, (x) => {
        const tokens = tokensOf(x, true)
        return { last_hidden_state: tokens, pooler_output: cls(tokens), [name]: project(cls(tokens)) }
      })
      expect(await chosen(graph, half)).toEqual([name, 'mean', 5])
    }
    const only = network(
      FIXED,
      (x) => ({ features: op.add(project(mean(x)), x.builder.constant(b16([5], 2))) }),
      { name: 'input' },
    )
    expect(await chosen(only, {})).toEqual(['features', 'mean', 5])
    const classifier = network(FIXED, (x) => ({
      logits: op.add(project(mean(x)), x.builder.constant(b16([5], 2))),
    }))
    expect((await chosen(classifier, {})).slice(1)).toEqual(['mean', 3])
  })

  it.each<[string, Readonly<Record<string, unknown>>, string, string]>([
    ['vit', { 'config.json': { model_type: 'vit' } }, 'last_hidden_state', 'cls'],
    [
      'deit, which transformers’ processor tells',
      changed({ image_processor_type: 'DeiTImageProcessor' }),
      'last_hidden_state',
      'cls',
    ],
    ['dinov2', { 'config.json': { model_type: 'dinov2' } }, 'last_hidden_state', 'cls'],
    ['siglip', { 'config.json': { model_type: 'siglip_vision_model' } }, 'pooler_output', 'mean'],
    [
      'siglip, which transformers’ processor tells',
      changed({ image_processor_type: 'SiglipImageProcessor' }),
      'pooler_output',
      'mean',
    ],
    [
      'clip without its projection',
      { 'config.json': { model_type: 'clip_vision_model' } },
      'pooler_output',
      'mean',
    ],
    ['beit', { 'config.json': { model_type: 'beit' } }, 'pooler_output', 'mean'],
    ['nothing, and a pooler as ViT’s', {}, 'last_hidden_state', 'cls'],
  ])('of two outputs is what the family uses: %s', async (_, beside, tap, pool) => {
    const graph = network(FIXED, (x) => {
      const tokens = tokensOf(x, true)
      return { last_hidden_state: tokens, pooler_output: op.tanh(project(cls(tokens))) }
    })
    expect((await chosen(graph, beside)).slice(0, 2)).toEqual([tap, pool])
  })

  it('of tokens alone is the class token, of those without one the mean', async () => {
    const alone = (hasClass: boolean, name = 'last_hidden_state') =>
      network(FIXED, (x) => ({ [name]: tokensOf(x, hasClass) }))
    for (const beside of [{}, half, { 'config.json': { model_type: 'dinov2' } }])
      expect((await chosen(alone(true), beside))[1]).toBe('cls')
    expect((await chosen(alone(true, 'out'), {}))[1]).toBe('cls')
    expect((await chosen(alone(false, 'out'), {}))[1]).toBe('mean')
    expect((await chosen(alone(false), {}))[1]).toBe('mean')
    expect((await chosen(alone(false), { 'config.json': { model_type: 'swin' } }))[1]).toBe('mean')
    const path = await model(alone(true), half)
    const tokens = await embedder(path, { pool: 'none', normalize: false, runtime: { workers: 0 } })
    const [matrix] = (await tokens.embed(pictures.slice(0, 1))).vectors
    await tokens.dispose()
    expectRows(await embed(path, pictures.slice(0, 1)), [[...matrix!.data.subarray(0, 6)]])
  })

  it('of a map is its mean, of a pooled one that', async () => {
    const map = (x: Value) =>
      op.conv(x, x.builder.constant(b16([6, 3, 4, 4], 3)), undefined, { strides: [4, 4] })
    const alone = network(FIXED, (x) => ({ last_hidden_state: map(x) }))
    expect(await chosen(alone, half)).toEqual(['last_hidden_state', 'mean', 6])
    const both = network(FIXED, (x) => ({
      last_hidden_state: map(x),
      pooler_output: op.reduceMean(map(x), [2, 3], { keepDims: true }),
    }))
    expect(await chosen(both, { 'config.json': { model_type: 'resnet' } })).toEqual([
      'pooler_output',
      'mean',
      6,
    ])
    // TensorFlow's, whose channels stand last.
    const last = network(['n', SIZE, SIZE, 3], (x) => ({
      out: op.transpose(map(op.transpose(x, [0, 3, 1, 2])), [0, 2, 3, 1]),
    }))
    const path = await model(last, half)
    expect((await open(path)).card.dimensions).toBe(6)
    expectRows(
      await embed(path),
      (await embed(await model(alone, half))).map((row) => [...row]),
    )
  })

  it.each<[string, Record<string, (x: Value) => Value>, RegExp]>([
    ['age', { age: (x) => op.reduceMax(mean(x), [1], { keepDims: true }) }, /one number/],
    ['a score without an axis', { score: (x) => op.reduceMax(mean(x), [1]) }, /one number/],
    ['segmentation in the size of the picture', { out: (x) => op.relu(x) }, /map of the picture/],
    [
      'segmentation of a quarter',
      { logits: (x) => op.conv(x, x.builder.constant(b16([6, 3, 4, 4], 3)), undefined, { strides: [4, 4] }) },
      /map of the picture/,
    ],
    ['a mask', { out: (x) => op.reduceMean(x, [1], { keepDims: true }) }, /map of one channel/],
    ['depth', { predicted_depth: (x) => op.reduceMean(x, [1]) }, /map of the picture/],
    [
      'boxes',
      { output0: (x) => op.reshape(op.concat([x, x], 1), [0, 24, 16]) },
      /neither a vector nor tokens/,
    ],
  ])('of %s there is none, and that is said', async (_, outputs, why) => {
    const graph = network(FIXED, (x) =>
      Object.fromEntries(Object.entries(outputs).map(([name, build]) => [name, build(x)])),
    )
    const path = await model(graph, half)
    expect((await open(path)).card.tap).toBe('')
    expect(await refusal(embed(path))).toMatchObject({
      code: 'LAYER_UNKNOWN',
      message: expect.stringMatching(why),
    })
    // A layer that somebody names is read.
    expect((await embed(path, pictures, { tap: 'pixel_values', pool: 'mean' }))[0]).toHaveLength(3)
  })

  it.each<DType>(['float16', 'float64'])('is pooled in every way from %s', async (dtype) => {
    const graph = (to: DType) =>
      network(FIXED, (x) => ({ last_hidden_state: op.cast(tokensOf(x, true), to) }))
    const [exact, cast] = [await model(graph('float32'), half), await model(graph(dtype), half)]
    for (const pool of ['mean', 'max', 'cls', 'last'] as const)
      expectRows(
        await embed(cast, pictures, { pool }),
        (await embed(exact, pictures, { pool })).map((row) => [...row]),
        1,
      )
  })

  it('of a width that only a run shows works', async () => {
    const graph = network(FREE, (x) => ({
      features: op.reshape(op.slice(x, [0, 0], [1, 2], { axes: [1, 2] }), [0, -1]),
    }))
    const rows = await embed(await model(graph, half))
    expect(rows.map((row) => row.length)).toEqual(new Array(5).fill(2 * SIZE))
  })

  it('of one number, normalised, is refused: it would be the same for all', async () => {
    const graph = network(FIXED, (x) => ({
      features: mean(x),
      one: op.reduceMax(mean(x), [1], { keepDims: true }),
    }))
    const path = await model(graph, half)
    expect(await refusal(embed(path, pictures, { tap: 'one', normalize: true }))).toMatchObject({
      code: 'OPTION_INVALID',
    })
    expect((await embed(path, pictures, { tap: 'one' }))[0]).toHaveLength(1)
  })
})
