import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { float16ToFloat32, type Tensor, tensor } from '../../tensor/index.ts'
import { Builder, type Value } from '../builder.ts'
import * as op from '../ops/all.ts'
import { nodeByNode } from '../testing/nodeByNode.ts'
import { relativeError, run } from '../testing/run.ts'
import type { Graph, Node } from '../types.ts'
import { inHalf } from './inHalf.ts'

const wave = (shape: readonly number[], phase = 0, by = 1): Tensor =>
  tensor(
    'float32',
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => by * Math.sin(1.7 * i + phase)),
  )
const number = (value: number) => tensor('float32', [], [value])

/** The graph in half, and the difference of its numbers, each half rounded, from float32's. */
async function compared(graph: Graph, feeds: Record<string, Tensor>) {
  const half = await inHalf(graph)
  const expected = await run(graph, feeds)
  const { outputs, largestHalf, halves } = await nodeByNode(half, feeds)
  const errors = Object.entries(expected).map(([name, exact]) => {
    expect(outputs[name]!.dtype).toBe(exact.dtype)
    return relativeError(outputs[name]!, exact)
  })
  // The checker of ONNX Runtime has its say on the graph as a whole.
  await run(half, feeds)
  return { half, outputs, expected, error: Math.max(...errors), largestHalf, halves }
}

const dtypeOf = (graph: Graph, op: string) => {
  const node = graph.nodes.find((one) => one.op === op)!
  return node.outputs[0]!.includes('_half') ? 'float16' : 'float32'
}
const casts = (graph: Graph) => graph.nodes.filter((node) => node.op === 'Cast').length

/** Attention over three tokens, with a mask as exporters write it. */
function attention(mask: (builder: Builder, tokens: Value) => Value): Graph {
  const builder = new Builder()
  const x = builder.input('x', 'float32', [1, 3, 8])
  const keep = builder.input('keep', 'int64', [1, 3])
  const project = (name: string, phase: number) =>
    op.matMul(x, builder.initializer(name, wave([8, 8], phase)))
  const scores = op.matMul(project('q', 1), op.transpose(project('k', 2), [0, 2, 1]))
  const scaled = op.mul(scores, builder.initializer('scale', number(0.35)))
  const weights = op.softmax(op.add(scaled, mask(builder, keep)))
  builder.output('y', op.matMul(weights, project('v', 3)))
  return builder.build()
}

const additive = (builder: Builder, keep: Value) => {
  const shown = op.unsqueeze(op.cast(keep, 'float32'), [1])
  const hidden = op.sub(builder.initializer('one', number(1)), shown)
  return op.mul(hidden, builder.initializer('lowest', number(-3.4028234663852886e38)))
}
const chosen = (builder: Builder, keep: Value) =>
  op.where(
    op.equal(op.unsqueeze(keep, [1]), builder.initializer('zero', tensor('int64', [], [0]))),
    builder.initializer('lowest', number(-3.4028234663852886e38)),
    builder.initializer('none', number(0)),
  )

