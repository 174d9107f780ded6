import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { roleOf } from '../graph/index.ts'
import { architecture as architectureOf } from '../nn/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { checkImagePreprocessing, open, readSafetensors, writeSafetensors } from './index.ts'
import { rejection, sentenceTransformers, useFolder } from './testing/fixtures.ts'
import { vision } from './testing/vision.ts'

const folder = useFolder()
const { variant } = folder

/** A model's folder with another configuration. */
async function changed(
  name: string,
  change: (config: Record<string, Record<string, unknown>>) => Record<string, unknown>,
) {
  const config = JSON.parse(await readFile(join(vision(name), 'config.json'), 'utf8'))
  return variant({ 'config.json': { ...config, ...change(config) } }, vision(name))
}

describe('a configuration that contradicts the tensors', () => {
  it.each([
    [
      'resnet50',
      () => ({ num_classes: 1000 }),
      'SHAPE_MISMATCH',
      /num_classes is 1000, and the classifier tells 5/,
    ],
    [
      'resnet50',
      ({ model_args }) => ({ model_args: { ...model_args, layers: [3, 4, 6, 3] } }),
      'PARAMETER_MISSING',
      /layers are 3, 4, 6, 3, and they hold 1, 1, 1, 1 blocks.*layer1\.1\.conv1\.weight/,
    ],
    [
      'resnet50',
      ({ model_args }) => ({ model_args: { ...model_args, channels: [8, 8, 8, 8] } }),
      'SHAPE_MISMATCH',
      /conv/,
    ],
    [
      'vit_reg4',
      ({ model_args }) => ({ model_args: { ...model_args, depth: 12 } }),
      'PARAMETER_MISSING',
      /depth is 12, and they hold 2 blocks/,
    ],
    [
      'vit_reg4',
      ({ model_args }) => ({ model_args: { ...model_args, depth: 1 } }),
      'PARAMETER_UNUSED',
      /depth is 1, and they hold 2 blocks.*blocks\.1\.norm1\.weight/,
    ],
    [
      'vit_reg4',
      ({ model_args }) => ({ model_args: { ...model_args, embed_dim: 16 } }),
      'SHAPE_MISMATCH',
      /embed_dim is 16, and the embeddings have 12/,
    ],
    [
      'vit_reg4',
      ({ model_args }) => ({ model_args: { ...model_args, patch_size: 16 } }),
      'SHAPE_MISMATCH',
      /patch_size is 16, and the patches have 8/,
    ],
    [
      'swin',
      ({ model_args }) => ({ model_args: { ...model_args, depths: [2, 4] } }),
      'PARAMETER_MISSING',
      /depths are 2, 4, and they hold 2, 2/,
    ],
    [
      'dinov2',
      () => ({ num_hidden_layers: 4 }),
      'PARAMETER_MISSING',
      /num_hidden_layers is 4, and they hold 2/,
    ],
    [
      'dinov2',
      () => ({ hidden_size: 16 }),
      'SHAPE_MISMATCH',
      /hidden_size is 16, and the embeddings have 12/,
    ],
    [
      'vit',
      () => ({ id2label: { 0: 'a', 1: 'b', 2: 'c' } }),
      'SHAPE_MISMATCH',
      /size of id2label is 3, and the classifier tells 5/,
    ],
    ['vit', () => ({ model_type: 'deit' }), 'PARAMETER_MISSING', /distillation_token/],
  ] as [
    string,
    (config: Record<string, Record<string, unknown>>) => Record<string, unknown>,
    string,
    RegExp,
  ][])('is refused by name: %s %#', async (name, change, code, message) => {
    const path = await changed(name, change)
    expect(await rejection(open(path))).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it.each([
    ['vit_b_16', (name: string) => name],
    ['dinov2_vits14', (name: string) => name.replace(/^blocks\.(\d)/, 'blocks.$1.$1')],
  ])('is counted by the names of others: %s', async (architecture, renamed) => {
    const small = { embed_dim: 8, depth: 2, num_heads: 2 }
    const { graph } = architectureOf(architecture).build(small, undefined, { size: [28, 28] })
    const drawn = [...graph.initializers].filter(([name]) => roleOf(graph, name))
    const path = await variant({ 'config.json': { architecture, model_args: { ...small, depth: 3 } } })
    const tensors = new Map(drawn.map(([name, value]) => [renamed(name), value as Tensor]))
    await writeSafetensors(join(path, 'model.safetensors'), tensors)
    expect(await rejection(open(path))).toMatchObject({
      code: 'PARAMETER_MISSING',
      message: expect.stringMatching(/depth is 3, and they hold 2 blocks/),
    })
  })

  it('goes through with strict: false', async () => {
    const model = await open(await changed('vit', () => ({ num_hidden_layers: 1 })), { strict: false })
    expect(model.unused).toHaveLength(16)
    expect(model.layers().some(({ name }) => name === 'encoder.layer.1')).toBe(false)
  })
})

describe('what is not known here', () => {
  it.each([
    [
      { architecture: 'resnet5O', pretrained_cfg: {} },
      'MODEL_INVALID',
      /'resnet5O' .* not known.*Closest: resnet50.*ONNX/,
    ],
    [{ model_type: 'dino_v2' }, 'MODEL_INVALID', /'dino_v2' .* not known.*Closest: dinov2.*ONNX/],
    [{ model_type: 'llava' }, 'MODEL_INVALID', /'llava' .* not known.*Known: .*swin.*ONNX/],
    [
      { architecture: 'resnet50', model_args: { stem_typ: 'deep' } },
      'FORMAT_UNSUPPORTED',
      /stem_typ.*not known here.*Closest: stem_type/,
    ],
    [
      { architecture: 'resnet50', model_args: { norm_layer: 'evonorm' } },
      'FORMAT_UNSUPPORTED',
      /norm_layer to "evonorm"/,
    ],
    [
      { architecture: 'resnet50', model_args: { global_pool: 'max' } },
      'FORMAT_UNSUPPORTED',
      /resnet50 is built with the mean .* not with "max"/,
    ],
    [
      { architecture: 'resnet50', pretrained_cfg: { input_size: [4, 28, 28] } },
      'FORMAT_UNSUPPORTED',
      /input_size .* \[4,28,28\]/,
    ],
    [
      { architecture: 'resnet50', pretrained_cfg: { input_size: [1, 28, 28], mean: [0, 0, 0] } },
      'FORMAT_UNSUPPORTED',
      /mean .* \[0,0,0\]/,
    ],
  ])('is refused: %j', async (config, code, message) => {
    const path = await variant({ 'config.json': config }, vision('resnet50'))
    expect(await rejection(open(path))).toMatchObject({ code, message: expect.stringMatching(message) })
  })
})

describe('a picture’s size', () => {
  it.each([
    ['vit_reg4', [4, 32], /4 × 32 holds no patch of 8 × 8/],
    ['vit_reg4', [32, 44], /patches are of 8 × 8/],
    ['dinov2', [32, 0], /size/],
    ['resnet50', [-32, 32], /size/],
    ['resnet50', [32.5, 32], /size/],
    ['resnet50', [32], /size/],
    ['swin', [2, 2], /cannot take pictures of 2 × 2.*made for 32 × 32/],
    ['swin', [34, 32], /patches are of 4 × 4/],
    ['dinov2', [36, 32], /patches are of 8 × 8/],
  ])('that cannot be: %s for %j', async (name, size, message) => {
    expect(await rejection(open(vision(name), { size: size as never }))).toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(message),
    })
  })
})

