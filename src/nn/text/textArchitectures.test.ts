import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../base/index.ts'
import {
  Builder,
  compose,
  cut,
  feed,
  type Graph,
  layers,
  parametersOf,
  resolveLayer,
  tap,
} from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { architecture, type BuiltModel, MASK_COUNTER, pool } from '../index.ts'
import { formula } from '../testing/formula.ts'
import { bucket } from './mpnet.ts'
import { textArchitectures } from './textArchitectures.ts'
import { textPresets } from './textPresets.ts'

interface Case {
  readonly config: Readonly<Record<string, unknown>>
  readonly feeds: Readonly<Record<string, number[][]>>
  readonly shapes: Readonly<Record<string, number[]>>
  readonly last_hidden_state: number[]
  readonly pooler_output?: number[]
  readonly hidden_states: number[][]
  readonly attentions: number[][]
}

const cases: Readonly<Record<string, Case>> = JSON.parse(
  readFileSync(new URL('../testdata/text-models.json', import.meta.url), 'utf8'),
)
/** Names under which larger models keep the encoder, where it is not the model_type. */
const prefixes: Readonly<Record<string, string>> = {
  modernbert: 'model.',
  qwen3: 'model.',
  'xlm-roberta': 'roberta.',
  camembert: 'roberta.',
  'data2vec-text': 'data2vec_text.',
  'bert-generation': 'bert.',
}
const withCode = (code: ErrorCode) => expect.objectContaining({ code })
const ids = (rows: number[][]) => tensor('int64', [rows.length, rows[0]!.length], rows.flat())

function weights(type: string, prefix = ''): Map<string, Tensor> {
  const entries = Object.entries(cases[type]!.shapes)
  return new Map(
    entries.map(([name, shape]) => [prefix + name, tensor('float32', shape, formula(name, shape))]),
  )
}

function feedsOf(type: string): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(cases[type]!.feeds).map(([name, rows]) => [name, ids(rows)]))
}

async function run(graph: Graph, feeds: Readonly<Record<string, Tensor>>) {
  const outputs = await evaluate(graph, feeds)
  return (layer: string) => outputs[resolveLayer(graph, layer)]!
}

/** The first `count` numbers of the last axis. */
function features({ shape, data }: Tensor, count: number): number[] {
  const size = shape.at(-1)!
  return [...(data as Float32Array)].filter((_, i) => i % size < count)
}

/** For the last head: what the last token attends to. */
function lastRow({ shape, data }: Tensor): number[] {
  const [batch, heads, queries, keys] = shape as [number, number, number, number]
  return Array.from({ length: batch }, (_, b) => {
    const start = ((b * heads + heads - 1) * queries + queries - 1) * keys
    return [...(data as Float32Array).subarray(start, start + keys)]
  }).flat()
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length)
  const worst = Math.max(...Array.from(expected, (value, i) => Math.abs(value - actual[i]!)))
  expect(worst).toBeLessThan(2e-5)
}

