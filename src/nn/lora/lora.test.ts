import { describe, expect, it } from 'vitest'
import { Builder, type Graph, layers, MASK_COUNTER, op, parametersOf, updatesOf } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { float32ToFloat16, type Tensor, tensor } from '../../tensor/index.ts'
import {
  addLora,
  architecture,
  dropout,
  linear,
  loraOf,
  loraParameters,
  mergeLora,
  parametersFrom,
} from '../index.ts'
import { formula } from '../testing/formula.ts'

const BERT = {
  model_type: 'bert',
  vocab_size: 20,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 8,
  type_vocab_size: 2,
}
const build = (mode: 'training' | 'inference' = 'inference') =>
  architecture('bert', 'transformers').build(BERT, undefined, { mode }).graph
const ids = tensor('int64', [2, 3], [1, 5, 7, 3, 4, 0])
const ones = tensor('int64', [2, 3], [1, 1, 1, 1, 1, 0])
const feeds = {
  input_ids: ids,
  attention_mask: ones,
  token_type_ids: tensor('int64', [2, 3], Array(6).fill(0)),
}
const numbers = (value: Tensor | undefined) => Array.from(value!.data as Float32Array)
const worst = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

/** As training would leave it: matrices that are not zeros. */
const trained = (graph: Graph): Graph => {
  const names = new Set(loraParameters(graph))
  return {
    ...graph,
    initializers: new Map(
      [...graph.initializers].map(([name, one]) => [
        name,
        names.has(name) ? tensor('float32', one.shape, formula(name, one.shape)) : one,
      ]),
    ),
  }
}

