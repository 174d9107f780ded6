import { describe, expect, it } from 'vitest'
import { float32ToFloat16, type Tensor, tensor } from '../../tensor/index.ts'
import {
  Builder,
  compose,
  cut,
  EMITTED_OPERATORS,
  encodeOnnx,
  type Graph,
  halve,
  initializersToInputs,
  layers,
  op,
  optionalOutputs,
  parametersOf,
  parseOnnx,
  ROLE_KEY,
  rename,
  roleOf,
  UPDATES_KEY,
  updatesOf,
  widen,
} from '../index.ts'
import { constantName } from '../roles.ts'
import { run as runGraph } from '../testing/run.ts'

const evaluate = (graph: Graph, feeds: Readonly<Record<string, Tensor>>) => runGraph(graph, feeds)

const role = (name: string) => new Map([[ROLE_KEY, name]])
const vector = (...values: number[]) => tensor('float32', [values.length], values)

/** `y = scale · w · x + 1`, and the next value of the buffer `seen`. */
function small(name = 'small'): Graph {
  const b = new Builder({ name })
  const x = b.input('x', 'float32', ['batch', 2])
  const w = b.initializer('w', vector(2, 3), role('weight'))
  const scale = b.initializer('scale', tensor('float32', [], [10]), role('weight'))
  const seen = b.initializer('seen', vector(0, 5), role('buffer'))
  b.output('seen.next', op.add(seen, 1), new Map([[UPDATES_KEY, 'seen']]))
  b.output('y', op.add(op.mul(op.mul(w, x), scale), 1))
  return b.build()
}

const roles = (graph: Graph) => Object.fromEntries(parametersOf(graph).map(({ name, role }) => [name, role]))
const numbers = (value: Tensor | undefined) => Array.from(value!.data as Float32Array)

describe('roles', () => {
  it('are said by who builds, and carried by files and passes', () => {
    const graph = small()
    const said = { w: 'weight', scale: 'weight', seen: 'buffer' }
    expect(roles(graph)).toEqual(said)
    expect(graph.outputs.map(({ name }) => name)).toEqual(['y', 'seen.next'])
    const read = parseOnnx(encodeOnnx(graph))
    expect(roles(read)).toEqual(said)
    expect([...updatesOf(read)]).toEqual([['seen', 'seen.next']])
    const renamed = rename(graph, { seen: 'kept', w: 'v', 'seen.next': 'then' })
    expect(roles(renamed)).toEqual({ v: 'weight', scale: 'weight', kept: 'buffer' })
    expect([...updatesOf(renamed)]).toEqual([['kept', 'then']])
    const both = compose(small('a'), small('b'), { y: 'x' })
    expect(roles(both)).toEqual({ ...said, 'b.w': 'weight', 'b.scale': 'weight', 'b.seen': 'buffer' })
    expect([...updatesOf(both)]).toEqual([
      ['seen', 'seen.next'],
      ['b.seen', 'b.seen.next'],
    ])
    expect(roles(cut(graph, 'y'))).toEqual({ w: 'weight', scale: 'weight' })
    expect(roles(Builder.from(graph).build())).toEqual(said)
    expect([...updatesOf(Builder.from(graph, { outputs: 'clear' }).build()).keys()]).toEqual(['seen'])
  })

  it('follow a rule where nothing is said: floats and small integers with an axis, but no builder’s constants', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [3])
    const sum = [
      b.initializer('matrix', vector(1, 2, 3)),
      b.initializer('epsilon', tensor('float32', [], [1])),
      b.initializer('quantized', tensor('int8', [3], [1, 2, 3])),
      b.initializer('positions', tensor('int64', [3], [0, 1, 2])),
      b.constant(vector(7, 8, 9)),
    ].reduce((total, value) => op.add(total, op.cast(value, 'float32')), x)
    b.output('y', sum)
    const graph = b.build()
    expect(roles(graph)).toEqual({ matrix: 'weight', quantized: 'weight' })
    expect(roleOf(graph, 'x')).toBeUndefined()
    expect(roleOf(graph, constantName('tensor'))).toBeUndefined()
    expect(layers(graph).reduce((total, { parameters }) => total + parameters, 0)).toBe(6)
  })

  it('tell statistics of batch normalisations from weights, in graphs that say nothing', () => {
    const b = new Builder()
    const [scale, shift, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map((name) =>
      b.initializer(name, vector(1, 2, 3)),
    )
    const x = b.input('x', 'float32', [2, 3])
    b.output('y', op.batchNormalization(x, scale!, shift!, mean!, variance!))
    expect(roles(b.build())).toEqual({ scale: 'weight', shift: 'weight', mean: 'buffer', variance: 'buffer' })
  })

  it('go with weights into float16 and back', async () => {
    const b = new Builder()
    const w = b.initializer('w', tensor('float32', [1024], Array(1024).fill(0.5)), role('buffer'))
    b.output('y', op.add(b.input('x', 'float32', [1024]), w))
    const half = await halve(b.build())
    expect(roles(half)).toEqual({ w_float16: 'buffer' })
    expect(roles(await widen(half, fails))).toEqual({ w_float16: 'buffer' })
  })
})

