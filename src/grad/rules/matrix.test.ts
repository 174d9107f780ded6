import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Builder, op } from '../../graph/index.ts'
import { grad } from '../grad.ts'
import { checkGradients, numbers } from '../testing/check.ts'
import { itAgreesWithPyTorch } from '../testing/reference.ts'

describe('Gradients of matrix products', () => {
  const ranks: readonly (readonly [a: number[], b: number[], symbols?: readonly (string | number)[]])[] = [
    [[3], [3]],
    [[3], [3, 2]],
    [[2, 3], [3]],
    [
      [2, 3],
      [3, 4],
      ['batch', 3],
    ],
    [[3], [2, 3, 4]],
    [[2, 4, 3], [3]],
    [
      [2, 2, 3],
      [3, 4],
      ['batch', 'time', 3],
    ],
    [
      [2, 2, 2, 3],
      [3, 4],
      ['batch', 'time', 2, 3],
    ],
    [
      [2, 3],
      [4, 3, 2],
    ],
    [
      [2, 2, 3],
      [2, 3, 4],
    ],
    [
      [2, 1, 2, 3],
      [3, 3, 2],
      ['batch', 1, 'time', 3],
    ],
    [
      [4, 1, 3],
      [2, 1, 3, 2],
    ],
    [
      [1, 2, 3],
      [4, 3, 2],
    ],
  ]
  for (const [a, b, symbols] of ranks) {
    it(`MatMul of [${a}] and [${b}]`, async () => {
      await checkGradients(([x, y]) => op.matMul(x!, y!), [numbers(a), numbers(b, 1)])
      if (symbols) {
        const shapes = [symbols]
        await checkGradients(([x, y]) => op.matMul(x!, y!), [numbers(a), numbers(b, 1)], { shapes })
      }
    })
  }

  it('of a product by a transposed value need no transposition of the result', async () => {
    const cases = [
      [
        [4, 3],
        [2, 3],
        [1, 0],
      ],
      [
        [2, 4, 3],
        [5, 3],
        [1, 0],
      ],
      [
        [2, 4, 3],
        [2, 5, 3],
        [0, 2, 1],
      ],
      [
        [2, 2, 4, 3],
        [2, 5, 2, 3],
        [0, 2, 3, 1],
      ],
    ] as const
    for (const [a, b, order] of cases)
      await checkGradients(([x, w]) => op.matMul(x!, op.transpose(w!, order)), [numbers(a), numbers(b, 1)])
    const builder = new Builder()
    const x = builder.input('x', 'float32', ['batch', 'time', 3])
    const weight = builder.input('weight', 'float32', [5, 3])
    builder.output('loss', op.reduceSum(op.matMul(x, op.transpose(weight, [1, 0]))))
    const { nodes } = grad(builder.build(), { of: 'loss', by: ['weight'] })
    expect(nodes.at(-1)).toMatchObject({ op: 'MatMul', outputs: ['weight.grad'] })
    expect(nodes.filter((node) => node.op === 'MatMul').length).toBe(2)
  })

  it('Gemm, transposed or not, with every broadcast of what is added', async () => {
    const added = fc.constantFrom(undefined, [], [1], [4], [3, 1], [1, 4], [3, 4])
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.boolean(),
        added,
        fc.constantFrom(1, 0.5),
        fc.boolean(),
        async (transA, transB, c, factor, isSymbolic) => {
          const options = { transA, transB, alpha: factor, beta: 2 * factor }
          const a = transA ? [2, 3] : [3, 2]
          const b = transB ? [4, 2] : [2, 4]
          await checkGradients(
            ([x, y, z]) => op.gemm(x!, y!, z, options),
            [numbers(a), numbers(b, 1), ...(c ? [numbers(c, 2)] : [])],
            { shapes: isSymbolic ? [transA ? [2, 'batch'] : ['batch', 2]] : [] },
          )
        },
      ),
      { numRuns: 16, seed: 5 },
    )
    const inputs = [numbers([3, 2]), numbers([4, 2], 1), numbers([4], 2)]
    await checkGradients(([x, y, z]) => op.gemm(x!, y!, z, { transB: true, alpha: 0.5 }), inputs, {
      opset: 9,
    })
  })
})

describe('Gradients of products', () => {
  itAgreesWithPyTorch('matrix', {
    // F.linear(x, weight, bias)
    linear: (x, weight, bias) => op.add(op.matMul(x!, op.transpose(weight!, [1, 0])), bias!),
    // torch.matmul(a, b)
    'matmul of batches': (a, b) => op.matMul(a!, b!),
    'matmul with a vector': (a, b) => op.matMul(a!, b!),
    // torch.addmm(c, a.t(), b.t(), beta=0.5, alpha=2.0)
    addmm: (c, a, b) => op.gemm(a!, b!, c!, { transA: true, transB: true, beta: 0.5, alpha: 2 }),
    // F.scaled_dot_product_attention(q, k, v)
    attention: (q, k, v) => {
      const scores = op.mul(op.matMul(q!, op.transpose(k!, [0, 1, 3, 2])), 0.5)
      return op.matMul(op.softmax(scores), v!)
    },
    // torch.einsum('bhqd,bhkd->bhqk', q, k)
    'einsum bhqd,bhkd->bhqk': (q, k) => op.einsum('bhqd,bhkd->bhqk', q!, k!),
    // torch.einsum('ii,i->i', a, b)
    'einsum ii,i->i': (a, b) => op.einsum('ii,i->i', a!, b!),
  })
})