describe('a picture’s size for a model that is not built for sizes', () => {
  it('is refused, unless it is the one that it takes', async () => {
    const exported = join(folder.path, 'sized.onnx')
    await (await open(vision('resnet50'))).export(exported)
    const refused = (message: RegExp) => ({
      code: 'OPTION_INVALID',
      input: 'size',
      message: expect.stringMatching(message),
    })
    for (const [name, message] of [
      ['mobilenet-v2', /not built for other sizes; it takes pictures of 224 × 224/],
      [exported, /not built for other sizes; it takes pictures of 32 × 32/],
      [sentenceTransformers, /not built for other sizes; it takes no pictures/],
    ] as const) {
      expect(await rejection(open(name, { size: [96, 96] })), name).toMatchObject(refused(message))
      expect(await rejection(open(name, { size: [96] as never })), name).toMatchObject(refused(/\[96\]/))
    }
    expect((await open(exported, { size: [32, 32] })).card.image?.size).toEqual([32, 32])
  })
})

it('shards that are missing are all named', async () => {
  const { tensors } = await readSafetensors(join(vision('dino'), 'model.safetensors'))
  const names = [...tensors.keys()]
  const shard = (i: number) => `model-0000${1 + (i % 3)}-of-00003.safetensors`
  const path = await variant(
    {
      'model.safetensors': null,
      'model.safetensors.index.json': {
        weight_map: Object.fromEntries(names.map((name, i) => [name, shard(i)])),
      },
    },
    vision('dino'),
  )
  const first = new Map([...tensors].filter((_, i) => i % 3 === 0))
  await writeSafetensors(join(path, shard(0)), first)
  expect(await rejection(open(path))).toMatchObject({
    code: 'FILE_NOT_FOUND',
    message: expect.stringMatching(/lacks 2 of the 3 shards .*00002-of-00003.*00003-of-00003/),
  })
})

it('a network of grey pictures is one to run, and embeds photographs once its card says that they become grey', async () => {
  const { graph } = architectureOf('lenet').build({})
  const parameters = [...graph.initializers].filter(([name]) => roleOf(graph, name))
  const path = join(await variant({}), 'lenet.safetensors')
  await writeSafetensors(path, new Map(parameters) as Map<string, Tensor>)
  const model = await open(path, { architecture: 'lenet' })
  expect(model.card.dimensions).toBe(84)
  expect(model.embedding({ preprocess: false }).inputs[0]).toMatchObject({ name: 'pixel_values' })
  expect(() => model.embedding()).toThrow(
    expect.objectContaining({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(/of 1 channel,.*channels: 1/),
    }),
  )
  const image = { ...model.card.image!, channels: 1, mean: [0.13], std: [0.31] } as const
  const grey = await open(path, { architecture: 'lenet', card: { image } })
  const [height, width] = image.size
  expect(grey.embedding().inputs[0]).toMatchObject({
    name: 'pixels',
    type: { shape: ['batch', height, width, 3] },
  })
  const colours = { ...image, mean: [0, 0, 0], std: [1, 1, 1] } as const
  const contradiction = await open(path, { architecture: 'lenet', card: { image: colours } })
  expect(() => checkImagePreprocessing(contradiction.card.image!)).toThrow(/mean .*one number/)
})
