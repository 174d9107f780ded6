import { beforeAll, describe, expect, it } from 'vitest'
import { Builder, compose, loadTensor, resolveLayer } from '../../graph/index.ts'
import { linear, parametersFrom } from '../../nn/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { type Model, open } from '../index.ts'
import { rejection, sentenceTransformers, useFolder } from '../testing/fixtures.ts'
import { expectEqual, picture, run, valuesOf, vision } from '../testing/vision.ts'

useFolder()

let text: Model
let vit: Model
let resnet: Model
beforeAll(async () => {
  text = await open(sentenceTransformers)
  vit = await open(vision('vit'))
  resnet = await open(vision('resnet50'))
})

const ids = [2, 64, 66, 67, 3, 0]
const words = (): Record<string, Tensor> => ({
  input_ids: tensor('int64', [1, 6], ids),
  attention_mask: tensor(
    'int64',
    [1, 6],
    ids.map((id) => Number(id > 0)),
  ),
  token_type_ids: tensor('int64', [1, 6], new Array(6).fill(0)),
})
const pixels = () => ({ pixel_values: picture() })
const outputOf = (model: Model) => model.graph.outputs[0]!.name
const shapeOf = (model: Model) => {
  const type = model.graph.outputs[0]!.type
  return type?.kind === 'tensor' ? type.shape : undefined
}

describe('places', () => {
  it('of a transformer for pictures', () => {
    expect(Object.fromEntries(vit.placeNames())).toMatchObject({
      'stages.0': 'encoder.layer.0',
      'stages.1': 'encoder.layer.1',
      forward_features: 'last_hidden_state',
    })
    expect(shapeOf(vit.cut('patch_embeddings'))).toEqual(['batch', 17, 12])
    expect(shapeOf(vit.cut('forward_features'))).toEqual(['batch', 17, 12])
    expect(shapeOf(vit.cut('patch_tokens'))).toEqual(['batch', 16, 12])
    expect(shapeOf(vit.cut('class_token'))).toEqual(['batch', 12])
    expect(shapeOf(vit.cut('global_pool'))).toEqual(['batch', 12])
    expect(vit.places?.stages).toEqual([
      { name: 'encoder.layer.0', stride: 8, channels: 12 },
      { name: 'encoder.layer.1', stride: 8, channels: 12 },
    ])
  })

  it('of a convolutional network', () => {
    expect([...resnet.placeNames().keys()]).toEqual([
      ...['stages.0', 'stages.1', 'stages.2', 'stages.3', 'stages.4'],
      ...['forward_features', 'global_pool', 'penultimate'],
    ])
    expect(shapeOf(resnet.cut('stages.3'))).toEqual(['batch', 24, 2, 2])
    expect(outputOf(resnet.cut('stages.3'))).toBe(outputOf(resnet.cut('layer3')))
    expect(resnet.cut('penultimate').card.dimensions).toBe(24)
  })

  it('of a text model: every hidden state and attention map, and the words alone', async () => {
    const names = ['embeddings', 'hidden_states.0', 'hidden_states.2', 'attentions.1', 'token_embeddings']
    const values = await valuesOf(text, names, words())
    expect(values.get('hidden_states.0')).toEqual(values.get('embeddings'))
    expect(outputOf(text.cut('hidden_states.2'))).toBe(outputOf(text.cut('encoder.layer.1')))
    expect(values.get('token_embeddings')!.shape).toEqual([1, 6, 8])
    const map = values.get('attentions.1')!
    expect(map.shape).toEqual([1, 2, 6, 6])
    const row = (map.data as Float32Array).slice(0, 6)
    expect(row.reduce((sum, weight) => sum + weight)).toBeCloseTo(1, 5)
    expect(row[5]).toBe(0)
  })

  it('are understood in the spelling of places, and go behind the checkpoint’s own names', () => {
    for (const [camel, snake] of [
      ['classToken', 'class_token'],
      ['forwardFeatures', 'forward_features'],
      ['features', 'forward_features'],
      ['patchEmbeddings', 'patch_embeddings'],
    ]) {
      expect(outputOf(vit.cut(camel!))).toBe(outputOf(vit.cut(snake!)))
    }
    expect(outputOf(text.cut('hiddenStates.1'))).toBe(outputOf(text.cut('hidden_states.1')))
    expect(outputOf(text.cut('embeddings'))).toBe(resolveLayer(text.graph, 'embeddings'))
  })

  it('can be several at once, and embeddings', () => {
    expect(vit.tap('stages.0', 'class_token').graph.outputs).toHaveLength(vit.graph.outputs.length + 2)
    const both = resnet.embedding({ tap: ['stages.2', 'layer3', 'penultimate'] })
    expect(both.outputs[0]).toMatchObject({ type: { shape: ['batch', 16 + 24 + 24] } })
    const tokens = vit.embedding({ tap: 'patch_tokens', pool: 'none' })
    expect(tokens.outputs[0]).toMatchObject({ type: { shape: ['batch', 16, 12] } })
    const hidden = text.embedding({ tap: ['hidden_states.1', 'hidden_states.2'], pool: 'mean' })
    expect(hidden.outputs[0]).toMatchObject({ type: { shape: ['batch', 16] } })
  })

  it('of maps with their channels last are pooled over positions', async () => {
    const swin = await open(vision('swin'))
    const { embedding } = await run(
      swin.embedding({ tap: 'stages.0', pool: 'mean', normalize: false, preprocess: false }),
      pixels(),
    )
    const map = (await valuesOf(swin, ['stages.0'], pixels())).get('stages.0')!
    expect(map.shape).toEqual([1, 8, 8, 8])
    const means = Float32Array.from({ length: 8 }, (_, channel) => {
      let sum = 0
      for (let at = channel; at < 512; at += 8) sum += (map.data as Float32Array)[at]!
      return sum / 64
    })
    expectEqual(embedding, tensor('float32', [1, 8], means), 'mean')
    expect(swin.cut('forward_features').card.dimensions).toBe(16)
  })

  it('that a model lacks are named, with the closest', async () => {
    for (const [name, message] of [
      ['clas_token', /no layer clas_token.*class_token/],
      ['stages.7', /Did you mean stages\.\d/],
      ['hidden_states.1', /no layer hidden_states/],
      ['encoder.layer.2', /Did you mean .*encoder\.layer\.[01]/],
    ] as const) {
      expect(() => vit.cut(name), name).toThrow(
        expect.objectContaining({ code: 'LAYER_UNKNOWN', message: expect.stringMatching(message) }),
      )
    }
    expect(await rejection(open(vision('vit'), { card: { tap: 'pooled' } }))).toMatchObject({
      code: 'LAYER_UNKNOWN',
    })
  })

  it('are those that are left when a model is cut', () => {
    const early = vit.cut('encoder.layer.0')
    expect([...early.placeNames().keys()]).toEqual(['patch_embeddings', 'stages.0'])
    expect(() => early.cut('class_token')).toThrow(/no layer class_token/)
    expect([...text.cut('hidden_states.1').placeNames().keys()]).toEqual([
      ...['token_embeddings', 'embeddings', 'hidden_states.0', 'hidden_states.1', 'attentions.0'],
    ])
  })
})

