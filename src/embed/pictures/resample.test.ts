import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { ImagePreprocessing } from '../../models/index.ts'
import type { RawImage } from '../types.ts'
import type { Side } from './geometry.ts'
import { decodeImage } from './image.ts'
import { resample } from './resample.ts'

interface Reference {
  readonly from: readonly [width: number, height: number]
  readonly to: readonly [width: number, height: number]
  readonly interpolation: ImagePreprocessing['interpolation']
  readonly data: string
}
// Made by testdata/pillow.py.
const references: readonly Reference[] = JSON.parse(
  readFileSync(new URL('../testdata/pillow.json', import.meta.url), 'utf8'),
)
const cases = references.map(
  (each) => [each.interpolation, each.from.join('×'), each.to.join('×'), each] as const,
)

/** As in testdata/pillow.py: waves of all lengths, and noise. */
function picture(width: number, height: number): RawImage {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++, i++) {
        const cell = 1 + (((x >> 3) + (y >> 3)) % 2)
        const noise = ((x * 73 + y * 151 + c * 199 + ((x * y) % 23) * 57) % 64) * cell
        const across = Math.floor((x * 255) / width) * (3 - c)
        const slope = Math.floor((across + Math.floor((y * 255) / height) * (1 + c)) / 4)
        data[i] = Math.min(255, Math.max(0, slope + noise - 40))
      }
    }
  }
  return { width, height, channels: 3, data }
}

const plain: ImagePreprocessing = {
  size: [32, 32],
  crop: 'squash',
  interpolation: 'bilinear',
  mean: [0, 0, 0],
  std: [1, 1, 1],
}

const side = (from: number, to: number, start = 0, length = to): Side => ({ from, to, start, length })

/** The largest and the mean difference in grey levels, of the picture and of what lies within its rim of one pixel. */
function difference(found: Uint8Array, expected: Uint8Array, width: number) {
  expect(found.length).toBe(expected.length)
  const height = found.length / width / 3
  let [most, inner, sum] = [0, 0, 0]
  for (const [i, value] of expected.entries()) {
    const distance = Math.abs(found[i]! - value)
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
    const isRim = x === 0 || y === 0 || x === width - 1 || y === height - 1
    most = Math.max(most, distance)
    if (!isRim) inner = Math.max(inner, distance)
    sum += distance
  }
  return { most, inner, mean: sum / expected.length }
}

describe('resizing in our own code', () => {
  // Pillow makes a picture low before it makes it wide, and so rounds and clips the other way round.
  const rowsFirst = cases.filter(([, , , { from, to }]) => to[0] < from[0] || to[1] > from[1])
  it.each(rowsFirst)("is Pillow's, to the bit: %s, %s to %s", (interpolation, _, __, { from, to, data }) => {
    const sides = { horizontal: side(from[0], to[0]), vertical: side(from[1], to[1]) }
    const found = resample(picture(...from).data, sides, interpolation)
    expect(Buffer.from(found).equals(Buffer.from(data, 'base64'))).toBe(true)
  })

  it.each([
    'nearest',
    'bilinear',
    'bicubic',
    'lanczos',
    'box',
    'hamming',
  ] as const)('makes a window as if the whole had been cut: %s', (interpolation) => {
    const { data } = picture(23, 17)
    const whole = resample(data, { horizontal: side(23, 60), vertical: side(17, 12) }, interpolation)
    const window = { horizontal: side(23, 60, 14, 31), vertical: side(17, 12, 2, 7) }
    const found = resample(data, window, interpolation)
    for (let y = 0; y < 7; y++) {
      const at = ((y + 2) * 60 + 14) * 3
      expect(found.subarray(y * 93, (y + 1) * 93)).toEqual(whole.subarray(at, at + 93))
    }
  })
})

