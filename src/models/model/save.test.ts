import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadTensor, roleOf } from '../../graph/index.ts'
import { architecture } from '../../nn/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import { open, readSafetensors, writeSafetensors } from '../index.ts'
import { embedTexts, expectRows, sentenceTransformers, useFolder } from '../testing/fixtures.ts'

const folder = useFolder()

describe('a model that was saved', () => {
  it('with its weights in a file beside it is read from both', async () => {
    const model = await open(sentenceTransformers)
    const path = join(folder.path, 'beside.onnx')
    await model.save(path, { externalData: true })
    expect((await readdir(folder.path)).filter((name) => name.startsWith('beside'))).toEqual([
      'beside.onnx',
      'beside.onnx.data',
    ])
    expectRows(await embedTexts(await open(path)), await embedTexts(model))
    await model.export(join(folder.path, 'whole.onnx'), { externalData: false })
    expectRows(await embedTexts(await open(join(folder.path, 'whole.onnx'))), await embedTexts(model))
  })

  it('as parameters has the names, shapes and numbers of the checkpoint', async () => {
    const model = await open(sentenceTransformers)
    const path = join(folder.path, 'parameters.safetensors')
    await model.saveParameters(path)
    const saved = await readSafetensors(path)
    const original = await readSafetensors(join(sentenceTransformers, 'model.safetensors'))
    expect(saved.metadata.get('format')).toBe('pt')
    expect([...saved.tensors.keys()].sort()).toEqual([...original.tensors.keys()].sort())
    for (const [name, tensor] of original.tensors) {
      const { dtype, shape, data } = await loadTensor(tensor)
      expect(await loadTensor(saved.tensors.get(name)!), name).toEqual({ dtype, shape, data })
    }
    const copy = await folder.variant({ 'model.safetensors': null })
    await rename(path, join(copy, 'model.safetensors'))
    expectRows(await embedTexts(await open(copy)), await embedTexts(model))
  })

  it.each([
    [
      'swin_t',
      { embed_dim: 8, depths: [2, 1], num_heads: [2, 4] },
      ['features.1', 'features.1.1.attn', 'features.2.reduction', 'norm', 'avgpool', 'head'],
      { 'stages.1': 'features.3', global_pool: 'avgpool' },
    ],
    [
      'vit_b_16',
      { embed_dim: 8, depth: 1, num_heads: 2 },
      ['conv_proj', 'encoder.layers.encoder_layer_0.self_attention', 'encoder.ln', 'heads.head'],
      { 'stages.0': 'encoder.layers.encoder_layer_0', forward_features: 'encoder.ln/LayerNormalization' },
    ],
    [
      'dinov2_vits14_reg',
      { embed_dim: 8, depth: 2, num_heads: 2, patch_size: 16 },
      ['patch_embed.proj', 'blocks.1.attn.qkv', 'blocks.1.ls2', 'norm'],
      { 'stages.1': 'blocks.1', forward_features: 'norm/LayerNormalization' },
    ],
  ])('has the names of torchvision or Facebook throughout where its checkpoint has: %s', async (name, args, names, places) => {
    const { graph } = architecture(name).build(args, undefined, { size: [32, 32], classes: 3 })
    const drawn = [...graph.initializers].filter(([name]) => roleOf(graph, name))
    const copy = await folder.variant({
      'model.safetensors': null,
      'config.json': { architecture: name, model_args: { ...args, img_size: 32 } },
    })
    await writeSafetensors(
      join(copy, 'model.safetensors'),
      new Map(drawn.map(([key, value]) => [`model.${key}`, value as Tensor])),
    )
    const model = await open(copy)
    expect(model.layers().map((layer) => layer.name)).toEqual(expect.arrayContaining(names))
    for (const layer of names) expect(model.cut(layer).graph.outputs).toHaveLength(1)
    expect(Object.fromEntries(model.placeNames())).toMatchObject(places)
    const path = join(folder.path, `${name}.safetensors`)
    await model.saveParameters(path)
    expect([...(await readSafetensors(path)).tensors.keys()].sort()).toEqual(drawn.map(([key]) => key).sort())
  })
})
