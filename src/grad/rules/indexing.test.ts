import { describe, expect, it } from 'vitest'
import { op, type Value } from '../../graph/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { gradientsOf } from '../testing/at.ts'
import { checkGradients, numbers } from '../testing/check.ts'
import { itAgreesWithPyTorch } from '../testing/reference.ts'

/** Integers below `limit`, many of them equal. */
const indices = (shape: readonly number[], limit: number, negative = false): Tensor => {
  const count = shape.reduce((a, b) => a * b, 1)
  const at = (i: number) => (i * i * 7 + i) % limit
  return tensor(
    'int64',
    shape,
    Array.from({ length: count }, (_, i) => (negative && i % 2 ? at(i) - limit : at(i))),
  )
}

describe('Gradients of gathering', () => {
  it('Gather along any axis, with indices of any rank', async () => {
    for (const axis of [0, 1, 2, -1]) {
      for (const shape of [[], [5], [2, 3]]) {
        const build = ([x, at]: readonly Value[]) => op.gather(x!, at!, axis)
        await checkGradients(build, [numbers([3, 3, 3]), indices(shape, 3, true)])
        await checkGradients(build, [numbers([3, 3, 3]), indices(shape, 3)], {
          shapes: [['a', 'b', 3], shape.map((_, i) => `n${i}`)],
        })
      }
    }
  })

  it('Gather at places known beforehand', async () => {
    const shapes = [[], ['batch', 'time', 3]] as const
    for (const shape of shapes) {
      const options = { shapes: shape.length > 0 ? [shape] : [] }
      for (const at of [0, 2, -1, -3])
        await checkGradients(([x]) => op.gather(x!, at, 1), [numbers([2, 4, 3])], options)
      for (const at of [
        [1, 2],
        [-2, -1],
        [-1, 0],
        [2, 0, 2],
        [3, 1],
      ])
        await checkGradients(
          ([x]) => op.gather(x!, x!.builder.constant(at), 1),
          [numbers([2, 4, 3])],
          options,
        )
    }
  })

  it('an embedding table whose rows are read many times, 40 times with two threads', async () => {
    const build = ([table, ids]: readonly Value[]) => op.gather(table!, ids!)
    await checkGradients(build, [numbers([20, 64]), indices([16, 64], 20)], {
      shapes: [undefined, ['batch', 'time']],
      runs: 40,
      elements: 12,
    })
  })

  it('GatherElements, also of fewer rows than there are', async () => {
    for (const axis of [0, 1, -1]) {
      const build = ([x, at]: readonly Value[]) => op.gatherElements(x!, at!, axis)
      await checkGradients(build, [numbers([3, 3]), indices([2, 3], 3, true)])
      await checkGradients(build, [numbers([3, 3]), indices([2, 3], 3)], {
        shapes: [
          ['a', 'b'],
          ['m', 'n'],
        ],
      })
    }
    await checkGradients(
      ([x, at]) => op.gatherElements(x!, at!, 0),
      [numbers([4, 64]), indices([300, 64], 4)],
      {
        runs: 40,
        elements: 12,
      },
    )
  })

  it('GatherND, with and without batch axes', async () => {
    const cases = [
      [[3, 3], [4, 2], 0],
      [[3, 3, 2], [2, 2, 1], 0],
      [[3, 3, 2], [5, 2], 0],
      [[2, 3, 3, 2], [2, 4, 2], 1],
      [[2, 3, 3], [2, 3, 1], 2],
    ] as const
    for (const [data, at, batch] of cases) {
      const build = ([x, places]: readonly Value[]) => op.gatherND(x!, places!, batch)
      await checkGradients(build, [numbers(data), indices(at, 2, true)])
      await checkGradients(build, [numbers(data), indices(at, 2)], { shapes: [data.map((_, i) => `d${i}`)] })
    }
    await checkGradients(([x, at]) => op.gatherND(x!, at!), [numbers([4, 4, 32]), indices([400, 2], 4)], {
      runs: 40,
      elements: 12,
    })
  })
})

