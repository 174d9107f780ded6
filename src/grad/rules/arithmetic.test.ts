import { describe, expect, it } from 'vitest'
import { op } from '../../graph/index.ts'
import { checkGradients, numbers } from '../testing/check.ts'

describe('Gradients of arithmetic', () => {
  it('agree with finite differences, broadcast or not', async () => {
    for (const [a, b] of [
      [
        [2, 3],
        [2, 3],
      ],
      [[2, 3], [3]],
      [
        [2, 1],
        [4, 1, 3],
      ],
      [[], [2, 2]],
    ]) {
      const done = await checkGradients(([x, y]) => op.mul(op.add(x!, y!), y!), [numbers(a!), numbers(b!, 1)])
      expect(done).toEqual({ numeric: 'float64', analytic: 'float64' })
    }
  })
})
