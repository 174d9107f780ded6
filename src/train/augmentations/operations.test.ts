import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Builder, op, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { type DType, type Tensor, tensor } from '../../tensor/index.ts'
import { gaussianBlur } from './blur.ts'
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  colorJitter,
  grayscale,
  normalize,
  solarize,
} from './color.ts'
import { erasing } from './erasing.ts'
import {
  type AffineParameters,
  affine,
  affineMatrix,
  horizontalFlip,
  paddedCrop,
  resizedCrop,
} from './geometry.ts'

interface Reference {
  readonly parameters: {
    readonly boxes: number[][]
    readonly small: number[][]
    readonly offsets: number[][]
    readonly affines: AffineParameters[]
    readonly factors: number[][]
    readonly orders: number[][]
    readonly erased: number[][]
    readonly sigmas: number[]
  }
  readonly cases: Readonly<Record<string, { readonly shape: number[]; readonly data: number[] }>>
}

/** Written by testdata/torchvision_reference.py. */
const { parameters, cases } = JSON.parse(
  readFileSync(new URL('testdata/torchvision.json', import.meta.url), 'utf8'),
) as Reference

const [HEIGHT, WIDTH] = [13, 11]
/** Largest difference from torchvision. */
const TOLERANCE = 1e-5

/** The same numbers as in the reference's script. */
function pictures(channels: number, count = 2): Tensor {
  const size = channels * HEIGHT * WIDTH
  const data = Float32Array.from({ length: count * size }, (_, i) => {
    const [n, k] = [Math.floor(i / size), i % size]
    const byte = ((k + 1) * (k + 7 + n) * 7919 + n * 131) % 256
    return (n % 2 === 0 ? byte : Math.floor(byte / 43) * 51) / 255
  })
  return tensor('float32', [count, channels, HEIGHT, WIDTH], data)
}

type Parameters = Readonly<
  Record<string, readonly [DType, readonly number[] | readonly number[][] | readonly boolean[]]>
>

/** Runs operations on pictures, with a batch whose size the graph does not know. */
async function run(
  x: Tensor,
  fed: Parameters,
  build: (x: Value, parameters: Record<string, Value>) => Value,
): Promise<Tensor> {
  const b = new Builder()
  const pixels = b.input('pixels', 'float32', ['batch', ...x.shape.slice(1)])
  const feeds: Record<string, Tensor> = { pixels: x }
  const values: Record<string, Value> = {}
  for (const [name, [dtype, rows]] of Object.entries(fed)) {
    const columns = Array.isArray(rows[0]) ? [rows[0].length] : []
    feeds[name] = tensor(dtype, [rows.length, ...columns], (rows as (number | boolean)[][]).flat())
    values[name] = b.input(name, dtype, ['batch', ...columns])
  }
  b.output('y', build(pixels, values))
  return (await evaluate(b.build(), feeds))['y']!
}

function difference(a: Tensor, data: ArrayLike<number>): number {
  const values = a.data as Float32Array
  expect(values.length).toBe(data.length)
  return values.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!)), 0)
}

async function expectAsTorchvision(
  name: string,
  channels: number,
  fed: Parameters,
  build: (x: Value, parameters: Record<string, Value>) => Value,
): Promise<void> {
  const y = await run(pictures(channels), fed, build)
  const wanted = cases[name]!
  expect(y.shape).toEqual(wanted.shape)
  expect(difference(y, wanted.data)).toBeLessThanOrEqual(TOLERANCE)
}

const factors = (column: number): Parameters => ({
  f: ['float32', parameters.factors.map((row) => row[column]!)],
})

