import { describe, expect, it } from 'vitest'
import { Builder, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import { imagePreprocessing, l2Normalize, type PoolKind, pool, takeFirst } from '../index.ts'

async function run(build: (x: Value, mask: Value) => Value, x: number[], shape: number[], mask?: number[][]) {
  const b = new Builder()
  const dims = shape.map((size, axis) => (axis === 0 ? 'batch' : axis === 1 && mask ? 'sequence' : size))
  const input = b.input('x', 'float32', dims)
  const maskInput = b.input('mask', 'int64', ['batch', 'sequence'])
  b.output('y', build(input, maskInput))
  const rows = mask ?? Array.from({ length: shape[0]! }, () => [1])
  const { y } = await evaluate(b.build(), {
    x: tensor('float32', shape, x),
    mask: tensor('int64', [rows.length, rows[0]!.length], rows.flat()),
  })
  return { shape: y!.shape, data: Array.from(y!.data as Float32Array) }
}

// Two rows of three tokens of two features; the first is padded on the right, the second on the left.
const TOKENS = [1, 2, 3, 5, 90, 90, 90, 90, -1, -2, -3, -6]
const MASK = [
  [1, 1, 0],
  [0, 1, 1],
]
const overTokens = (kind: PoolKind) => run((x, mask) => pool(x, kind, mask), TOKENS, [2, 3, 2], MASK)

describe('pool', () => {
  it('reads over tokens only what is not padding, on either side', async () => {
    expect(await overTokens('mean')).toEqual({ shape: [2, 2], data: [2, 3.5, -2, -4] })
    expect(await overTokens('max')).toEqual({ shape: [2, 2], data: [3, 5, -1, -2] })
    expect(await overTokens('last')).toEqual({ shape: [2, 2], data: [3, 5, -3, -6] })
    expect(await overTokens('cls')).toEqual({ shape: [2, 2], data: [1, 2, 90, 90] })
    expect(await overTokens('none')).toEqual({ shape: [2, 3, 2], data: TOKENS })
  })

  it('counts all tokens without a mask', async () => {
    const unmasked = async (kind: PoolKind) => (await run((x) => pool(x, kind), [1, 2, 3, 6], [1, 2, 2])).data
    expect(await unmasked('mean')).toEqual([2, 4])
    expect(await unmasked('max')).toEqual([3, 6])
    expect(await unmasked('last')).toEqual([3, 6])
  })

  it('gives zeros, not NaN, for the mean of a row that is all padding', async () => {
    const { data } = await run((x, mask) => pool(x, 'mean', mask), [1, 2, 3, 4], [1, 2, 2], [[0, 0]])
    expect(data).toEqual([0, 0])
  })

  it('reads a feature map over its positions', async () => {
    const map = [1, 2, 3, 6, -1, -2, -3, -6]
    const over = (kind: PoolKind) => run((x) => pool(x, kind), map, [1, 2, 2, 2])
    expect(await over('mean')).toEqual({ shape: [1, 2], data: [3, -3] })
    expect(await over('max')).toEqual({ shape: [1, 2], data: [6, -1] })
    expect(await over('none')).toEqual({ shape: [1, 4, 2], data: [1, -1, 2, -2, 3, -3, 6, -6] })
    await expect(over('cls')).rejects.toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  })

  it('leaves vectors as they are, and refuses other ranks', async () => {
    const over = (kind: PoolKind, shape: number[]) => run((x) => pool(x, kind), [3, 4], shape)
    expect(await over('mean', [1, 2])).toEqual({ shape: [1, 2], data: [3, 4] })
    expect(await over('none', [1, 2])).toEqual({ shape: [1, 1, 2], data: [3, 4] })
    await expect(over('mean', [2])).rejects.toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }))
  })
})

describe('l2Normalize and takeFirst', () => {
  it('normalise rows, zeros staying zeros', async () => {
    const { data } = await run(l2Normalize, [3, 4, 0, 0], [2, 2])
    expect(data.map((value) => Number(value.toFixed(6)))).toEqual([0.6, 0.8, 0, 0])
  })

  it('keep the first numbers', async () => {
    const { shape, data } = await run((x) => takeFirst(x, 2), [1, 2, 3, 4, 5, 6], [2, 3])
    expect({ shape, data }).toEqual({ shape: [2, 2], data: [1, 2, 4, 5] })
    for (const n of [0, 1.5, 4]) {
      await expect(run((x) => takeFirst(x, n), [1, 2, 3], [1, 3])).rejects.toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      )
    }
  })
})

describe('imagePreprocessing', () => {
  it('scales, centres and moves channels to the front', async () => {
    const mean = [0.485, 0.456, 0.406] as const
    const std = [0.229, 0.224, 0.225] as const
    const b = new Builder()
    const values = b.output('pixel_values', imagePreprocessing(b, { mean, std }))
    expect(values.shape).toEqual(['batch', 3, 'height', 'width'])
    const bytes = [0, 128, 255, 10, 20, 30]
    const { pixel_values } = await evaluate(b.build(), { pixels: tensor('uint8', [1, 1, 2, 3], bytes) })
    expect(pixel_values!.shape).toEqual([1, 3, 1, 2])
    const data = pixel_values!.data as Float32Array
    for (const [pixel, channel] of [0, 1].flatMap((p) => [0, 1, 2].map((c) => [p, c] as const))) {
      const expected = (bytes[pixel * 3 + channel]! / 255 - mean[channel]!) / std[channel]!
      expect(data[channel * 2 + pixel]).toBeCloseTo(expected, 5)
    }
  })

  it('makes grey of one channel as Pillow’s L does', async () => {
    const b = new Builder()
    b.output('pixel_values', imagePreprocessing(b, { channels: 1, mean: [0], std: [1] }))
    // Image.fromarray(bytes).convert('L'): halves are rounded up, equal bytes stay what they are.
    const bytes = [
      255, 0, 0, 0, 255, 0, 0, 0, 255, 77, 77, 77, 255, 255, 255, 1, 2, 3, 200, 100, 50, 13, 240, 99,
    ]
    const grey = [76, 150, 29, 77, 255, 2, 124, 156]
    const { pixel_values } = await evaluate(b.build(), { pixels: tensor('uint8', [1, 2, 4, 3], bytes) })
    expect(pixel_values!.shape).toEqual([1, 1, 2, 4])
    expect([...(pixel_values!.data as Float32Array)].map((value) => 255 * value)).toEqual(
      grey.map((value) => expect.closeTo(value, 3)),
    )
  })
})
