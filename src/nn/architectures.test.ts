import { describe, expect, it } from 'vitest'
import { parametersOf } from '../graph/index.ts'
import { architecture, architectureNames, findArchitecture } from './index.ts'

describe('architecture', () => {
  it('finds every name of every kind, and says what it stands for', () => {
    for (const of of ['transformers', 'timm', 'hub'] as const) {
      for (const name of architectureNames(of)) {
        const found = architecture(name, of)
        expect(findArchitecture(name), name).toBeDefined()
        expect(found.preset !== undefined, name).toBe(of !== 'transformers')
      }
    }
    expect(architecture('resnet50.a1_in1k').modality).toBe('image')
    expect(architecture('bert-base-uncased').preset).toMatchObject({ model_type: 'bert', hidden_size: 768 })
    expect(findArchitecture('resnet50', 'transformers')).toBeUndefined()
    expect(findArchitecture('toString')).toBeUndefined()
  })

  it('builds by what differs from the name’s configuration, and lists parameters with roles', () => {
    const size = [32, 32] as const
    const { graph, parameters } = architecture('resnet18').build({ num_classes: 3 }, undefined, { size })
    expect(parameters.at(-1)).toEqual({ name: 'fc.bias', role: 'weight', shape: [3] })
    const buffers = parameters.filter(({ role }) => role === 'buffer').map(({ name }) => name)
    expect(buffers).toHaveLength(2 * 20)
    expect(buffers.every((name) => /running_(mean|var)$/.test(name))).toBe(true)
    expect(parametersOf(graph)).toEqual(parameters)
    const small = { vocab_size: 8, dim: 16, n_layers: 1, n_heads: 2, hidden_dim: 8 }
    const text = architecture('distilbert-base-cased').build(small)
    expect(text.parameters[0]!.shape).toEqual([8, 16])
  })

  it('names the closest, and those of transformers', () => {
    expect(() => architecture('resnet5O')).toThrow(expect.objectContaining({ code: 'MODEL_INVALID' }))
    expect(() => architecture('resnet5O')).toThrow(/resnet5O is not known.*Did you mean .*resnet50/)
    expect(() => architecture('robreta')).toThrow(/known: albert, bert.*Did you mean roberta/)
    expect(() => architecture('efficientnet_b0').build({ global_pool: 'max' })).toThrow(
      expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }),
    )
  })
})
