import { describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { tensor } from '../tensor/index.ts'
import { Builder, type Graph, inferShapes, layers, op } from './index.ts'

function mlp() {
  const b = new Builder({ name: 'mlp' })
  const x = b.input('x', 'float32', ['batch', 4])
  const w = b.initializer('fc.weight', tensor('float32', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]))
  const y = b.scope('fc', { kind: 'Linear' }, () => op.add(op.matMul(x, w), 1))
  return { b, x, w, y }
}

function caught(action: () => unknown): PipiloError {
  try {
    action()
  } catch (error) {
    if (error instanceof PipiloError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

function branch(operator: string, from: string, to: string): Graph {
  const node = { name: '', op: operator, domain: '', inputs: [from], outputs: [to], attributes: {} }
  return { ...new Builder().build(), opsets: new Map(), nodes: [node], outputs: [{ name: to }] }
}

describe('Builder', () => {
  it('keeps its own arrays: what it was given and what it gave may be changed', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [4])
    const inputs = [x, x]
    const [sum] = b.node('Add', inputs)
    inputs.pop()
    const halves = op.split(sum!, 2)
    b.output('y', halves.pop()!)
    halves.length = 0
    const { nodes } = b.build()
    expect(nodes[0]!.inputs).toEqual(['x', 'x'])
    expect(nodes[1]!.outputs).toHaveLength(2)
  })

  it('names nodes by scope, infers types, and writes to the output’s name directly', () => {
    const { b, y } = mlp()
    expect(y.shape).toEqual(['batch', 2])
    b.output('y', y)
    const graph = b.build()
    expect(graph.nodes.map(({ name, op, inputs, outputs }) => [name, op, inputs, outputs])).toEqual([
      ['fc/MatMul', 'MatMul', ['x', 'fc.weight'], ['fc/MatMul']],
      ['fc/Add', 'Add', ['fc/MatMul', 'constant/float32(1)'], ['y']],
    ])
    expect(graph.nodes[0]!.metadata?.get('pipilo.kind')).toBe('0:Linear')
    expect(graph.outputs).toEqual([
      { name: 'y', type: { kind: 'tensor', dtype: 'float32', shape: ['batch', 2] } },
    ])
    expect([...graph.values.keys()]).toEqual(['fc/MatMul'])
    expect(graph.opsets).toEqual(new Map([['', 17]]))
  })

  it('nests scopes and remembers the kinds around a node', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [1])
    const inner = () =>
      b.scope('attention.self', () => b.scope('query', { kind: 'Linear' }, () => op.relu(x)))
    b.output(
      'y',
      b.scope('encoder', () => b.scope('layer.0', { kind: 'BertLayer' }, inner)),
    )
    const [node] = b.build().nodes
    expect(node!.name).toBe('encoder.layer.0.attention.self.query/Relu')
    expect(node!.metadata?.get('pipilo.kind')).toBe('0:Linear 3:BertLayer')
  })

  it('calls the layers of scopes as it is told, and what becomes one layer has the outer kind', () => {
    const layerName = (path: string) =>
      path.replace(/^blocks\.(\d+)/, 'encoder.layers.$1').replace(/\.qkv$/, '')
    const b = new Builder({ layerName })
    const x = b.input('x', 'float32', [2])
    b.scope('blocks.0', { kind: 'Block' }, () =>
      b.scope('attn', { kind: 'Attention' }, () => {
        const inner = b.scope('qkv', { kind: 'Linear' }, () => [b.path, op.relu(x)] as const)
        expect(inner[0]).toBe('blocks.0.attn.qkv')
        b.output('y', op.neg(inner[1]))
      }),
    )
    expect(layers(b.build()).map(({ name, kind }) => [name, kind])).toEqual([
      ['encoder', 'Neg'],
      ['encoder.layers', 'Neg'],
      ['encoder.layers.0', 'Block'],
      ['encoder.layers.0.attn', 'Attention'],
    ])
  })

  it('numbers repeated operators and renames an inner value that an output’s name displaces', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [2])
    const first = op.relu(x)
    const second = op.relu(first)
    b.output('Relu', second)
    const graph = b.build()
    expect(graph.nodes.map(({ name }) => name)).toEqual(['Relu', 'Relu_2'])
    expect(graph.nodes[1]!.inputs).toEqual(graph.nodes[0]!.outputs)
    expect(graph.nodes[1]!.outputs).toEqual(['Relu'])
  })

  it('adds an Identity only for inputs, initializers and values that are outputs already', () => {
    const { b, x, y } = mlp()
    b.output('y', y)
    b.output('z', y)
    b.output('same', x)
    expect(b.build().nodes.map((node) => node.op)).toEqual(['MatMul', 'Add', 'Identity', 'Identity'])
    expect(caught(() => b.output('x', y)).code).toBe('GRAPH_INVALID')
  })

  it('leaves out initializers that nothing reads, and makes a constant once', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [2])
    b.initializer('idle', tensor('float32', [1], [1]))
    b.output('y', op.add(op.mul(x, 3), 3))
    expect([...b.build().initializers.keys()]).toEqual(['constant/float32(3)'])
  })

  it('extends a graph without clashes', () => {
    const { b, y } = mlp()
    b.output('y', y)
    const more = Builder.from(b.build(), { outputs: 'clear' })
    const sum = more.scope('fc', () => op.add(more.value('y'), more.value('fc/MatMul')))
    more.output('sum', sum)
    const graph = more.build()
    expect(graph.outputs.map(({ name }) => name)).toEqual(['sum'])
    expect(graph.nodes.map(({ name }) => name)).toEqual(['fc/MatMul', 'fc/Add', 'fc/Add_2'])
    expect(sum.shape).toEqual(['batch', 2])
    expect(caught(() => more.value('fc/MatMull')).message).toContain('"fc/MatMul"')
    expect(Builder.from(graph).build()).toEqual(graph)
    expect(inferShapes(graph)).toEqual(graph)
  })

  it('keeps the names that sub-graphs see, and out of the way of those inside them', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [2])
    const inner = op.relu(x)
    const [chosen] = b.node('If', [b.input('condition', 'bool', [])], {
      then_branch: { type: 'graph', value: branch('Neg', inner.name, 'Relu_2') },
      else_branch: { type: 'graph', value: branch('Abs', inner.name, 'other') },
    })
    b.output('y', chosen!)
    const more = Builder.from({ ...b.build(), irVersion: 3 }, { outputs: 'clear' })
    more.output('z', more.value(inner.name))
    op.relu(more.value('x'))
    const graph = more.build()
    expect(graph.nodes.map((node) => [node.op, node.outputs])).toEqual([
      ['Relu', ['Relu']],
      ['If', ['y']],
      ['Identity', ['z']],
      ['Relu', ['Relu_3']],
    ])
    expect(graph.irVersion).toBe(4)
  })

  it('keeps what the graphs inside a new node take from around it', () => {
    const b = new Builder()
    const weight = b.initializer('weight', tensor('float32', [2], [1, 2]))
    const [chosen] = b.node(
      'If',
      [b.input('condition', 'bool', [])],
      {
        then_branch: { type: 'graph', value: branch('Neg', weight.name, 'Abs') },
        else_branch: { type: 'graph', value: branch('Sqrt', weight.name, 'other') },
      },
      { types: [{ kind: 'tensor', dtype: 'float32', shape: [2] }] },
    )
    b.output('y', op.abs(chosen!))
    const graph = b.build()
    expect([...graph.initializers.keys()]).toEqual(['weight'])
    expect(graph.nodes.map(({ name }) => name)).toEqual(['If', 'Abs_2'])
  })

  it('names scope, operator and shapes in an error', () => {
    const { b, x, w } = mlp()
    const error = caught(() => b.scope('encoder', () => op.matMul(x, op.transpose(w))))
    expect(error.code).toBe('SHAPE_MISMATCH')
    expect(error.message).toBe(
      'MatMul at "encoder/MatMul" cannot take float32 [batch, 4] and float32 [2, 4]: inner sizes: 4 is not 2.',
    )
    expect(caught(() => op.add(x, b.input('i', 'int64', [4]))).code).toBe('DTYPE_MISMATCH')
    expect(caught(() => op.add(x, new Builder().input('x', 'float32', [4]))).code).toBe('GRAPH_INVALID')
  })
})
