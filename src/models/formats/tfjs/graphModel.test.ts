import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { layers, resolveLayer, tap } from '../../../graph/index.ts'
import { compile } from '../../../runtime/index.ts'
import { type DType, type Tensor, tensor } from '../../../tensor/index.ts'
import { resolveSource } from '../../sources/sources.ts'
import { readTfjsGraphModel as read, readModelJson } from './index.ts'
import { pixelValues, seededPicture } from './testing/seededPicture.ts'

/** The model in a folder, or of a model.json. */
async function readTfjsGraphModel(place: string) {
  const files = await resolveSource({ kind: 'file', path: place })
  return read(await readModelJson(files, files.file))
}

const testdata = fileURLToPath(new URL('./testdata/graph/', import.meta.url))
const scratch = await mkdtemp(join(tmpdir(), 'pipilo-tfjs-graph-'))
afterAll(() => rm(scratch, { recursive: true }))

interface Reference {
  feeds: Record<string, { dtype: string; shape: number[]; values: number[] }>
  expected: { output: string; shape: number[]; values: (number | string)[] }[]
}

/** int32 is int64 here. */
function feed({ dtype, shape, values }: Reference['feeds'][string]): Tensor {
  return tensor(dtype === 'int32' ? 'int64' : (dtype as DType), shape, values)
}

/** What the graph gives, in TensorFlow's order: feature maps are [batch, channels, height, width]. */
function likeTheirs({ data, shape }: Tensor, wanted: readonly number[]): number[] {
  const values = Array.from(data as ArrayLike<number | bigint>, Number)
  if (shape.join() === wanted.join()) return values
  const [batch = 1, channels = 1, height = 1, width = 1] = shape
  expect([batch, height, width, channels]).toEqual(wanted)
  return Array.from(values, (_, i) => {
    const [c, position] = [i % channels, Math.floor(i / channels)]
    const [n, inside] = [Math.floor(position / (height * width)), position % (height * width)]
    return values[(n * channels + c) * height * width + inside]!
  })
}

describe('every operator', () => {
  it('gives what TensorFlow.js gives, on pictures in either order of axes', async () => {
    const { graph, unused } = await readTfjsGraphModel(testdata)
    const { feeds, expected } = JSON.parse(
      await readFile(join(testdata, 'expected.json'), 'utf8'),
    ) as Reference
    const session = await compile(graph, { workers: 0, cacheDir: scratch })
    const results = await session.run(
      Object.fromEntries(Object.entries(feeds).map(([name, given]) => [name, feed(given)])),
    )
    await session.dispose()
    expect(unused).toEqual([])
    const wrong = expected.filter(({ output, shape, values }) => {
      const mine = likeTheirs(results[output]!, shape)
      return !values.every((value, i) => {
        if (typeof value === 'string') return String(mine[i]) === value
        return Math.abs(value - mine[i]!) <= 1e-5 * Math.max(1, Math.abs(value))
      })
    })
    expect(wrong.map(({ output }) => output)).toEqual([])
    expect(expected.length).toBeGreaterThan(200)
  })
})

type Json = Record<string, unknown>

/** A model of the given nodes, whose weights are `w`, [2, 2], and `axis`, a number. */
async function write(
  nodes: readonly Json[],
  change: (model: Json) => Json = (model) => model,
): Promise<string> {
  const folder = await mkdtemp(join(scratch, 'model-'))
  const model = change({
    format: 'graph-model',
    modelTopology: { node: nodes },
    weightsManifest: [
      {
        paths: ['group1-shard1of1.bin'],
        weights: [
          { name: 'w', shape: [2, 2], dtype: 'float32' },
          { name: 'axis', shape: [], dtype: 'int32' },
        ],
      },
    ],
  })
  await writeFile(join(folder, 'model.json'), JSON.stringify(model))
  await writeFile(
    join(folder, 'group1-shard1of1.bin'),
    Buffer.concat([Buffer.from(Float32Array.of(1, 2, 3, 4).buffer), Buffer.from(Int32Array.of(1).buffer)]),
  )
  return folder
}

