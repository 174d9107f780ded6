import { describe, expect, it } from 'vitest'
import { publishedPreparation } from './publishedPreparation.ts'

describe('publishedPreparation', () => {
  // weights.transforms() of torchvision 0.29.2.
  it.each([
    ['resnet50', 'resnet50', '0676ba61', 224, 256, 'bilinear'],
    ['resnet50', 'resnet50', '11ad3fa6', 224, 232, 'bilinear'],
    ['vgg16', 'vgg16', '397923af', 224, 256, 'bilinear'],
    ['efficientnet_b0', 'efficientnet_b0_rwightman', '7f5810bc', 224, 256, 'bicubic'],
    ['efficientnet_b1', 'efficientnet_b1', 'c27df63c', 240, 255, 'bilinear'],
    ['efficientnet_b4', 'efficientnet_b4_rwightman', '23ab8bcd', 380, 384, 'bicubic'],
    ['convnext_tiny', 'convnext_tiny', '983f1562', 224, 236, 'bilinear'],
    ['convnext_small', 'convnext_small', '0c510722', 224, 230, 'bilinear'],
    ['mobilenet_v3_small', 'mobilenet_v3_small', '047dcff4', 224, 256, 'bilinear'],
    ['mobilenet_v3_large', 'mobilenet_v3_large', '5c1a4163', 224, 232, 'bilinear'],
    ['swin_s', 'swin_s', '5e29d889', 224, 246, 'bicubic'],
    ['vit_l_16', 'vit_l_16', '852ce7e3', 224, 242, 'bilinear'],
    ['vit_h_14', 'vit_h_14_swag', '80465313', 518, 518, 'bicubic'],
  ] as const)('of %s is torchvision’s: %s-%s', async (name, stem, hash, size, resize, interpolation) => {
    const { image, notes } = (await publishedPreparation(name, { stem, hash }, false))!
    expect(image).toMatchObject({ size: [size, size], interpolation, crop: 'center' })
    expect(Math.floor(size / image.cropRatio!)).toBe(resize)
    expect(notes).toContain(`torchvision's for ${stem}-${hash}`)
    // A caller who names the architecture has not said another preparation.
    expect((await publishedPreparation(name, { stem, hash }, true))?.image).toEqual(image)
  })

  it.each([
    'dino_deitsmall16',
    'dino_vitbase8',
    'dinov2_vits14',
    'dinov2_vitb14_reg4',
  ])('of %s is that of its own evaluation: 256 pixels, bicubic, the middle 224', async (stem) => {
    const found = await publishedPreparation('vit_small_patch16_224', { stem, hash: '' }, false)
    expect(found?.image).toMatchObject({ size: [224, 224], cropRatio: 0.875, interpolation: 'bicubic' })
    expect(found?.notes).toContain(`evaluation of ${stem}`)
  })

  it('is timm’s of a tag that is named, and of an architecture alone', async () => {
    const file = { stem: 'resnet50', hash: '11ad3fa6' }
    expect((await publishedPreparation('resnet50.a1_in1k', file, true))?.notes).toMatch(
      /timm's for resnet50\.a1_in1k/,
    )
    const usual = await publishedPreparation('resnet50', undefined, true)
    expect(usual?.image).toMatchObject({ interpolation: 'bicubic', cropRatio: 0.95 })
    expect(usual?.notes).toMatch(/weights of other tags want others/)
  })

  it('is not known of files of another origin', async () => {
    expect(
      await publishedPreparation('resnet50', { stem: 'resnet50', hash: '12345678' }, false),
    ).toBeUndefined()
    expect(await publishedPreparation('lenet', undefined, true)).toBeUndefined()
  })
})
