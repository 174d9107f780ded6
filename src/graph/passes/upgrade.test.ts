import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type DType, elementCount, type Tensor, tensor } from '../../tensor/index.ts'
import { Builder, type Value } from '../builder.ts'
import { parseOnnx } from '../onnx/index.ts'
import * as op from '../ops/all.ts'
import { relativeError, run, testdata } from '../testing/run.ts'
import type { Attribute, Graph, Shape } from '../types.ts'
import { upgrade } from './upgrade.ts'

const ints = (...value: number[]): Attribute => ({ type: 'ints', value })
const int = (value: number): Attribute => ({ type: 'int', value })
const float = (value: number): Attribute => ({ type: 'float', value })
const floats = (...value: number[]): Attribute => ({ type: 'floats', value })
const text = (value: string): Attribute => ({ type: 'string', value })

interface Case {
  readonly op: string
  readonly opset: number
  /** Sizes of the inputs that are fed. */
  readonly sizes: readonly (readonly number[])[]
  /** Sizes as the graph says them, where they are others. */
  readonly shapes?: readonly Shape[]
  readonly dtype?: DType
  /** Constants behind the inputs. */
  readonly constants?: readonly Tensor[]
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly outputs?: number
  /** The operators after the upgrade. */
  readonly becomes?: readonly string[]
}

function graphOf({ op: name, opset, sizes, shapes, dtype, constants, attributes, outputs }: Case): Graph {
  const b = new Builder({ opset })
  const inputs = sizes.map((size, i) => b.input(`x${i}`, dtype ?? 'float32', shapes?.[i] ?? size))
  const fixed = (constants ?? []).map((constant, i) => b.initializer(`c${i}`, constant))
  const made = b.node(name, [...inputs, ...fixed], attributes, { outputs: outputs ?? 1 })
  for (const [i, value] of made.entries()) b.output(`y${i}`, value)
  return b.build()
}

function feeds({ sizes, dtype }: Case): Record<string, Tensor> {
  return Object.fromEntries(
    sizes.map((size, i) => {
      const elements = Array.from({ length: elementCount(size) }, (_, j) => 3 * Math.sin(1.3 * j + i + 0.7))
      return [
        `x${i}`,
        tensor(dtype ?? 'float32', size, dtype === 'int64' ? elements.map(Math.round) : elements),
      ]
    }),
  )
}

const vector = (dtype: DType, ...elements: number[]) => tensor(dtype, [elements.length], elements)
const image = [2, 3, 4, 5] as const