const fails = async () => {
  throw new Error('It lies in memory.')
}

describe('initializersToInputs', () => {
  it('makes inputs of them that compute the same when fed, keeping types, roles and tensors', async () => {
    const graph = small()
    const fed = initializersToInputs(graph, ['seen', 'w'])
    expect(fed.inputs.map(({ name, type }) => [name, type?.kind === 'tensor' && type.shape])).toEqual([
      ['x', ['batch', 2]],
      ['seen', [2]],
      ['w', [2]],
    ])
    expect(roles(fed)).toEqual({ scale: 'weight', seen: 'buffer', w: 'weight' })
    expect(fed.initializers.get('scale')).toBe(graph.initializers.get('scale'))
    expect(graph.initializers.has('w')).toBe(true)
    const x = tensor('float32', [1, 2], [1, 1])
    const one = await evaluate(fed, { x, w: vector(2, 3), seen: vector(0, 5) })
    const other = await evaluate(fed, { x, w: vector(0, 1), seen: vector(8, 9) })
    expect([numbers(one['y']), numbers(one['seen.next'])]).toEqual([
      [21, 31],
      [1, 6],
    ])
    expect([numbers(other['y']), numbers(other['seen.next'])]).toEqual([
      [1, 11],
      [9, 10],
    ])
    expect(initializersToInputs(graph, [])).toBe(graph)
  })

  it('reaches what sub-graphs read from outside, and what they hold themselves', async () => {
    const branch = (name: string, value: number): Graph => {
      const b = new Builder({ name })
      const own = b.initializer(`${name}.own`, vector(value, value))
      b.output(`${name}.y`, op.add(own, 0))
      const graph = b.build()
      const nodes = graph.nodes.map((node) => ({ ...node, inputs: [`${name}.own`, 'shared'] }))
      const initializers = new Map([...graph.initializers].filter(([key]) => key.endsWith('.own')))
      return { ...graph, nodes, initializers, opsets: new Map() }
    }
    const b = new Builder()
    b.initializer('shared', vector(1, 2))
    const yes = b.input('yes', 'bool', [])
    const type = { kind: 'tensor', dtype: 'float32', shape: [2] } as const
    const attributes = {
      then_branch: { type: 'graph', value: branch('then', 10) },
      else_branch: { type: 'graph', value: branch('else', 20) },
    } as const
    const [y] = b.node('If', [yes], attributes, { types: [type] })
    b.output('y', op.add(y!, b.value('shared')))
    const graph = b.build()
    const fed = initializersToInputs(graph, ['shared', 'else.own'])
    expect(fed.inputs.map(({ name }) => name)).toEqual(['yes', 'shared', 'else.own'])
    const run = async (yes: number) =>
      numbers(
        (
          await evaluate(fed, {
            yes: tensor('bool', [], [yes]),
            shared: vector(100, 200),
            'else.own': vector(7, 8),
          })
        )['y'],
      )
    expect(await run(1)).toEqual([210, 410])
    expect(await run(0)).toEqual([207, 408])
    expect(() => initializersToInputs(graph, ['els.own'])).toThrow(
      /no initializer els\.own.*Did you mean else\.own/,
    )
    expect(() => initializersToInputs(graph, ['y'])).toThrow(
      expect.objectContaining({ code: 'LAYER_UNKNOWN' }),
    )
  })
})

