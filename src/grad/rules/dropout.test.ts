import { describe, expect, it } from 'vitest'
import { Builder, op } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import { grad } from '../grad.ts'
import { checkGradients, numbers } from '../testing/check.ts'

describe('The gradient of Dropout', () => {
  it('is passed on where it does nothing', async () => {
    await checkGradients(([x]) => op.mul(op.dropout(x!, 0.3), 2), [numbers([3, 4])], {
      shapes: [['batch', 4]],
    })
    await checkGradients(([x]) => op.mul(op.dropout(x!, 0.3), 2), [numbers([3, 4])], { opset: 11 })
    const off = ([x]: readonly Parameters<typeof op.dropout>[0][]) =>
      op.dropout(x!, 0.3, x!.builder.constant(false, 'bool'))
    await checkGradients(off, [numbers([3, 4])])
  })

  it('passes where and as the value does', async () => {
    for (const training of [true, false]) {
      const b = new Builder()
      const x = b.input('x', 'float32', ['batch', 16])
      const y = b.output('y', op.dropout(x, 0.4, b.input('training', 'bool', [])))
      b.output('loss', op.reduceSum(y))
      const results = await evaluate(grad(b.build(), { of: 'loss', by: ['x'] }), {
        x: tensor('float32', [16, 16], new Array(256).fill(1)),
        training: tensor('bool', [], [training ? 1 : 0]),
      })
      expect(results['x.grad']!.data).toEqual(results['y']!.data)
      const dropped = (results['y']!.data as Float32Array).filter((value) => value === 0).length
      if (training) expect(dropped).toBeGreaterThan(50)
      else expect(dropped).toBe(0)
    }
  })
})
