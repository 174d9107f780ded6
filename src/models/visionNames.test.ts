import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Initializer } from '../graph/index.ts'
import { roleOf } from '../graph/index.ts'
import { architecture } from '../nn/index.ts'
import type { FileTensor, Tensor } from '../tensor/index.ts'
import { open, readSafetensors, writeSafetensors } from './index.ts'
import { rejection, useFolder } from './testing/fixtures.ts'
import { deadAddress, type HubServer, startHub } from './testing/hubServer.ts'
import { expectEqual, picture, references, valuesOf, vision } from './testing/vision.ts'

const folder = useFolder()

describe('timm’s names on the hub', () => {
  let hub: HubServer
  beforeAll(async () => {
    const files: Record<string, Uint8Array> = {}
    for (const name of await readdir(vision('resnet50')))
      files[name] = await readFile(join(vision('resnet50'), name))
    hub = await startHub({ 'timm/resnet50.a1_in1k': { files, large: ['model.safetensors'] } })
    vi.stubEnv('HF_ENDPOINT', hub.endpoint)
  })
  afterAll(async () => {
    await hub.close()
    vi.stubEnv('HF_ENDPOINT', await deadAddress())
  })

  it.each([
    'resnet50',
    'resnet50.a1_in1k',
    'timm/resnet50.a1_in1k',
    'hf:timm/resnet50.a1_in1k',
  ])('are found: %s', async (name) => {
    const model = await open(name)
    expect(model.card).toMatchObject({ name, source: 'hf:timm/resnet50.a1_in1k', dimensions: 24 })
    const headless = model.cut('global_pool')
    expect(headless.graph.outputs[0]).toMatchObject({ type: { shape: ['batch', 24] } })
    const values = await valuesOf(headless, ['global_pool'], { pixel_values: picture() })
    expectEqual(values.get('global_pool'), (await references('resnet50')).get('penultimate'), name)
  })

  it('are kept for times without a network', async () => {
    expect((await open('resnet50', { offline: true })).fingerprint).toBe((await open('resnet50')).fingerprint)
    for (const name of ['resnet18', 'vit_small_patch16_224']) {
      expect(await rejection(open(name, { offline: true })), name).toMatchObject({
        code: 'OFFLINE',
        message: expect.stringMatching(new RegExp(`timm/${name}\\..* is not in the cache`)),
      })
    }
  })

  it.each([
    ['resnet5O', /Closest: .*resnet50/],
    ['vit_smal_patch16_224', /Closest: .*vit_small_patch16_224/],
    ['mobilenet-v', /Closest: .*mobilenet-v2/],
    ['resnet18', /Tried hf:timm\/resnet18\.a1_in1k/],
    ['lenet', /publishes no weights .*architecture: 'lenet'/],
  ])('that lead nowhere say what was tried, and the closest: %s', async (name, message) => {
    expect(await rejection(open(name))).toMatchObject({
      code: 'MODEL_UNKNOWN',
      message: expect.stringMatching(message),
    })
  })
})

