import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { float32ToBfloat16, float32ToFloat16, type Tensor, tensor } from '../../tensor/index.ts'
import { compile } from '../node/compile.ts'
import { linear } from '../testing/graphs.ts'
import { lower } from './index.ts'

async function run(graph: Graph, x: Tensor, lowered: boolean): Promise<Record<string, Tensor>> {
  const session = await compile(graph, { workers: 0, lower: lowered })
  const results = await session.run({ x: structuredClone(x) })
  await session.dispose()
  return results
}

const operators = (graph: Graph) => lower(graph).graph.nodes.map((node) => node.op)

const half = (dtype: 'float16' | 'bfloat16', shape: number[], numbers: Float32Array): Tensor =>
  tensor(dtype, shape, dtype === 'float16' ? float32ToFloat16(numbers) : float32ToBfloat16(numbers))

it('Linear layers of any shape and dtype give the same numbers as the graph that is saved.', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 5 }),
      fc.constantFrom('float32', 'float16', 'bfloat16'),
      async (inputs, outputs, rows, dtype) => {
        const numbers = Float32Array.from({ length: inputs * outputs }, (_, i) => Math.sin(i * 7))
        const shape = [outputs, inputs]
        const graph = linear(
          dtype === 'float32' ? tensor(dtype, shape, numbers) : half(dtype, shape, numbers),
        )
        expect(operators(graph)).toEqual(['FusedMatMul'])
        const x = tensor(
          'float32',
          [rows, inputs],
          Float32Array.from({ length: rows * inputs }, (_, i) => Math.cos(i)),
        )
        const [fast, plain] = [await run(graph, x, true), await run(graph, x, false)]
        expect(fast.y?.shape).toEqual([rows, outputs])
        for (const [i, value] of ((plain.y as Tensor).data as Float32Array).entries())
          expect(fast.y?.data[i]).toBeCloseTo(value, 5)
      },
    ),
    { numRuns: 25 },
  )
})

it('A table of halves is gathered from as float32.', async () => {
  const builder = new Builder()
  const x = builder.input('x', 'int64', ['n'])
  const table = builder.initializer(
    'table',
    half(
      'bfloat16',
      [4, 80],
      new Float32Array(320).map((_, i) => i),
    ),
  )
  builder.output('y', op.gather(op.cast(table, 'float32'), x))
  const graph = builder.build()
  expect(operators(graph)).toEqual(['Gather'])
  const index = tensor('int64', [2], [3, 1])
  expect(await run(graph, index, true)).toEqual(await run(graph, index, false))
})

it('What has to stay stays: weights used twice, other transpositions, casts that are outputs, other dtypes.', async () => {
  const builder = new Builder()
  const x = builder.input('x', 'float32', ['rows', 4])
  const square = builder.initializer(
    'square',
    tensor(
      'float32',
      [4, 4],
      Float32Array.from({ length: 16 }, (_, i) => i),
    ),
  )
  const turned = op.transpose(square)
  builder.output('product', op.matMul(op.matMul(x, turned), square))
  builder.output('sum', op.add(x, op.reduceSum(turned, [0])))
  builder.output('left', op.matMul(turned, op.transpose(x)))
  const cast = op.cast(builder.initializer('half', half('float16', [2], Float32Array.of(1, 2))), 'float32')
  builder.output('cast', cast)
  const graph = builder.build()
  const rows = tensor(
    'float32',
    [2, 4],
    Float32Array.from({ length: 8 }, (_, i) => i - 3),
  )
  const [fast, plain] = [await run(graph, rows, true), await run(graph, rows, false)]
  expect(fast).toEqual(plain)
  expect(operators(graph).sort()).toEqual(
    ['Add', 'Cast', 'FusedMatMul', 'MatMul', 'MatMul', 'ReduceSum', 'Transpose', 'Transpose'].sort(),
  )
})

