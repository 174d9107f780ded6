import { describe, expect, it } from 'vitest'
import { Builder, type Value } from '../../graph/index.ts'
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

  it('batchNorm2d uses running statistics, or the batch’s own and hands them on', async () => {
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
    const variance = await run([2, 1, 1, 2], [1, 2, 3, 6], weights, (x, p) => {
      let kept: Value | undefined
      batchNorm2d(p, 'n', x, { mode: 'training', onStatistics: (_, { variance }) => (kept = variance) })
      return kept!
    })
    expect(variance.data[0]).toBeCloseTo(14 / 3, 5)
  })

  it('dropout multiplies by a mask that is fed, and only while training', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [2])
    expect(dropout(x, 0.5, 'inference')).toBe(x)
    b.output(
      'y',
      b.scope('head', () => dropout(x, 0.5, 'training')),
    )
    const { y } = await evaluate(b.build(), {
      x: tensor('float32', [2], [3, 4]),
      'head.dropout_mask': tensor('float32', [2], [0, 2]),
    })
    expect(Array.from(y!.data as Float32Array)).toEqual([0, 8])
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
