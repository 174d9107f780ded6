import { describe, expect, it } from 'vitest'
import { readOnnx } from '../files/index.ts'
import { encodeOnnx, parseOnnx } from '../onnx/index.ts'
import { reference, relativeError, run, testdata } from '../testing/run.ts'
import type { Graph } from '../types.ts'
import { cut, tap } from './cut.ts'

function feedsFor(graph: Graph, feeds: ReturnType<typeof reference>['feeds']) {
  return Object.fromEntries(graph.inputs.map(({ name }) => [name, feeds[name]!]))
}

describe.each(['convolutional', 'control', 'external'])('every value of the %s network', async (name) => {
  const graph = await readOnnx(testdata(`${name}.onnx`))
  const { feeds, values } = reference(name)
  const names = Object.keys(values)

  it.each(names)('cut at %s it gives the reference numbers', async (value) => {
    const headless = cut(graph, value)
    expect(headless.outputs.map((output) => output.name)).toEqual([value])
    expect(headless.nodes.length).toBeLessThanOrEqual(graph.nodes.length)
    const results = await run(headless, feedsFor(headless, feeds))
    expect(relativeError(results[value]!, values[value]!)).toBeLessThan(1e-5)
  })

  it('tapped together, written and read again, they give the reference numbers', async () => {
    const tapped = parseOnnx(encodeOnnx(tap(graph, ...names)))
    const results = await run(tapped, feeds)
    for (const value of names) expect(relativeError(results[value]!, values[value]!)).toBeLessThan(1e-5)
  })
})

describe('cut', async () => {
  const graph = await readOnnx(testdata('convolutional.onnx'))

  it('deletes what nothing needs and gives the output a type', () => {
    const headless = cut(graph, 'layer1.0')
    expect(headless.outputs[0]?.name).toBe('/layer1/layer1.0/relu/Relu_output_0')
  })

  it('takes scopes, and keeps only what they need', () => {
    const headless = cut(graph, 'pool')
    expect(headless.nodes.map(({ op }) => op)).toEqual(['Conv', 'Relu', 'MaxPool'])
    expect([...headless.initializers.keys()]).toEqual(['conv1.weight', 'conv1.bias'])
    expect(headless.outputs).toEqual([
      {
        name: '/pool/MaxPool_output_0',
        type: { kind: 'tensor', dtype: 'float32', shape: ['batch', 3, 4, 4] },
      },
    ])
  })

  it('shares tensors and leaves the graph as it was', () => {
    const before = structuredClone(graph)
    const headless = cut(graph, ['pool', 'fc'])
    expect(headless.outputs.map(({ name }) => name)).toEqual(['/pool/MaxPool_output_0', 'logits'])
    expect(headless.initializers.get('fc.weight')).toBe(graph.initializers.get('fc.weight'))
    expect(graph).toEqual(before)
  })

  it('drops inputs that nothing reads, unless asked to keep them', () => {
    const spare = { ...graph, inputs: [...graph.inputs, { name: 'token_type_ids' }] }
    expect(cut(spare, 'pool').inputs.map(({ name }) => name)).toEqual(['image'])
    const kept = cut(spare, 'pool', { keepInputs: true })
    expect(kept.inputs.map(({ name }) => name)).toEqual(['image', 'token_type_ids'])
  })

  it('keeps what sub-graphs read, and drops functions that nothing calls', async () => {
    const control = await readOnnx(testdata('control.onnx'))
    const looped = cut(control, 'looped')
    expect([...looped.initializers.keys()].sort()).toEqual(['three', 'two', 'w', 'yes', 'zero'])
    expect(looped.functions).toEqual([])
    expect(cut(control, 'scaled').functions).toEqual(control.functions)
  })

  it('names the closest layers', () => {
    expect(() => cut(graph, 'layer1.0.conv')).toThrow(
      expect.objectContaining({ code: 'LAYER_UNKNOWN', hint: expect.stringContaining('layer1.0.conv1') }),
    )
    expect(() => tap(graph, 'nothing at all')).toThrow(expect.objectContaining({ code: 'LAYER_UNKNOWN' }))
  })

  it('taps each value once', () => {
    expect(tap(graph, 'fc', 'pool', 'pool').outputs.map(({ name }) => name)).toEqual([
      'logits',
      '/pool/MaxPool_output_0',
    ])
  })
})
