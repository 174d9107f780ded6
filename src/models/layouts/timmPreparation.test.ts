import { describe, expect, it } from 'vitest'
import { timmPreparation } from './timmPreparation.ts'

const imagenet = [
  [0.485, 0.456, 0.406],
  [0.229, 0.224, 0.225],
]
const half = [
  [0.5, 0.5, 0.5],
  [0.5, 0.5, 0.5],
]

// a-23: what timm 1.0.31 gives as get_pretrained_cfg(name).
describe('timmPreparation (a-23)', () => {
  it.each([
    ['vit_tiny_patch16_224', [224, 224], 'bicubic', half, 0.9, 'center'],
    ['mobilenetv2_050', [224, 224], 'bicubic', imagenet, 0.875, 'center'],
    ['efficientnet_b3', [288, 288], 'bicubic', imagenet, 0.875, 'center'],
    ['tf_efficientnet_lite4', [380, 380], 'bilinear', half, 0.92, 'center'],
    ['resnet10t', [176, 176], 'bicubic', imagenet, 0.875, 'center'],
    ['resnet50', [224, 224], 'bicubic', imagenet, 0.95, 'center'],
    ['resnet50.tv_in1k', [224, 224], 'bilinear', imagenet, 0.875, 'center'],
    ['resnet50.a1_in1k', [224, 224], 'bicubic', imagenet, 0.95, 'center'],
    ['vit_base_patch16_sapiens2', [1024, 768], 'bilinear', imagenet, 1, 'squash'],
  ])('is that of timm: %s', async (name, size, interpolation, [mean, std] = [], cropRatio, crop) => {
    expect((await timmPreparation(name))?.image).toEqual({ size, interpolation, mean, std, cropRatio, crop })
  })

  it('is that of a published file, by the hash in its name', async () => {
    const usual = await timmPreparation('resnet50')
    expect((await timmPreparation('resnet50', '0676ba61'))?.image).toMatchObject({
      interpolation: 'bilinear',
    })
    expect(usual?.varies).toBe(true)
    expect(await timmPreparation('resnet50', '12345678')).toBeUndefined()
    expect(await timmPreparation('resnet50', '')).toBeUndefined()
  })

  it('is not known of what is not timm’s', async () => {
    expect(await timmPreparation('lenet')).toBeUndefined()
    expect(await timmPreparation('vit_b_16')).toBeUndefined()
  })
})