const x = {
  name: 'x',
  op: 'Placeholder',
  attr: { dtype: { type: 1 }, shape: { shape: { dim: [{ size: '-1' }, { size: '2' }] } } },
}
const w = { name: 'w', op: 'Const' }
const axis = { name: 'axis', op: 'Const' }
const linear = [x, w, { name: 'net/head/MatMul', op: 'MatMul', input: ['x', 'w'] }]

describe('readTfjsGraphModel', () => {
  it('calls layers, inputs and outputs as TensorFlow does', async () => {
    const folder = await write([
      ...linear,
      { name: 'net/Relu', op: 'Relu', input: ['net/head/MatMul', '^x'] },
    ])
    const { graph } = await readTfjsGraphModel(folder)
    expect(graph.inputs).toMatchObject([{ name: 'x', type: { dtype: 'float32', shape: ['batch', 2] } }])
    expect(graph.outputs).toMatchObject([{ name: 'net/Relu', type: { shape: ['batch', 2] } }])
    const found = layers(graph).find(({ name }) => name === 'net.head.MatMul')
    expect(found).toMatchObject({ kind: 'MatMul', parameters: 4, shape: ['batch', 2] })
    expect(resolveLayer(graph, 'net/head/MatMul')).toBe(found?.value)
    const session = await compile(tap(graph, 'net/head/MatMul'), { workers: 0, cacheDir: scratch })
    const results = await session.run({ x: tensor('float32', [1, 2], [1, -1]) })
    await session.dispose()
    expect(Array.from(results[found!.value]!.data as Float32Array)).toEqual([-2, -2])
    expect(Array.from(results['net/Relu']!.data as Float32Array, (value) => value + 0)).toEqual([0, 0])
  })

  it('reads a model.json of any name, and outputs that a signature states', async () => {
    const folder = await write(
      [...linear, { name: 'net/Relu', op: 'Relu', input: ['net/head/MatMul:0'] }],
      (model) => ({
        ...model,
        userDefinedMetadata: { signature: { outputs: { y: { name: 'net/head/MatMul:0' } } } },
      }),
    )
    await cp(join(folder, 'model.json'), join(folder, 'face.json'))
    await rm(join(folder, 'model.json'))
    const { graph, files } = await readTfjsGraphModel(join(folder, 'face.json'))
    expect(graph.outputs.map(({ name }) => name)).toEqual(['net/head/MatMul'])
    expect(files).toEqual(['face.json', 'group1-shard1of1.bin'])
  })

  it('keeps feature maps in one order from the first convolution to the last, without transpositions', async () => {
    const attr = {
      strides: { list: { i: ['1', '1', '1', '1'] } },
      padding: { s: Buffer.from('SAME').toString('base64') },
    }
    const picture = {
      name: 'picture',
      op: 'Placeholder',
      attr: {
        dtype: { type: 'DT_FLOAT' },
        shape: { shape: { dim: ['-1', '8', '6', '1'].map((size) => ({ size })) } },
      },
    }
    const nodes = [
      picture,
      { name: 'kernel', op: 'Const' },
      { name: 'bias', op: 'Const' },
      axis,
      { name: 'a', op: 'Conv2D', input: ['picture', 'kernel'], attr },
      { name: 'b', op: 'BiasAdd', input: ['a', 'bias'] },
      { name: 'c', op: 'Relu6', input: ['b'] },
      { name: 'd', op: 'DepthwiseConv2dNative', input: ['c', 'kernel'], attr },
      { name: 'e', op: 'AddV2', input: ['c', 'd'] },
      { name: 'f', op: 'Max', input: ['e', 'axis'], attr: { keep_dims: { b: true } } },
    ]
    const folder = await write(nodes, (model) => ({
      ...model,
      weightsManifest: [
        {
          paths: ['group1-shard1of1.bin'],
          weights: [
            { name: 'kernel', shape: [2, 1, 1, 1], dtype: 'float32' },
            { name: 'bias', shape: [1], dtype: 'float32' },
            { name: 'rest', shape: [1], dtype: 'float32' },
            { name: 'axis', shape: [], dtype: 'int32' },
          ],
        },
      ],
    }))
    const { graph, inputSize, unused } = await readTfjsGraphModel(folder)
    expect(inputSize).toEqual([8, 6])
    expect(unused).toEqual(['rest'])
    expect(graph.inputs).toMatchObject([{ name: 'pixel_values', type: { shape: ['batch', 1, 8, 6] } }])
    expect(graph.outputs).toMatchObject([{ name: 'f', type: { shape: ['batch', 1, 1, 6] } }])
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Conv', 'Add', 'Clip', 'Conv', 'Add', 'ReduceMax'])
  })

  it('takes max(min(relu(x), 6), 0) for the one operator that it is', async () => {
    const nodes = (limit: string) => [
      x,
      { name: 'six', op: 'Const' },
      { name: 'zero', op: 'Const' },
      { name: 'seven', op: 'Const' },
      { name: 'a', op: 'Relu', input: ['x'] },
      { name: 'b', op: 'Minimum', input: ['a', limit] },
      { name: 'c', op: 'Maximum', input: ['b', 'zero'] },
    ]
    const ops = async (limit: string) => {
      const folder = await write(nodes(limit), (model) => ({
        ...model,
        weightsManifest: [
          {
            paths: ['numbers.bin'],
            weights: ['six', 'zero', 'seven'].map((name) => ({ name, shape: [], dtype: 'float32' })),
          },
        ],
      }))
      await writeFile(join(folder, 'numbers.bin'), Buffer.from(Float32Array.of(6, 0, 7).buffer))
      const { graph } = await readTfjsGraphModel(folder)
      const session = await compile(graph, { workers: 0, cacheDir: scratch })
      const { c } = await session.run({ x: tensor('float32', [2, 2], [-1, 1, 6.5, 8]) })
      await session.dispose()
      return [graph.nodes.map(({ op }) => op), Array.from(c!.data as Float32Array)]
    }
    expect(await ops('six')).toEqual([['Clip'], [0, 1, 6, 6]])
    expect(await ops('seven')).toEqual([
      ['Relu', 'Min', 'Max'],
      [0, 1, 6.5, 7],
    ])
  })

  it('lets a model that was converted for one picture take many, unless it says how many itself', async () => {
    const picture = {
      name: 'picture',
      op: 'Placeholder',
      attr: { dtype: { type: 1 }, shape: { shape: { dim: ['1', '2', '1', '2'].map((size) => ({ size })) } } },
    }
    const shape = { name: 'axis', op: 'Const' }
    const batch = async (nodes: readonly Json[]) => {
      const { graph } = await readTfjsGraphModel(await write([picture, ...nodes]))
      return graph.inputs.map(({ type }) => type?.kind === 'tensor' && type.shape?.[0])
    }
    expect(await batch([{ name: 'a', op: 'Relu', input: ['picture'] }])).toEqual(['batch'])
    const sum = { name: 'b', op: 'Sum', input: ['picture', 'axis'] }
    expect(await batch([shape, sum])).toEqual(['batch'])
    expect(
      await batch([
        w,
        { name: 'size', op: 'Shape', input: ['w'] },
        { name: 'c', op: 'Reshape', input: ['picture', 'size'] },
      ]),
    ).toEqual([1])
  })

  it('adds what is scattered to one place, on several threads as on one', async () => {
    const rows = 2000
    const placeholder = (name: string, type: number, size: string) => ({
      name,
      op: 'Placeholder',
      attr: { dtype: { type }, shape: { shape: { dim: [{ size: '-1' }, { size }] } } },
    })
    const folder = await write([
      placeholder('places', 3, '1'),
      placeholder('updates', 1, '2'),
      { name: 'updates_shape', op: 'Shape', input: ['updates'] },
      { name: 'sum', op: 'ScatterNd', input: ['places', 'updates', 'updates_shape'] },
    ])
    const { graph } = await readTfjsGraphModel(folder)
    const session = await compile(graph, { workers: 0, threads: 2, cacheDir: scratch })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(4), { minLength: rows, maxLength: rows }), async (at) => {
        const { sum } = await session.run({
          places: tensor('int64', [rows, 1], at),
          updates: tensor(
            'float32',
            [rows, 2],
            at.flatMap(() => [1, 2]),
          ),
        })
        const counts = Array.from({ length: 5 }, (_, i) => at.filter((place) => place === i).length)
        expect(Array.from((sum!.data as Float32Array).slice(0, 10))).toEqual(
          counts.flatMap((count) => [count, 2 * count]),
        )
      }),
      { numRuns: 20 },
    )
    await session.dispose()
  })
})