describe('addLora', () => {
  it('changes nothing at first, by PEFT’s names, and leaves the graph as it was', async () => {
    const graph = build()
    const nodes = [...graph.nodes]
    const adapted = addLora(graph, { targets: /query|value/, rank: 2, alpha: 4 })
    expect(graph.nodes).toEqual(nodes)
    expect(loraParameters(adapted)).toEqual(
      [0, 1].flatMap((layer) =>
        ['query', 'value'].flatMap((part) =>
          ['A', 'B'].map(
            (matrix) =>
              `base_model.model.encoder.layer.${layer}.attention.self.${part}.lora_${matrix}.weight`,
          ),
        ),
      ),
    )
    expect(loraOf(adapted)).toMatchObject({ rank: 2, alpha: 4, dropout: 0, rankStabilized: false })
    const shape = (name: string) => parametersOf(adapted).find((one) => one.name === name)?.shape
    const prefix = 'base_model.model.encoder.layer.0.attention.self.query'
    expect([shape(`${prefix}.lora_A.weight`), shape(`${prefix}.lora_B.weight`)]).toEqual([
      [2, 8],
      [8, 2],
    ])
    const [a, b] = [await evaluate(graph, feeds), await evaluate(adapted, feeds)]
    expect(numbers(b['last_hidden_state'])).toEqual(numbers(a['last_hidden_state']))
    expect(layers(adapted).map(({ name }) => name)).toContain('encoder.layer.0.attention.self.query')
  })

  it.each([
    ['query', ['query'], 4],
    ['all linear layers of a block', ['query', 'key', 'value', 'dense'], 2 * 2 * 6],
    ['one', ['encoder.layer.1.output.dense'], 2],
  ])('gives the same merged into the weights: %s', async (_, targets, count) => {
    const graph = build()
    const adapted = trained(addLora(graph, { targets, rank: 3, alpha: 5, rankStabilized: true }))
    expect(loraParameters(adapted)).toHaveLength(count)
    const merged = await mergeLora(adapted)
    expect(merged.nodes.map(({ op, name, inputs, outputs }) => ({ op, name, inputs, outputs }))).toEqual(
      graph.nodes.map(({ op, name, inputs, outputs }) => ({ op, name, inputs, outputs })),
    )
    expect(loraOf(merged)).toBeUndefined()
    const [before, with_, after] = await Promise.all(
      [graph, adapted, merged].map(async (one) => numbers((await evaluate(one, feeds))['last_hidden_state'])),
    )
    expect(worst(before!, with_!)).toBeGreaterThan(1e-4)
    expect(worst(after!, with_!)).toBeLessThan(2e-6)
  })

  it('drops while training, apart from the masks that the graph has, and both are gone when it is merged', async () => {
    const graph = build('training')
    const adapted = trained(addLora(graph, { targets: ['query'], rank: 2, alpha: 4, dropout: 0.5 }))
    const masks = layers(adapted).filter(({ kind }) => kind === 'Mask')
    expect(masks.filter(({ name }) => name.includes('.lora.'))).toHaveLength(2)
    expect([...updatesOf(adapted).keys()]).toEqual([MASK_COUNTER])
    const step = async (n: number) =>
      numbers(
        (await evaluate(adapted, { ...feeds, [MASK_COUNTER]: tensor('int64', [2], [1, n]) }))[
          'last_hidden_state'
        ],
      )
    expect(await step(1)).not.toEqual(await step(0))
    expect(await step(0)).toEqual(await step(0))
    expect((await mergeLora(adapted)).inputs.map(({ name }) => name)).toEqual([
      ...Object.keys(feeds),
      MASK_COUNTER,
    ])
    const still = addLora(build(), { targets: ['query'], rank: 2, alpha: 4, dropout: 0.5 })
    expect(still.inputs.map(({ name }) => name)).toContain(MASK_COUNTER)
    expect((await mergeLora(still)).inputs.map(({ name }) => name)).toEqual(Object.keys(feeds))
    expect((await mergeLora(still)).outputs.map(({ name }) => name)).toEqual(['last_hidden_state'])
  })

  it('takes products as they come: weights the other way round, Gemm, halves, outputs of the graph', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 4])
    const weight = (name: string, shape: number[]) => tensor('float32', shape, formula(name, shape))
    const half = weight('half.weight', [3, 4])
    const bits = float32ToFloat16(half.data as Float32Array)
    b.output('plain', op.matMul(x, b.initializer('plain.weight', weight('plain.weight', [4, 3]))))
    b.output(
      'gemm',
      op.gemm(x, b.initializer('gemm.weight', weight('gemm.weight', [3, 4])), undefined, { transB: true }),
    )
    const stored = b.initializer('half.weight', { dtype: 'float16', shape: [3, 4], data: bits })
    b.output('half', op.matMul(x, op.transpose(op.cast(stored, 'float32'), [1, 0])))
    const graph = b.build()
    const adapted = trained(addLora(graph, { targets: ['plain', 'gemm', 'half'], rank: 2, alpha: 2 }))
    const given = { x: tensor('float32', [5, 4], formula('x', [5, 4])) }
    const [before, with_, after] = await Promise.all(
      [graph, adapted, await mergeLora(adapted)].map((one) => evaluate(one, given)),
    )
    for (const name of ['plain', 'gemm', 'half']) {
      expect(worst(numbers(before![name]), numbers(with_![name])), name).toBeGreaterThan(0.01)
      expect(worst(numbers(after![name]), numbers(with_![name])), name).toBeLessThan(1e-5)
    }
  })

  it('refuses what it cannot do, with the closest names', () => {
    const graph = build()
    const adding = (more: object) => () => addLora(graph, { targets: ['query'], rank: 2, alpha: 4, ...more })
    expect(adding({ targets: ['qeury'] })).toThrow(
      /No layer of the graph is meant by qeury\. Did you mean .*query/,
    )
    expect(adding({ targets: /nothing/ })).toThrow(expect.objectContaining({ code: 'LAYER_UNKNOWN' }))
    expect(adding({ targets: [] })).toThrow(expect.objectContaining({ code: 'LAYER_UNKNOWN' }))
    expect(adding({ targets: ['word_embeddings'] })).toThrow(
      expect.objectContaining({ code: 'OPERATOR_UNSUPPORTED' }),
    )
    for (const more of [{ rank: 0 }, { rank: 1000 }, { alpha: Number.NaN }, { dropout: 1 }])
      expect(adding(more)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
    expect(adding({ tensors: new Map() })).toThrow(expect.objectContaining({ code: 'PARAMETER_MISSING' }))
    expect(() => addLora(adding({})(), { targets: ['query'], rank: 2, alpha: 4 })).toThrow(/LoRA already/)
  })

  it('draws from another stream than the layers of the graph it is put into', async () => {
    const b = new Builder()
    const parameters = parametersFrom(b, undefined, { mode: 'training' })
    const x = b.input('x', 'float32', ['batch', 64])
    b.output('y', linear(parameters, 'fc', dropout(x, 0.5, 'training'), 64))
    const graph = addLora(b.build(), { targets: ['fc'], rank: 2, alpha: 2, dropout: 0.5 })
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x', MASK_COUNTER])
    expect(graph.nodes.some(({ name }) => name.startsWith('mask_stream.1'))).toBe(true)
  })
})
