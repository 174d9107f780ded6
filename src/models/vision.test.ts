import { describe, expect, it } from 'vitest'
import { open } from './index.ts'
import { useFolder } from './testing/fixtures.ts'
import { expectEqual, picture, references, valuesOf, vision } from './testing/vision.ts'

useFolder()

const timm = ['resnet18d', 'vit_reg4', 'swin', 'convnextv2']

describe('a repository of timm', () => {
  it.each(timm)('gives the numbers of timm: %s', async (name) => {
    const expected = await references(name)
    const model = await open(vision(name))
    const names = [...expected.keys()].filter((key) => /^(?:logits|penultimate|layer:.*)$/.test(key))
    const layers = names.map((key) => key.replace(/^layer:/, ''))
    const values = await valuesOf(model, layers, { pixel_values: picture() })
    for (const [i, key] of names.entries()) expectEqual(values.get(layers[i]!), expected.get(key), key)
    expect(model.unused).toEqual([])
  })
})
