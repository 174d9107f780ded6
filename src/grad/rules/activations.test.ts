import { describe, expect, it } from 'vitest'
import { type Attribute, op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { gradientsOf } from '../testing/at.ts'
import { checkGradients, numbers } from '../testing/check.ts'
import { itAgreesWithPyTorch } from '../testing/reference.ts'

const float = (value: number): Attribute => ({ type: 'float', value })
const microsoft = { domain: 'com.microsoft' }

describe('Gradients of activations agree with finite differences', () => {
  const functions: Record<string, (x: Value) => Value> = {
    Relu: op.relu,
    Sigmoid: op.sigmoid,
    Tanh: op.tanh,
    Softplus: op.softplus,
    Softsign: op.softsign,
    HardSwish: op.hardSwish,
    HardSigmoid: op.hardSigmoid,
    'HardSigmoid of ONNX': (x) => x.builder.node('HardSigmoid', [x])[0]!,
    LeakyRelu: (x) => op.leakyRelu(x, 0.2),
    Elu: (x) => op.elu(x, 0.7),
    Selu: op.selu,
    'Selu with other numbers': (x) =>
      x.builder.node('Selu', [x], { alpha: float(1.5), gamma: float(1.2) })[0]!,
    Celu: (x) => x.builder.node('Celu', [x], { alpha: float(1.3) })[0]!,
    ThresholdedRelu: (x) => x.builder.node('ThresholdedRelu', [x], { alpha: float(0.5) })[0]!,
    Shrink: (x) => x.builder.node('Shrink', [x], { lambd: float(0.6), bias: float(0.3) })[0]!,
    silu: op.silu,
    gelu: op.gelu,
    'gelu by tanh': (x) => op.gelu(x, 'tanh'),
    mish: op.mish,
    'com.microsoft.Gelu': (x) => x.builder.node('Gelu', [x], {}, microsoft)[0]!,
    'com.microsoft.QuickGelu': (x) =>
      x.builder.node('QuickGelu', [x], {}, { ...microsoft, types: [x.type!] })[0]!,
    'com.microsoft.FastGelu': (x) => x.builder.node('FastGelu', [x], {}, microsoft)[0]!,
  }
  for (const [name, build] of Object.entries(functions)) {
    it(name, async () => {
      const approximate = /Fast|Shrink/.test(name) ? { tolerance: 2e-2, step: 1e-2 } : {}
      await checkGradients(([x]) => build(x!), [numbers([4, 5], 3, -4, 4)], {
        ...approximate,
        shapes: [['batch', 5]],
      })
    })
  }

  it('operators of later sets', async () => {
    const x = numbers([4, 5], 3, -3, 3)
    await checkGradients(([v]) => v!.builder.node('Mish', [v!])[0]!, [x], { opset: 18 })
    for (const value of ['none', 'tanh']) {
      const attributes = { approximate: { type: 'string', value } } as const
      await checkGradients(([v]) => v!.builder.node('Gelu', [v!], attributes)[0]!, [x], { opset: 20 })
    }
  })

  it('PRelu, by its slope too', async () => {
    for (const slope of [[1], [4], [3, 1], [2, 3, 4], [3, 4]])
      await checkGradients(([x, s]) => op.prelu(x!, s!), [numbers([2, 3, 4]), numbers(slope, 4)])
    await checkGradients(([x, s]) => op.prelu(x!, s!), [numbers([2, 3, 4]), numbers([3, 1], 4)], {
      shapes: [['batch', 3, 'time']],
    })
  })

  it('with a bias inside', async () => {
    for (const name of ['FastGelu', 'BiasGelu']) {
      await checkGradients(
        ([x, bias]) => x!.builder.node(name, [x!, bias!], {}, microsoft)[0]!,
        [numbers([3, 4], 1, -2, 2), numbers([4])],
        { shapes: [['batch', 4]], tolerance: 2e-2 },
      )
    }
  })
})

it('At corners the gradients of activations are PyTorch’s choice.', async () => {
  const x = tensor('float32', [5], [-3, 0, 3, -1, 1])
  expect(await gradientsOf(op.relu, x)).toEqual([0, 0, 1, 0, 1])
  expect(await gradientsOf((v) => op.leakyRelu(v, 0.5), x)).toEqual([0.5, 0.5, 1, 0.5, 1])
  expect(await gradientsOf((v) => op.hardSigmoid(v, 1 / 6), x)).toEqual(
    [0, 1, 0, 1, 1].map((value) => Math.fround(value / 6)),
  )
  expect((await gradientsOf(op.hardSwish, x)).slice(0, 3)).toEqual([0, 0.5, 1])
  expect((await gradientsOf(op.elu, x)).slice(1, 2)).toEqual([1])
  expect(await gradientsOf((v) => op.prelu(v, v.builder.constant([0.5], 'float32')), x)).toEqual([
    0.5, 0.5, 1, 0.5, 1,
  ])
})

describe('Gradients of activations', () => {
  itAgreesWithPyTorch('activations', {
    // F.relu(x)
    relu: (x) => op.relu(x!),
    // torch.sigmoid(x)
    sigmoid: (x) => op.sigmoid(x!),
    // torch.tanh(x)
    tanh: (x) => op.tanh(x!),
    // F.softplus(x)
    softplus: (x) => op.softplus(x!),
    // F.softsign(x)
    softsign: (x) => op.softsign(x!),
    // F.hardswish(x)
    hardswish: (x) => op.hardSwish(x!),
    // F.hardsigmoid(x)
    hardsigmoid: (x) => op.hardSigmoid(x!),
    // F.leaky_relu(x, 0.2)
    leaky_relu: (x) => op.leakyRelu(x!, 0.2),
    // F.prelu(x, slope)
    prelu: (x, slope) => op.prelu(x!, op.unsqueeze(slope!, [1])),
    // F.elu(x, 0.7)
    elu: (x) => op.elu(x!, 0.7),
    // F.selu(x)
    selu: (x) => op.selu(x!),
    // F.celu(x, 1.3)
    celu: (x) => x!.builder.node('Celu', [x!], { alpha: float(1.3) })[0]!,
    // F.silu(x)
    silu: (x) => op.silu(x!),
    // F.gelu(x)
    gelu: (x) => op.gelu(x!),
    // F.gelu(x, approximate='tanh')
    'gelu by tanh': (x) => op.gelu(x!, 'tanh'),
    // F.mish(x)
    mish: (x) => x!.builder.node('Mish', [x!])[0]!,
    // F.hardshrink(x, 0.5)
    hardshrink: (x) => x!.builder.node('Shrink', [x!], { lambd: float(0.5), bias: float(0) })[0]!,
    // F.softshrink(x, 0.5)
    softshrink: (x) => x!.builder.node('Shrink', [x!], { lambd: float(0.5), bias: float(0.5) })[0]!,
    // F.threshold(x, 0.5, 0.0)
    threshold: (x) => x!.builder.node('ThresholdedRelu', [x!], { alpha: float(0.5) })[0]!,
  })
})
