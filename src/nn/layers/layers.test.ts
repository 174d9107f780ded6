import { describe, expect, it } from 'vitest'
import { Builder, initializersToInputs, op, parametersOf, updatesOf, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import {
  activation,
  batchNorm2d,
  conv2d,
  dropout,
  linear,
  type Parameters,
  parametersFrom,
} from '../index.ts'

async function run(
  shape: number[],
  data: number[],
  weights: Record<string, Tensor>,
  build: (x: Value, parameters: Parameters) => Value,
) {
  const b = new Builder()
  const x = b.input('x', 'float32', ['batch', ...shape.slice(1)])
  b.output('y', build(x, parametersFrom(b, new Map(Object.entries(weights)))))
  const { y } = await evaluate(b.build(), { x: tensor('float32', shape, data) })
  return { shape: y!.shape, data: Array.from(y!.data as Float32Array) }
}

describe('layers', () => {
  it('linear multiplies by the transposed weight', async () => {
    const weights = {
      'fc.weight': tensor('float32', [2, 3], [1, 0, 0, 0, 1, 1]),
      'fc.bias': tensor('float32', [2], [10, 20]),
    }
    const { data } = await run([1, 3], [1, 2, 3], weights, (x, p) => linear(p, 'fc', x, 2))
    expect(data).toEqual([11, 25])
    const bare = await run([1, 3], [1, 2, 3], weights, (x, p) => linear(p, 'fc', x, 2, { bias: false }))
    expect(bare.data).toEqual([1, 5])
  })

  it('conv2d slides a padded, strided, grouped kernel', async () => {
    const weights = {
      'c.weight': tensor('float32', [2, 1, 3, 3], [...Array(9).fill(1), ...Array(9).fill(2)]),
    }
    const options = { kernel: 3, stride: 2, padding: 1, groups: 2, bias: false }
    const { shape, data } = await run([1, 2, 3, 3], Array(18).fill(1), weights, (x, p) =>
      conv2d(p, 'c', x, 2, options),
    )
    expect({ shape, data }).toEqual({ shape: [1, 2, 2, 2], data: [4, 4, 4, 4, 8, 8, 8, 8] })
  })

  it('batchNorm2d uses running statistics in inference', async () => {
    const one = (value: number) => tensor('float32', [1], [value])
    const weights = {
      'n.weight': one(2),
      'n.bias': one(1),
      'n.running_mean': one(3),
      'n.running_var': one(4),
    }
    const inference = await run([1, 1, 1, 2], [3, 7], weights, (x, p) =>
      batchNorm2d(p, 'n', x, { epsilon: 0 }),
    )
    expect(inference.data).toEqual([1, 5])
  })

  it('batchNorm2d uses the batch’s statistics while training, and updates its buffers by them', async () => {
    const one = (value: number) => tensor('float32', [1], [value])
    const weights = new Map([
      ['n.weight', one(2)],
      ['n.bias', one(1)],
      ['n.running_mean', one(5)],
      ['n.running_var', one(4)],
      ['n.num_batches_tracked', tensor('int64', [], [7])],
    ])
    const train = async (momentum?: number) => {
      const b = new Builder()
      const parameters = parametersFrom(b, weights, { mode: 'training' })
      const x = b.input('x', 'float32', ['batch', 1, 1, 2])
      b.output('y', batchNorm2d(parameters, 'n', x, { epsilon: 0, ...(momentum ? { momentum } : {}) }))
      const graph = b.build()
      expect(graph.outputs.map(({ name }) => name)).toEqual([
        'y',
        'n.running_mean.next',
        'n.running_var.next',
        'n.num_batches_tracked.next',
      ])
      const results = await evaluate(graph, { x: tensor('float32', [2, 1, 1, 2], [1, 2, 3, 6]) })
      return [...updatesOf(graph)].map(([name, output]) => [name, Number(results[output]!.data[0])] as const)
    }
    // The mean is 3, the squared differences add up to 14: over n - 1 = 3 elements.
    const expected = { 'n.running_mean': 0.9 * 5 + 0.1 * 3, 'n.running_var': 0.9 * 4 + (0.1 * 14) / 3 }
    const found = Object.fromEntries(await train())
    for (const [name, value] of Object.entries(expected)) expect(found[name], name).toBeCloseTo(value, 5)
    expect(found['n.num_batches_tracked']).toBe(8)
    expect(Object.fromEntries(await train(0.01))['n.running_mean']).toBeCloseTo(0.99 * 5 + 0.01 * 3, 5)
  })

  it('batchNorm2d leaves what it is fed alone, and tells layers apart whose buffers start alike', async () => {
    const b = new Builder()
    const parameters = parametersFrom(b, undefined, { mode: 'training' })
    const x = b.input('x', 'float32', ['batch', 2, 1, 2])
    b.output('y', batchNorm2d(parameters, 'b', op.add(batchNorm2d(parameters, 'a', x), 3)))
    const graph = b.build()
    const feed = () => tensor('float32', [2, 2, 1, 2], [1, 2, 3, 6, 5, 4, 9, 8])
    const means = (results: Readonly<Record<string, Tensor>>) =>
      ['a', 'b'].map((name) => Array.from(results[`${name}.running_mean.next`]!.data as Float32Array))
    const expected = [
      [0.3, 0.65],
      [0.3, 0.3],
    ]
    const near = (found: number[][]) =>
      found.forEach((row, i) => {
        for (const [j, value] of row.entries()) expect(value).toBeCloseTo(expected[i]![j]!, 5)
      })
    near(means(await evaluate(graph, { x: feed() })))
    const buffers = parametersOf(graph).filter(({ role }) => role === 'buffer')
    const fed = initializersToInputs(
      graph,
      buffers.map(({ name }) => name),
    )
    const feeds: Record<string, Tensor> = {
      ...Object.fromEntries(buffers.map(({ name }) => [name, graph.initializers.get(name) as Tensor])),
      x: feed(),
    }
    near(means(await evaluate(fed, feeds)))
    expect(Array.from(feeds['a.running_mean']!.data as Float32Array)).toEqual([0, 0])
    expect(Array.from(feeds['b.running_var']!.data as Float32Array)).toEqual([1, 1])
  })

  it('dropout drops only while training, and refuses what is no probability', () => {
    const x = new Builder().input('x', 'float32', [2])
    expect(dropout(x, 0.5, 'inference')).toBe(x)
    expect(dropout(x, 0, 'training')).toBe(x)
    for (const p of [-0.1, 1.1, Number.NaN]) {
      expect(() => dropout(x, p, 'training')).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
    }
  })

  it.each([
    ['gelu', [-0.158655, 0.841345]],
    ['gelu_new', [-0.158808, 0.841192]],
    ['quick_gelu', [-0.154205, 0.845795]],
    ['silu', [-0.268941, 0.731059]],
    ['relu', [0, 1]],
    ['mish', [-0.303401, 0.865098]],
  ])('activation %s', async (name, expected) => {
    const { data } = await run([1, 2], [-1, 1], {}, (x) => activation(name)(x))
    for (const [i, value] of expected.entries()) expect(data[i]).toBeCloseTo(value, 5)
  })
})