const cases: readonly Case[] = [
  { op: 'Squeeze', opset: 7, sizes: [[2, 1, 3, 1]], attributes: { axes: ints(1, 3) } },
  { op: 'Squeeze', opset: 11, sizes: [[2, 1, 3, 1]], attributes: { axes: ints(-1) } },
  { op: 'Squeeze', opset: 11, sizes: [[2, 1, 3, 1]] },
  { op: 'Unsqueeze', opset: 9, sizes: [[2, 3]], attributes: { axes: ints(0, 3) } },
  { op: 'ReduceSum', opset: 8, sizes: [[2, 3, 4]], attributes: { axes: ints(1), keepdims: int(0) } },
  { op: 'ReduceSum', opset: 8, sizes: [[2, 3, 4]] },
  { op: 'ReduceMean', opset: 8, sizes: [[2, 3, 4]], attributes: { axes: ints(2) } },
  { op: 'Split', opset: 7, sizes: [[2, 6]], attributes: { axis: int(1), split: ints(2, 4) }, outputs: 2 },
  { op: 'Split', opset: 11, sizes: [[6, 2]], outputs: 3 },
  { op: 'Clip', opset: 7, sizes: [[4, 5]], attributes: { min: float(-1), max: float(0.5) } },
  { op: 'Clip', opset: 9, sizes: [[4, 5]], attributes: { max: float(6) } },
  { op: 'Clip', opset: 10, sizes: [[4, 5]] },
  {
    op: 'Pad',
    opset: 7,
    sizes: [image],
    attributes: { pads: ints(0, 0, 1, 2, 0, 0, 3, 0), value: float(0.5) },
  },
  {
    op: 'Pad',
    opset: 9,
    sizes: [image],
    attributes: { pads: ints(0, 0, 1, 2, 0, 0, 3, 0), mode: text('reflect') },
  },
  { op: 'Slice', opset: 9, sizes: [[4, 6]], attributes: { starts: ints(1), ends: ints(-1), axes: ints(1) } },
  { op: 'Slice', opset: 7, sizes: [[4, 6]], attributes: { starts: ints(1, 0), ends: ints(9, 3) } },
  { op: 'TopK', opset: 9, sizes: [[3, 7]], attributes: { k: int(2), axis: int(1) }, outputs: 2 },
  { op: 'Dropout', opset: 7, sizes: [[3, 4]], attributes: { ratio: float(0.9) } },
  { op: 'Dropout', opset: 10, sizes: [[3, 4]], attributes: { ratio: float(0.9) } },
  { op: 'Softmax', opset: 9, sizes: [[3, 4]], becomes: ['Softmax'] },
  { op: 'Softmax', opset: 9, sizes: [[3, 4, 5]], becomes: ['Shape', 'Flatten', 'Softmax', 'Reshape'] },
  { op: 'Softmax', opset: 11, sizes: [[3, 4, 5]], attributes: { axis: int(-1) }, becomes: ['Softmax'] },
  { op: 'Softmax', opset: 11, sizes: [[3, 4, 5]], attributes: { axis: int(-2) } },
  { op: 'Softmax', opset: 7, sizes: [[3, 4, 5]], attributes: { axis: int(0) } },
  { op: 'Softmax', opset: 9, sizes: [[3, 4, 1, 1]], becomes: ['Softmax'] },
  { op: 'Softmax', opset: 12, sizes: [[3, 4, 5]], shapes: [['a', 4, 'b']] },
  { op: 'LogSoftmax', opset: 10, sizes: [[3, 4, 5]] },
  {
    op: 'LogSoftmax',
    opset: 12,
    sizes: [[3, 4, 5]],
    shapes: [['a', 'b', 'c']],
    attributes: { axis: int(2) },
  },
  { op: 'Hardmax', opset: 9, sizes: [[3, 4, 5]] },
  {
    op: 'Upsample',
    opset: 7,
    sizes: [image],
    attributes: { scales: floats(1, 1, 2, 1.5) },
    becomes: ['Resize'],
  },
  {
    op: 'Upsample',
    opset: 8,
    sizes: [image],
    attributes: { scales: floats(1, 1, 2, 3), mode: text('linear') },
  },
  { op: 'Upsample', opset: 9, sizes: [image], constants: [vector('float32', 1, 1, 2, 2.5)] },
  {
    op: 'Upsample',
    opset: 9,
    sizes: [image],
    shapes: [['n', 3, 'h', 'w']],
    constants: [vector('float32', 1, 1, 2, 2)],
  },
  {
    op: 'Resize',
    opset: 10,
    sizes: [image],
    constants: [vector('float32', 1, 1, 2, 1.7)],
    becomes: ['Resize'],
  },
  {
    op: 'Resize',
    opset: 10,
    sizes: [[1, 1, 7, 9]],
    constants: [vector('float32', 1, 1, 0.6, 0.4)],
    becomes: ['Resize'],
  },
  { op: 'Resize', opset: 10, sizes: [[1, 1, 7, 9]], constants: [vector('float32', 1, 1, 0.6, 2.3)] },
  {
    op: 'Resize',
    opset: 10,
    sizes: [image],
    constants: [vector('float32', 1, 1, 0.6, 2)],
    attributes: { mode: text('linear') },
  },
  {
    op: 'Resize',
    opset: 11,
    sizes: [image],
    constants: [vector('float32'), vector('float32', 1, 1, 2, 2)],
    attributes: { mode: text('cubic'), coordinate_transformation_mode: text('align_corners') },
  },
  {
    op: 'Resize',
    opset: 11,
    sizes: [image],
    constants: [vector('float32'), vector('float32'), vector('int64', 2, 3, 7, 3)],
    attributes: { mode: text('linear'), coordinate_transformation_mode: text('pytorch_half_pixel') },
  },
  {
    op: 'RoiAlign',
    opset: 10,
    sizes: [[1, 2, 8, 8]],
    constants: [tensor('float32', [2, 4], [0, 0, 5, 6, 1.3, 2.1, 7, 4]), vector('int64', 0, 0)],
    attributes: {
      output_height: int(3),
      output_width: int(3),
      spatial_scale: float(0.9),
      sampling_ratio: int(2),
    },
  },
  {
    op: 'Scatter',
    opset: 9,
    sizes: [[3, 4]],
    constants: [tensor('int64', [1, 4], [2, 0, 1, 2]), tensor('float32', [1, 4], [9, 8, 7, 6])],
    becomes: ['ScatterElements'],
  },
  {
    op: 'BatchNormalization',
    opset: 7,
    sizes: [image],
    constants: [
      vector('float32', 1, 2, 3),
      vector('float32', 0, 1, 0),
      vector('float32', 0.1, 0.2, 0.3),
      vector('float32', 1, 2, 0.5),
    ],
    attributes: { spatial: int(1), epsilon: float(0.01) },
  },
  {
    op: 'BatchNormalization',
    opset: 9,
    sizes: [image],
    constants: [1, 2, 3, 4].map((by) => vector('float32', 1, by, 0.5)),
  },
  {
    op: 'MaxPool',
    opset: 8,
    sizes: [image],
    attributes: { kernel_shape: ints(2, 2), storage_order: int(0) },
    outputs: 2,
  },
  {
    op: 'MaxPool',
    opset: 10,
    sizes: [image],
    attributes: { kernel_shape: ints(3, 3), strides: ints(2, 2), ceil_mode: int(1) },
  },
  {
    op: 'AveragePool',
    opset: 7,
    sizes: [image],
    attributes: { kernel_shape: ints(3, 3), pads: ints(1, 1, 1, 1) },
  },
  {
    op: 'AveragePool',
    opset: 10,
    sizes: [image],
    attributes: { kernel_shape: ints(3, 3), strides: ints(2, 2), ceil_mode: int(1) },
  },
  { op: 'Gemm', opset: 7, sizes: [[2, 3], [3, 4], [4]] },
  {
    op: 'Gemm',
    opset: 9,
    sizes: [
      [3, 2],
      [3, 4],
      [2, 1],
    ],
    attributes: { transA: int(1), beta: float(0.5) },
  },
  { op: 'Cast', opset: 7, sizes: [[2, 3]], attributes: { to: int(7) } },
  { op: 'Gather', opset: 9, sizes: [[4, 3]], constants: [vector('int64', 2, 0)] },
  { op: 'Gather', opset: 11, sizes: [[4, 3]], constants: [vector('int64', -1, 0)] },
  {
    op: 'OneHot',
    opset: 9,
    sizes: [[4]],
    dtype: 'int64',
    constants: [tensor('int64', [], [4]), vector('float32', 0, 1)],
  },
  { op: 'Pow', opset: 7, sizes: [[4]], constants: [vector('float32', 2)] },
  { op: 'PRelu', opset: 7, sizes: [image], constants: [tensor('float32', [3, 1, 1], [0.1, 0.2, 0.3])] },
  { op: 'ArgMax', opset: 11, sizes: [[3, 4]], attributes: { axis: int(1) } },
  { op: 'DepthToSpace', opset: 7, sizes: [[1, 8, 2, 2]], attributes: { blocksize: int(2) } },
  { op: 'Sum', opset: 8, sizes: [[3, 4], [4], [1]] },
  { op: 'Constant', opset: 12, sizes: [], attributes: { value_floats: floats(1, 2.5) } },
  {
    op: 'LSTM',
    opset: 7,
    sizes: [
      [3, 2, 4],
      [1, 8, 4],
      [1, 8, 2],
      [1, 16],
    ],
    attributes: { hidden_size: int(2) },
    outputs: 3,
  },
  {
    op: 'GRU',
    opset: 7,
    sizes: [
      [3, 2, 4],
      [1, 6, 4],
      [1, 6, 2],
    ],
    attributes: { hidden_size: int(2) },
    outputs: 2,
  },
]