describe('as torchvision, within 1e-5', () => {
  it.each([
    ['smaller', 'boxes', [6, 4], true],
    ['larger', 'small', [7, 8], true],
    ['smaller, no antialias', 'boxes', [6, 4], false],
    ['larger, no antialias', 'small', [7, 8], false],
  ] as const)('resizedCrop %s', (name, boxes, size, antialias) =>
    expectAsTorchvision(`resizedCrop ${name}`, 3, { boxes: ['float32', parameters[boxes]] }, (x, { boxes }) =>
      resizedCrop(x, boxes!, size, { antialias }),
    ))

  it.each(['constant', 'reflect', 'edge'] as const)('paddedCrop, %s', (mode) =>
    expectAsTorchvision(
      `paddedCrop ${mode}`,
      3,
      { offsets: ['float32', parameters.offsets] },
      (x, { offsets }) => paddedCrop(x, offsets!, [9, 10], { padding: 4, mode }),
    ))

  it.each(['bilinear', 'nearest'] as const)('affine, %s', (interpolation) =>
    expectAsTorchvision(
      `affine ${interpolation}`,
      1,
      { matrices: ['float32', parameters.affines.map(affineMatrix)] },
      (x, { matrices }) => affine(x, op.reshape(matrices!, [0, 2, 3]), interpolation),
    ))

  it.each([
    ['adjustBrightness', 1, 0, adjustBrightness],
    ['adjustContrast', 3, 1, adjustContrast],
    ['adjustContrast, one channel', 1, 1, adjustContrast],
    ['adjustSaturation', 3, 2, adjustSaturation],
    ['adjustHue', 3, 3, adjustHue],
  ] as const)('%s', (name, channels, column, adjust) =>
    expectAsTorchvision(name, channels, factors(column), (x, { f }) => adjust(x, f!)))

  it.each([
    ['colorJitter', 3],
    ['colorJitter, one channel', 1],
  ] as const)('%s, each picture in an order of its own', (name, channels) =>
    expectAsTorchvision(
      name,
      channels,
      { f: ['float32', parameters.factors], orders: ['int64', parameters.orders] },
      (x, { f, orders }) => colorJitter(x, f!, orders!),
    ))

  it('grayscale', () =>
    expectAsTorchvision('grayscale', 3, { flags: ['bool', [true, false]] }, (x, { flags }) =>
      grayscale(x, flags!),
    ))

  it('gaussianBlur', () =>
    expectAsTorchvision('gaussianBlur', 1, { s: ['float32', parameters.sigmas] }, (x, { s }) =>
      gaussianBlur(x, s!, 7),
    ))

  it('solarize', () =>
    expectAsTorchvision('solarize', 1, { flags: ['bool', [false, true]] }, (x, { flags }) =>
      solarize(x, flags!, 0.4),
    ))

  it('erasing', () =>
    expectAsTorchvision('erasing', 3, { boxes: ['float32', parameters.erased] }, (x, { boxes }) =>
      erasing(x, boxes!, [0.1, 0.2, 0.3]),
    ))

  it('normalize', () =>
    expectAsTorchvision('normalize', 3, {}, (x) =>
      normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ))
})

/** Each picture with its columns backwards, where a flag is set. */
function mirrored({ shape, data }: Tensor, flags: readonly boolean[]): number[] {
  const width = shape.at(-1)!
  const perPicture = data.length / shape[0]!
  return Array.from(data as Float32Array, (_, i) => {
    const column = i % width
    const from = flags[Math.floor(i / perPicture)] ? i - column + (width - 1 - column) : i
    return (data as Float32Array)[from]!
  })
}

describe('flips', () => {
  const flags = [true, false, true]
  const three = pictures(3, 3)
  const flip: Parameters = { flips: ['bool', flags] }

  it('mirrors the pictures whose flag is set', async () => {
    const y = await run(three, flip, (x, { flips }) => horizontalFlip(x, flips!))
    expect([...(y.data as Float32Array)]).toEqual(mirrored(three, flags))
  })

  it('is the same within a crop as after it', async () => {
    const offsets: Parameters = { offsets: ['float32', [[0, 5], [4, 3], [2, 2]]] } // biome-ignore format: a row a picture
    const crop = await run(three, offsets, (x, { offsets }) => paddedCrop(x, offsets!, 9, { padding: 4 }))
    const both = await run(three, { ...offsets, ...flip }, (x, { offsets, flips }) =>
      paddedCrop(x, offsets!, 9, { padding: 4, flips: flips! }),
    )
    expect([...(both.data as Float32Array)]).toEqual(mirrored(crop, flags))
    const boxes: Parameters = { boxes: ['float32', [[0, 0, 13, 11], [2, 1, 9, 8], [5, 3, 2, 7]]] } // biome-ignore format: a row a picture
    const resized = await run(three, boxes, (x, { boxes }) => resizedCrop(x, boxes!, 8))
    const resizedBoth = await run(three, { ...boxes, ...flip }, (x, { boxes, flips }) =>
      resizedCrop(x, boxes!, 8, { flips: flips! }),
    )
    expect(difference(resizedBoth, mirrored(resized, flags))).toBeLessThanOrEqual(1e-6)
  })
})