describe.each(Object.keys(textArchitectures))('%s', (type) => {
  const reference = cases[type]!
  const build = (prefix?: string, options = {}): BuiltModel =>
    architecture(type, 'transformers').build(reference.config, weights(type, prefix), options)

  it('gives the numbers of transformers: outputs, every hidden state, every attention map', async () => {
    const { graph, unused, hiddenStates, attentions } = build()
    expect(unused).toEqual([])
    expect(graph.inputs.map(({ name }) => name)).toEqual(Object.keys(reference.feeds))
    expect(graph.outputs[0]!.type).toEqual({
      kind: 'tensor',
      dtype: 'float32',
      shape: ['batch', 'sequence', 16],
    })
    const value = await run(tap(graph, ...hiddenStates!, ...attentions!), feedsOf(type))
    expectClose(features(value('last_hidden_state'), 2), reference.last_hidden_state)
    if (reference.pooler_output)
      expectClose(value('pooler_output').data as Float32Array, reference.pooler_output)
    expect([hiddenStates!.length, attentions!.length]).toEqual([
      reference.hidden_states.length,
      reference.attentions.length,
    ])
    for (const [i, states] of reference.hidden_states.entries())
      expectClose(features(value(hiddenStates![i]!), 1), states)
    for (const [i, map] of reference.attentions.entries()) expectClose(lastRow(value(attentions![i]!)), map)
  })

  it('reads names below a prefix, and reports what it does not ask for', () => {
    const prefix = prefixes[type] ?? `${type}.`
    const tensors = weights(type, prefix).set('lm_head.weight', tensor('float32', [1], [0]))
    const { unused } = architecture(type, 'transformers').build(reference.config, tensors)
    expect(unused).toEqual(['lm_head.weight'])
  })

  it('takes embeddings of one’s own in place of the token embeddings', async () => {
    const { graph, tokenEmbeddings } = build()
    const feeds = feedsOf(type)
    const words = cut(graph, tokenEmbeddings!)
    const { name } = words.outputs[0]!
    const vectors = (await evaluate(words, { input_ids: feeds['input_ids']! }))[name]!
    const fed = feed(graph, { [tokenEmbeddings!]: 'inputs_embeds' })
    const wanted = Object.fromEntries(
      fed.inputs.map((input) => [input.name, input.name === 'inputs_embeds' ? vectors : feeds[input.name]!]),
    )
    // Positions beside the padding are still told by the ids.
    const counted = ['roberta', 'xlm-roberta', 'camembert', 'data2vec-text', 'mpnet'].includes(type)
    expect('input_ids' in wanted).toBe(counted)
    const value = await run(fed, wanted)
    expectClose(features(value('last_hidden_state'), 2), reference.last_hidden_state)
    const composed = compose(words, fed, { [name]: 'inputs_embeds' }, { share: counted ? ['input_ids'] : [] })
    const whole = await run(composed, feeds)
    expectClose(features(whole('last_hidden_state'), 2), reference.last_hidden_state)
  })

  it('draws fresh parameters by the seed, and what a checkpoint lacks where it need not fit', async () => {
    const fresh = (seed: number) =>
      architecture(type, 'transformers').build(reference.config, undefined, { seed }).graph
    const states = async (graph: Graph) => (await run(graph, feedsOf(type)))('last_hidden_state').data
    const [once, again, other] = await Promise.all([1, 1, 2].map((seed) => states(fresh(seed))))
    expect(again).toEqual(once)
    expect(other).not.toEqual(once)
    expect((once as Float32Array).every(Number.isFinite)).toBe(true)

    const [name, shape] = Object.entries(reference.shapes).find(([key]) => /layer.*\.weight$/.test(key))!
    const tensors = weights(type)
    tensors.delete(name)
    expect(() => architecture(type, 'transformers').build(reference.config, tensors)).toThrow(
      withCode('PARAMETER_MISSING'),
    )
    tensors.set(name, tensor('float32', [...shape, 1], formula(name, shape)))
    expect(() => architecture(type, 'transformers').build(reference.config, tensors)).toThrow(
      withCode('SHAPE_MISMATCH'),
    )
    expect(
      architecture(type, 'transformers').build(reference.config, tensors, { strict: false }).unused,
    ).toEqual([])
  })

  it('drops in training mode where its configuration has dropout', () => {
    const dropouts = { hidden_dropout_prob: 0.1, embedding_dropout: 0.1, attention_dropout: 0.1 }
    const { graph } = architecture(type, 'transformers').build(
      { ...reference.config, ...dropouts },
      undefined,
      {
        mode: 'training',
      },
    )
    expect(graph.inputs.at(-1)!.name).toBe(MASK_COUNTER)
    const thresholds = graph.nodes.filter(({ op }) => op === 'GreaterOrEqual').map(({ inputs }) => inputs[1])
    expect(thresholds).toContain(`constant/uint32(${Math.round(0.1 * 2 ** 32)})`)
  })
})