describe('upgrade', () => {
  it.each(
    cases.map(
      (one) => [`${one.op} of ${one.opset} on ${JSON.stringify(one.shapes ?? one.sizes)}`, one] as const,
    ),
  )('keeps the numbers of %s', async (_, one) => {
    const graph = graphOf(one)
    const raised = upgrade(graph)
    expect(raised.opsets.get('')).toBe(17)
    if (one.becomes) expect(raised.nodes.map((node) => node.op)).toEqual(one.becomes)
    const [before, after] = [await run(graph, feeds(one)), await run(raised, feeds(one))]
    for (const [name, expected] of Object.entries(before)) {
      const found = after[name]!
      expect(found.dtype).toBe(expected.dtype)
      expect(found.shape).toEqual(expected.shape)
      const numbers = (all: Tensor) => ({ ...all, data: Float64Array.from(all.data as Float32Array, Number) })
      expect(relativeError(numbers(found), numbers(expected))).toBeLessThan(1e-6)
    }
  })

  it('gives bounds the dtype of what they bound', () => {
    const raised = upgrade(
      graphOf({ op: 'Clip', opset: 9, sizes: [[4]], dtype: 'float64', attributes: { min: float(0.5) } }),
    )
    expect([...raised.initializers.values()]).toEqual([tensor('float64', [], [0.5])])
  })

  it('resizes by scales that are computed, along some axes up and along others down', async () => {
    const b = new Builder({ opset: 10 })
    const scales = b.input('scales', 'float32', [4])
    b.output('y', b.node('Resize', [b.input('x', 'float32', [1, 1, 'h', 'w']), scales])[0]!)
    const graph = b.build()
    const x = tensor(
      'float32',
      [1, 1, 5, 7],
      Array.from({ length: 35 }, (_, i) => i),
    )
    for (const [height, width] of [
      [2, 3],
      [0.5, 0.3],
      [1.7, 0.6],
      [0.7, 1],
    ]) {
      const given = { x, scales: vector('float32', 1, 1, height!, width!) }
      expect((await run(upgrade(graph), given))['y']).toEqual((await run(graph, given))['y'])
    }
  })

  it('divides features by the statistics of their place', async () => {
    const b = new Builder({ opset: 8 })
    const sizes = [3, 2, 2]
    const by = (name: string, low: number) =>
      b.initializer(
        name,
        tensor(
          'float32',
          sizes,
          Array.from({ length: 12 }, (_, i) => low + i / 12),
        ),
      )
    const x = b.input('x', 'float32', ['n', ...sizes])
    const all = [x, by('scale', 1), by('bias', -1), by('mean', 0), by('variance', 1)]
    b.output('y', b.node('BatchNormalization', all, { spatial: int(0) }, { types: [x.type!] })[0]!)
    const numbers = Array.from({ length: 24 }, (_, i) => Math.cos(i))
    const found = await run(upgrade(b.build()), { x: tensor('float32', [2, ...sizes], numbers) })
    const expected = numbers.map((number, i) => {
      const part = (i % 12) / 12
      return ((number - part) / Math.sqrt(1 + part + 1e-5)) * (1 + part) + part - 1
    })
    expect(relativeError(found['y']!, tensor('float32', [2, ...sizes], expected))).toBeLessThan(1e-6)
  })

  it('raises what is inside sub-graphs, by the types of the values around them', async () => {
    const inner = new Builder({ opset: 10 })
    const branch = (bound: number) => {
      const within = new Builder({ opset: 10 })
      const from = within.input('x', 'float32', [2, 3, 4])
      const clipped = within.node('Clip', [from], { max: float(bound) })[0]!
      within.output(`y${bound}`, within.node('Softmax', [clipped])[0]!)
      return { ...within.build(), inputs: [] }
    }
    inner.input('x', 'float32', [2, 3, 4])
    const condition = inner.input('condition', 'bool', [])
    inner.output(
      'y',
      inner.node('If', [condition], {
        then_branch: { type: 'graph', value: branch(1) },
        else_branch: { type: 'graph', value: branch(2) },
      })[0]!,
    )
    const graph = inner.build()
    const x = tensor(
      'float32',
      [2, 3, 4],
      Array.from({ length: 24 }, (_, i) => 3 * Math.sin(i)),
    )
    for (const yes of [0, 1]) {
      const given = { x, condition: tensor('bool', [], [yes]) }
      const [before, after] = [await run(graph, given), await run(upgrade(graph), given)]
      expect(relativeError(after['y']!, before['y']!)).toBeLessThan(1e-6)
    }
  })

  it('gives back a graph that is new enough, and never changes the one that it is given', () => {
    const graph = graphOf({ op: 'Softmax', opset: 9, sizes: [[2, 3, 4]] })
    const before = structuredClone(graph)
    const raised = upgrade(graph)
    expect(graph).toEqual(before)
    expect(upgrade(raised)).toBe(raised)
    expect(upgrade(graph, 9)).toBe(graph)
    expect(upgrade(graph, 12).nodes).toEqual(graph.nodes)
  })

  it('makes constants of what had to be inputs before version 4 of the format', () => {
    const graph = graphOf({ op: 'Sum', opset: 9, sizes: [[2]], constants: [vector('float32', 1, 2)] })
    const old = { ...graph, irVersion: 3, inputs: [...graph.inputs, { name: 'c0' }] }
    expect(upgrade(old).inputs.map(({ name }) => name)).toEqual(['x0'])
    expect(upgrade({ ...old, irVersion: 6 }).inputs.map(({ name }) => name)).toEqual(['x0', 'c0'])
  })

  it('gives the numbers of a file of operator set 9', async () => {
    const older = parseOnnx(readFileSync(testdata('older.onnx')))
    const graph = upgrade(older)
    expect(graph.inputs.map(({ name }) => name)).toEqual(['image'])
    const numbers = Array.from({ length: 3 * 2 * 5 * 6 }, (_, i) => 2 * Math.sin(1.1 * i))
    const given = { image: tensor('float32', [3, 2, 5, 6], numbers) }
    expect(relativeError((await run(graph, given))['y']!, (await run(older, given))['y']!)).toBeLessThan(1e-6)
  })

  it('leaves a real network of 17 as it is', async () => {
    const graph = parseOnnx(readFileSync(testdata('convolutional.onnx')))
    expect(upgrade(graph)).toBe(graph)
  })

  const unlike: readonly (readonly [Case, RegExp])[] = [
    [{ op: 'Dropout', opset: 9, sizes: [[2]], outputs: 2 }, /mask of floats/],
    [{ op: 'Dropout', opset: 10, sizes: [[2]], outputs: 2 }, /mask that is read/],
    [
      { op: 'BatchNormalization', opset: 9, sizes: [image, [3], [3], [3], [3]], outputs: 5 },
      /outputs of statistics/,
    ],
    [{ op: 'Scan', opset: 8, sizes: [[2]] }, /batch/],
    [{ op: 'ImageScaler', opset: 7, sizes: [[2]] }, /experiment/],
    [{ op: 'Dropout', opset: 6, sizes: [[2]] }, /is in training/],
    [{ op: 'Tile', opset: 1, sizes: [[2], [], []] }, /repeats one axis/],
  ]
  it.each(
    unlike.map(([one, error]) => [one.op, one, error] as const),
  )('says that %s cannot be raised', (_, one, error) => {
    const b = new Builder({ opset: one.opset })
    const inputs = one.sizes.map((size, i) => b.input(`x${i}`, 'float32', size))
    const type = { kind: 'tensor', dtype: 'float32', shape: [2] } as const
    const types = Array.from({ length: one.outputs ?? 1 }, () => type)
    for (const [i, value] of b.node(one.op, inputs, {}, { outputs: types.length, types }).entries())
      b.output(`y${i}`, value)
    expect(() => upgrade(b.build())).toThrow(error)
    expect(() => upgrade(b.build())).toThrow(
      expect.objectContaining({ code: 'OPERATOR_UNSUPPORTED' }) as Error,
    )
  })

  it('knows the versions to which it raises', () => {
    const graph = graphOf({ op: 'Sum', opset: 9, sizes: [[2]] })
    for (const version of [0, 18, 9.5])
      expect(() => upgrade(graph, version)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }) as Error,
      )
  })
})

