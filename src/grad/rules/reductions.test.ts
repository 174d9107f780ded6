import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { gradientsOf } from '../testing/at.ts'
import { checkGradients, numbers } from '../testing/check.ts'
import { itAgreesWithPyTorch } from '../testing/reference.ts'

const shapes = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 })
const axesOf = (rank: number) =>
  fc.option(fc.subarray([...Array(rank).keys()], { minLength: 1 }), { nil: undefined })

describe('Gradients of reductions', () => {
  const reductions = {
    ReduceSum: op.reduceSum,
    ReduceMean: op.reduceMean,
    ReduceMax: op.reduceMax,
    ReduceMin: op.reduceMin,
    ReduceProd: op.reduceProd,
    ReduceL1: op.reduceL1,
    ReduceL2: op.reduceL2,
    ReduceSumSquare: op.reduceSumSquare,
    ReduceLogSumExp: op.reduceLogSumExp,
    ReduceLogSum: (x: Value, axes?: readonly number[], { keepDims = false } = {}) =>
      x.builder.node('ReduceLogSum', [x], {
        ...(axes && { axes: { type: 'ints', value: axes } as const }),
        keepdims: { type: 'int', value: Number(keepDims) },
      })[0]!,
  }
  for (const [name, reduce] of Object.entries(reductions)) {
    it(`${name}: agree with finite differences over any axes, of known sizes or not`, async () => {
      const low = name === 'ReduceLogSum' ? 0.2 : -1
      const runs = shapes.chain((shape) =>
        fc.tuple(fc.constant(shape), axesOf(shape.length), fc.boolean(), fc.boolean(), fc.boolean()),
      )
      await fc.assert(
        fc.asyncProperty(runs, async ([shape, axes, keepDims, isNegative, isSymbolic]) => {
          const given = isNegative ? axes?.map((axis) => axis - shape.length) : axes
          await checkGradients(([x]) => reduce(x!, given, { keepDims }), [numbers(shape, 2, low)], {
            shapes: isSymbolic ? [shape.map((_, axis) => `size${axis}`)] : [],
          })
        }),
        { numRuns: 8, seed: 3 },
      )
    })
  }

  it('with the axes as an input, or none of them', async () => {
    const inputs = [numbers([2, 3])]
    for (const name of ['ReduceMean', 'ReduceMax', 'ReduceProd', 'ReduceL2']) {
      const reduce = (x: Value) => x.builder.node(name, [x, x.builder.constant([-1])])[0]!
      await checkGradients(([x]) => reduce(x!), inputs, { opset: 18, shapes: [['batch', 'width']] })
    }
    const none = { noop_with_empty_axes: { type: 'int', value: 1 } } as const
    await checkGradients(([x]) => op.mul(x!.builder.node('ReduceSum', [x!], none)[0]!, x!), inputs)
  })

  it('of equal extremes are shared evenly, as by torch.amax', async () => {
    const x = tensor('float32', [2, 3], [1, 3, 3, 2, 2, 2])
    expect(await gradientsOf((v) => op.reduceMax(v, [1]), x)).toEqual(
      [0, 0.5, 0.5, 1 / 3, 1 / 3, 1 / 3].map(Math.fround),
    )
    expect((await gradientsOf((v) => op.reduceMin(v, [1]), x)).slice(0, 3)).toEqual([1, 0, 0])
  })

  it('of products with zeros are those of the other factors', async () => {
    const x = tensor('float32', [3, 3], [2, 0, 3, 0, 0, 5, 2, 3, 4])
    expect(await gradientsOf((v) => op.reduceProd(v, [1]), x)).toEqual([0, 6, 0, 0, 0, 0, 12, 8, 6])
  })

  it('of a norm of 0 are 0, as PyTorch’s', async () => {
    const x = tensor('float32', [2, 2], [0, 0, 3, 4])
    const [a, b, c, d] = await gradientsOf((v) => op.reduceL2(v, [1]), x)
    expect([a, b]).toEqual([0, 0])
    expect(c).toBeCloseTo(0.6, 6)
    expect(d).toBeCloseTo(0.8, 6)
  })
})

describe('Gradients of reductions', () => {
  const attribute = (axes: readonly number[], x: Value) => x.builder.constant(axes)
  itAgreesWithPyTorch('reductions', {
    // x.sum((0, 2))
    sum: (x) => op.reduceSum(x!, [0, 2]),
    // x.mean((0, 2), keepdim=True)
    mean: (x) => op.reduceMean(x!, [0, 2], { keepDims: true }),
    // x.amax(1)
    amax: (x) => op.reduceMax(x!, [1]),
    // x.amin(1)
    amin: (x) => op.reduceMin(x!, attribute([1], x!)),
    // x.amax((0, 1))
    'amax of all': (x) => op.reduceMax(x!),
    // x.prod(1)
    prod: (x) => op.reduceProd(x!, [1]),
    // torch.linalg.vector_norm(x, 2, 1)
    norm: (x) => op.reduceL2(x!, [1]),
    // torch.linalg.vector_norm(x, 1, 1)
    'norm of order 1': (x) => op.reduceL1(x!, [1]),
    // x.logsumexp(1)
    logsumexp: (x) => op.reduceLogSumExp(x!, [1]),
    // x.square().sum(-1)
    'sum of squares': (x) => op.reduceSumSquare(x!, [-1]),
    // F.normalize(x, dim=-1)
    normalize: (x) => op.div(x!, op.clip(op.reduceL2(x!, [-1], { keepDims: true }), 1e-12)),
  })
})
