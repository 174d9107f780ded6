import { describe, expect, it } from 'vitest'
import { decodeImage } from '../../embed/index.ts'
import { colorTokens, heatMap } from '../index.ts'
import { blur } from './blur.ts'
import { drawHeatMap } from './heatMap.ts'
import { gaussLegendre } from './quadrature.ts'
import type { ImageAttribution, TextAttribution } from './types.ts'

const numbers = { similarity: 0.5, baseline: 0.1, difference: 0, method: 'gradient' } as const
const [width, height] = [4, 3]
const seen = { width, height, channels: 3, data: new Uint8Array(3 * width * height).fill(255) } as const
const ofPixels = (values: readonly number[]): ImageAttribution => ({
  kind: 'image',
  ...numbers,
  width,
  height,
  seen,
  values: Float32Array.from({ length: width * height }, (_, i) => values[i] ?? 0),
})
const plain = { smooth: 0, strength: 1 } as const

describe('A heat map', () => {
  const pixel = (data: Uint8Array, i: number) => [...data.subarray(3 * i, 3 * i + 3)]

  it('is red where a pixel raises the similarity, blue where it lowers it, and the grey picture elsewhere', () => {
    const { data } = drawHeatMap(ofPixels([1, -1, 0, 0.5]), seen, plain)
    expect([0, 1, 2].map((i) => pixel(data, i))).toEqual([
      [178, 24, 43],
      [33, 102, 172],
      [255, 255, 255],
    ])
    // Half way from white to red, within rounding.
    expect(pixel(data, 3).map((value, i) => Math.abs(value - [216.5, 139.5, 149][i]!) <= 0.5)).toEqual([
      true,
      true,
      true,
    ])
    expect(drawHeatMap(ofPixels([]), seen, plain).data).toEqual(seen.data)
  })

  it('has the full colour at the limit, and a legend below where it is asked for', () => {
    const { data } = drawHeatMap(ofPixels([0.1]), seen, { ...plain, limit: 0.1 })
    expect(pixel(data, 0)).toEqual([178, 24, 43])
    const whole = drawHeatMap(ofPixels([1]), seen, { ...plain, legend: true })
    expect(whole.height).toBeGreaterThan(height)
    expect(pixel(whole.data, width * height)).toEqual([33, 102, 172])
    expect(pixel(whole.data, width * height + width - 1)).toEqual([178, 24, 43])
  })

  it('is a PNG of the same pixels', async () => {
    const bytes = await heatMap(ofPixels([1, -1]), undefined, plain)
    const read = await decodeImage(bytes)
    expect(read).toMatchObject({ width, height })
    expect(Array.from(read.data)).toEqual(Array.from(drawHeatMap(ofPixels([1, -1]), seen, plain).data))
  })

  it('refuses a picture of another size, and options that mean nothing', async () => {
    const other = { ...seen, width: 3, height: 4 }
    await expect(heatMap(ofPixels([1]), other)).rejects.toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
    )
    for (const options of [{ smooth: -1 }, { limit: 0 }, { strength: 2 }, { smooth: Number.NaN }]) {
      await expect(heatMap(ofPixels([1]), undefined, options)).rejects.toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      )
    }
  })
})

describe('Tokens', () => {
  const text: TextAttribution = {
    kind: 'text',
    ...numbers,
    truncated: false,
    tokens: [
      { text: '[CLS]', special: true, value: 0 },
      { text: 'tow', special: false, value: 0.25 },
      { text: '##hee', special: false, value: -0.5 },
    ],
  }

  it('have colours where they are asked for, and numbers elsewhere', () => {
    expect(colorTokens(text, { color: false })).toBe('[CLS] tow (+0.25) ##hee (-0.50)')
    expect(colorTokens(text, { color: true })).toBe(
      '\x1b[2m[CLS]\x1b[0m \x1b[30;48;2;255;159;159mtow\x1b[0m \x1b[30;48;2;64;64;255m##hee\x1b[0m',
    )
  })
})

describe('Gauss and Legendre’s rule', () => {
  it('is exact for polynomials up to twice its points', () => {
    for (const count of [1, 2, 5, 32, 200]) {
      const points = gaussLegendre(count)
      const integral = (power: number) =>
        points.reduce((sum, { at, weight }) => sum + weight * at ** power, 0)
      expect(integral(0)).toBeCloseTo(1, 12)
      expect(integral(2 * count - 1)).toBeCloseTo(1 / (2 * count), 12)
      expect(points.map(({ at }) => at)).toEqual(points.map(({ at }) => at).sort((a, b) => a - b))
    }
  })
})

describe('Blurring', () => {
  it('keeps what is even, spreads a point, and leaves channels apart', () => {
    expect(Array.from(blur(new Float32Array(12).fill(7), { width, height }, 2))).toEqual(
      new Array(12).fill(7),
    )
    expect(Array.from(blur([1, 2, 3, 4], { width: 2, height: 2 }, 0))).toEqual([1, 2, 3, 4])
    const spread = blur([0, 0, 0, 1, 0, 0, 0], { width: 7, height: 1 }, 1)
    expect(spread[3]!).toBeGreaterThan(spread[2]!)
    expect(spread[2]!).toBeCloseTo(spread[4]!, 6)
    const channels = blur([1, 0, 1, 0, 1, 0], { width: 3, height: 1, channels: 2 }, 1)
    expect(Array.from(channels)).toEqual([1, 0, 1, 0, 1, 0])
  })
})
