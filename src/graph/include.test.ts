import { describe, expect, it } from 'vitest'
import { type Tensor, tensor } from '../tensor/index.ts'
import { readOnnx } from './files/index.ts'
import {
  Builder,
  type Graph,
  include,
  layers,
  MASK_COUNTER,
  maskStream,
  op,
  parametersOf,
  ROLE_KEY,
  updatesOf,
  type Value,
} from './index.ts'
import { reference, relativeError, run, testdata } from './testing/run.ts'

const floats = (shape: number[], values: number[]) => tensor('float32', shape, values)
const numbers = (value: Tensor | undefined) => Array.from(value!.data as Float32Array)
const counter = (seed: number, step: number) => tensor('int64', [2], [seed, step])

/** `y = x W`, with a name of its own for each thing. */
function linear(name: string, values: number[]): Graph {
  const b = new Builder({ name })
  const x = b.input('x', 'float32', ['batch', 2])
  const w = b.initializer('fc.weight', floats([2, 2], values), new Map([[ROLE_KEY, 'weight']]))
  b.output(
    'y',
    b.scope('fc', { kind: 'Linear' }, () => op.mul(op.matMul(x, w), 2)),
  )
  return b.build()
}

/** A running mean of what went through, and the input without it. */
function centred(): Graph {
  const b = new Builder({ name: 'centred' })
  const x = b.input('x', 'float32', ['batch'])
  const mean = b.initializer('mean', floats([1], [1]), new Map([[ROLE_KEY, 'buffer']]))
  b.output('y', op.sub(x, mean))
  b.update('mean', op.add(op.mul(mean, 0.5), op.mul(op.reduceMean(x, [0], { keepDims: true }), 0.5)))
  return b.build()
}

/** What masks are drawn from, as two outputs of two streams. */
function streams(): Graph {
  const b = new Builder({ name: 'streams' })
  for (const name of ['y', 'z']) b.output(name, op.mul(maskStream(b), 1))
  return b.build()
}