describe('options', () => {
  it('holds each parameter of ALBERT once, however many layers share it', () => {
    const { graph } = architecture('albert', 'transformers').build(cases['albert']!.config, weights('albert'))
    const parameters = parametersOf(graph).map(({ name }) => name)
    // Without a pooler's bias and weight all are asked for.
    expect(parameters.toSorted()).toEqual(Object.keys(cases['albert']!.shapes).toSorted())
    const names = layers(graph).map(({ name }) => name)
    for (const i of [0, 1, 2]) expect(names).toContain(`encoder.layer.${i}.attention.attention_probs`)
  })

  it('gives Qwen3 one last-token embedding, whichever side is padded', async () => {
    const { graph } = architecture('qwen3', 'transformers').build(cases['qwen3']!.config, weights('qwen3'))
    const builder = Builder.from(graph, { outputs: 'clear' })
    builder.output(
      'embedding',
      pool(builder.value('last_hidden_state'), 'last', builder.value('attention_mask')),
    )
    const feeds = {
      input_ids: ids([
        [0, 0, 5, 9, 3],
        [5, 9, 3, 0, 0],
      ]),
      attention_mask: ids([
        [0, 0, 1, 1, 1],
        [1, 1, 1, 0, 0],
      ]),
    }
    const { embedding } = await evaluate(builder.build(), feeds)
    const data = embedding!.data as Float32Array
    expectClose(data.subarray(0, 16), data.subarray(16))
  })

  it('puts relative positions into the buckets of transformers', () => {
    const edges = [
      -500, -128, -91, -90, -64, -63, -32, -31, -16, -9, -8, -7, 0, 1, 8, 11, 12, 45, 46, 127, 500,
    ]
    const buckets = [15, 15, 15, 14, 14, 13, 12, 11, 10, 8, 8, 7, 0, 17, 24, 24, 25, 28, 29, 31, 31]
    expect(edges.map(bucket)).toEqual(buckets)
  })

  it('starts DistilBERT’s sinusoidal positions as sines and cosines', () => {
    const config = { ...cases['distilbert']!.config, sinusoidal_pos_embds: true }
    const { graph } = architecture('distilbert', 'transformers').build(config)
    const table = graph.initializers.get('embeddings.position_embeddings.weight') as Tensor
    const row = [...(table.data as Float32Array).subarray(16, 20)]
    expectClose(row, [Math.sin(1), Math.cos(1), Math.sin(10 ** -0.5), Math.cos(10 ** -0.5)])
  })

  it('has presets that their architectures accept', () => {
    for (const [name, preset] of Object.entries(textPresets)) {
      // Its own sizes would only take time: bench/parity/zoo/textModels.py compares them.
      const layers = { n_layers: 1, num_hidden_layers: 1 }
      const widths = { dim: 192, hidden_dim: 8, hidden_size: 192, intermediate_size: 8 }
      const small = { ...preset, ...layers, ...widths, vocab_size: 8, max_position_embeddings: 8 }
      const { graph } = architecture(preset.model_type, 'transformers').build(small, new Map(), {
        strict: false,
      })
      expect(graph.name, name).toBe(preset.model_type)
    }
  })
})

describe('errors', () => {
  const refuse = (type: string, change: Readonly<Record<string, unknown>>) =>
    expect(() => architecture(type, 'transformers').build({ ...cases[type]!.config, ...change }))

  it('name the architectures that are known, and the closest', () => {
    expect(() => architecture('robreta', 'transformers')).toThrow(withCode('MODEL_INVALID'))
    expect(() => architecture('robreta', 'transformers')).toThrow(
      /architecture robreta is not known; known: albert, bert, .*Did you mean roberta.*ONNX/,
    )
    expect(() => architecture('toString', 'transformers')).toThrow(withCode('MODEL_INVALID'))
  })

  it('say which option is missing, wrong or not supported', () => {
    refuse('distilbert', { dim: undefined }).toThrow(/DistilBERT's configuration has no valid dim: missing/)
    refuse('distilbert', { n_heads: 5 }).toThrow(/n_heads: 5\. It must divide dim, which is 16/)
    refuse('distilbert', { activation: 'gleu' }).toThrow(/Did you mean gelu/)
    refuse('roberta', { pad_token_id: -1 }).toThrow(withCode('MODEL_INVALID'))
    refuse('roberta', { position_embedding_type: 'relative_key' }).toThrow(withCode('OPERATOR_UNSUPPORTED'))
    refuse('xlm-roberta', { is_decoder: true }).toThrow(withCode('OPERATOR_UNSUPPORTED'))
    refuse('mpnet', { relative_attention_num_buckets: 16 }).toThrow(withCode('MODEL_INVALID'))
    refuse('albert', { num_hidden_groups: 4 }).toThrow(withCode('MODEL_INVALID'))
    refuse('albert', { layer_norm_eps: '1e-12' }).toThrow(/layer_norm_eps: "1e-12"/)
    refuse('modernbert', { layer_types: ['full_attention'] }).toThrow(/list of 3/)
    refuse('modernbert', { global_attn_every_n_layers: 0 }).toThrow(withCode('MODEL_INVALID'))
    refuse('qwen3', { rope_scaling: { rope_type: 'yarn', factor: 4 } }).toThrow(/rope_type.*"yarn"/)
    refuse('qwen3', { rope_parameters: { rope_theta: -1 } }).toThrow(withCode('MODEL_INVALID'))
    refuse('qwen3', { num_key_value_heads: 3 }).toThrow(/must divide num_attention_heads/)
    refuse('qwen3', { head_dim: 7 }).toThrow(/even/)
  })
})
