import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPreprocessor } from './preprocessor.ts'
import { resolveSource } from './sources.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-preprocessor-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(config: object) {
  await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify(config))
  return readPreprocessor(await resolveSource({ kind: 'file', path: folder }), { taken: [224, 224] })
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
      { crop: 'center', cropRatio: 0.875, interpolation: 'bicubic' },
    ],
    [
      'of older releases',
      { ...half, do_center_crop: true, size: 224, crop_size: 224 },
      { crop: 'center', cropRatio: 1 },
    ],
    ['without normalisation', { do_normalize: false, size: 224 }, { mean: [0, 0, 0], std: [1, 1, 1] }],
  ])('reads that %s', async (_, config, expected) => {
    expect(await read(config)).toMatchObject({ size: [224, 224], ...expected })
  })

  it.each([
    ['another factor', { ...half, rescale_factor: 1 / 127.5 }, /0…1/],
    ['no mean', {}, /image_mean/],
    ['an unknown filter', { ...half, resample: 9 }, /resample 9/],
  ])('refuses %s', async (_, config, message) => {
    await expect(read(config)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(message),
    })
  })
})
