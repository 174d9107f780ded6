import { expect, it } from 'vitest'
import { Builder, op } from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import { tensor } from '../tensor/index.ts'
import { grad } from './grad.ts'

it('A graph of an older operator set is raised before it is differentiated', async () => {
  const b = new Builder({ opset: 8 })
  const x = b.input('x', 'float32', [2, 3])
  b.output('loss', b.node('ReduceSum', [op.mul(x, x)], { keepdims: { type: 'int', value: 0 } })[0]!)
  const step = grad(b.build(), { of: 'loss', by: ['x'] })
  expect(step.opsets.get('')).toBe(17)
  const numbers = tensor('float32', [2, 3], [1, 2, 3, -4, 5, 6])
  const found = await evaluate(step, { x: numbers })
  expect([...(found['x.grad']!.data as Float32Array)]).toEqual([2, 4, 6, -8, 10, 12])
})