describe('feed', () => {
  it('takes patch embeddings in the place of pictures', async () => {
    const fed = vit.feed('patch_embeddings')
    expect(fed.graph.inputs.map(({ name }) => name)).toEqual(['patch_embeddings'])
    const patches = (await valuesOf(vit, ['patch_embeddings'], pixels())).get('patch_embeddings')!
    const { logits } = await run(fed.graph, { patch_embeddings: patches })
    expectEqual(logits, (await run(vit.graph, pixels()))['logits'], 'logits')
    expect(fed.fingerprint).not.toBe(vit.fingerprint)
  })

  it('takes vectors in the place of words, as transformers’ inputs_embeds', async () => {
    const fed = text.feed('token_embeddings')
    expect(fed.graph.inputs.map(({ name }) => name)).toEqual([
      'inputs_embeds',
      'attention_mask',
      'token_type_ids',
    ])
    const vectors = (await valuesOf(text, ['token_embeddings'], words())).get('token_embeddings')!
    const { input_ids: _, ...others } = words()
    const found = await run(fed.graph, { inputs_embeds: vectors, ...others })
    expectEqual(
      found['last_hidden_state'],
      (await run(text.graph, words()))['last_hidden_state'],
      'last_hidden_state',
    )
  })

  it('takes a name of one’s own, and says when it is taken', () => {
    expect(vit.feed('stages.0', 'tokens').graph.inputs[0]!.name).toBe('tokens')
    expect(() => vit.feed('stages.0', 'logits')).toThrow(expect.objectContaining({ code: 'GRAPH_INVALID' }))
    expect(() => vit.feed('stage')).toThrow(expect.objectContaining({ code: 'LAYER_UNKNOWN' }))
  })
})

describe('compose', () => {
  it('puts a linear head on a frozen encoder', async () => {
    const minilm = await open('all-MiniLM-L6-v2')
    const encoder = minilm.embedding()
    const builder = new Builder({ name: 'classifier' })
    const features = builder.input('features', 'float32', ['batch', 384])
    builder.output('classes', linear(parametersFrom(builder, undefined, { seed: 3 }), 'head', features, 3))
    const head = builder.build()
    const feeds = () => ({
      input_ids: tensor('int64', [2, 4], [101, 2374, 4715, 102, 101, 4715, 102, 0]),
      attention_mask: tensor('int64', [2, 4], [1, 1, 1, 1, 1, 1, 1, 0]),
      token_type_ids: tensor('int64', [2, 4], new Array(8).fill(0)),
    })
    const { classes } = await run(compose(encoder, head, { embedding: 'features' }), feeds())
    const vectors = (await run(encoder, feeds()))['embedding']!.data as Float32Array
    const [weight, bias] = await Promise.all(
      ['head.weight', 'head.bias'].map(async (name) => (await loadTensor(head.initializers.get(name)!)).data),
    )
    const byHand = Float32Array.from({ length: 6 }, (_, i) => {
      const [row, column] = [Math.floor(i / 3), i % 3]
      let sum = Number(bias![column])
      for (let j = 0; j < 384; j++) sum += vectors[row * 384 + j]! * Number(weight![column * 384 + j])
      return sum
    })
    expectEqual(classes, tensor('float32', [2, 3], byHand), 'classes')
  })

  it('feeds the patch embeddings of one model into the transformer of another', async () => {
    const patches = (await open(vision('dino'))).cut('patch_embeddings')
    const transformer = vit.feed('patch_embeddings')
    const both = compose(patches.graph, transformer.graph, { [outputOf(patches)]: 'patch_embeddings' })
    expect(both.inputs.map(({ name }) => name)).toEqual(['pixel_values'])
    const { logits } = await run(both, pixels())
    const between = (await run(patches.graph, pixels()))[outputOf(patches)]!
    const byHand = await run(transformer.graph, { patch_embeddings: between })
    expectEqual(logits, byHand['logits'], 'logits')
    const own = await run(vit.graph, pixels())
    expect(logits!.data).not.toEqual(own['logits']!.data)
  })
})