describe('mobilenet_v2_mid of nsfwjs', () => {
  it('gives what TensorFlow.js gives on the same weights', async () => {
    const folder = fileURLToPath(
      new URL('../../../../node_modules/nsfwjs/dist/models/mobilenet_v2_mid', import.meta.url),
    )
    const { graph, inputSize, unused } = await readTfjsGraphModel(folder)
    expect([inputSize, unused]).toEqual([[224, 224], []])
    const references = JSON.parse(await readFile(join(testdata, '../graph.json'), 'utf8')) as {
      seed: number
      scores: number[]
    }[]
    const session = await compile(graph, { workers: 0, cacheDir: scratch })
    for (const { seed, scores } of references) {
      const pixel_values = pixelValues(seededPicture(seed, 224), 224, 224)
      const { Identity } = await session.run({ pixel_values })
      for (const [i, score] of scores.entries()) expect(Identity!.data[i]).toBeCloseTo(score, 5)
    }
    await session.dispose()
    expect(references).toHaveLength(3)
  })
})

describe('a model with an operator that is not translated', () => {
  it('is computed as far as that, and says what stands behind it', async () => {
    const folder = await write([
      x,
      { name: 'r', op: 'Relu', input: ['x'] },
      { name: 'n', op: 'Neg', input: ['r'] },
      { name: 'a', op: 'Bessel', input: ['r'] },
      { name: 'b', op: 'Relu', input: ['a'] },
    ])
    const both = await readTfjsGraphModel(folder)
    expect(both.graph.outputs.map(({ name }) => name)).toEqual(['n'])
    expect([...both.blocked]).toEqual([
      ['a', 'a is an operator that is not translated, Bessel'],
      ['b', 'a is an operator that is not translated, Bessel'],
    ])
    const alone = await readTfjsGraphModel(
      await write([x, { name: 'r', op: 'Relu', input: ['x'] }, { name: 'a', op: 'Bessel', input: ['r'] }]),
    )
    expect([alone.stated, alone.graph.outputs.map(({ name }) => name)]).toEqual(['a', ['r']])
  })
})

