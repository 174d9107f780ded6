import { describe, expect, it } from 'vitest'
import { Builder, type Graph, op, reads } from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import { tensor } from '../tensor/index.ts'
import { grad } from './grad.ts'
import { numbers } from './testing/check.ts'

/** Three blocks of a residual network of linear layers. */
function network(): { graph: Graph; by: string[] } {
  const b = new Builder()
  const by: string[] = []
  let x = b.input('x', 'float32', ['batch', 6])
  for (const block of [0, 1, 2]) {
    x = b.scope(`blocks.${block}`, () => {
      const weight = (name: string) => {
        const full = `blocks.${block}.${name}`
        by.push(full)
        const { data } = numbers([6, 6], by.length)
        return b.initializer(full, tensor('float32', [6, 6], Array.from(data as Float64Array)))
      }
      const hidden = op.gelu(op.matMul(x, weight('up')))
      return op.add(x, op.matMul(op.tanh(hidden), weight('down')))
    })
  }
  b.output('loss', op.reduceMean(op.mul(x, x)))
  return { graph: b.build(), by }
}

describe('recompute', () => {
  it('gives the same gradients, and keeps no inner value of the layers for the way back', async () => {
    const { graph, by } = network()
    const feeds = () => ({ x: tensor('float32', [4, 6], Array.from(numbers([4, 6]).data as Float64Array)) })
    const kept = grad(graph, { of: 'loss', by })
    const again = grad(graph, { of: 'loss', by, recompute: [/^blocks\.\d+/] })
    expect(again.nodes.length).toBeGreaterThan(kept.nodes.length)
    const [a, c] = [await evaluate(kept, feeds()), await evaluate(again, feeds())]
    for (const name of by) {
      const [wanted, found] = [a[`${name}.grad`]!.data, c[`${name}.grad`]!.data]
      for (let i = 0; i < wanted.length; i++) expect(found[i]).toBeCloseTo(Number(wanted[i]), 5)
    }
    const forward = new Set(graph.nodes.map(({ name }) => name))
    const inner = new Set(
      graph.nodes.filter(({ name }) => name.startsWith('blocks.1/')).flatMap(({ outputs }) => outputs),
    )
    const handedOn = graph.nodes.filter(({ name }) => name.startsWith('blocks.2/')).flatMap(reads)
    for (const name of handedOn) inner.delete(name)
    const backward = again.nodes.filter(({ name }) => !forward.has(name))
    expect(backward.flatMap(reads).filter((name) => inner.has(name))).toEqual([])
  })

  it('refuses a pattern that matches nothing', () => {
    const { graph, by } = network()
    expect(() => grad(graph, { of: 'loss', by, recompute: [/^layers\./] })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', input: 'recompute' }),
    )
  })
})