describe('a checkpoint alone', () => {
  const fresh = () => {
    const { graph } = architecture('mobilenetv3_small_050').build({ num_classes: 3 })
    const drawn = [...graph.initializers].filter(([name]) => roleOf(graph, name))
    return new Map(drawn) as ReadonlyMap<string, Tensor>
  }

  it.each([
    'mobilenetv3_small_050-8427ecf0.safetensors',
    'mobilenetv3_small_050_lamb-05a9c43f.safetensors',
  ])('is known by the name that it was published under: %s', async (name) => {
    const path = join(folder.path, name)
    await writeSafetensors(path, fresh())
    const model = await open(path)
    expect(model.card).toMatchObject({ dimensions: 1024, image: { size: [224, 224] } })
    expect(model.card.notes).toMatch(/nothing of preprocessing/)
    expect(model.unused).toEqual([])
    await open(path, { architecture: 'mobilenetv3_small_050.lamb_in1k' })
    expect(await rejection(open(path, { architecture: 'mobilenetv3_small_075' }))).toMatchObject({
      code: 'SHAPE_MISMATCH',
    })
  })

  it('of Facebook’s DINOv2 is known by its name, with its registers', async () => {
    const path = join(folder.path, 'dinov2_vits14_reg4_pretrain.safetensors')
    const small = architecture('dinov2_vits14_reg').build({ embed_dim: 8, depth: 1, num_heads: 2 }).graph
    const drawn = [...small.initializers].filter(([name]) => roleOf(small, name))
    await writeSafetensors(path, new Map(drawn) as ReadonlyMap<string, Tensor>)
    const asked = /register_tokens is \[1, 4, 8\], but the configuration asks for \[1, 4, 384\]/
    for (const options of [{}, { architecture: 'dinov2_vits14_reg' }])
      expect(await rejection(open(path, options))).toMatchObject({ message: expect.stringMatching(asked) })
  })

  it('of another name wants its architecture', async () => {
    const path = join(folder.path, 'weights.safetensors')
    await writeSafetensors(path, fresh())
    expect(await rejection(open(path))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/architecture: 'resnet50'/),
    })
    const model = await open(path, { architecture: 'mobilenetv3_small_050', size: [64, 96] })
    expect(model.card.image).toMatchObject({ size: [64, 96], interpolation: 'bicubic', cropRatio: 0.875 })
    expect(model.card.notes).toMatch(/it is timm's for mobilenetv3_small_050/)
  })
})

describe('a network within what trains it', () => {
  async function renamed(prefix: string, further: ReadonlyMap<string, Tensor>) {
    const { tensors } = await readSafetensors(join(vision('resnet50'), 'model.safetensors'))
    const all = new Map<string, FileTensor | Tensor>(further)
    for (const [name, tensor] of tensors) all.set(prefix + name, tensor)
    const path = await folder.variant({}, vision('resnet50'))
    await writeSafetensors(join(path, 'model.safetensors'), all)
    return path
  }
  const head: Tensor = { dtype: 'float32', shape: [2, 2], data: new Float32Array(4) }

  it.each([
    ['module.', []],
    ['backbone.', ['projection_head.layers.0.weight']],
    ['model.encoder.', ['model.projector.0.weight', 'criterion.prototypes.weight']],
    ['encoder_q.', ['encoder_k.conv1.0.weight', 'encoder_k.layer1.0.conv1.weight', 'queue']],
  ])('is found behind %s', async (prefix, beside) => {
    const model = await open(await renamed(prefix, new Map(beside.map((name) => [name, head]))))
    expect(model.unused.toSorted()).toEqual(beside.toSorted())
    const values = await valuesOf(model, ['logits'], { pixel_values: picture() })
    expectEqual(values.get('logits'), (await references('resnet50')).get('logits'), prefix)
  })

  it('is the teacher’s of DINO’s training', async () => {
    const model = await open(join(vision('dino-training'), 'checkpoint.pth'))
    expect(model.unused).toEqual(['head.mlp.0.weight', 'head.last_layer.weight_v'])
    expect(model.placeNames().get('penultimate')).toBe(model.places?.classToken)
    const values = await valuesOf(model, ['class_token'], { pixel_values: picture() })
    expectEqual(values.get('class_token'), (await references('dino-training')).get('penultimate'), 'class')
  })

  it('is not guessed from a part of it', async () => {
    const { tensors } = await readSafetensors(join(vision('resnet50'), 'model.safetensors'))
    const path = await folder.variant({}, vision('resnet50'))
    const most = [...tensors].filter(([name]) => !/^(?:conv1|bn1)/.test(name)) as [string, Initializer][]
    await writeSafetensors(join(path, 'model.safetensors'), new Map(most) as Map<string, FileTensor>)
    expect(await rejection(open(path))).toMatchObject({
      code: 'PARAMETER_MISSING',
      message: expect.stringMatching(/conv1\.0\.weight/),
    })
  })
})