describe('a model that cannot be read', () => {
  it('names every operator without a rule, and says which are control flow', async () => {
    const folder = await write([
      x,
      { name: 'a', op: 'Bessel', input: ['x'] },
      { name: 'b', op: 'StatelessWhile', input: ['a'] },
      { name: 'c', op: 'TensorListStack', input: ['b'] },
      { name: 'unneeded', op: 'Assert', input: ['x'] },
    ])
    const error = await readTfjsGraphModel(folder).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'OPERATOR_UNSUPPORTED',
      message: expect.stringContaining('Bessel, StatelessWhile, TensorListStack.'),
      hint: expect.stringContaining('StatelessWhile, TensorListStack are loops'),
    })
    // Loops of older models go in a circle.
    const loop = await write([
      x,
      { name: 'merge', op: 'Merge', input: ['x', 'next'] },
      { name: 'next', op: 'NextIteration', input: ['merge'] },
      { name: 'exit', op: 'Exit', input: ['merge'] },
    ])
    await expect(readTfjsGraphModel(loop)).rejects.toMatchObject({
      code: 'OPERATOR_UNSUPPORTED',
      message: expect.stringContaining('Exit, Merge, NextIteration.'),
    })
  })

  it.each<[string, readonly Json[], string, RegExp]>([
    [
      'a circle',
      [
        { name: 'a', op: 'Add', input: ['b', 'b'] },
        { name: 'b', op: 'Relu', input: ['a'] },
        { name: 'c', op: 'Relu', input: ['b'] },
      ],
      'MODEL_INVALID',
      /from itself/,
    ],
    [
      'a node read that is missing',
      [{ name: 'a', op: 'Relu', input: ['nowhere'] }],
      'MODEL_INVALID',
      /nowhere, which does not exist/,
    ],
    [
      'an output that is missing',
      [x, { name: 'a', op: 'Relu', input: ['x:3'] }],
      'MODEL_INVALID',
      /output 3 of x/,
    ],
    [
      'an input that is missing',
      [x, { name: 'a', op: 'Add', input: ['x'] }],
      'MODEL_INVALID',
      /a \(Add\) has 1 inputs/,
    ],
    ['two nodes of one name', [x, x, ...linear], 'MODEL_INVALID', /two nodes are called x/],
    ['no nodes', [], 'MODEL_INVALID', /no list of nodes/],
    ['a node without an operator', [{ name: 'x' }], 'MODEL_INVALID', /lacks its "name" or "op"/],
    [
      'a weight that is missing',
      [x, { name: 'v', op: 'Const' }, { name: 'a', op: 'Add', input: ['x', 'v'] }],
      'PARAMETER_MISSING',
      /no weight v/,
    ],
    [
      'an axis that is computed',
      [x, { name: 's', op: 'Size', input: ['x'] }, { name: 'a', op: 'Sum', input: ['x', 's'] }],
      'OPERATOR_UNSUPPORTED',
      /an input 1 that is computed/,
    ],
    [
      'an unknown fused operator',
      [
        x,
        w,
        {
          name: 'a',
          op: '_FusedMatMul',
          input: ['x', 'w'],
          attr: { fused_ops: { list: { s: ['R2VsdQ=='] } } },
        },
      ],
      'OPERATOR_UNSUPPORTED',
      /the fused operator Gelu/,
    ],
    [
      'a dtype that it does not know',
      [
        { ...x, attr: { ...x.attr, dtype: { type: 7 } } },
        { name: 'a', op: 'Relu', input: ['x'] },
      ],
      'OPERATOR_UNSUPPORTED',
      /the dtype 7/,
    ],
    [
      'shapes that do not fit',
      [
        x,
        w,
        { name: 'a', op: 'MatMul', input: ['w', 'x'], attr: { transpose_b: { b: 1 } } },
        { name: 'b', op: 'ConcatV2', input: ['w', 'w', 'axis'] },
        axis,
        { name: 'c', op: 'Add', input: ['b', 'x'] },
      ],
      'SHAPE_MISMATCH',
      /do not broadcast/,
    ],
  ])('tells %s', async (_, nodes, code, message) => {
    await expect(write(nodes).then(readTfjsGraphModel)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it('tells shards that are cut off, empty or missing', async () => {
    const folder = await write(linear)
    const shard = join(folder, 'group1-shard1of1.bin')
    await truncate(shard, 13)
    await expect(readTfjsGraphModel(folder)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('hold 13 bytes, but model.json describes 20'),
    })
    await truncate(shard, 0)
    await expect(readTfjsGraphModel(folder)).rejects.toMatchObject({ code: 'FILE_EMPTY' })
    await rm(shard)
    await expect(readTfjsGraphModel(folder)).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      input: 'group1-shard1of1.bin',
    })
  })

  it('tells a model.json that is cut off, and one without a topology', async () => {
    const folder = await write(linear)
    const file = join(folder, 'model.json')
    await truncate(file, 100)
    await expect(readTfjsGraphModel(folder)).rejects.toMatchObject({ code: 'FORMAT_INVALID', input: file })
    await writeFile(file, '{"format":"graph-model"}')
    await expect(readTfjsGraphModel(folder)).rejects.toMatchObject({
      code: 'FORMAT_INVALID',
      message: expect.stringContaining('no "modelTopology"'),
    })
    await expect(readTfjsGraphModel(join(folder, 'empty'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  })

  it('never throws anything but its own errors, whatever the description says', async () => {
    const text = JSON.stringify(linear)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length - 1),
        fc.constantFrom('[', '"', '9', '{}', 'null'),
        async (at, put) => {
          let nodes: unknown
          try {
            nodes = JSON.parse(text.slice(0, at) + put + text.slice(at + 1))
          } catch {
            return
          }
          const folder = await write([], (model) => ({ ...model, modelTopology: { node: nodes } }))
          const result = await readTfjsGraphModel(folder).catch((error: Error) => error.name)
          expect(typeof result === 'string' ? result : 'read').toMatch(/^(PipiloError|read)$/)
          await rm(folder, { recursive: true })
        },
      ),
      { numRuns: 200 },
    )
  })
})
