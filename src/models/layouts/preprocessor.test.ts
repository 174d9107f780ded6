import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveSource } from '../sources/sources.ts'
import { readPreprocessor } from './preprocessor.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-preprocessor-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(config: object, size: readonly [number, number] | null = [224, 224]) {
  await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify(config))
  return readPreprocessor(await resolveSource({ kind: 'file', path: folder }), size ? { taken: size } : {})
}

const half = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] }

describe('readPreprocessor', () => {
  it.each([
    [
      'of ViT',
      { ...half, resample: 2, size: { height: 224, width: 224 } },
      { crop: 'squash', interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    ],
    [
      'of ResNet',
      {
        ...half,
        resample: 3,
        do_center_crop: true,
        size: { shortest_edge: 256 },
        crop_size: { height: 224, width: 224 },
      },
      { crop: 'center', resize: 256, interpolation: 'bicubic' },
    ],
    [
      'of CLIP in an older release',
      {
        ...half,
        feature_extractor_type: 'CLIPFeatureExtractor',
        do_center_crop: true,
        size: 224,
        crop_size: 224,
      },
      { crop: 'center', resize: 224 },
    ],
    [
      'of DeiT, which squashes before it crops',
      {
        ...half,
        do_center_crop: true,
        size: { height: 256, width: 256 },
        crop_size: { height: 224, width: 224 },
      },
      { crop: 'squash', resize: [256, 256] },
    ],
    [
      'of DeiT in an older release',
      {
        ...half,
        feature_extractor_type: 'DeiTFeatureExtractor',
        do_center_crop: true,
        size: 256,
        crop_size: 224,
      },
      { crop: 'squash', resize: [256, 256] },
    ],
    [
      'of ConvNeXt',
      {
        ...half,
        image_processor_type: 'ConvNextImageProcessor',
        size: { shortest_edge: 224 },
        crop_pct: 0.95,
      },
      { crop: 'center', resize: 235 },
    ],
    [
      'of ConvNeXt, which keeps 224 / 256 unless it says otherwise',
      { ...half, feature_extractor_type: 'ConvNextFeatureExtractor', size: 224, crop_pct: null },
      { crop: 'center', resize: 256 },
    ],
    ['of one mean for all', { image_mean: 0.5, image_std: 0.25, size: 224 }, { mean: [0.5, 0.5, 0.5] }],
    ['without normalisation', { do_normalize: false, size: 224 }, { mean: [0, 0, 0], std: [1, 1, 1] }],
  ])('reads that %s', async (_, config, expected) => {
    expect(await read(config)).toMatchObject({ size: [224, 224], ...expected })
  })

  it('squashes for ConvNeXt from 384 pixels on', async () => {
    const config = { ...half, size: { shortest_edge: 384 }, crop_pct: 0.875 }
    expect(await read(config, null)).toMatchObject({ size: [384, 384], crop: 'squash' })
  })

  it('crops other shapes than squares, and lets what it crops from grow with the network', async () => {
    const config = {
      ...half,
      do_center_crop: true,
      size: { shortest_edge: 256 },
      crop_size: { height: 224, width: 192 },
    }
    expect(await read(config, null)).toMatchObject({ size: [224, 192], crop: 'center', resize: 256 })
    expect(await read(config, [448, 384])).toMatchObject({ size: [448, 384], resize: 512 })
  })

  // Each value is (pixel × factor − offset − mean) / std, by std again with include_top, as in EfficientNetImageProcessor.
  it.each([
    ['another factor', { ...half, rescale_factor: 1 / 127.5 }, [0.25], [0.25]],
    ['no scaling', { ...half, do_rescale: false }, [0.5 / 255], [0.5 / 255]],
    [
      'include_top',
      { ...half, image_processor_type: 'EfficientNetImageProcessor', include_top: true },
      [0.5],
      [0.25],
    ],
    [
      'a silent EfficientNet',
      { ...half, image_processor_type: 'EfficientNetFeatureExtractor' },
      [0.5],
      [0.25],
    ],
    [
      'include_top: false',
      { ...half, image_processor_type: 'EfficientNetImageProcessor', include_top: false },
      [0.5],
      [0.5],
    ],
    [
      'include_top of another processor',
      { ...half, image_processor_type: 'ViTImageProcessor', include_top: true },
      [0.5],
      [0.5],
    ],
    [
      'rescale_offset',
      { rescale_factor: 1 / 127.5, do_normalize: false, rescale_offset: true, include_top: false },
      [0.5],
      [0.5],
    ],
  ] as const)('follows %s', async (_, config, mean, std) => {
    const image = await read(config)
    const close = (values: readonly number[]) =>
      Array.from({ length: 3 }, () => expect.closeTo(values[0]!, 6))
    expect(image).toMatchObject({ mean: close(mean), std: close(std) })
  })

  it.each([
    ['blue for red', { ...half, do_flip_channel_order: true, size: 224 }, /do_flip_channel_order/],
    ['no factor', { ...half, rescale_factor: 0 }, /scales pixels by 0/],
    ['no mean', {}, /image_mean/],
    ['an unknown filter', { ...half, resample: 9 }, /resample 9/],
  ])('refuses %s', async (_, config, message) => {
    await expect(read(config)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(message),
    })
  })
})
