import { describe, it } from 'vitest'
import { op, type Value } from '../../graph/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { checkGradients, numbers } from '../testing/check.ts'

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
})