describe('upgrade from the first six versions', () => {
  /** The graph in an old form, and how it is written today. */
  const both = (
    opset: number,
    old: (b: Builder, x: Value) => Value,
    now: (x: Value) => Value,
    size: readonly number[],
  ) =>
    [opset, 17].map((version) => {
      const b = new Builder({ opset: version })
      const x = b.input('x', 'float32', size)
      b.output('y', version === 17 ? now(x) : old(b, x))
      return b.build()
    }) as [Graph, Graph]
  const add = (
    b: Builder,
    name: string,
    inputs: readonly Value[],
    attributes: Record<string, Attribute>,
    like: Value,
    sizes?: Shape,
  ) =>
    b.node(name, inputs, attributes, {
      types: [sizes ? { kind: 'tensor', dtype: like.dtype, shape: sizes } : like.type!],
    })[0]!
  const three = (b: Builder) => b.initializer('c', vector('float32', 1, 2, -3))
  const none = { consumed_inputs: ints(0, 0) }

  const pairs: readonly (readonly [string, [Graph, Graph]])[] = [
    [
      'operands along an axis',
      both(
        6,
        (b, x) => add(b, 'Add', [x, three(b)], { broadcast: int(1), axis: int(1) }, x),
        (x) => op.add(x, op.unsqueeze(three(x.builder), [1, 2])),
        image,
      ),
    ],
    [
      'operands along the last axes',
      both(
        1,
        (b, x) =>
          add(
            b,
            'Mul',
            [x, b.initializer('c', vector('float32', 1, 2, 3, 4, 5))],
            { broadcast: int(1), ...none },
            x,
          ),
        (x) => op.mul(x, x.builder.initializer('c', vector('float32', 1, 2, 3, 4, 5))),
        image,
      ),
    ],
    [
      'slopes by channel',
      both(
        6,
        (b, x) => add(b, 'PRelu', [x, three(b)], {}, x),
        (x) => op.prelu(x, op.unsqueeze(three(x.builder), [1, 2])),
        image,
      ),
    ],
    [
      'casts by name',
      both(
        1,
        (b, x) =>
          add(
            b,
            'Cast',
            [
              b.node(
                'Cast',
                [x],
                { to: text('INT32') },
                { types: [{ kind: 'tensor', dtype: 'int32', shape: image }] },
              )[0]!,
            ],
            { to: text('FLOAT') },
            x,
          ),
        (x) => op.cast(op.cast(x, 'int32'), 'float32'),
        image,
      ),
    ],
    [
      'shapes as attributes',
      both(
        1,
        (b, x) => add(b, 'Reshape', [x], { shape: ints(2, -1), consumed_inputs: ints(0) }, x, [2, 60]),
        (x) => op.reshape(x, [2, -1]),
        image,
      ),
    ],
    [
      'paddings',
      both(
        1,
        (b, x) => add(b, 'Pad', [x], { paddings: ints(0, 1, 1, 0), value: float(2) }, x, [3, 4]),
        (x) => op.pad(x, [0, 1, 1, 0], { value: 2 }),
        [2, 3],
      ),
    ],
    [
      'concatenation by default along axis 1',
      both(
        1,
        (b, x) => add(b, 'Concat', [x, x], {}, x, [2, 6]),
        (x) => op.concat([x, x], 1),
        [2, 3],
      ),
    ],
    [
      'scales by side',
      both(
        1,
        (b, x) => add(b, 'Upsample', [x], { height_scale: float(2), width_scale: float(3) }, x, [1, 1, 4, 9]),
        (x) => op.reshape(op.expand(op.reshape(x, [1, 1, 2, 1, 3, 1]), [1, 1, 2, 2, 3, 3]), [1, 1, 4, 9]),
        [1, 1, 2, 3],
      ),
    ],
    [
      'units of rounded defaults',
      both(
        1,
        (b, x) => add(b, 'Selu', [x], {}, x),
        (x) => x.builder.node('Selu', [x], { alpha: float(1.6732), gamma: float(1.0507) })[0]!,
        image,
      ),
    ],
    [
      'dropout and normalisation in test',
      both(
        6,
        (b, x) => {
          const all = [x, ...[1, 2, 3, 4].map((i) => b.initializer(`c${i}`, vector('float32', i, 1, 1)))]
          return add(
            b,
            'Dropout',
            [add(b, 'BatchNormalization', all, { is_test: int(1) }, x)],
            { is_test: int(1) },
            x,
          )
        },
        (x) =>
          op.batchNormalization(
            x,
            ...([1, 2, 3, 4].map((i) => x.builder.initializer(`c${i}`, vector('float32', i, 1, 1))) as [
              Value,
              Value,
              Value,
              Value,
            ]),
          ),
        image,
      ),
    ],
  ]

  it.each(pairs)('understands %s', async (_, [old, now]) => {
    const shape = shapeOf(old)
    const x = tensor(
      'float32',
      shape,
      Array.from({ length: elementCount(shape) }, (_, i) => 3 * Math.sin(1 + i)),
    )
    const [found, expected] = [await run(upgrade(old), { x }), await run(now, { x })]
    expect(relativeError(found['y']!, expected['y']!)).toBeLessThan(1e-6)
  })
})

function shapeOf(graph: Graph): number[] {
  const type = graph.inputs[0]?.type
  return type?.kind === 'tensor' ? (type.shape ?? []).map(Number) : []
}