describe('inHalf', () => {
  it.each([
    ['added', additive],
    ['chosen', chosen],
  ])('keeps a mask of -3.4e38 that is %s finite, also where all is masked', async (_, mask) => {
    for (const keep of [
      [1, 1, 0],
      [0, 0, 0],
    ]) {
      const feeds = { x: wave([1, 3, 8]), keep: tensor('int64', [1, 3], keep) }
      const { half, error, largestHalf, outputs } = await compared(attention(mask), feeds)
      expect([...outputs['y']!.data].every((value) => Number.isFinite(Number(value)))).toBe(true)
      expect(largestHalf).toBeLessThan(0x7c00)
      expect(error).toBeLessThan(0.005)
      expect([dtypeOf(half, 'MatMul'), dtypeOf(half, 'Softmax')]).toEqual(['float16', 'float32'])
    }
  })

  it.each([
    ['LayerNormalization'],
    ['its parts'],
    ['RMSNorm by Div'],
    ['RMSNorm by Reciprocal'],
  ])('keeps %s in float32, whose squares pass 65,504', async (form) => {
    const builder = new Builder()
    const x = builder.input('x', 'float32', ['n', 16])
    const dense = op.matMul(x, builder.initializer('w', wave([16, 16], 1, 100)))
    const [scale, bias] = [
      builder.initializer('scale', wave([16], 4)),
      builder.initializer('bias', wave([16], 5)),
    ]
    const centred = op.sub(dense, op.reduceMean(dense, [-1], { keepDims: true }))
    const two = builder.initializer('two', number(2))
    const deviation = op.sqrt(
      op.add(
        op.reduceMean(op.pow(centred, two), [-1], { keepDims: true }),
        builder.initializer('epsilon', number(1e-12)),
      ),
    )
    const squares = op.reduceMean(op.pow(dense, two), [-1], { keepDims: true })
    const root = op.sqrt(op.add(squares, builder.initializer('small', number(1e-6))))
    const norms: Record<string, () => Value> = {
      LayerNormalization: () => op.layerNormalization(dense, scale, bias),
      'its parts': () => op.add(op.mul(op.div(centred, deviation), scale), bias),
      'RMSNorm by Div': () => op.mul(op.div(dense, root), scale),
      'RMSNorm by Reciprocal': () => op.mul(scale, op.mul(dense, op.reciprocal(root))),
    }
    const norm = norms[form]!()
    builder.output('y', op.matMul(norm, builder.initializer('v', wave([16, 4], 2))))
    const { half, error, largestHalf } = await compared(builder.build(), { x: wave([3, 16], 0, 5) })
    expect(error).toBeLessThan(0.01)
    expect(largestHalf).toBeLessThan(0x7c00)
    expect(dtypeOf(half, 'MatMul')).toBe('float16')
  })

  it('counts and normalises in float32: mean pooling over 3,000 tokens, and a row of zeros', async () => {
    const builder = new Builder()
    const x = builder.input('x', 'float32', [2, 3000, 4])
    const keep = builder.input('keep', 'int64', [2, 3000])
    const tokens = op.matMul(x, builder.initializer('w', wave([4, 4], 1, 30)))
    const mask = op.unsqueeze(op.cast(keep, 'float32'), [2])
    const mean = op.div(op.reduceSum(op.mul(tokens, mask), [1]), op.reduceSum(mask, [1]))
    const norm = op.max(
      op.reduceL2(mean, [-1], { keepDims: true }),
      builder.initializer('epsilon', number(1e-12)),
    )
    builder.output('y', op.div(mean, norm))
    const x0 = Float32Array.from({ length: 24_000 }, (_, i) => (i < 12_000 ? 3 + Math.sin(i) : 0))
    const ones = tensor('int64', [2, 3000], new Array(6000).fill(1))
    const { error, outputs } = await compared(builder.build(), {
      x: tensor('float32', [2, 3000, 4], x0),
      keep: ones,
    })
    expect(error).toBeLessThan(0.002)
    expect([...outputs['y']!.data].slice(4)).toEqual([0, 0, 0, 0])
  })

  it('puts factor and sum of a batch norm after a convolution, and pools in float32', async () => {
    const builder = new Builder()
    const x = builder.input('x', 'float32', ['n', 2, 6, 6])
    const y = op.conv(x, builder.initializer('w', wave([3, 2, 3, 3], 1)))
    const positive = (phase: number) => {
      const { shape, data } = wave([3], phase, 1e-7)
      return tensor('float32', shape, (data as Float32Array).map(Math.abs))
    }
    const of = (name: string, value: Tensor) => builder.initializer(name, value)
    const norm = op.batchNormalization(
      y,
      of('scale', wave([3], 2, 1e-3)),
      of('bias', wave([3], 3)),
      of('mean', wave([3], 4)),
      of('variance', positive(5)),
      { epsilon: 1e-9 },
    )
    builder.output('y', op.globalAveragePool(op.relu(norm)))
    const { half, error } = await compared(builder.build(), { x: wave([2, 2, 6, 6]) })
    expect(half.nodes.map((node) => node.op)).toEqual([
      'Cast',
      'Conv',
      'Mul',
      'Add',
      'Relu',
      'Cast',
      'GlobalAveragePool',
    ])
    expect(error).toBeLessThan(0.005)
  })

  it('takes positions as they are: angles of far tokens', async () => {
    const builder = new Builder()
    const at = builder.input('at', 'int64', ['n', 1])
    const frequencies = builder.initializer('frequencies', tensor('float32', [1, 4], [1, 0.1, 0.01, 0.001]))
    const angles = op.matMul(op.cast(at, 'float32'), frequencies)
    const x = op.matMul(builder.input('x', 'float32', ['n', 4]), builder.initializer('w', wave([4, 4])))
    builder.output('y', op.mul(x, op.cos(angles)))
    const far = tensor('int64', [2, 1], [4001, 8191])
    const { half, error } = await compared(builder.build(), { at: far, x: wave([2, 4]) })
    expect(error).toBeLessThan(0.002)
    expect(
      half.nodes.filter(({ op }) => op === 'MatMul').map(({ outputs }) => /_half/.test(outputs[0]!)),
    ).toEqual([false, true])
  })

  it('changes bodies of If as well, and what they take from outside', async () => {
    const builder = new Builder()
    const x = builder.input('x', 'float32', [2, 4])
    const yes = builder.input('yes', 'bool', [])
    const hidden = op.matMul(x, builder.initializer('w', wave([4, 4])))
    builder.output('y', op.identity(hidden))
    const graph = builder.build()
    const [product] = graph.nodes
    const body = (name: string, factor: number): Graph => ({
      ...graph,
      name,
      inputs: [],
      outputs: [{ name: `${name} y`, type: { kind: 'tensor', dtype: 'float32', shape: [2, 4] } }],
      nodes: [
        { ...product!, name: `${name} again`, inputs: [product!.outputs[0]!, 'w'], outputs: [`${name} z`] },
        {
          ...product!,
          name: `${name} scale`,
          op: 'Mul',
          inputs: [`${name} z`, `factor`],
          outputs: [`${name} y`],
        },
      ],
      initializers: new Map([['factor', number(factor)]]),
      values: new Map(),
      opsets: new Map(),
    })
    const branch = {
      name: 'branch',
      op: 'If',
      domain: '',
      inputs: [yes.name],
      outputs: ['y'],
      attributes: {
        then_branch: { type: 'graph', value: body('then', 2) },
        else_branch: { type: 'graph', value: body('else', -3) },
      },
    } satisfies Node
    const both = { ...graph, nodes: [product!, branch] }
    for (const value of [1, 0]) {
      const feeds = { x: wave([2, 4]), yes: tensor('bool', [], [value]) }
      const { half, error, outputs, expected } = await compared(both, feeds)
      expect(error, `${outputs['y']!.data} ${expected['y']!.data}`).toBeLessThan(0.005)
      const inner = half.nodes.find((node) => node.op === 'If')!.attributes['then_branch']
      expect(inner?.type === 'graph' && inner.value.nodes.map((node) => node.op)).toEqual([
        'MatMul',
        'Mul',
        'Cast',
      ])
    }
  })

  it('lets one Cast in and one out, and makes halves of the weights alone', async () => {
    const builder = new Builder()
    let y = builder.input('x', 'float32', ['n', 8])
    for (let i = 0; i < 4; i++)
      y = op.relu(op.matMul(y, op.transpose(builder.initializer(`w${i}`, wave([8, 8], i)))))
    builder.output('y', y)
    const { half, error } = await compared(builder.build(), { x: wave([2, 8]) })
    expect(casts(half)).toBe(2)
    expect([...half.initializers.values()].map(({ dtype }) => dtype)).toEqual(Array(4).fill('float16'))
    expect(error).toBeLessThan(0.005)
  })

  it('leaves a graph without float32 as it is, and clamps large weights', async () => {
    const builder = new Builder()
    builder.output('y', op.add(builder.input('x', 'int64', [2]), builder.input('z', 'int64', [2])))
    const graph = builder.build()
    expect((await inHalf(graph)).nodes).toEqual(graph.nodes)
    const large = new Builder()
    const weight = wave([200, 200], 0, 1e9)
    large.output('y', op.matMul(large.input('x', 'float32', ['n', 200]), large.initializer('w', weight)))
    const [half] = (await inHalf(large.build())).initializers.values()
    const numbers = float16ToFloat32((half as Tensor).data as Uint16Array)
    expect(Math.max(...numbers)).toBe(65_504)
  })

  it('gives any network of known operators the numbers of float32', { timeout: 120_000 }, async () => {
    const steps = [
      'relu',
      'gelu',
      'square',
      'softmax',
      'norm',
      'product',
      'residual',
      'mean',
      'slice',
      'where',
    ] as const
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...steps), { minLength: 1, maxLength: 7 }), async (taken) => {
        const builder = new Builder()
        let y = builder.input('x', 'float32', ['n', 8])
        const constant = (value: number) => builder.initializer(`c${count++}`, number(value))
        let count = 0
        for (const step of taken) {
          const weight = () => builder.initializer(`w${count++}`, wave([8, 8], count, 0.5))
          if (step === 'relu') y = op.relu(y)
          if (step === 'gelu')
            y = op.mul(op.mul(y, constant(0.5)), op.add(op.erf(op.div(y, constant(Math.SQRT2))), constant(1)))
          if (step === 'square') y = op.sqrt(op.add(op.mul(y, y), constant(1e-6)))
          if (step === 'softmax') y = op.softmax(y)
          if (step === 'norm') {
            const gain = builder.initializer(
              `g${count++}`,
              tensor('float32', [8], new Float32Array(8).fill(1)),
            )
            y = op.layerNormalization(y, gain, builder.initializer(`b${count++}`, wave([8], count)), {
              epsilon: 0.1,
            })
          }
          if (step === 'product') y = op.matMul(y, weight())
          if (step === 'residual') y = op.add(y, op.matMul(y, weight()))
          if (step === 'mean') y = op.sub(y, op.reduceMean(y, [-1], { keepDims: true }))
          if (step === 'slice')
            y = op.concat([op.slice(y, [0], [5], { axes: [1] }), op.slice(y, [5], [8], { axes: [1] })], 1)
          if (step === 'where') y = op.where(op.greater(y, constant(0)), y, constant(-1e30))
          if (step === 'where') y = op.max(y, constant(-2))
        }
        builder.output('y', y)
        const { error } = await compared(builder.build(), { x: wave([2, 8], 1, 2) })
        expect(error).toBeLessThan(0.03)
      }),
      { numRuns: 40 },
    )
  })
})
