import { describe, expect, it } from 'vitest'
import { readOnnx } from '../files/index.ts'
import { reference, relativeError, run, testdata } from '../testing/run.ts'
import { feed } from './feed.ts'
import { resolveLayer } from './layers.ts'

describe('feed', async () => {
  const graph = await readOnnx(testdata('convolutional.onnx'))
  const { feeds, values } = reference('convolutional')

  it('takes an inner value from outside, and drops what only it needed', async () => {
    const fed = feed(graph, { pool: 'map' })
    expect(fed.inputs).toEqual([
      { name: 'map', type: { kind: 'tensor', dtype: 'float32', shape: ['batch', 3, 4, 4] } },
    ])
    expect(fed.initializers.has('conv1.weight')).toBe(false)
    const results = await run(fed, { map: values[resolveLayer(graph, 'pool')]! })
    for (const { name } of fed.outputs)
      expect(relativeError(results[name]!, values[name]!)).toBeLessThan(1e-5)
  })

  it('gives back the graph for an input under its own name', async () => {
    const [input] = graph.inputs
    const fed = feed(graph, { [input!.name]: input!.name })
    const results = await run(fed, feeds)
    expect(relativeError(results['logits']!, values['logits']!)).toBeLessThan(1e-5)
  })

  it('says which name is unknown or taken, and that an output must be left', () => {
    expect(() => feed(graph, { pol: 'map' })).toThrow(/no layer pol.*pool/)
    expect(() => feed(graph, { pool: 'logits' })).toThrow(expect.objectContaining({ code: 'GRAPH_INVALID' }))
    expect(() => feed(graph, { pool: 'a', 'layer1.0': 'a' })).toThrow(/cannot be called a/)
    const outputs = Object.fromEntries(graph.outputs.map(({ name }) => [name, `${name}_fed`]))
    expect(() => feed(graph, outputs)).toThrow(/All outputs/)
  })
})