describe('colorJitter', () => {
  const many = 60
  const x = pictures(3, many)
  const rows = Array.from({ length: many }, (_, i) =>
    i % 5 === 0 ? [1, 1, 1, 0] : [0.5 + (i % 7) / 7, 1.5 - (i % 3) / 3, (i % 11) / 6, (i % 13) / 13 - 0.5],
  )
  const everyOrder = [0, 1, 2, 3].flatMap((a) =>
    [0, 1, 2, 3].flatMap((b) => [0, 1, 2, 3].map((c) => [a, b, c, 6 - a - b - c])),
  )
  const orders = everyOrder.filter(
    (order) => new Set(order).size === 4 && order.every((n) => n >= 0 && n < 4),
  )
  const f: Parameters = { f: ['float32', rows] }

  it('with one order a picture is what that order gives it, for all 24 of them', async () => {
    expect(orders).toHaveLength(24)
    const given = Array.from({ length: many }, (_, i) => orders[i % 24]!)
    const mixed = await run(x, { ...f, orders: ['int64', given] }, (x, { f, orders }) =>
      colorJitter(x, f!, orders!),
    )
    const size = 3 * HEIGHT * WIDTH
    for (const [o, order] of orders.entries()) {
      const alone = await run(x, f, (x, { f }) => colorJitter(x, f!, order))
      for (let n = o; n < many; n += 24) {
        const of = (y: Tensor) => (y.data as Float32Array).subarray(n * size, (n + 1) * size)
        expect(Math.max(...of(mixed).map((value, i) => Math.abs(value - of(alone)[i]!)))).toBeLessThanOrEqual(
          2e-6,
        )
      }
    }
  })

  it('leaves pictures with neutral factors as they are, to the bit, also when all are', async () => {
    const neutral = rows.map(() => [1, 1, 1, 0])
    const given = rows.map((_, i) => orders[i % 24]!)
    const y = await run(x, { f: ['float32', neutral], orders: ['int64', given] }, (x, { f, orders }) =>
      colorJitter(x, f!, orders!),
    )
    expect(y.data).toEqual(x.data)
  })

  it('refuses what is no order', async () => {
    await expect(run(x, f, (x, { f }) => colorJitter(x, f!, [0, 1, 1, 3]))).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})

describe('gaussianBlur', () => {
  it('leaves pictures with a deviation of 0 as they are, to the bit', async () => {
    const x = pictures(3)
    const y = await run(x, { s: ['float32', [0, 1]] }, (x, { s }) => gaussianBlur(x, s!, 5))
    const half = x.data.length / 2
    expect((y.data as Float32Array).subarray(0, half)).toEqual((x.data as Float32Array).subarray(0, half))
    expect((y.data as Float32Array)[half]).not.toBe((x.data as Float32Array)[half])
  })

  it.each([4, 0, -3, 2.5, 23])('refuses a kernel of size %d', async (size) => {
    const attempt = run(pictures(3), { s: ['float32', [1, 1]] }, (x, { s }) => gaussianBlur(x, s!, size))
    await expect(attempt).rejects.toMatchObject({ code: 'OPTION_INVALID', input: 'kernelSize' })
  })
})

it('refuses pixels that are none', async () => {
  const x = tensor('float32', [1, 2, 4, 4], new Float32Array(32))
  await expect(
    run(x, { flags: ['bool', [true]] }, (x, { flags }) => grayscale(x, flags!)),
  ).rejects.toMatchObject({
    code: 'SHAPE_MISMATCH',
  })
})