describe('optionalOutputs', () => {
  it('adds what differentiation asks for: types are known, and the values right', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 1, 2, 2])
    const normed = b.scope('norm', () => op.layerNormalization(x, vectorOf(b), undefined, { epsilon: 0 }))
    b.output(
      'y',
      b.scope('pool', () => op.maxPool(normed, [2, 2])),
    )
    const graph = b.build()
    const added = optionalOutputs(graph, {
      'norm/LayerNormalization': ['InvStdDev', 'Mean'],
      y: ['Indices'],
    })
    const names = ['norm/LayerNormalization:1', 'norm/LayerNormalization:2', 'pool/MaxPool:1']
    expect(added.nodes.flatMap(({ outputs }) => outputs.slice(1))).toEqual(names)
    expect(added.values.get(names[1]!)?.type).toEqual({
      kind: 'tensor',
      dtype: 'float32',
      shape: ['batch', 1, 2, 1],
    })
    expect(added.values.get(names[2]!)?.type).toMatchObject({ dtype: 'int64' })
    const feeds = { x: tensor('float32', [1, 1, 2, 2], [1, 3, 4, 0]) }
    const results = await evaluate(cut(added, names), feeds)
    expect(numbers(results[names[0]!])).toEqual([2, 2])
    expect(numbers(results[names[1]!])).toEqual([1, 0.5])
    expect([...(results[names[2]!]!.data as BigInt64Array)]).toEqual([1n])
    // Asked again, nothing is added.
    expect(optionalOutputs(added, { 'pool/MaxPool': ['Indices'] }).nodes).toEqual(added.nodes)
    expect(graph.nodes.every(({ outputs }) => outputs.length === 1)).toBe(true)
  })

  it('refuses what an operator or its mode does not have', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2, 3, 3])
    const [one, zero] = [1, 0].map((value) => b.initializer(`c${value}`, vector(value, value)))
    b.output(
      'y',
      b.scope('bn', () => op.relu(op.batchNormalization(x, one!, zero!, zero!, one!))),
    )
    const graph = b.build()
    const ask = (node: string, output: string) => () => optionalOutputs(graph, { [node]: [output] })
    expect(ask('bn/BatchNormalization', 'running_mean')).toThrow(/in training mode only/)
    expect(ask('bn/Relu', 'mask')).toThrow(expect.objectContaining({ code: 'OPERATOR_UNSUPPORTED' }))
    expect(ask('bn/BatchNormalisation', 'running_mean')).toThrow(/Did you mean bn\/BatchNormalization/)
  })
})

const vectorOf = (b: Builder) => b.initializer('gamma', vector(1, 1))

describe('widen', () => {
  it('leaves no Cast between a weight and its use; what lies in a file is loaded once', async () => {
    const b = new Builder()
    const half = (values: number[]): Tensor => ({
      dtype: 'float16',
      shape: [values.length],
      data: float32ToFloat16(Float32Array.from(values)),
    })
    const filed = { dtype: 'float16', shape: [2], file: { path: '/nowhere', offset: 0, length: 4 } } as const
    const x = b.input('x', 'float32', [2])
    const a = op.cast(b.initializer('a', half([0.5, 2]), role('weight')), 'float32')
    const f = op.cast(b.initializer('f', filed, role('buffer')), 'float32')
    const asHalf = b.initializer('h', half([1, 1]))
    b.output('y', op.add(op.mul(op.add(x, a), f), op.cast(op.add(asHalf, asHalf), 'float32')))
    const graph = b.build()
    const loaded: unknown[] = []
    const wide = await widen(graph, async (tensor) => {
      loaded.push(tensor)
      return half([10, 100])
    })
    expect(loaded).toEqual([filed])
    expect(wide.nodes.filter(({ op }) => op === 'Cast')).toHaveLength(1)
    expect([...wide.initializers].map(([name, { dtype }]) => [name, dtype])).toEqual([
      ['a', 'float32'],
      ['f', 'float32'],
      ['h', 'float16'],
    ])
    expect(roles(wide)).toEqual({ a: 'weight', f: 'buffer', h: 'weight' })
    expect(numbers((await evaluate(wide, { x: vector(1, 1) }))['y'])).toEqual([17, 302])
    const nothing = small()
    expect(await widen(nothing, fails)).toBe(nothing)
  })
})

it('Every operator of the list of those that are emitted is emitted by a function of op.', async () => {
  const { readFile, readdir } = await import('node:fs/promises')
  const folder = new URL('../ops/', import.meta.url)
  const files = (await readdir(folder)).filter((name) => !/emitted|test/.test(name))
  const text = (await Promise.all(files.map((name) => readFile(new URL(name, folder), 'utf8')))).join('\n')
  expect(EMITTED_OPERATORS.filter((name) => !text.includes(`'${name}'`))).toEqual([])
})
