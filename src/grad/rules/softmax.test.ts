import { describe, it } from 'vitest'
import { op } from '../../graph/index.ts'
import { checkGradients, numbers } from '../testing/check.ts'

describe('Gradients of softmax agree with finite differences', () => {
  it('Softmax and LogSoftmax along any axis', async () => {
    for (const build of [op.softmax, op.logSoftmax]) {
      for (const axis of [0, 1, 2, -1, -2])
        await checkGradients(([x]) => build(x!, axis), [numbers([2, 3, 4])], {
          shapes: [['batch', 3, 'time']],
        })
    }
  })

  it('before operator set 13, over all axes from the given one on', async () => {
    for (const name of ['Softmax', 'LogSoftmax']) {
      await checkGradients(([x]) => x!.builder.node(name, [x!])[0]!, [numbers([2, 3, 2])], { opset: 11 })
    }
  })
})
