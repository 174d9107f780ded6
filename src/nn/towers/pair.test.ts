import { describe, expect, it } from 'vitest'
import { type Initializer, layers, MASK_COUNTER, parametersOf, updatesOf } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { architecture, buildClip, buildClipPair, buildDualEncoder, buildSentenceEncoder } from '../index.ts'
import { formula } from '../testing/formula.ts'

const OPEN_CLIP = {
  embed_dim: 12,
  vision_cfg: { image_size: 16, patch_size: 8, width: 16, head_width: 8, layers: 2 },
  text_cfg: { context_length: 8, vocab_size: 20, width: 16, heads: 2, layers: 2 },
}
const tower = { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 24 }
const CLIP = {
  model_type: 'clip',
  projection_dim: 12,
  vision_config: { ...tower, image_size: 16, patch_size: 8 },
  text_config: { ...tower, vocab_size: 20, max_position_embeddings: 8, eos_token_id: 19 },
}
const SIGLIP = {
  model_type: 'siglip',
  vision_config: { ...tower, image_size: 16, patch_size: 8 },
  text_config: { ...tower, vocab_size: 20, max_position_embeddings: 5 },
}
const BERT = {
  model_type: 'bert',
  vocab_size: 20,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 8,
  type_vocab_size: 2,
}

const pixels = tensor('float32', [2, 3, 16, 16], formula('pixel_values', [2, 3, 16, 16]))
const ids = tensor('int64', [2, 5], [1, 4, 7, 19, 0, 1, 5, 19, 0, 0])
const mask = tensor('int64', [2, 5], [1, 1, 1, 1, 0, 1, 1, 1, 0, 0])
const zeros = tensor('int64', [2, 5], Array(10).fill(0))
const numbers = (value: Tensor | undefined) => Array.from(value!.data as Float32Array)

const drawn = (initializers: ReadonlyMap<string, Initializer>) =>
  new Map([...initializers].filter(([name]) => !name.startsWith('constant/')))

describe.each([
  ['OpenCLIP', OPEN_CLIP],
  ['CLIP', CLIP],
  ['SigLIP', SIGLIP],
])('%s as one graph', (name, config) => {
  it.each(['training', 'inference'] as const)('gives what its towers give, in %s', async (mode) => {
    const pair = buildClipPair(config, undefined, { mode, seed: 2 })
    const checkpoint = drawn(pair.graph.initializers)
    const towers = buildClip(config, checkpoint)
    expect(buildClipPair(config, checkpoint, { mode }).unused).toEqual([])
    const feeds = (model: { graph: typeof pair.graph }) =>
      Object.fromEntries(
        Object.entries({ pixel_values: pixels, input_ids: ids, attention_mask: mask }).filter(([key]) =>
          model.graph.inputs.some((input) => input.name === key),
        ),
      )
    const found = await evaluate(pair.graph, feeds(pair))
    const [text, image] = [
      await evaluate(towers.text.graph, feeds(towers.text)),
      await evaluate(towers.image.graph, feeds(towers.image)),
    ]
    for (const [output, from] of [
      ['text_embeds', text],
      ['image_embeds', image],
    ] as const) {
      const wanted = numbers(from[output])
      const worst = Math.max(...numbers(found[output]).map((value, i) => Math.abs(value - wanted[i]!)))
      expect(worst, output).toBeLessThan(1e-5)
    }
    expect(numbers(found['scale'])[0]! / towers.logitScale).toBeCloseTo(1, 4)
    if (name === 'SigLIP') expect(numbers(found['bias'])[0]).toBe(-10)
    const names = parametersOf(pair.graph).map((parameter) => parameter.name)
    expect(names).toContain('logit_scale')
    expect(pair.parameters.every(({ role }) => role === 'weight')).toBe(true)
  })
})

describe('two networks of any kind', () => {
  const config = {
    image: { architecture: 'resnet20_cifar', config: { input_size: [16, 16], layers: [1, 1, 1] } },
    text: { architecture: 'bert', config: BERT },
    projection_dim: 6,
  }
  const feeds = { pixel_values: pixels, input_ids: ids, attention_mask: mask, token_type_ids: zeros }

  it('are one graph while training: one counter, statistics of batches, transformers’ names', async () => {
    const { graph, parameters } = buildDualEncoder(config, undefined, { mode: 'training' })
    expect(graph.inputs.map(({ name }) => name)).toEqual([...Object.keys(feeds), MASK_COUNTER])
    expect(graph.outputs.slice(0, 3).map(({ name }) => name)).toEqual([
      'image_embeds',
      'text_embeds',
      'scale',
    ])
    expect(updatesOf(graph).get('vision_model.bn1.running_mean')).toBe('vision_model.bn1.running_mean.next')
    const names = parameters.map(({ name }) => name)
    for (const name of [
      'visual_projection.weight',
      'text_model.encoder.layer.0.output.dense.weight',
      'logit_scale',
    ])
      expect(names).toContain(name)
    expect(
      names.filter(
        (name) => !/^(vision_model|text_model|visual_projection|text_projection)\.|^logit_scale$/.test(name),
      ),
    ).toEqual([])
    const found = layers(graph).map(({ name }) => name)
    expect(found).toContain('vision_model.layer1.0')
    expect(found).toContain('text_model.encoder.layer.0')
    const results = await evaluate(graph, { ...feeds, [MASK_COUNTER]: tensor('int64', [2], [0, 0]) })
    expect(results['image_embeds']!.shape).toEqual([2, 6])
    expect(numbers(results['text_embeds']).every(Number.isFinite)).toBe(true)
  })

  it('open again from their own tensors, and give what the networks give', async () => {
    const checkpoint = drawn(buildDualEncoder(config, undefined, { seed: 9 }).graph.initializers)
    const { graph, unused } = buildDualEncoder(config, checkpoint)
    expect(unused).toEqual([])
    const found = await evaluate(graph, feeds)
    const own = new Map(
      [...checkpoint].flatMap(([name, value]) =>
        name.startsWith('text_model.') ? [[name.slice('text_model.'.length), value] as const] : [],
      ),
    )
    const sentence = buildSentenceEncoder(BERT, own, { normalize: false })
    const { pixel_values: _, ...texts } = feeds
    const pooled = numbers((await evaluate(sentence.graph, texts))['sentence_embedding'])
    const weight = (checkpoint.get('text_projection.weight') as Tensor).data as Float32Array
    const wanted = Array.from({ length: 6 }, (_, i) =>
      pooled.slice(0, 8).reduce((sum, value, j) => sum + value * weight[i * 8 + j]!, 0),
    )
    for (const [i, value] of wanted.entries()) expect(numbers(found['text_embeds'])[i]).toBeCloseTo(value, 5)
  })

  it('are refused the wrong way round', () => {
    expect(() => buildDualEncoder({ ...config, text: config.image })).toThrow(
      /is for images, and not for texts/,
    )
    expect(architecture('resnet20_cifar').modality).toBe('image')
  })
})
