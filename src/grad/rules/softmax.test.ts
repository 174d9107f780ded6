import { describe, expect, it } from 'vitest'
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { checkGradients, numbers } from '../testing/check.ts'
import { itAgreesWithPyTorch } from '../testing/reference.ts'

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

  it('cross entropy with every reduction, weights of classes, and labels that are ignored', async () => {
    const attributes = (reduction: string, ignored: number | undefined) => ({
      reduction: { type: 'string', value: reduction } as const,
      ...(ignored !== undefined && { ignore_index: { type: 'int', value: ignored } as const }),
    })
    for (const name of ['SoftmaxCrossEntropyLoss', 'NegativeLogLikelihoodLoss']) {
      for (const reduction of ['mean', 'sum', 'none']) {
        for (const [ignored, isWeighted] of [
          [undefined, false],
          [-1, true],
          [2, true],
        ] as const) {
          const labels = tensor('int64', [2, 3], [0, 2, ignored ?? 1, 3, ignored ?? 2, 1])
          const build = ([scores, at, weights]: readonly Value[]) => {
            const given = [scores!, at!, ...(weights ? [weights] : [])]
            return scores!.builder.node(name, given, attributes(reduction, ignored))[0]!
          }
          const inputs = [numbers([2, 4, 3]), labels, ...(isWeighted ? [numbers([4], 2, 0.5, 2)] : [])]
          await checkGradients(build, inputs, {
            by: [0],
            shapes: [
              ['batch', 4, 'time'],
              ['batch', 'time'],
            ],
          })
        }
      }
    }
  })

  it('cross entropy by its logarithms too', async () => {
    const build = ([scores, labels]: readonly Value[]) =>
      scores!.builder.node('SoftmaxCrossEntropyLoss', [scores!, labels!], {}, { outputs: 2 })
    await checkGradients(build, [numbers([3, 4]), tensor('int64', [3], [0, 3, 1])])
    await checkGradients((inputs) => build(inputs)[1]!, [numbers([3, 4]), tensor('int64', [3], [0, 3, 1])])
  })

  it('by the weights of classes is an error', async () => {
    const build = (inputs: readonly Value[]) => inputs[0]!.builder.node('SoftmaxCrossEntropyLoss', inputs)[0]!
    const inputs = [numbers([3, 4]), tensor('int64', [3], [0, 3, 1]), numbers([4], 0, 0.5, 1)]
    await expect(checkGradients(build, inputs)).rejects.toThrow(/weights of its classes/)
  })
})

describe('Gradients of losses', () => {
  const weights = (x: Value) => x.builder.constant([0.5, 1, 2, 1.5], 'float32')
  const loss = (name: string, reduction: string) => (scores: Value | undefined, labels: Value | undefined) =>
    scores!.builder.node(name, [scores!, labels!, weights(scores!)], {
      reduction: { type: 'string', value: reduction },
      ignore_index: { type: 'int', value: -100 },
    })[0]!
  itAgreesWithPyTorch('softmax', {
    // x.softmax(1)
    softmax: (x) => op.softmax(x!, 1),
    // x.log_softmax(-1)
    log_softmax: (x) => op.logSoftmax(x!),
    // F.cross_entropy(x, labels, weight=torch.tensor([0.5, 1.0, 2.0, 1.5]), reduction='mean'), 'sum', 'none'
    'cross_entropy mean': loss('SoftmaxCrossEntropyLoss', 'mean'),
    'cross_entropy sum': loss('SoftmaxCrossEntropyLoss', 'sum'),
    'cross_entropy none': loss('SoftmaxCrossEntropyLoss', 'none'),
    // F.nll_loss(x, labels, weight=torch.tensor([0.5, 1.0, 2.0, 1.5]), reduction='mean'), 'sum', 'none'
    'nll_loss mean': loss('NegativeLogLikelihoodLoss', 'mean'),
    'nll_loss sum': loss('NegativeLogLikelihoodLoss', 'sum'),
    'nll_loss none': loss('NegativeLogLikelihoodLoss', 'none'),
  })
})
