import { describe, expect, it } from 'vitest'
import { tensor } from '../../tensor/index.ts'
import { Builder } from '../builder.ts'
import { readOnnx } from '../files/index.ts'
import * as op from '../ops/all.ts'
import { reference, relativeError, run, testdata } from '../testing/run.ts'
import { fold } from './fold.ts'

const evaluate = (graph: Parameters<typeof run>[0]) => run(graph, {})

describe('fold', () => {
  it('computes what depends on no input, once', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 2])
    const w = b.initializer('w', tensor('float32', [2], [1, 2]))
    const scaled = op.mul(op.add(w, w), w)
    b.output('y', op.add(x, scaled))
    const graph = b.build()
    let calls = 0
    const folded = await fold(graph, (part) => {
      calls++
      expect(part.inputs).toEqual([])
      return evaluate(part)
    })
    expect(calls).toBe(1)
    expect(folded.nodes.map((node) => node.op)).toEqual(['Add'])
    expect([...folded.initializers.values()].map(({ shape }) => shape)).toEqual([[2]])
    const { y } = await run(folded, { x: tensor('float32', [1, 2], [0, 1]) })
    expect(y?.data).toEqual(Float32Array.of(2, 9))
  })

  it('leaves results above the limit, random operators and defaults of inputs alone', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [2])
    const w = b.initializer('w', tensor('float32', [2], [1, 2]))
    const doubled = op.add(w, w)
    const [noise] = b.node('RandomNormalLike', [w])
    b.output('y', op.add(op.add(x, doubled), noise!))
    const graph = b.build()
    expect((await fold(graph, evaluate, { maxBytes: 7 })).nodes).toHaveLength(4)
    expect((await fold(graph, evaluate)).nodes.map((node) => node.op)).toEqual([
      'RandomNormalLike',
      'Add',
      'Add',
    ])
    const overridable = { ...graph, inputs: [...graph.inputs, { name: 'w' }] }
    expect(await fold(overridable, evaluate)).toBe(overridable)
  })

  it('keeps constants under the names of their values, whatever they are called in the file', async () => {
    const b = new Builder()
    const named = Uint8Array.of(0x42, 1, 0x77) // field 8, its name: "w"
    const constant = { ...tensor('float32', [2], [1, 2]), carried: named }
    const [two] = b.node('Constant', [], { value: { type: 'tensor', value: constant } })
    b.output('y', op.add(b.input('x', 'float32', [2]), two!))
    const { y } = await run(await fold(b.build(), evaluate), { x: tensor('float32', [2], [3, 4]) })
    expect(y?.data).toEqual(Float32Array.of(4, 6))
  })

  it('keeps the numbers of a network with sub-graphs and functions', async () => {
    const graph = await readOnnx(testdata('control.onnx'))
    const { feeds, values } = reference('control')
    const { y } = await run(await fold(graph, evaluate), feeds)
    expect(relativeError(y!, values['y']!)).toBeLessThan(1e-5)
  })
})
