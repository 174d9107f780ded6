import { describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { Builder, type Graph, op, rename, type Value } from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { type GradOptions, grad } from './grad.ts'
import { checkGradients, numbers } from './testing/check.ts'

/** `Σ of (name)` of a graph as a further output. */
function summed(graph: Graph, name: string): Graph {
  const b = Builder.from(graph)
  const value = b.value(name)
  b.output('sum', op.reduceSum(op.mul(value, value)))
  return b.build()
}

/** An MLP of one hidden layer with a softmax and a mean of squares. */
function mlp(x: Value, w1: Value, b1: Value, w2: Value): Value {
  const hidden = op.tanh(op.add(op.matMul(x, op.transpose(w1, [1, 0])), b1))
  const y = op.softmax(op.matMul(hidden, w2))
  return op.reduceMean(op.mul(y, op.sub(y, 1)), [1])
}

describe('grad', () => {
  const parts = [numbers([4, 3]), numbers([5, 3], 1), numbers([5], 2), numbers([5, 2], 3)]

  it('differentiates a small MLP for a batch of any size', async () => {
    await checkGradients(([x, w1, b1, w2]) => mlp(x!, w1!, b1!, w2!), parts, { shapes: [['batch', 3]] })
  })

  it('differentiates gradients', async () => {
    const b = new Builder()
    const names = ['x', 'w1', 'b1', 'w2']
    const [x, w1, b1, w2] = names.map((name, i) => b.input(name, 'float64', parts[i]!.shape))
    b.output('loss', op.reduceSum(mlp(x!, w1!, b1!, w2!)))
    const first = summed(rename(grad(b.build(), { of: 'loss', by: ['w1'] }), { 'w1.grad': 'first' }), 'first')
    const feeds = (by = 0) =>
      Object.fromEntries(
        names.map((name, i) => {
          const data = (parts[i]!.data as Float64Array).slice()
          if (name !== 'x') data[1] = data[1]! + by
          return [name, { ...parts[i]!, data } as Tensor]
        }),
      )
    const results = await evaluate(grad(first, { of: 'sum', by: ['w1', 'b1', 'w2'] }), feeds())
    const at = async (by: number) => Number((await evaluate(first, feeds(by)))['sum']!.data[0])
    // All three moved at once at element 1: the directional derivative is the sum of theirs.
    const difference = ((await at(1e-5)) - (await at(-1e-5))) / 2e-5
    const sum = ['w1', 'b1', 'w2'].reduce(
      (total, name) => total + Number(results[`${name}.grad`]!.data[1]),
      0,
    )
    expect(Math.abs(sum - difference)).toBeLessThan(1e-6 * Math.max(1e-3, Math.abs(difference)))
    expect(Math.abs(difference)).toBeGreaterThan(1e-4)
  })

  it('gives zeros where nothing depends, through comparisons too', async () => {
    const b = new Builder()
    const [x, y] = [b.input('x', 'float32', ['batch', 2]), b.input('y', 'float32', ['batch', 2])]
    b.output('loss', op.reduceSum(op.mul(y, op.cast(op.greater(x, 0), 'float32'))))
    const graph = grad(b.build(), { of: 'loss', by: ['x', 'y'] })
    const data = () => Float32Array.of(1, -1, 2, -2)
    const results = await evaluate(graph, {
      x: { dtype: 'float32', shape: [2, 2], data: data() },
      y: { dtype: 'float32', shape: [2, 2], data: data() },
    })
    expect(results['x.grad']).toMatchObject({ shape: [2, 2], data: Float32Array.of(0, 0, 0, 0) })
    expect(results['y.grad']!.data).toEqual(Float32Array.of(1, 0, 1, 0))
  })

  it('adds the gradients of a value that is read several times', async () => {
    await checkGradients(([x]) => op.mul(op.add(x!, op.mul(x!, x!)), op.sin(x!)), [numbers([3])])
  })

  it('names the operator and the node that has no rule', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [2, 2])
    const y = b.scope('head', () => b.node('Det', [x])[0]!)
    b.output('loss', op.reduceSum(y))
    const attempt = () => grad(b.build(), { of: 'loss', by: ['x'] })
    expect(attempt).toThrow(PipiloError)
    expect(attempt).toThrow(/Det at "head\/Det" has no gradient/)
    expect(attempt).toThrow(expect.objectContaining({ code: 'OPERATOR_UNSUPPORTED', input: 'head/Det' }))
  })

  it('refuses what is no number, no float, or not there', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2])
    const ids = b.input('ids', 'int64', [1])
    b.output('rows', op.reduceSum(x, [1]))
    b.output('loss', op.reduceSum(op.gather(x, ids)))
    const graph = b.build()
    const code = (of: string, by: string) => {
      try {
        return grad(graph, { of, by: [by] }).name
      } catch (error) {
        return (error as PipiloError).code
      }
    }
    expect(code('rows', 'x')).toBe('SHAPE_MISMATCH')
    expect(code('loss', 'ids')).toBe('DTYPE_MISMATCH')
    expect(code('nothing', 'x')).toBe('LAYER_UNKNOWN')
    expect(code('loss', 'nothing')).toBe('LAYER_UNKNOWN')
  })

  describe('by something', () => {
    const b = new Builder()
    b.output('loss', op.reduceSum(op.mul(b.input('w', 'float32', [2]), b.input('x', 'float32', [2]))))
    const graph = b.build()
    /** Callers from JavaScript pass what they like. */
    const attempt = (options: unknown) => () => grad(graph, options as GradOptions)
    const refusal = (code: string, input: string, message: RegExp) =>
      expect.objectContaining({ code, input, message: expect.stringMatching(message) })

    it('has to be an array of names', () => {
      for (const by of [undefined, 'w']) {
        expect(attempt({ of: 'loss', by })).toThrow(
          refusal(
            'OPTION_INVALID',
            'by',
            /^by is .* an array of names of initializers, inputs or inner values/,
          ),
        )
      }
      expect(attempt({ of: 'loss', by: ['w', 'w'] })).toThrow(refusal('OPTION_INVALID', 'by', /each once/))
      expect(attempt({ by: ['w'] })).toThrow(refusal('OPTION_INVALID', 'of', /^of is undefined/))
      expect(attempt(undefined)).toThrow(refusal('OPTION_INVALID', 'of', /^of is undefined/))
      expect(attempt({ of: 'loss', by: ['w'], recompute: 'layer' })).toThrow(
        refusal('OPTION_INVALID', 'recompute', /an array/),
      )
      expect(attempt({ of: 'loss', by: [] })().outputs).toHaveLength(1)
    })

    it('that it has been differentiated by already says so, and goes under another name', () => {
      const first = grad(graph, { of: 'loss', by: ['w'] })
      const again = (given: Graph) => grad(given, { of: 'loss', by: ['x', 'w'] })
      expect(() => again(first)).toThrow(
        refusal('GRAPH_INVALID', 'w', /differentiated by w already: it has the output w\.grad/),
      )
      const names = again(rename(first, { 'w.grad': 'w.first' })).outputs.map(({ name }) => name)
      expect(names).toEqual(['loss', 'w.first', 'x.grad', 'w.grad'])
    })
  })

  it('leaves out what no gradient needs', () => {
    const b = new Builder()
    const [x, w] = [b.input('x', 'float32', ['batch', 2]), b.input('w', 'float32', [2, 3])]
    b.output('loss', op.reduceSum(op.matMul(x, w)))
    const { nodes } = grad(b.build(), { of: 'loss', by: ['w'] })
    expect(nodes.filter((node) => node.op === 'MatMul').length).toBe(2)
  })
})