describe('a decoded picture', () => {
  it.each(cases)('is resized as Pillow resizes it: %s, %s to %s', async (interpolation, _, __, reference) => {
    const { from, to, data } = reference
    const preprocessing = { ...plain, size: [to[1], to[0]] as const, interpolation }
    const raw = picture(...from)
    const png = await sharp(raw.data, { raw: { width: from[0], height: from[1], channels: 3 } })
      .png()
      .toBuffer()
    const found = await decodeImage(raw, preprocessing)
    expect((await decodeImage(png, preprocessing)).data).toEqual(found.data)
    const { most, inner, mean } = difference(found.data, Buffer.from(data, 'base64'), to[0])
    const isSharps =
      !['nearest', 'box', 'hamming'].includes(interpolation) && (to[0] < from[0] || to[1] < from[1])
    if (!isSharps) {
      // Pillow makes a picture low first, and so rounds the other way round.
      expect(most).toBeLessThanOrEqual(interpolation === 'hamming' ? 1 : 0)
      return
    }
    // In grey levels. Beyond the rim sharp continues a picture where Pillow leaves it out; large ones it first halves.
    const isLarge = from[0] > 4 * to[0]
    const within = { bilinear: 1, bicubic: 2, lanczos: 3, nearest: 0, box: 0, hamming: 0 }[interpolation]
    expect(inner).toBeLessThanOrEqual(isLarge ? 4 : within)
    expect(most).toBeLessThanOrEqual(8)
    expect(mean).toBeLessThan(1)
  })

  const turned = async (width: number, height: number, orientation: number) =>
    sharp(picture(width, height).data, { raw: { width, height, channels: 3 } })
      .png()
      .withMetadata({ orientation })
      .toBuffer()

  it.each([
    ['made smaller', [64, 48], {}],
    ['made larger', [400, 500], {}],
    ['made wider and lower', [100, 500], {}],
    ['cropped', [80, 80], { crop: 'center', cropRatio: 0.8 }],
    ['cropped, other lengths', [83, 61], { crop: 'center', cropRatio: 0.9 }],
    ['cropped without being resized', [100, 90], { crop: 'center', resize: 213 }],
    ['cropped and made larger', [250, 300], { crop: 'center', cropRatio: 0.9 }],
    ['padded', [100, 100], { crop: 'border', background: [1, 2, 3] }],
    ['padded and made larger', [400, 500], { crop: 'border' }],
    ['padded for a crop', [250, 100], { crop: 'center', resize: 100 }],
  ] as const)('that lies on its side is the same as one that stands: %s', async (_, size, how) => {
    const image: ImagePreprocessing = { ...plain, ...how, size, interpolation: 'bicubic' }
    const lying = await turned(320, 213, 6)
    const standing = await decodeImage(lying)
    expect([standing.width, standing.height]).toEqual([213, 320])
    const found = await decodeImage(lying, image)
    expect([found.height, found.width, found.data.length]).toEqual([...size, size[0] * size[1] * 3])
    const expected = await decodeImage(standing, image)
    // Not to the bit: from which end sharp first halves a large picture is another.
    const { most, mean } = difference(found.data, expected.data, size[1])
    expect(most).toBeLessThanOrEqual(10)
    expect(mean).toBeLessThan(2)
  })

  it('is cropped and padded where the geometry says', async () => {
    const raw = picture(320, 200)
    const whole = await decodeImage(raw, { ...plain, size: [100, 160] })
    // 320 × 200 to 160 × 100: the middle 80 columns begin at 40, the middle 60 rows at 20.
    const crop = await decodeImage(raw, { ...plain, crop: 'center', resize: 100, size: [60, 80] })
    for (let y = 0; y < 60; y++) {
      const at = ((y + 20) * 160 + 40) * 3
      expect(crop.data.subarray(y * 240, (y + 1) * 240)).toEqual(whole.data.subarray(at, at + 240))
    }
    // 160 × 100 within 160 × 151: 25 rows before, 26 after.
    const background = [9, 8, 7] as const
    const padded = await decodeImage(raw, { ...plain, crop: 'border', size: [151, 160], background })
    expect(padded.data.subarray(25 * 480, 125 * 480)).toEqual(new Uint8Array(whole.data))
    for (const row of [0, 24, 125, 150]) {
      expect([...padded.data.subarray(row * 480, row * 480 + 6)]).toEqual([...background, ...background])
    }
    const black = await decodeImage(raw, { ...plain, crop: 'center', resize: 100, size: [102, 160] })
    expect(black.data.subarray(0, 480).every((value) => value === 0)).toBe(true)
    expect(black.data.subarray(480, 101 * 480)).toEqual(new Uint8Array(whole.data))
  })

  it('is drawn at its size, not enlarged, where it is a drawing', async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="4" height="8" fill="#00f"/></svg>',
    )
    const { data } = await decodeImage(svg, { ...plain, size: [80, 80], interpolation: 'bicubic' })
    const row = Array.from({ length: 80 }, (_, x) => data[(40 * 80 + x) * 3])
    expect(row.slice(0, 39).every((red) => red === 0) && row.slice(41).every((red) => red === 255)).toBe(true)
  })

  it('may be a line', async () => {
    const line = { width: 5000, height: 1, channels: 1, data: new Uint8Array(5000).fill(7) } as const
    for (const crop of ['squash', 'center', 'border'] as const) {
      const { data } = await decodeImage(line, { ...plain, crop, interpolation: 'bicubic' })
      expect(data.length).toBe(32 * 32 * 3)
      expect(data[((crop === 'border' ? 15 : 16) * 32 + 16) * 3]).toBe(7)
    }
  })
})
