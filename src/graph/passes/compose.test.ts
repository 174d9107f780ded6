import { describe, expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { Builder } from '../builder.ts'
import { readOnnx } from '../files/index.ts'
import * as op from '../ops/all.ts'
import { reference, relativeError, run, testdata } from '../testing/run.ts'
import { compose } from './compose.ts'
import { cut } from './cut.ts'
import { rename } from './rename.ts'

/** y = x + w */
function adder(name: string, input: readonly (number | string)[], w: number[]) {
  const b = new Builder({ name })
  const x = b.input('x', 'float32', input)
  b.output(
    'y',
    b.scope('fc', () => op.add(x, b.initializer('w', tensor('float32', [w.length], w)))),
  )
  return b.build()
}

describe('compose', () => {
  it('feeds one graph into another, with names and symbols told apart', async () => {
    const both = compose(adder('first', ['batch', 2], [1, 2]), adder('second', ['n', 2], [10, 20]), {
      y: 'x',
    })
    expect(both.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(both.outputs).toEqual([
      { name: 'second.y', type: { kind: 'tensor', dtype: 'float32', shape: ['batch', 2] } },
    ])
    expect([...both.initializers.keys()]).toEqual(['w', 'second.w'])
    expect(new Set(both.nodes.map(({ name }) => name)).size).toBe(2)
    const { 'second.y': y } = await run(both, { x: tensor('float32', [1, 2], [0, 0]) })
    expect(y?.data).toEqual(Float32Array.of(11, 22))
  })

  it('puts a network together again that was cut in two, sub-graphs and functions included', async () => {
    const graph = await readOnnx(testdata('control.onnx'))
    const { feeds, values } = reference('control')
    const first = cut(graph, 'looped')
    const names = [...new Set(graph.nodes.flatMap(({ outputs }) => outputs))]
    expect(names).toContain('looped')
    const tail = { ...graph, inputs: [{ ...first.outputs[0]! }], nodes: graph.nodes.slice(5) }
    const whole = compose(first, cut(tail, 'y'), { looped: 'looped' })
    const { y } = await run(whole, feeds)
    expect(relativeError(y!, values['y']!)).toBeLessThan(1e-5)
  })

  it('gives numbers to symbols that meet them', () => {
    const both = compose(adder('a', ['batch', 2], [1, 2]), adder('b', [4, 2], [1, 2]), { y: 'x' })
    expect(both.inputs[0]?.type).toMatchObject({ shape: [4, 2] })
  })

  it('shares inputs of one name if asked', () => {
    const a = adder('a', ['batch', 2], [1, 2])
    const apart = compose(a, adder('b', ['batch', 2], [1, 2]), {})
    expect(apart.inputs.map(({ name, type }) => [name, type?.kind === 'tensor' && type.shape])).toEqual([
      ['x', ['batch', 2]],
      ['b.x', ['batch_2', 2]],
    ])
    const shared = compose(a, adder('b', ['n', 2], [1, 2]), {}, { share: ['x'] })
    expect(shared.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(shared.outputs.map(({ name }) => name)).toEqual(['y', 'b.y'])
  })

  it.each([
    ['SHAPE_MISMATCH', ['batch', 3], { y: 'x' }],
    ['SHAPE_MISMATCH', ['batch', 1, 2], { y: 'x' }],
    ['LAYER_UNKNOWN', ['batch', 2], { z: 'x' }],
    ['LAYER_UNKNOWN', ['batch', 2], { y: 'z' }],
  ])('refuses with %s', (code, shape, connections) => {
    const second = adder('b', shape, Array(Number(shape.at(-1))).fill(1))
    expect(() =>
      compose(adder('a', ['batch', 2], [1, 2]), second, connections as Record<string, string>),
    ).toThrow(expect.objectContaining({ code }))
  })

  it('refuses other versions of an operator set', () => {
    const old = { ...adder('b', ['n', 2], [1, 2]), opsets: new Map([['', 11]]) }
    expect(() => compose(adder('a', ['n', 2], [1, 2]), old, { y: 'x' })).toThrow(
      expect.objectContaining({ code: 'GRAPH_INVALID' }),
    )
  })
})

describe('rename', () => {
  it('renames inputs, outputs, inner values and nodes, also inside sub-graphs', async () => {
    const graph = await readOnnx(testdata('control.onnx'))
    const { feeds, values } = reference('control')
    const renamed = rename(graph, { x: 'features', y: 'embedding', hidden: 'inner', w: 'weight' })
    const { embedding } = await run(renamed, { features: feeds['x']! })
    expect(relativeError(embedding!, values['y']!)).toBeLessThan(1e-5)
    const branch = renamed.nodes.find((node) => node.op === 'If')?.attributes['then_branch']
    expect(branch?.type === 'graph' && branch.value.nodes[0]?.inputs).toEqual(['inner', 'two'])
  })

  it('may exchange two names', () => {
    const graph = rename(adder('a', [2], [1, 2]), { x: 'y', y: 'x' })
    expect([graph.inputs[0]?.name, graph.outputs[0]?.name]).toEqual(['y', 'x'])
  })

  it('refuses unknown and taken names', () => {
    const graph = adder('a', [2], [1, 2])
    expect(() => rename(graph, { xx: 'z' })).toThrow(expect.objectContaining({ code: 'LAYER_UNKNOWN' }))
    expect(() => rename(graph, { x: 'w' })).toThrow(expect.objectContaining({ code: 'GRAPH_INVALID' }))
    expect(() => rename(graph, { x: 'z', w: 'z' })).toThrow(
      expect.objectContaining({ code: 'GRAPH_INVALID' }),
    )
  })
})
