import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readOnnx } from '../../graph/files/index.ts'
import { type BuiltModel, buildClipImage, buildClipText } from '../../nn/index.ts'
import { compile } from '../../runtime/index.ts'
import { cosineSimilarity, type Tensor, tensor } from '../../tensor/index.ts'
import { findByName, findByType } from '../layouts/architectures.ts'
import type { Card, EmbeddingOptions, Model } from '../types.ts'
import { createModel } from './model.ts'
import { inPrecision } from './precision.ts'

// One small network of every family of nn/, with weights as its paper draws them, in int8: it is built, runs, says nearly what
// it says in float32, at its end and at an inner layer, and comes back from a file as it was.

let folder: string
const before = process.env['PIPILO_CACHE']

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-families-'))
  process.env['PIPILO_CACHE'] = folder
})

afterAll(async () => {
  if (before === undefined) delete process.env['PIPILO_CACHE']
  else process.env['PIPILO_CACHE'] = before
  await rm(folder, { recursive: true, force: true })
})

const text = {
  vocab_size: 2048,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  max_position_embeddings: 64,
}
const texts: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  bert: text,
  distilbert: { ...text, dim: 64, n_layers: 2, n_heads: 4, hidden_dim: 128 },
  roberta: { ...text, type_vocab_size: 1, pad_token_id: 1 },
  'xlm-roberta': { ...text, type_vocab_size: 1, pad_token_id: 1 },
  mpnet: { ...text, relative_attention_num_buckets: 32 },
  albert: { ...text, embedding_size: 32 },
  modernbert: { ...text, local_attention: 8, global_attn_every_n_layers: 2, pad_token_id: 0 },
  qwen3: { ...text, num_key_value_heads: 2, head_dim: 16, rope_theta: 1e6 },
}

const vit = { embed_dim: 64, depth: 2, num_heads: 4 }
/** timm's names, what differs from them, and the size of pictures. */
const pictures: readonly (readonly [
  name: string,
  changes: Readonly<Record<string, unknown>>,
  size: number,
])[] = [
  ['test_resnet', {}, 32],
  ['densenet121', { block_config: [2, 2], growth_rate: 16 }, 32],
  ['mobilenetv2_035', {}, 32],
  ['mobilenetv3_small_050', {}, 32],
  ['test_efficientnet', {}, 32],
  ['test_convnext', {}, 32],
  ['convnextv2_atto', { depths: [1, 1, 1, 1], dims: [16, 32, 48, 64] }, 32],
  ['test_vit', {}, 160],
  ['deit_tiny_distilled_patch16_224', vit, 224],
  ['vit_tiny_patch16_dinov3_qkvb', vit, 64],
  ['beit_base_patch16_224', vit, 224],
  ['swin_tiny_patch4_window7_224', { embed_dim: 32, depths: [2, 2], num_heads: [2, 4] }, 224],
  ['swinv2_tiny_window8_256', { embed_dim: 32, depths: [2, 2], num_heads: [2, 4] }, 256],
]
const clip = {
  model_type: 'clip',
  projection_dim: 64,
  text_config: { ...text, eos_token_id: 2 },
  vision_config: { ...text, image_size: 64, patch_size: 16 },
}
const siglip = { ...clip, model_type: 'siglip', text_config: { ...text, max_position_embeddings: 12 } }

function modelOf(name: string, built: BuiltModel, change: Partial<Card>): Model {
  const card: Card = {
    name,
    source: `file:${name}`,
    description: name,
    modality: 'text',
    licence: 'unknown',
    tap: built.penultimate ?? built.features ?? built.graph.outputs[0]!.name,
    pool: 'mean',
    normalize: true,
    dimensions: 0,
    ...change,
  }
  return createModel({
    card,
    graph: built.graph,
    tokenizer: undefined,
    unused: [],
    fingerprint: name,
    opened: { name, dtype: 'fp32' },
  })
}

function pictureModel(name: string, built: BuiltModel, size: number): Model {
  const image = {
    size: [size, size],
    crop: 'squash',
    interpolation: 'bilinear',
    mean: [0.5, 0.5, 0.5],
    std: [0.3, 0.3, 0.3],
  } as const
  return modelOf(name, built, { modality: 'image', image })
}

const ids = tensor(
  'int64',
  [2, 12],
  Array.from({ length: 24 }, (_, i) => (i === 23 ? 0 : 3 + ((i * 389) % 2000))),
)
const mask = tensor(
  'int64',
  [2, 12],
  Array.from({ length: 24 }, (_, i) => (i === 23 ? 0 : 1)),
)
const textFeeds = {
  input_ids: ids,
  attention_mask: mask,
  token_type_ids: tensor('int64', [2, 12], new Array(24).fill(0)),
}
const pixels = (size: number) => ({
  pixels: tensor(
    'uint8',
    [2, size, size, 3],
    Uint8Array.from(
      { length: 2 * size * size * 3 },
      (_, i) => 128 + 100 * Math.sin(i / 7) * Math.cos(i / (size * 40)),
    ),
  ),
})

type Feeds = Readonly<Record<string, Tensor>>

async function vectors(graph: ReturnType<Model['embedding']>, feeds: Feeds): Promise<Float32Array> {
  const session = await compile(graph, { workers: 0 })
  const wanted = graph.inputs.map((input) => [input.name, structuredClone(feeds[input.name]!)] as const)
  const { embedding } = await session.run(Object.fromEntries(wanted))
  await session.dispose()
  return embedding!.data as Float32Array
}

async function check(model: Model, feeds: Feeds, ranks: readonly number[]): Promise<void> {
  const small = await inPrecision(model, 'int8')
  const inner = innerLayer(small, ranks)
  const dtypes = [...small.graph.initializers.values()].map(({ dtype }) => dtype)
  expect(dtypes).toContain('int8')
  for (const options of [{}, { tap: inner, pool: 'max' }] as EmbeddingOptions[]) {
    const [exact, rounded] = [model, small].map((one) => one.embedding(options))
    expect(cosineSimilarity(await vectors(exact!, feeds), await vectors(rounded!, feeds))).toBeGreaterThan(
      0.98,
    )
  }
  const path = join(folder, `${model.name}.onnx`)
  await small.export(path)
  expect(await vectors(await readOnnx(path), feeds)).toEqual(await vectors(small.embedding(), feeds))
}

/** The layer in the middle of those of this shape. */
function innerLayer(model: Model, ranks: readonly number[]): string {
  const layers = model.layers().filter(({ shape }) => shape && ranks.includes(shape.length))
  return layers[Math.floor(layers.length / 2)]!.name
}

describe('int8', () => {
  it.each(Object.entries(texts))('%s', async (type, config) => {
    const model = modelOf(type, findByType(type)!.build(config), { tap: 'last_hidden_state' })
    await check(model, textFeeds, [3])
  })

  it.each(pictures)('%s', async (name, changes, size) => {
    const built = findByName(name)!.build(changes, undefined, { size: [size, size], classes: 0 })
    const model = pictureModel(name, built, size)
    await check(model, pixels(size), [3, 4])
  })

  it.each([clip, siglip])('both towers of $model_type', async (config) => {
    const image = pictureModel(`${config.model_type} image`, buildClipImage(config), 64)
    await check(image, pixels(64), [3])
    const words = modelOf(`${config.model_type} text`, buildClipText(config), {})
    await check(words, textFeeds, [3])
  })
})
