import { describe, expect, it } from 'vitest'
import { op } from '../../graph/index.ts'
import { checkGradients, numbers } from '../testing/check.ts'

describe('Gradients of Einsum agree with finite differences', () => {
  const cases: readonly (readonly [equation: string, ...shapes: number[][]])[] = [
    ['ij,jk->ik', [2, 3], [3, 4]],
    ['ij,jk', [2, 3], [3, 4]],
    ['bhqd,bhkd->bhqk', [2, 2, 3, 2], [2, 2, 2, 2]],
    ['bi,bj->bij', [2, 3], [2, 2]],
    ['i,i->', [3], [3]],
    ['i,j->ij', [3], [2]],
    ['ij->ji', [2, 3]],
    ['ij->i', [2, 3]],
    ['ij->', [2, 3]],
    ['ij,kj->k', [2, 3], [4, 3]],
    ['ab,bc,cd->ad', [2, 3], [3, 2], [2, 4]],
    ['...ij,...jk->...ik', [2, 3, 4], [2, 4, 2]],
    ['...ij,jk', [2, 2, 3], [3, 2]],
    ['i...,i...->...', [2, 3], [2, 3]],
    ['a...b->...', [2, 3, 2]],
    ['bi,bi->b', [2, 3], [1, 3]],
    ['ib,bj->ij', [2, 1], [3, 2]],
    ['ii->i', [3, 3]],
    ['ii', [3, 3]],
    ['iij,j->i', [2, 2, 3], [3]],
  ]
  for (const [equation, ...shapes] of cases) {
    it(equation, async () => {
      const inputs = shapes.map((shape, i) => numbers(shape, i))
      await checkGradients((values) => op.einsum(equation, ...values), inputs)
    })
  }

  it('for sizes known only at run time', async () => {
    const build = 'bqd,bkd->bqk'
    await checkGradients(
      (values) => op.einsum(build, ...values),
      [numbers([2, 3, 4]), numbers([2, 2, 4], 1)],
      {
        shapes: [
          ['batch', 'queries', 4],
          ['batch', 'keys', 4],
        ],
      },
    )
    await checkGradients(
      (values) => op.einsum('...d,de->...e', ...values),
      [numbers([2, 3, 4]), numbers([4, 2])],
      {
        shapes: [['batch', 'time', 4]],
      },
    )
    const sized = checkGradients((values) => op.einsum('ii->i', ...values), [numbers([3, 3])], {
      shapes: [['n', 'n']],
    })
    await expect(sized).rejects.toThrow(/repeats i/)
  })
})
