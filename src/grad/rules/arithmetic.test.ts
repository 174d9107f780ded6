import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { op, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { gradientsOf } from '../testing/at.ts'
import { checkGradients, numbers } from '../testing/check.ts'
import { itAgreesWithPyTorch } from '../testing/reference.ts'
import { broadcastShapes } from '../testing/shapes.ts'

type Two = (a: Value, b: Value) => Value

describe('Gradients of arithmetic', () => {
  const binary: Record<string, readonly [Two, low?: number]> = {
    Add: [op.add],
    Sub: [op.sub],
    Mul: [op.mul],
    Div: [op.div, 0.5],
    Pow: [op.pow, 0.5],
    Max: [op.max],
    Min: [op.min],
    Mod: [(a, b) => op.mod(a, b, { fmod: true }), 0.5],
    Where: [(a, b) => op.where(op.less(a, b), op.mul(a, a), b)],
  }
  for (const [name, [build, low = -1]] of Object.entries(binary)) {
    it(`${name}: agree with finite differences, broadcast or not, of known sizes or not`, async () => {
      await fc.assert(
        fc.asyncProperty(broadcastShapes, fc.boolean(), async ([a, b], isSymbolic) => {
          const symbols = (shape: readonly number[]) =>
            shape.map((size, i) => (size === 2 ? 'two' : size === 3 ? 'three' : isSymbolic ? `one${i}` : 1))
          await checkGradients(([x, y]) => build(x!, y!), [numbers(a, 2, low), numbers(b, 1, low)], {
            shapes: isSymbolic ? [symbols(a), symbols(b)] : [],
          })
        }),
        { numRuns: 8, seed: 7 },
      )
    })
  }

  it('are in float64 where the runtime is', async () => {
    const inputs = [numbers([2, 3]), numbers([3], 1, 0.5)]
    const done = await checkGradients(([x, y]) => op.div(op.mul(op.add(x!, y!), y!), op.exp(y!)), inputs)
    expect(done).toEqual({ numeric: 'float64', analytic: 'float64' })
  })

  it('of more than two inputs', async () => {
    const inputs = [numbers([2, 3], 1), numbers([3], 2), numbers([2, 1], 3)]
    for (const name of ['Max', 'Min', 'Sum', 'Mean'])
      await checkGradients((values) => values[0]!.builder.node(name, values)[0]!, inputs)
  })

  const unary: Record<string, readonly [low: number, high: number]> = {
    Neg: [-1, 1],
    Abs: [0.1, 1],
    Sqrt: [0.2, 2],
    Reciprocal: [0.3, 1],
    Exp: [-1, 1],
    Log: [0.2, 2],
    Sin: [-2, 2],
    Cos: [-2, 2],
    Tan: [-1, 1],
    Asin: [-0.9, 0.9],
    Acos: [-0.9, 0.9],
    Atan: [-2, 2],
    Sinh: [-1, 1],
    Cosh: [-1, 1],
    Asinh: [-2, 2],
    Acosh: [1.2, 3],
    Atanh: [-0.9, 0.9],
    Erf: [-2, 2],
    Identity: [-1, 1],
  }
  for (const [name, [low, high]] of Object.entries(unary)) {
    it(`${name}: agree with finite differences`, async () => {
      await checkGradients(([x]) => x!.builder.node(name, [x!])[0]!, [numbers([3, 4], 5, low, high)], {
        shapes: [['batch', 4]],
      })
    })
  }

  it('of powers with known exponents', async () => {
    for (const exponent of [0, 0.5, 1, 2, 3, -1.5])
      await checkGradients(([x]) => op.pow(x!, exponent), [numbers([3, 4], 5, 0.3, 2)])
    await checkGradients(([x]) => op.pow(x!, x!.builder.constant([2, 3])), [numbers([3, 2], 5)])
  })

  it('of the bounds of Clip too', async () => {
    const inputs = [numbers([3, 5]), tensor('float64', [], [-0.4]), tensor('float64', [], [0.5])]
    await checkGradients(([x, low, high]) => x!.builder.node('Clip', [x!, low, high])[0]!, inputs)
    await checkGradients(([x]) => op.clip(x!, undefined, 0.3), [numbers([3, 5])])
    await checkGradients(([x]) => op.clip(x!, -0.3), [numbers([3, 5])])
  })

  it('pass through Cast between floats', async () => {
    await checkGradients(([x]) => op.cast(op.mul(op.cast(x!, 'float32'), 3), x!.dtype), [numbers([4])], {
      step: 1e-2,
      tolerance: 1e-2,
    })
  })

  it('at corners are PyTorch’s choice', async () => {
    const x = tensor('float32', [5], [-1, 0, 0.5, 1, 2])
    // torch.abs, torch.clamp(x, 0, 1), torch.maximum(x, x.flip(0)), torch.minimum
    expect(await gradientsOf((v) => op.abs(v), x)).toEqual([-1, 0, 1, 1, 1])
    expect(await gradientsOf((v) => op.clip(v, 0, 1), x)).toEqual([0, 0, 1, 0, 0])
    expect(await gradientsOf((v) => op.clip(v, 1, 0), x)).toEqual([0, 0, 0, 0, 0])
    expect(await gradientsOf((v) => op.max(v, 0), x)).toEqual([0, 0.5, 1, 1, 1])
    expect(await gradientsOf((v) => op.min(v, 1), x)).toEqual([1, 1, 1, 0.5, 0])
    expect(await gradientsOf((v) => op.max(v, v), x)).toEqual([1, 1, 1, 1, 1])
    expect(await gradientsOf((v) => v.builder.node('Max', [v, v, v])[0]!, x)).toEqual([1, 1, 1, 1, 1])
    expect(await gradientsOf((v) => op.pow(v, 0), x)).toEqual([0, 0, 0, 0, 0])
    expect(await gradientsOf((v) => op.pow(v.builder.constant(0, 'float32'), op.abs(v)), x)).toEqual([
      0, 0, 0, 0, 0,
    ])
  })
})

describe('Gradients of arithmetic', () => {
  const crossed = (x: Value, low: Value, high: Value) => x.builder.node('Clip', [x, low, high])[0]!
  itAgreesWithPyTorch('arithmetic', {
    // torch.div(x, y)
    div: (x, y) => op.div(x!, y!),
    // torch.pow(x, y)
    pow: (x, y) => op.pow(x!, y!),
    'pow of 0 and below': (x, y) => op.pow(x!, y!),
    // torch.fmod(x, y)
    fmod: (x, y) => op.mod(x!, y!, { fmod: true }),
    // torch.maximum(x, y)
    maximum: (x, y) => op.max(x!, y!),
    // torch.minimum(x, y)
    minimum: (x, y) => op.min(x!, y!),
    // torch.abs(x)
    abs: (x) => op.abs(x!),
    // torch.clamp(x, -1.0, 1.0)
    clamp: (x) => op.clip(x!, -1, 1),
    // torch.clamp(x, low, high)
    'clamp by tensors': (x, low, high) => crossed(x!, low!, high!),
    // torch.clamp(x, low, high) with low = 1.0, high = -1.5
    'clamp with bounds that cross': (x, low, high) => crossed(x!, low!, high!),
    // torch.where(x > 0, x * y, y)
    where: (x, y) => op.where(op.greater(x!, 0), op.mul(x!, y!), y!),
    // torch.erf(x)
    erf: (x) => op.erf(x!),
    // x.sqrt() + x.reciprocal() + x.exp() + x.log() + x.sin() * x.cos() + x.tan() + x.asin() + x.acos() + x.atan() + x.sinh()
    // + x.cosh() + x.asinh() + (x + 1).acosh() + x.atanh()
    functions: (x) => {
      const of = (name: string, value = x!) => value.builder.node(name, [value])[0]!
      const names = 'Sqrt Reciprocal Exp Log Tan Asin Acos Atan Sinh Cosh Asinh Atanh'.split(' ')
      const terms = [
        ...names.map((name) => of(name)),
        of('Acosh', op.add(x!, 1)),
        op.mul(of('Sin'), of('Cos')),
      ]
      return terms.reduce((a, b) => op.add(a, b))
    },
  })
})