describe('include', () => {
  it('applies a graph twice with the same weights', async () => {
    const graph = linear('net', [1, 2, 3, 4])
    const b = new Builder()
    const [first, second] = ['a', 'b'].map(
      (name) => include(b, graph, { x: b.input(name, 'float32', [name, 2]) })['y']!,
    )
    expect([first!.shape, second!.shape]).toEqual([
      ['a', 2],
      ['b', 2],
    ])
    b.output('sum', op.add(first!, second!))
    const both = b.build()
    expect([...both.initializers.keys()]).toEqual(['fc.weight', 'constant/float32(2)'])
    expect(both.initializers.get('fc.weight')).toBe(graph.initializers.get('fc.weight'))
    expect(parametersOf(both)).toEqual([{ name: 'fc.weight', role: 'weight', shape: [2, 2] }])
    expect(both.nodes.map(({ name }) => name)).toEqual([
      'fc/MatMul',
      'fc/Mul',
      'net.fc/MatMul',
      'net.fc/Mul',
      'Add',
    ])
    expect(layers(both).find(({ name }) => name === 'fc')?.kind).toBe('Linear')
    const { sum } = await run(both, { a: floats([1, 2], [1, 0]), b: floats([1, 2], [0, 1]) })
    expect(numbers(sum)).toEqual([8, 12])
  })

  it('tells other tensors of the same names apart, by the prefix', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2])
    const [student, teacher] = [linear('student', [1, 2, 3, 4]), linear('teacher', [1, 2, 3, 4])]
    b.output('first', include(b, student, { x })['y']!)
    b.output('second', include(b, teacher, { x })['y']!)
    b.output('third', include(b, teacher, { x })['y']!)
    const graph = b.build()
    expect([...graph.initializers.keys()]).toEqual(['fc.weight', 'constant/float32(2)', 'teacher.fc.weight'])
    expect(graph.initializers.get('teacher.fc.weight')).toBe(teacher.initializers.get('fc.weight'))
    expect(new Set(graph.nodes.map(({ name }) => name)).size).toBe(graph.nodes.length)
  })

  it('puts the path of the scope before nodes, and before tensors only where it must', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2])
    const graph = linear('net', [1, 2, 3, 4])
    b.output(
      'y',
      b.scope('online', () => include(b, graph, { x })['y']!),
    )
    b.output(
      'z',
      b.scope('target', () => include(b, linear('net', [0, 0, 0, 0]), { x })['y']!),
    )
    const both = b.build()
    expect(both.nodes.map(({ name }) => name)).toEqual([
      'online.fc/MatMul',
      'online.fc/Mul',
      'target.fc/MatMul',
      'target.fc/Mul',
    ])
    expect([...both.initializers.keys()]).toEqual(['fc.weight', 'constant/float32(2)', 'target.fc.weight'])
  })

  it('goes on with buffers where the inclusion before left them, as two runs would', async () => {
    const graph = centred()
    const b = new Builder()
    const first = include(b, graph, { x: b.input('a', 'float32', [2]) })
    const second = include(b, graph, { x: b.input('b', 'float32', [2]) })
    const third = include(b, graph, { x: b.input('c', 'float32', [2]) }, { updates: 'drop' })
    expect(Object.keys(first)).toEqual(['y'])
    for (const [name, { y }] of Object.entries({ first, second, third })) b.output(name, y!)
    const whole = b.build()
    expect([...updatesOf(whole)]).toEqual([['mean', 'mean.next']])
    const found = await run(whole, { a: floats([2], [2, 4]), b: floats([2], [8, 8]), c: floats([2], [0, 1]) })
    const alone = await run(graph, { x: floats([2], [2, 4]) })
    expect(numbers(found['first'])).toEqual(numbers(alone['y']))
    expect(numbers(found['second'])).toEqual([6, 6])
    expect(numbers(found['third'])).toEqual([-5, -4])
    expect(numbers(found['mean.next'])).toEqual([5])
  })

  it('draws the first masks that the graph would draw alone, and other ones each further time', async () => {
    const graph = streams()
    const b = new Builder()
    const seeds: string[] = []
    const output = (b: Builder, all: Record<string, Value>) => {
      for (const value of Object.values(all)) {
        seeds.push(`seed${seeds.length}`)
        b.output(seeds.at(-1)!, value)
      }
    }
    for (let i = 0; i < 3; i++) output(b, include(b, graph, {}))
    output(b, { own: op.mul(maskStream(b), 1) })
    const { y: same } = include(b, graph, {}, { masks: 'same' })
    b.output('same', same!)
    const whole = b.build()
    expect([...updatesOf(whole)]).toEqual([[MASK_COUNTER, `${MASK_COUNTER}.next`]])
    // Included twice itself, in a builder that goes on from a built graph as well.
    const outer = Builder.from(whole)
    for (let i = 0; i < 2; i++) {
      const { same: _, ...rest } = include(outer, whole, {})
      output(outer, rest)
    }
    const feeds = { [MASK_COUNTER]: counter(7, 3) }
    const found = await run(outer.build(), feeds)
    expect(found['seed0']).toEqual((await run(graph, feeds))['y'])
    expect(found['same']).toEqual(found['seed0'])
    const pairs = seeds.map((name) => [...(found[name]!.data as BigInt64Array)])
    expect(new Set(pairs.map(([seed]) => seed)).size).toBe(3 * 7)
    expect(pairs.every(([, step]) => step === 3n)).toBe(true)
    expect([...(found[`${MASK_COUNTER}.next`]!.data as BigInt64Array)]).toEqual([7n, 4n])
  })

  it('takes graphs with sub-graphs and functions, more than once', async () => {
    const graph = await readOnnx(testdata('control.onnx'))
    const { feeds, values } = reference('control')
    const b = new Builder({ opset: graph.opsets.get('')! })
    const inputs = Object.fromEntries(
      graph.inputs
        .filter(({ name }) => name in feeds)
        .map(({ name, type }) => {
          if (type?.kind !== 'tensor') throw new Error('no tensor')
          return [name, b.input(name, type.dtype, type.shape!)] as const
        }),
    )
    b.output('once', include(b, graph, inputs)['y']!)
    b.output('twice', include(b, graph, inputs)['y']!)
    const results = await run(b.build(), feeds)
    for (const name of ['once', 'twice'])
      expect(relativeError(results[name]!, values['y']!)).toBeLessThan(1e-5)
  })

  it('says which inputs do not fit', () => {
    const graph = linear('net', [1, 2, 3, 4])
    const b = new Builder()
    const including = (inputs: Parameters<typeof include>[2]) => () => include(b, graph, inputs)
    expect(including({})).toThrow(/inputs x are not given/)
    expect(including({ x: b.input('x', 'float32', ['batch', 2]), z: b.value('x') })).toThrow(
      /no input z\. It has x/,
    )
    expect(including({ x: b.input('wide', 'float32', ['batch', 3]) })).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
    )
    expect(including({ x: b.input('whole', 'int64', ['batch', 2]) })).toThrow(
      expect.objectContaining({ code: 'DTYPE_MISMATCH' }),
    )
    const old = new Builder({ opset: 14 })
    expect(() => include(old, graph, { x: old.input('x', 'float32', ['n', 2]) })).toThrow(
      /different versions of ai\.onnx: 14 and 17/,
    )
  })
})
