import { describe, expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { Builder } from '../builder.ts'
import { readOnnx } from '../files/index.ts'
import * as op from '../ops/all.ts'
import { testdata } from '../testing/run.ts'
import type { Graph } from '../types.ts'
import { layers, resolveLayer } from './layers.ts'

function built(): Graph {
  const b = new Builder({ name: 'mlp' })
  const x = b.input('x', 'float32', ['batch', 2])
  const y = b.scope('encoder', () =>
    b.scope('layer.0', { kind: 'Block' }, () => {
      const weight = b.initializer('weight', tensor('float32', [2, 3], Array(6).fill(1)))
      const bias = b.initializer('bias', tensor('float32', [3], [1, 2, 3]))
      const linear = b.scope('dense', { kind: 'Linear' }, () => op.add(op.matMul(x, weight), bias))
      return b.scope('activation', () => op.relu(linear))
    }),
  )
  b.output('y', y)
  return b.build()
}

describe('layers', () => {
  it('come from the scopes of a built graph, outer ones first', () => {
    expect(
      layers(built()).map(({ name, kind, parameters, value }) => [name, kind, parameters, value]),
    ).toEqual([
      ['encoder', 'Relu', 9, 'y'],
      ['encoder.layer', 'Relu', 9, 'y'],
      ['encoder.layer.0', 'Block', 9, 'y'],
      ['encoder.layer.0.dense', 'Linear', 9, 'encoder.layer.0.dense/Add'],
      ['encoder.layer.0.activation', 'Relu', 0, 'y'],
    ])
    expect(layers(built()).map(({ shape }) => shape)).toEqual(Array(5).fill(['batch', 3]))
  })

  it('come from the names of PyTorch’s exporter', async () => {
    const graph = await readOnnx(testdata('convolutional.onnx'))
    expect(layers(graph).map(({ name, kind, parameters }) => [name, kind, parameters])).toEqual([
      ['layer1', 'Relu', 57],
      ['layer1.0', 'Relu', 57],
      ['layer1.0.conv1', 'Conv', 57],
      ['layer1.0.relu', 'Relu', 0],
      ['pool', 'MaxPool', 0],
      ['layer2', 'Clip', 64],
      ['layer2.conv', 'Conv', 48],
      ['layer2.bn', 'BatchNormalization', 16],
      ['layer2.act', 'Clip', 0],
      ['avgpool', 'GlobalAveragePool', 0],
      ['/Flatten', 'Flatten', 0],
      ['fc', 'Gemm', 25],
    ])
  })

  it('are the single nodes where these have no scopes or no names', async () => {
    const graph = await readOnnx(testdata('control.onnx'))
    expect(
      layers(graph)
        .map(({ name }) => name)
        .slice(0, 4),
    ).toEqual(['hidden', 'total', 'positive', 'branch'])
  })

  it('come from the metadata of PyTorch’s newer exporter', async () => {
    const graph = await readOnnx(testdata('convolutional.onnx'))
    const metadata = new Map([
      ['pkg.torch.onnx.name_scopes', "['', 'stem', 'stem.0', 'relu']"],
      [
        'pkg.torch.onnx.class_hierarchy',
        "['my.Net', 'torch.nn.modules.container.Sequential', 'torch.nn.ReLU', 'aten.relu']",
      ],
    ])
    const nodes = graph.nodes.map((node, i) => (i === 1 ? { ...node, name: 'node_relu', metadata } : node))
    const found = layers({ ...graph, nodes }).filter(({ name }) => name.startsWith('stem'))
    expect(found.map(({ name, kind }) => [name, kind])).toEqual([
      ['stem', 'Sequential'],
      ['stem.0', 'ReLU'],
    ])
  })
})

describe('layers of exports whose nodes have no scopes in their names', () => {
  const weight = (shape: number[]) =>
    tensor('float32', shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(1))
  const renamed = (graph: Graph, name: (name: string, op: string) => string): Graph => ({
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, name: name(node.name, node.op) })),
  })

  it('come from the parameters, where PyTorch’s newer exporter’s metadata was stripped', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2])
    const y = op.matMul(x, b.initializer('layer1.0.fc.weight', weight([2, 3])))
    b.output('y', op.relu(y))
    const found = layers(renamed(b.build(), (_, op) => `node_${op.toLowerCase()}_1`))
    expect(found.map(({ name, parameters }) => [name, parameters])).toEqual([
      ['layer1', 6],
      ['layer1.0', 6],
      ['layer1.0.fc', 6],
      ['node_relu_1', 0],
    ])
  })

  it('are one each, of names that TensorFlow Lite joined', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 3, 8, 8])
    const y = op.conv(x, b.initializer('w', weight([4, 3, 2, 2])))
    b.output('y', op.relu(y))
    const joined = 'net/relu1/Relu;net/bn1/FusedBatchNormV3;net/conv1/Conv2D'
    const graph = renamed(b.build(), (_, op) => (op === 'Conv' ? `${joined};net/conv2/Conv2D` : joined))
    expect(layers(graph).map(({ name, parameters }) => [name, parameters])).toEqual([
      ['net', 48],
      ['net.conv1', 48],
      ['net.relu1', 0],
    ])
    expect(resolveLayer(graph, 'net.relu1')).toBe('y')
  })

  it('inside branches and loops are listed with their parameters, and cannot be read', () => {
    const inner = (name: string): Graph => {
      const b = new Builder({ name })
      const rows = b.initializer(`${name}.weight`, weight([2, 2]))
      b.output(
        `${name}_out`,
        b.scope(name, () => op.relu(rows)),
      )
      const { opsets: _, ...rest } = b.build()
      return { ...rest, opsets: new Map() }
    }
    const b = new Builder()
    const flag = b.input('flag', 'bool', [])
    const branches = {
      then_branch: { type: 'graph', value: inner('large') },
      else_branch: { type: 'graph', value: inner('small') },
    } as const
    const [chosen] = b.scope('choice', () => b.node('If', [flag], branches))
    b.output('y', op.relu(chosen!))
    const graph = b.build()
    expect(layers(graph).map(({ name, parameters, value }) => [name, parameters, value])).toEqual([
      ['choice', 0, expect.stringMatching(/choice/)],
      ['large', 4, ''],
      ['small', 4, ''],
      ['Relu', 0, 'y'],
    ])
    expect(() => resolveLayer(graph, 'large')).toThrow(
      expect.objectContaining({ code: 'LAYER_UNKNOWN', message: expect.stringMatching(/inside a branch/) }),
    )
  })
})

