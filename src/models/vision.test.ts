import { describe, expect, it } from 'vitest'
import { open } from './index.ts'
import { useFolder } from './testing/fixtures.ts'
import { expectEqual, picture, references, valuesOf, vision } from './testing/vision.ts'

useFolder()

/** The references of the picture of 32 × 32, by the names of layers and places. */
async function expected(name: string, layer: (key: string) => string = (key) => key) {
  const entries = [...(await references(name))].filter(([key]) => key !== 'picture' && !/_\d+x\d+$/.test(key))
  return new Map(entries.map(([key, value]) => [layer(key.replace(/^layer:/, '')), value]))
}

describe('a repository of timm', () => {
  it.each(['resnet50', 'vit_reg4', 'swin', 'convnextv2'])('gives the numbers of timm: %s', async (name) => {
    const wanted = await expected(name)
    const model = await open(vision(name))
    const values = await valuesOf(model, [...wanted.keys()], { pixel_values: picture() })
    for (const [layer, value] of wanted) expectEqual(values.get(layer), value, layer)
    expect(model.unused).toEqual([])
    expect(model.card).toMatchObject({
      modality: 'image',
      licence: 'apache-2.0',
      dimensions: wanted.get('penultimate')!.shape[1],
      image: { size: [32, 32], crop: 'center', cropRatio: 0.9, interpolation: 'bicubic' },
    })
  })
})

describe('a repository of transformers', () => {
  it.each([
    ['dinov2', 'encoder.layer'],
    ['dinov2_with_registers', 'encoder.layer'],
    ['dino', 'encoder.layer'],
    ['vit', 'encoder.layer'],
    ['vit_mae', 'encoder.layer'],
    ['swin-transformers', 'encoder.layers'],
  ])('gives the numbers of transformers: %s', async (name, layers) => {
    const wanted = await expected(name, (key) => {
      if (!/^\d+$/.test(key)) return key
      return key === '0' ? 'patch_embeddings' : `${layers}.${Number(key) - 1}`
    })
    const model = await open(vision(name))
    const values = await valuesOf(model, [...wanted.keys()], { pixel_values: picture() })
    for (const [layer, value] of wanted) {
      // Swin's maps are the tokens of transformers, row after row.
      const found = values.get(layer)!
      const isMap = found.shape.length === 4 && value.shape.length === 3
      expectEqual(isMap ? { ...found, shape: value.shape } : found, value, layer)
    }
    expect(model.card).toMatchObject({ modality: 'image', dimensions: wanted.get('penultimate')!.shape[1] })
  })
})

describe('for pictures of another size', () => {
  it.each([
    ['vit_reg4', 'logits', [48, 32]],
    ['dinov2', 'penultimate', [48, 40]],
    ['dino', 'penultimate', [48, 32]],
  ] as const)('positions are resampled as in Python: %s', async (name, output, [height, width]) => {
    const model = await open(vision(name), { size: [height, width] })
    expect(model.card.image?.size).toEqual([height, width])
    expect(model.fingerprint).not.toBe((await open(vision(name))).fingerprint)
    const values = await valuesOf(model, [output], { pixel_values: picture(height, width) })
    expectEqual(values.get(output), (await references(name)).get(`${output}_${height}x${width}`), output)
  })
})
