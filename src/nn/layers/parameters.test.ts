import { describe, expect, it } from 'vitest'
import { Builder, op, updatesOf } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { float32ToFloat16, type Tensor, tensor } from '../../tensor/index.ts'
import { built, parametersFrom } from '../index.ts'

const source = new Map<string, Tensor>([
  ['bert.norm.gamma', tensor('float32', [2], [1, 2])],
  ['half', { dtype: 'float16', shape: [2], data: float32ToFloat16(Float32Array.of(0.5, -2)) }],
  ['embeddings.position_ids', tensor('int64', [1, 2], [0, 1])],
  ['classifier.weight', tensor('float32', [1], [1])],
])

describe('parametersFrom', () => {
  it('finds names behind prefixes and old names, and reports what nobody asked for', () => {
    const parameters = parametersFrom(new Builder(), source, { prefixes: ['', 'bert.'] })
    const weight = parameters.weight('norm.weight', [2])
    expect(weight.name).toBe('norm.weight')
    expect(parameters.weight('norm.weight', [2])).toBe(weight)
    expect(parameters.has('norm.bias')).toBe(false)
    expect(parameters.unused()).toEqual(['half', 'classifier.weight'])
  })

  it('takes aliases and patterns to ignore', () => {
    const parameters = parametersFrom(new Builder(), source, {
      aliases: (name) => [name.replace('head', 'classifier')],
      ignore: [/^half$/, /norm/],
    })
    parameters.weight('head.weight', [1])
    expect(parameters.unused()).toEqual([])
  })

  it('gives float32 whatever the checkpoint stores', async () => {
    const b = new Builder()
    b.output('y', parametersFrom(b, source).weight('half', [2]))
    const graph = b.build()
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Cast'])
    expect(graph.initializers.get('half')).toBe(source.get('half'))
    expect(Array.from((await evaluate(graph))['y']!.data as Float32Array)).toEqual([0.5, -2])
  })

  it('complains about names and shapes', () => {
    const asking = (names: Record<string, number[]>) => () => {
      const parameters = parametersFrom(new Builder(), source)
      for (const [name, shape] of Object.entries(names)) parameters.weight(name, shape)
      parameters.unused()
    }
    expect(asking({ 'classifier.wieght': [1] })).toThrow(
      /no parameter classifier\.wieght\..*closest names in it to classifier\.wieght are classifier\.weight/,
    )
    expect(asking({ 'classifier.weight': [3] })).toThrow(
      /classifier\.weight is \[1\], but the configuration asks for \[3\]/,
    )
    expect(asking({ a: [1], b: [2], half: [4], 'classifier.weight': [3] })).toThrow(
      /no parameters a, b \(2 of them\)\. And half is \[2\].* asks for \[4\]; classifier\.weight is/,
    )
    expect(() => parametersFrom(new Builder(), undefined).weight('w', [1])).toThrow(
      expect.objectContaining({ code: 'PARAMETER_MISSING' }),
    )
  })

  it('draws what does not fit when it is not strict', () => {
    const parameters = parametersFrom(new Builder(), source, { strict: false })
    expect(parameters.weight('fresh', [3], { kind: 'ones' }).shape).toEqual([3])
    expect(parameters.weight('half', [3], { kind: 'ones' }).shape).toEqual([3])
    expect(parameters.unused()).not.toContain('half')
  })

  it('widens what lies in memory while training, so that no Cast stands before a weight', async () => {
    const b = new Builder()
    const parameters = parametersFrom(b, source, { mode: 'training' })
    b.output('y', op.add(parameters.weight('half', [2]), 0))
    const graph = b.build()
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Add'])
    expect(graph.initializers.get('half')).toMatchObject({ dtype: 'float32', shape: [2] })
    expect(Array.from((await evaluate(graph))['y']!.data as Float32Array)).toEqual([0.5, -2])
  })

  it('lists roles, and makes the next values of buffers outputs while training alone', () => {
    const graphOf = (mode: 'training' | 'inference') => {
      const b = new Builder()
      const parameters = parametersFrom(b, undefined, { mode })
      const buffer = parameters.buffer('seen', [], { kind: 'zeros' }, { dtype: 'int64' })
      const weight = parameters.weight('scale', [], { kind: 'ones' })
      parameters.update(buffer, op.add(buffer, 1))
      expect(() => parametersFrom(b, undefined, { mode: 'training' }).update(weight, weight)).toThrow(
        expect.objectContaining({ code: 'GRAPH_INVALID' }),
      )
      b.output('y', op.mul(weight, op.cast(buffer, 'float32')))
      return built(b, parameters)
    }
    const { graph, parameters } = graphOf('training')
    expect(parameters).toEqual([
      { name: 'seen', role: 'buffer', shape: [] },
      { name: 'scale', role: 'weight', shape: [] },
    ])
    expect(graph.outputs.map(({ name }) => name)).toEqual(['y', 'seen.next'])
    expect([...updatesOf(graph)]).toEqual([['seen', 'seen.next']])
    expect(graphOf('inference').graph.outputs.map(({ name }) => name)).toEqual(['y'])
  })

  it('draws an optional buffer that a checkpoint lacks, and no other', () => {
    const parameters = parametersFrom(new Builder(), source)
    const counted = { dtype: 'int64', optional: true } as const
    expect(parameters.buffer('count', [], { kind: 'zeros' }, counted).dtype).toBe('int64')
    parameters.unused()
    parameters.buffer('running_mean', [2], { kind: 'zeros' })
    expect(() => parameters.unused()).toThrow(expect.objectContaining({ code: 'PARAMETER_MISSING' }))
  })
})