describe('resolveLayer', () => {
  it('takes values, scopes in either spelling and nodes', async () => {
    const graph = await readOnnx(testdata('convolutional.onnx'))
    const relu = '/layer1/layer1.0/relu/Relu_output_0'
    for (const name of [relu, 'layer1', '/layer1/layer1.0', 'layer1.0.relu', '/layer1/layer1.0/relu/Relu']) {
      expect(resolveLayer(graph, name)).toBe(relu)
    }
    expect(resolveLayer(graph, 'image')).toBe('image')
  })

  it('passes over sizes that are computed last in a scope', () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2])
    const [value, size] = b.scope('block', () => {
      const inner = op.relu(x)
      return [inner, op.shape(inner)] as const
    })
    b.output('y', op.relu(value))
    b.output('size', size)
    expect(resolveLayer(b.build(), 'block')).toBe('block/Relu')
  })

  it('offers the closest names', () => {
    expect(() => resolveLayer(built(), 'encoder.layer.0.dnse')).toThrow(
      expect.objectContaining({
        code: 'LAYER_UNKNOWN',
        input: 'encoder.layer.0.dnse',
        hint: expect.stringContaining('encoder.layer.0.dense'),
      }),
    )
    expect(() => resolveLayer(built(), '')).toThrow(expect.objectContaining({ code: 'LAYER_UNKNOWN' }))
  })
})