describe('Gradients of scattering', () => {
  it('ScatterElements with every reduction', async () => {
    const distinct = tensor('int64', [2, 3], [0, 2, 1, 3, 0, -1])
    const repeated = tensor('int64', [2, 3], [0, 2, 1, 0, 2, -3])
    for (const reduction of ['none', 'add', 'mul', 'max', 'min'] as const) {
      const build = ([x, at, updates]: readonly Value[]) =>
        op.scatterElements(x!, at!, updates!, { axis: 0, reduction })
      for (const at of reduction === 'none' ? [distinct] : [distinct, repeated]) {
        const inputs = [numbers([4, 3]), at, numbers([2, 3], 4)]
        await checkGradients(build, inputs, { opset: 18 })
        const shapes = [['rows', 3], undefined, ['n', 3]]
        await checkGradients(build, inputs, { opset: 18, shapes })
      }
    }
  })

  it('ScatterElements mul with zeros', async () => {
    const at = tensor('int64', [4, 3], [0, 0, 1, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    const updates = tensor('float64', [4, 3], [0, 2, 0, 3, 4, 0, 0, 2, 2, 5, 0, 1])
    const build = ([x, places, factors]: readonly Value[]) =>
      op.scatterElements(x!, places!, factors!, { axis: 0, reduction: 'mul' })
    await checkGradients(build, [numbers([3, 3]), at, updates])
  })

  it('ScatterElements that sums or multiplies, 40 times with two threads', async () => {
    for (const reduction of ['add', 'mul'] as const) {
      const build = ([x, at, updates]: readonly Value[]) =>
        op.scatterElements(x!, at!, updates!, { axis: 0, reduction })
      const inputs = [numbers([4, 64], 0, 0.9, 1), indices([40, 64], 4), numbers([40, 64], 1, 0.9, 1)]
      await checkGradients(build, inputs, { runs: 40, elements: 8 })
    }
  })

  it('ScatterND that replaces; what it cannot is an error', async () => {
    const inputs = [numbers([4, 3]), tensor('int64', [2, 1], [2, 0]), numbers([2, 3], 1)]
    await checkGradients(([x, at, updates]) => op.scatterND(x!, at!, updates!), inputs)
    await checkGradients(([x, at, updates]) => op.scatterND(x!, at!, updates!, 'add'), inputs)
    const product = checkGradients(([x, at, updates]) => op.scatterND(x!, at!, updates!, 'mul'), inputs)
    await expect(product).rejects.toThrow(/ScatterND at "ScatterND" with reduction mul has no gradient/)
  })

  it('reading several times the same place in an older operator set', async () => {
    const inputs = [numbers([4, 3]), indices([5], 4)]
    await checkGradients(([x, at]) => op.gather(x!, at!), inputs, { opset: 12 })
  })
})

describe('Gradients of choosing', () => {
  it('TopK, the largest or smallest along any axis', async () => {
    for (const axis of [0, 1]) {
      for (const largest of [true, false]) {
        const build = ([x]: readonly Value[]) => op.topK(x!, 2, { axis, largest })[0]
        await checkGradients(build, [numbers([3, 4])], { shapes: [axis === 0 ? [3, 'n'] : ['batch', 4]] })
      }
    }
  })

  it('OneHot, by its two values', async () => {
    const inputs = [tensor('int64', [2, 2], [0, 2, 1, 2]), numbers([2])]
    for (const axis of [-1, 0, 1])
      await checkGradients(([at, values]) => op.oneHot(at!, 3, values!, axis), inputs)
  })

  it('Unique, by the first of equals', async () => {
    const x = tensor('float32', [2, 3], [3, 1, 3, 2, 1, 5])
    const build = (v: Value) => {
      const values = op.unique(v)[0]!
      return op.mul(values, values)
    }
    expect(await gradientsOf(build, x)).toEqual([6, 2, 0, 4, 0, 10])
  })
})

describe('Gradients of indexing', () => {
  const scatter = (reduction?: 'add' | 'mul' | 'max' | 'min') => (x?: Value, at?: Value, updates?: Value) =>
    op.scatterElements(x!, at!, updates!, { axis: 0, ...(reduction && { reduction }) })
  itAgreesWithPyTorch('indexing', {
    // F.embedding(ids, table)
    embedding: (table, ids) => op.gather(table!, ids!),
    // x[:, -1]
    select: (x) => op.gather(x!, -1, 1),
    // x.gather(0, at)
    gather: (x, at) => op.gatherElements(x!, at!, 0),
    // x[at[:, 0], at[:, 1]]
    index: (x, at) => op.gatherND(x!, at!),
    // x.scatter(0, at, updates)
    scatter: scatter(),
    // x.scatter_add(0, at, updates)
    scatter_add: scatter('add'),
    // x.scatter_reduce(0, at, updates, 'prod'), 'amax', 'amin'
    'scatter_reduce prod': scatter('mul'),
    'scatter_reduce amax': scatter('max'),
    'scatter_reduce amin': scatter('min'),
    // x.topk(2, 1).values
    topk: (x) => op.topK(x!, 2, { axis: 1 })[0],
  })
})
