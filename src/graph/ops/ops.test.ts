import { describe, expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { Builder, op, type Value } from '../index.ts'
import { run as evaluate } from '../testing/run.ts'

/** Runs `build` on x = [[1, -2, 3, 4], [0, 5, -6, 7]]. */
async function run(opset: number, build: (x: Value) => Value) {
  const b = new Builder({ opset })
  const y = build(b.input('x', 'float32', ['n', 4]))
  b.output('y', y)
  const { y: result } = await evaluate(b.build(), {
    x: tensor('float32', [2, 4], [1, -2, 3, 4, 0, 5, -6, 7]),
  })
  return { shape: result!.shape, data: Array.from(result!.data as Float32Array, (value) => value + 0) }
}

describe.each([9, 11, 13, 17, 18, 20])('with operator set %i', (opset) => {
  it.each<[string, (x: Value) => Value, number[], number[]]>([
    ['clip', (x) => op.clip(x, -1, 3), [2, 4], [1, -1, 3, 3, 0, 3, -1, 3]],
    ['reduceSum', (x) => op.reduceSum(x, [1]), [2], [6, 6]],
    ['reduceMean', (x) => op.reduceMean(x, [1], { keepDims: true }), [2, 1], [1.5, 1.5]],
    ['reduceMax', (x) => op.reduceMax(x), [], [7]],
    [
      'squeeze and unsqueeze',
      (x) => op.squeeze(op.unsqueeze(x, [0, 3]), [0, 3]),
      [2, 4],
      [1, -2, 3, 4, 0, 5, -6, 7],
    ],
    ['split', (x) => op.split(x, [1, 3], 1)[1]!, [2, 3], [-2, 3, 4, 5, -6, 7]],
    ['split in equal parts', (x) => op.split(x, 2, 1)[0]!, [2, 2], [1, -2, 0, 5]],
    ['slice', (x) => op.slice(x, [1], [3], { axes: [1] }), [2, 2], [-2, 3, 5, -6]],
    ['pad', (x) => op.pad(op.slice(x, [0], [1]), [0, 1, 0, 0], { value: 9 }), [1, 5], [9, 1, -2, 3, 4]],
    ['topK', (x) => op.topK(x, 1)[0], [2, 1], [4, 7]],
    ['dropout', (x) => op.dropout(x, 0.5), [2, 4], [1, -2, 3, 4, 0, 5, -6, 7]],
    ['shape of some axes', (x) => op.cast(op.shape(x, 0, 1), 'float32'), [1], [2]],
    ['softmax', (x) => op.reduceSum(op.softmax(x), [1]), [2], [1, 1]],
    ['where', (x) => op.where(op.greater(x, 0), x, 0), [2, 4], [1, 0, 3, 4, 0, 5, 0, 7]],
  ])('%s', async (_, build, shape, data) => {
    const result = await run(opset, build)
    expect(result.shape).toEqual(shape)
    for (const [i, value] of data.entries()) expect(result.data[i]).toBeCloseTo(value, 5)
  })

  it('layerNormalization', async () => {
    const { data } = await run(opset, (x) => {
      const ones = x.builder.initializer('w', tensor('float32', [4], [1, 1, 1, 1]))
      return op.layerNormalization(x, ones, ones)
    })
    expect(data[0]).toBeCloseTo(1 - 0.5 / Math.sqrt(5.25), 4)
  })
})

describe('operators', () => {
  it('resize, convTranspose, oneHot, scatter and others build what the runtime takes', async () => {
    const grid = await run(17, (x) => {
      const image = op.reshape(x, [1, 2, 2, 2])
      const weight = x.builder.initializer('w', tensor('float32', [2, 1, 2, 2], Array(8).fill(1)))
      return op.resize(op.convTranspose(image, weight, undefined, { strides: [2, 2] }), {
        sizes: [1, 1, 2, 2],
      })
    })
    expect(grid).toEqual({ shape: [1, 1, 2, 2], data: [1, 3, -3, 11] })
    const scattered = await run(17, (x) => {
      const b = x.builder
      const at = op.unsqueeze(b.constant([1, 1]), [1])
      const updates = op.unsqueeze(b.constant([10, 20], 'float32'), [1])
      return op.scatterElements(x, at, updates, { axis: 1, reduction: 'add' })
    })
    expect(scattered.data).toEqual([1, 8, 3, 4, 0, 25, -6, 7])
    const hot = await run(17, (x) => op.oneHot(op.argMax(x, 1), 4, x.builder.constant([0, 1], 'float32')))
    expect(hot).toEqual({ shape: [2, 4], data: [0, 0, 0, 1, 0, 0, 0, 1] })
    const lower = await run(17, (x) => op.trilu(op.cumSum(x, 1), false))
    expect(lower.data).toEqual([1, 0, 0, 0, 0, 5, 0, 0])
  })

  it('refuse what an operator set cannot say', () => {
    const x = new Builder({ opset: 11 }).input('x', 'float32', [2, 3])
    expect(() => op.softmax(x, 0)).toThrow(expect.objectContaining({ code: 'OPERATOR_UNSUPPORTED' }))
    expect(() => op.unsqueeze(x, op.shape(x))).toThrow(
      expect.objectContaining({ code: 'OPERATOR_UNSUPPORTED' }),
    )
    expect(() => op.add(1, 2)).toThrow(expect.objectContaining({ code: 'GRAPH_INVALID' }))
  })
})