it('A linear layer whose weight is an input, and whose sum is used twice, is one product.', async () => {
  const builder = new Builder()
  const x = builder.input('x', 'float32', [2, 3])
  const weight = builder.input('weight', 'float32', [4, 3])
  const bias = builder.input('bias', 'float32', [4])
  const y = op.add(op.matMul(x, op.transpose(weight, [1, 0])), bias)
  builder.output('y', y)
  builder.output('z', op.mul(y, y))
  const graph = builder.build()
  expect(operators(graph)).toEqual(['Gemm', 'Mul'])
  const feeds = {
    x: tensor('float32', [2, 3], Float32Array.of(1, -2, 3, 0.5, 4, -1)),
    weight: tensor(
      'float32',
      [4, 3],
      Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
    ),
    bias: tensor('float32', [4], Float32Array.of(1, 2, 3, 4)),
  }
  expect(await close(graph, feeds)).toBeLessThan(1e-6)

  // A bias that broadcasts otherwise is none.
  const other = new Builder()
  const [a, w, column] = [[2, 3], [4, 3], [1]].map((shape, i) => other.input(`i${i}`, 'float32', shape))
  other.output('y', op.add(op.matMul(a!, op.transpose(w!, [1, 0])), column!))
  expect(operators(other.build())).toEqual(['Transpose', 'MatMul', 'Add'])
})

it('Keys that are transposed back for a gradient keep their last axis.', async () => {
  const builder = new Builder()
  const x = builder.input('x', 'float32', [2, 5, 3, 4])
  const queries = op.transpose(x, [0, 2, 1, 3])
  const keys = op.transpose(x, [0, 2, 3, 1])
  const scores = op.matMul(queries, keys)
  builder.output('scores', scores)
  builder.output('back', op.matMul(scores, op.transpose(keys, [0, 1, 3, 2])))
  const graph = builder.build()
  expect(operators(graph)).toEqual(['Transpose', 'Transpose', 'FusedMatMul', 'MatMul'])
  const data = Float32Array.from({ length: 120 }, (_, i) => Math.cos(i * 3))
  expect(await close(graph, { x: tensor('float32', [2, 5, 3, 4], data) })).toBeLessThan(1e-5)
})

it('Weights in bytes have zero points of their own.', () => {
  const tensors = (zero: boolean) =>
    new Map<string, Tensor>([
      ['w', tensor('int8', [2, 2], [1, 2, 3, 4])],
      ['s', tensor('float32', [2], [1, 2])],
      ...(zero ? [['z', tensor('int8', [2], [0, 0])] as const] : []),
    ])
  const graph = (zero: boolean): Graph => {
    const builder = new Builder()
    builder.output('unused', builder.input('x', 'float32', [1]))
    const made = builder.build()
    const node = (output: string) => ({
      name: output,
      op: 'DequantizeLinear',
      domain: '',
      inputs: ['w', 's', ...(zero ? ['z'] : [])],
      outputs: [output],
      attributes: { axis: { type: 'int', value: 0 } as const },
    })
    const value = (name: string) =>
      ({ name, type: { kind: 'tensor', dtype: 'float32', shape: [2, 2] } }) as const
    return {
      ...made,
      nodes: [node('a'), node('b')],
      initializers: tensors(zero),
      outputs: [value('a'), value('b')],
    }
  }
  for (const zero of [false, true]) {
    const { nodes, initializers } = lower(graph(zero)).graph
    const names = nodes.map(({ inputs }) => inputs[2]!)
    expect(new Set(names).size).toBe(2)
    for (const name of names)
      expect(initializers.get(name)).toMatchObject({ dtype: 'int8', shape: [2], data: new Int8Array(2) })
  }
})

/** The largest difference that lowering makes to the outputs. */
async function close(graph: Graph, feeds: Record<string, Tensor>): Promise<number> {
  const runs = await Promise.all(
    [true, false].map(async (lowered) => {
      const session = await compile(graph, { workers: 0, lower: lowered })
      const results = await session.run(structuredClone(feeds))
      await session.dispose()
      return Object.values(results).flatMap(({ data }) => [...(data as Float32Array)])
    }),
  )
  expect(runs[0]).toHaveLength(runs[1]!.length)
  return Math.max(...runs[0]!.map((value, i) => Math.abs(value - runs[1]![i]!)))
}
