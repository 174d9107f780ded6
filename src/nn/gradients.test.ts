import { describe, expect, it } from 'vitest'
import { grad } from '../grad/index.ts'
import { Builder, type Graph, MASK_COUNTER, op, parametersOf, type Value } from '../graph/index.ts'
import { evaluate } from '../runtime/index.ts'
import { elementCount, type Tensor, tensor } from '../tensor/index.ts'
import {
  addLora,
  architecture,
  buildClipPair,
  buildHead,
  buildMae,
  buildMaskedVit,
  buildSentenceEncoder,
  loraParameters,
  simClrHead,
} from './index.ts'
import { formula } from './testing/formula.ts'

const training = { mode: 'training', seed: 1 } as const
const named = (name: string, config: object) =>
  architecture(name).build({ ...config }, undefined, training).graph
const small = { img_size: 16, patch_size: 8, embed_dim: 12, depth: 2, num_heads: 2 }
const bert = {
  model_type: 'bert',
  vocab_size: 20,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 8,
  type_vocab_size: 2,
}
const sentences = () => buildSentenceEncoder(bert, undefined, training).graph

const graphs: Readonly<Record<string, () => Graph>> = {
  lenet: () => named('lenet', { act: 'relu', pool: 'max' }),
  'resnet20_cifar, shortcuts A': () => named('resnet20_cifar', { layers: [1, 1, 1], input_size: [16, 16] }),
  resnet18_small: () =>
    named('resnet18_small', { layers: [1, 1, 1, 1], channels: [8, 8, 16, 16], input_size: [16, 16] }),
  'vision transformer, with dropout': () =>
    named('vit_tiny_patch16_224', {
      ...small,
      num_classes: 5,
      drop_rate: 0.1,
      attn_drop_rate: 0.1,
      proj_drop_rate: 0.1,
    }),
  mlp_autoencoder: () => named('mlp_autoencoder', { shape: [3, 4, 4], hidden: [20], latent: 3, act: 'tanh' }),
  conv_autoencoder: () => named('conv_autoencoder', { input_size: [8, 8], channels: [4, 6], latent: 5 }),
  'masked autoencoder': () =>
    buildMae({ ...small, decoder_embed_dim: 12, decoder_depth: 1, decoder_num_heads: 2 }, undefined, training)
      .graph,
  'masked vision transformer': () => buildMaskedVit({ ...small, top_layers: 1 }, undefined, training).graph,
  'head of SimCLR': () =>
    buildHead(12, (parameters, x) => simClrHead(parameters, 'head', x, { out: 5 }), undefined, training)
      .graph,
  'CLIP pair': () =>
    buildClipPair(
      {
        embed_dim: 6,
        vision_cfg: { image_size: 16, patch_size: 8, width: 16, head_width: 8, layers: 1 },
        text_cfg: { context_length: 8, vocab_size: 20, width: 16, heads: 2, layers: 1 },
      },
      undefined,
      training,
    ).graph,
  'sentence encoder': sentences,
  'sentence encoder with LoRA': () =>
    addLora(sentences(), { targets: ['query', 'dense'], rank: 2, alpha: 4, dropout: 0.1 }),
}

/** The graph whose one loss is the mean of all outputs' products with fixed numbers. */
function withLoss(graph: Graph): Graph {
  const b = Builder.from(graph)
  const parts = graph.outputs.flatMap(({ name, type, metadata }) => {
    if (metadata || type?.kind !== 'tensor') return []
    const value = b.value(name)
    const last = value.shape.at(-1)
    const factors =
      typeof last === 'number' ? b.constant(tensor('float32', [last], formula('token', [last]))) : undefined
    const weighted = factors ? op.mul(value, factors) : value
    const axes = value.shape.map((_, axis) => axis)
    return [axes.length > 0 ? op.reduceMean(op.mul(weighted, weighted), axes) : op.mul(value, value)]
  })
  b.output(
    'loss',
    parts.reduce((sum: Value | undefined, part) => (sum ? op.add(sum, part) : part), undefined)!,
  )
  return b.build()
}

/** Inputs of a batch of 6, by their names and shapes. */
function feedsOf(graph: Graph): Record<string, Tensor> {
  const given = graph.inputs.map(({ name, type }) => {
    if (type?.kind !== 'tensor' || !type.shape) throw new Error(name)
    const shape = type.shape.map((size) =>
      typeof size === 'number' ? size : ({ batch: 6, kept: 2 }[size] ?? 4),
    )
    const count = elementCount(shape)
    const integers = (at: (i: number) => number) =>
      tensor(
        type.dtype,
        shape,
        Array.from({ length: count }, (_, i) => at(i)),
      )
    if (type.dtype === 'float32')
      return [name, tensor('float32', shape, formula(`pixel ${name}`, shape))] as const
    if (name === MASK_COUNTER) return [name, integers((i) => i + 3)] as const
    if (name === 'attention_mask') return [name, integers(() => 1)] as const
    if (name === 'mask' || name === 'token_type_ids') return [name, integers((i) => i % 2)] as const
    if (name.startsWith('ids_')) return [name, integers((i) => (i * 3) % shape[1]!)] as const
    return [name, integers((i) => 1 + ((i * 7) % 19))] as const
  })
  return Object.fromEntries(given)
}

describe.each(Object.entries(graphs))('%s', (name, build) => {
  it('has a gradient along which the loss changes as it says', async () => {
    const graph = withLoss(build())
    const lora = loraParameters(graph)
    const by = parametersOf(graph).flatMap((one) =>
      one.role === 'weight' && (lora.length === 0 || lora.includes(one.name)) ? [one.name] : [],
    )
    const feeds = feedsOf(graph)
    const results = await evaluate(grad(graph, { of: 'loss', by }), feeds)
    const gradients = by.map((name) => results[`${name}.grad`]!.data as Float32Array)
    expect(gradients.every((values) => values.every(Number.isFinite))).toBe(true)
    const norm = Math.sqrt(
      gradients.reduce((sum, values) => sum + values.reduce((part, value) => part + value * value, 0), 0),
    )
    expect(norm).toBeGreaterThan(0)
    // Along the gradient, where the change is largest against the rounding.
    const lossAt = async (step: number) => {
      const initializers = new Map(graph.initializers)
      for (const [i, name] of by.entries()) {
        const { shape, data } = initializers.get(name) as Tensor
        const moved = (data as Float32Array).map((value, at) => value + (step / norm) * gradients[i]![at]!)
        initializers.set(name, tensor('float32', shape, moved))
      }
      return ((await evaluate({ ...graph, initializers }, feeds))['loss']!.data as Float32Array)[0]!
    }
    // The loss bends most along this one, whose weights begin larger.
    const step = name === 'masked vision transformer' ? 2e-4 : 2e-3
    const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step)
    expect(Math.abs(slope / norm - 1), name).toBeLessThan(0.03)
  })
})
