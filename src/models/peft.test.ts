import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Graph, loadTensor } from '../graph/index.ts'
import { applyLora, architecture, loraOf, loraParameters, mergeLora } from '../nn/index.ts'
import { formula } from '../nn/testing/formula.ts'
import { evaluate } from '../runtime/index.ts'
import { type Tensor, tensor } from '../tensor/index.ts'
import { readLora, writeLora } from './index.ts'
import { testdata, useFolder } from './testing/fixtures.ts'

const reference = JSON.parse(readFileSync(testdata('lora.json'), 'utf8')) as {
  config: Record<string, unknown>
  input_ids: number[][]
  attention_mask: number[][]
  plain: number[]
  adapted: number[]
  merged: Record<string, number[]>
}

const ids = (rows: number[][]) => tensor('int64', [rows.length, rows[0]!.length], rows.flat())
const feeds = {
  input_ids: ids(reference.input_ids),
  attention_mask: ids(reference.attention_mask),
  token_type_ids: ids(reference.input_ids.map((row) => row.map(() => 0))),
}

/** The tiny BERT whose weights follow the formula. */
function bert(): Graph {
  const { build } = architecture('bert', 'transformers')
  const drawn = build(reference.config).parameters
  const weights = drawn.map(
    ({ name, shape }) => [name, tensor('float32', [...shape], formula(name, shape))] as const,
  )
  return build(reference.config, new Map(weights)).graph
}

async function expectNumbers(graph: Graph, wanted: readonly number[]) {
  const { data } = (await evaluate(graph, feeds))['last_hidden_state']!
  for (const [i, value] of wanted.entries())
    expect(Math.abs((data as Float32Array)[i]! - value)).toBeLessThan(2e-5)
}

describe('LoRA of PEFT', () => {
  const folder = useFolder()

  it('gives PEFT’s numbers, beside the weights and merged into them', async () => {
    const adapter = await readLora(testdata('lora'))
    expect(adapter.config).toEqual({ rank: 3, alpha: 12, dropout: 0.25, rankStabilized: false })
    const graph = bert()
    await expectNumbers(graph, reference.plain)
    const adapted = applyLora(graph, adapter)
    expect(loraOf(adapted)!.modules).toHaveLength(6)
    await expectNumbers(adapted, reference.adapted)
    const merged = await mergeLora(adapted)
    await expectNumbers(merged, reference.adapted)
    for (const [name, values] of Object.entries(reference.merged)) {
      const { data } = merged.initializers.get(name) as Tensor
      for (const [i, value] of values.entries())
        expect(Math.abs((data as Float32Array)[i]! - value), name).toBeLessThan(1e-6)
    }
  })

  it('is written as it was read', async () => {
    const adapted = applyLora(bert(), await readLora(testdata('lora')))
    const path = join(folder.path, 'written')
    await writeLora(path, adapted, { base: 'bert-tiny' })
    const again = await readLora(path)
    expect(again).toMatchObject({ base: 'bert-tiny', config: { rank: 3, alpha: 12, dropout: 0.25 } })
    expect([...again.tensors.keys()].sort()).toEqual(loraParameters(adapted).sort())
    for (const [name, one] of again.tensors)
      expect((await loadTensor(one)).data, name).toEqual(
        (await loadTensor(adapted.initializers.get(name)!)).data,
      )
    await expectNumbers(applyLora(bert(), again), reference.adapted)
    await expect(writeLora(path, bert())).rejects.toMatchObject({ code: 'GRAPH_INVALID' })
  })

  it('fits the encoder of a model with a head, and says which layer there is not', async () => {
    const { config, tensors } = await readLora(testdata('lora'))
    const named = (change: (name: string) => string) => ({
      config,
      tensors: new Map([...tensors].map(([name, one]) => [change(name), one])),
    })
    const within = named((name) => name.replace('base_model.model.', 'base_model.model.bert.'))
    await expectNumbers(applyLora(bert(), within), reference.adapted)
    expect(() =>
      applyLora(
        bert(),
        named((name) => name.replace('query', 'q_lin')),
      ),
    ).toThrow(/no layer encoder\.layer\.0\.attention\.self\.q_lin/)
    expect(() =>
      applyLora(
        bert(),
        named((name) => name.replace('lora_A', 'lora_X')),
      ),
    ).toThrow(expect.objectContaining({ code: 'FORMAT_INVALID' }))
  })

  it.each([
    ['peft_type', 'IA3'],
    ['use_dora', true],
    ['bias', 'all'],
    ['rank_pattern', { query: 8 }],
    ['modules_to_save', ['classifier']],
    ['init_lora_weights', 'pissa'],
  ])('refuses what its matrices do not say: %s %s', async (name, value) => {
    const config = JSON.parse(readFileSync(join(testdata('lora'), 'adapter_config.json'), 'utf8'))
    const path = await folder.variant(
      { 'adapter_config.json': { ...config, [name]: value } },
      testdata('lora'),
    )
    await expect(readLora(path)).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED', input: name })
  })
})
