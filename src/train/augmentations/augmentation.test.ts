import { describe, expect, it } from 'vitest'
import { evaluate } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { type Augmentation, type AugmentationOptions, augmentation } from './augmentation.ts'
import { augmenter } from './augmenter.ts'
import { affineMatrix } from './geometry.ts'
import {
  byolAugmentation,
  cifarAugmentation,
  IMAGENET,
  mnistAugmentation,
  simClrAugmentation,
} from './presets.ts'
import type { AugmentationSpec, AugmentationStep } from './steps.ts'

const RGB: AugmentationOptions = { size: 32, channels: 3 }

/** Smooth pictures with colours, which differ from each other. */
function pictures(count: number, channels: number, size: number): Tensor {
  const data = new Float32Array(count * channels * size * size)
  for (const i of data.keys()) {
    const [column, row] = [i % size, Math.floor(i / size) % size]
    const plane = Math.floor(i / (size * size))
    data[i] = 0.5 + 0.45 * Math.sin((row * (1 + (plane % 3)) + column * 2 + plane * 5) / size)
  }
  return tensor('float32', [count, channels, size, size], data)
}

function floats(value: Tensor | undefined): Float32Array {
  expect(value?.data).toBeInstanceOf(Float32Array)
  return value!.data as Float32Array
}

const run = (made: Augmentation, pixels: Tensor, seed: number, step: number) =>
  evaluate(made.graph, { pixels, ...made.draw(seed, step, pixels.shape[0]!) })

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length

describe('augmentation', () => {
  it.each<[string, AugmentationSpec, AugmentationOptions]>([
    ['simclr', simClrAugmentation(24), RGB],
    ['cifar', cifarAugmentation(), RGB],
    ['mnist', mnistAugmentation(), { size: 28, channels: 1 }],
    ['simclr of one channel', simClrAugmentation(24, { normalize: false }), { size: 32, channels: 1 }],
  ])('%s: the same step gives the same pictures bit for bit, others give others', async (_, spec, options) => {
    const made = augmentation(spec, options)
    const x = pictures(5, options.channels, options.size as number)
    const [first, again, later, other] = await Promise.all([
      run(made, x, 1, 7),
      run(augmentation(spec, options), x, 1, 7),
      run(made, x, 1, 8),
      run(made, x, 2, 7),
    ])
    const { pixel_values: y } = first
    expect(y!.shape).toEqual([5, options.channels, ...made.sizes[0]!])
    expect(floats(y).every(Number.isFinite)).toBe(true)
    expect(again['pixel_values']).toEqual(y)
    expect(later['pixel_values']!.data).not.toEqual(y!.data)
    expect(other['pixel_values']!.data).not.toEqual(y!.data)
  })

  it('gives several views of each picture, of one spec or of several', async () => {
    const x = pictures(3, 3, 32)
    for (const made of [
      augmentation(simClrAugmentation(16), { ...RGB, views: 2 }),
      augmentation(byolAugmentation(16), RGB),
    ]) {
      expect(made.outputs).toEqual(['pixel_values_1', 'pixel_values_2'])
      const { pixel_values_1: a, pixel_values_2: b } = await run(made, x, 3, 0)
      expect(a!.shape).toEqual([3, 3, 16, 16])
      expect(b!.shape).toEqual([3, 3, 16, 16])
      expect(a!.data).not.toEqual(b!.data)
    }
    expect(augmentation(byolAugmentation(16), RGB).graph.inputs.map(({ name }) => name)).toContain(
      'view_2.solarize.flags',
    )
  })

  it('draws each picture for itself: a batch in parts is the batch', () => {
    const made = augmentation(simClrAugmentation(16), RGB)
    const whole = made.draw(5, 3, 7)
    const end = made.draw(5, 3, 3, { first: 4 })
    for (const [name, { shape, data }] of Object.entries(whole)) {
      const size = data.length / shape[0]!
      expect(end[name]!.data).toEqual(data.slice(4 * size))
    }
  })

  it('does one step after another', async () => {
    const x = pictures(4, 3, 32)
    const steps: AugmentationStep[] = [
      { kind: 'randomResizedCrop', size: [20, 24], scale: [0.3, 0.6] },
      { kind: 'horizontalFlip' },
      { kind: 'solarize', p: 0.5 },
      { kind: 'horizontalFlip' },
      { kind: 'erasing', p: 1, value: [0.1, 0.2, 0.3] },
    ]
    const all = augmentation(steps, RGB)
    const feeds = all.draw(1, 1, 4)
    const whole = await evaluate(all.graph, { pixels: x, ...feeds })
    let y = x
    for (const [i, step] of steps.entries()) {
      const one = augmentation([step], { size: y.shape.slice(2) as [number, number], channels: 3 })
      const numbers = Object.keys(one.draw(0, 0, 1)).map((name) => {
        return [name, feeds[i === 3 ? name.replace('Flip', 'Flip_2') : name]!]
      })
      y = (await evaluate(one.graph, { pixels: y, ...Object.fromEntries(numbers) }))['pixel_values']!
    }
    const difference = floats(y).map((value, i) => Math.abs(value - floats(whole['pixel_values'])[i]!))
    expect(Math.max(...difference)).toBeLessThan(1e-6)
  })

  it('takes bytes as decoders give them', async () => {
    const bytes = Uint8Array.from({ length: 2 * 8 * 8 * 3 }, (_, i) => (i * 37) % 256)
    const steps: AugmentationStep[] = [
      { kind: 'horizontalFlip', p: 1 },
      { kind: 'normalize', ...IMAGENET },
    ]
    const options = { size: 8, channels: 3 }
    const fromBytes = await run(
      augmentation(steps, { ...options, pixels: 'uint8' }),
      tensor('uint8', [2, 8, 8, 3], bytes),
      0,
      0,
    )
    const channelsFirst = Float32Array.from(bytes, (_, i) => {
      const [column, row] = [i % 8, Math.floor(i / 8) % 8]
      const [channel, picture] = [Math.floor(i / 64) % 3, Math.floor(i / 192)]
      return bytes[((picture * 8 + row) * 8 + column) * 3 + channel]! / 255
    })
    const fromFloats = await run(
      augmentation(steps, options),
      tensor('float32', [2, 3, 8, 8], channelsFirst),
      0,
      0,
    )
    const difference = floats(fromBytes['pixel_values']).map((value, i) =>
      Math.abs(value - floats(fromFloats['pixel_values'])[i]!),
    )
    expect(Math.max(...difference)).toBeLessThan(1e-6)
  })

  it('changes nothing by steps that do nothing to one channel', async () => {
    const x = pictures(2, 1, 8)
    const made = augmentation([{ kind: 'grayscale', p: 1 }], { size: 8, channels: 1 })
    expect((await run(made, x, 0, 0))['pixel_values']).toEqual(x)
  })
})

describe('augmenter', () => {
  it('runs in parts on threads, and gives what the whole batch gives', async () => {
    const made = augmentation(simClrAugmentation(16), { ...RGB, views: 2 })
    const x = pictures(11, 3, 32)
    const whole = await run(made, x, 4, 2)
    const running = await augmenter(made, { part: 4, workers: 2 })
    try {
      const parts = await running.augment(x, { seed: 4, step: 2 })
      expect(Object.keys(parts)).toEqual(['pixel_values_1', 'pixel_values_2'])
      for (const [name, { shape, data }] of Object.entries(parts)) {
        expect(shape).toEqual([11, 3, 16, 16])
        const wanted = floats(whole[name])
        expect(
          Math.max(
            ...floats({ shape, data, dtype: 'float32' } as Tensor).map((v, i) => Math.abs(v - wanted[i]!)),
          ),
        ).toBeLessThan(1e-5)
      }
      // The batch is read, not taken.
      expect(x.data).toHaveLength(11 * 3 * 32 * 32)
      await expect(
        running.augment(tensor('float32', [0, 3, 32, 32], []), { seed: 0, step: 0 }),
      ).rejects.toMatchObject({
        code: 'SHAPE_MISMATCH',
      })
    } finally {
      await running.dispose()
    }
  })
})

describe('draws, of 4,000 pictures', () => {
  const count = 4000
  const options = { size: [40, 60], channels: 3 } as const
  const drawn = (step: AugmentationStep) => augmentation([step], options).draw(11, 5, count)
  const rowsOf = ({ shape, data }: Tensor): number[][] => {
    const size = data.length / shape[0]!
    return Array.from({ length: shape[0]! }, (_, i) =>
      Array.from(data.slice(i * size, (i + 1) * size) as ArrayLike<number | bigint>, Number),
    )
  }

  it.each([0, 0.2, 0.5, 1])('happen with probability %d', (p) => {
    const flags = drawn({ kind: 'horizontalFlip', p })['horizontalFlip.flags']!
    // Four standard deviations.
    expect(Math.abs(mean(flags.data as Uint8Array) - p)).toBeLessThanOrEqual(
      4 * Math.sqrt((p * (1 - p)) / count),
    )
  })

  it('crop boxes within bounds, of the areas and ratios asked for', () => {
    const rows = rowsOf(
      drawn({ kind: 'randomResizedCrop', size: 8, scale: [0.2, 0.6] })['randomResizedCrop.boxes']!,
    )
    const areas = rows.map(([, , h, w]) => (h! * w!) / 2400)
    for (const [top, left, h, w] of rows) {
      expect([top, left, h, w].every(Number.isInteger)).toBe(true)
      expect(Math.min(top!, left!)).toBeGreaterThanOrEqual(0)
      expect(top! + h!).toBeLessThanOrEqual(40)
      expect(left! + w!).toBeLessThanOrEqual(60)
      expect(w! / h!).toBeGreaterThan(0.7)
      expect(w! / h!).toBeLessThan(1.43)
    }
    expect(Math.min(...areas)).toBeGreaterThan(0.18)
    expect(Math.max(...areas)).toBeLessThan(0.62)
    // Even over the scale, a little less at the upper end, where tall boxes do not fit: torchvision's own mean is 0.395, its deviation 0.113.
    expect(Math.abs(mean(areas) - 0.395)).toBeLessThan(0.0075)
    // All places are taken.
    expect(rows.some(([top, , h]) => top === 40 - h!)).toBe(true)
    expect(rows.some(([top]) => top === 0)).toBe(true)
  })

  it('crop the middle when no box fits', () => {
    const made = augmentation([{ kind: 'randomResizedCrop', size: 8, scale: [1, 1], ratio: [1, 1] }], options)
    expect([...(made.draw(1, 1, 1)['randomResizedCrop.boxes']!.data as Float32Array)]).toEqual([
      0, 10, 40, 40,
    ])
  })

  it('jitter evenly between bounds, in all 24 orders, and leave the rest alone', () => {
    const feeds = drawn({ kind: 'colorJitter', brightness: 0.4, contrast: [0.9, 2], hue: 0.1, p: 0.8 })
    const factors = rowsOf(feeds['colorJitter.factors']!)
    const changed = factors.filter(([, , , hue]) => hue !== 0)
    expect(Math.abs(changed.length / count - 0.8)).toBeLessThan(0.026)
    expect(factors.filter(([, , , hue]) => hue === 0).every((row) => `${row}` === '1,1,1,0')).toBe(true)
    const bounds = [[0.6, 1.4], [0.9, 2], [1, 1], [-0.1, 0.1]] as const // biome-ignore format: a row a factor
    for (const [i, [from, to]] of bounds.entries()) {
      const values = changed.map((row) => row[i]!)
      expect(Math.min(...values)).toBeGreaterThanOrEqual(Math.fround(from))
      expect(Math.max(...values)).toBeLessThanOrEqual(Math.fround(to))
      expect(Math.abs(mean(values) - (from + to) / 2)).toBeLessThanOrEqual((to - from) * 0.02)
    }
    const orders = new Map<string, number>()
    for (const order of rowsOf(feeds['colorJitter.orders']!)) {
      orders.set(`${order}`, (orders.get(`${order}`) ?? 0) + 1)
    }
    expect(orders.size).toBe(24)
    // Chi-squared with 23 degrees of freedom: 49.7 is passed once in a thousand.
    const expected = count / 24
    expect([...orders.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)).toBeLessThan(
      49.7,
    )
  })

  it('blur by deviations between bounds, or not', () => {
    const sigmas = rowsOf(
      drawn({ kind: 'gaussianBlur', kernelSize: 5, p: 0.5 })['gaussianBlur.sigmas']!,
    ).flat()
    const blurred = sigmas.filter((sigma) => sigma > 0)
    expect(Math.abs(blurred.length / count - 0.5)).toBeLessThan(0.032)
    expect(Math.min(...blurred)).toBeGreaterThanOrEqual(Math.fround(0.1))
    expect(Math.max(...blurred)).toBeLessThan(2)
    expect(Math.abs(mean(blurred) - 1.05)).toBeLessThan(0.05)
  })

  it('erase boxes smaller than the picture', () => {
    const rows = rowsOf(drawn({ kind: 'erasing' })['erasing.boxes']!)
    expect(Math.abs(rows.filter(([, , h]) => h! > 0).length / count - 0.5)).toBeLessThan(0.032)
    for (const [top, left, h, w] of rows) {
      expect(top! + h!).toBeLessThanOrEqual(40)
      expect(left! + w!).toBeLessThanOrEqual(60)
      expect(h! * w!).toBeLessThan(2400 * 0.36)
    }
  })

  it('crop at every offset of the padding', () => {
    const made = augmentation(cifarAugmentation(), RGB)
    const rows = rowsOf(made.draw(0, 0, count)['randomCrop.offsets']!)
    expect(new Set(rows.map(String)).size).toBe(81)
    expect(Math.max(...rows.flat())).toBe(8)
  })

  it('draw affine maps whose parameters lie in bounds', () => {
    const matrices = rowsOf(drawn({ kind: 'affine', degrees: 15, scale: [0.5, 1] })['affine.matrices']!)
    for (const [a, b, c, d] of matrices) {
      expect(c).toBeCloseTo(0, 6)
      const angle = (Math.atan2(b!, a!) * 180) / Math.PI
      expect(Math.abs(angle)).toBeLessThanOrEqual(15.001)
      expect(Math.hypot(a!, d!)).toBeGreaterThanOrEqual(0.999)
      expect(Math.hypot(a!, d!)).toBeLessThanOrEqual(2.001)
    }
    expect(affineMatrix({}).map((value) => value + 0)).toEqual([1, 0, 0, 0, 1, 0])
  })

  it('are told apart by views, steps and seeds', () => {
    const made = augmentation([{ kind: 'gaussianBlur', kernelSize: 3 }], { ...options, views: 2 })
    const columns = [made.draw(1, 1, count), made.draw(1, 2, count), made.draw(2, 1, count)].flatMap(
      (feeds) =>
        Object.values(feeds).map(({ data }) =>
          Array.from(data as Float32Array, (sigma) => (sigma - 1.05) / 0.5485),
        ),
    )
    for (const [i, a] of columns.entries()) {
      for (const b of columns.slice(i + 1)) {
        expect(Math.abs(mean(a.map((value, n) => value * b[n]!)))).toBeLessThan(4 / Math.sqrt(count))
      }
      // Nor do neighbours in a batch hang together.
      expect(Math.abs(mean(a.slice(1).map((value, n) => value * a[n]!)))).toBeLessThan(4 / Math.sqrt(count))
    }
  })
})

describe('errors', () => {
  /** As a caller without types would. */
  const spec = (text: string) => JSON.parse(text) as AugmentationSpec
  it.each([
    ['[{"kind":"randomResizeCrop","size":8}]', 'randomResizeCrop', /Did you mean "randomResizedCrop"/],
    ['[{"kind":"solarise"}]', 'solarise', /Did you mean "solarize"/],
    ['[{"kind":"horizontalFlip","probability":1}]', 'probability', /There is no option of horizontalFlip/],
    ['[{"kind":"colorJitter","brightnes":1}]', 'brightnes', /Did you mean "brightness"/],
    ['[{"kind":"horizontalFlip","p":1.5}]', 'p', /from 0 to 1/],
    ['[{"kind":"grayscale","p":-0.1}]', 'p', /from 0 to 1/],
    ['[{"kind":"grayscale","p":"0.5"}]', 'p', /from 0 to 1/],
    ['[{"kind":"randomResizedCrop","size":8,"scale":[1,0.2]}]', 'scale', /the smaller first/],
    ['[{"kind":"randomResizedCrop","size":8,"ratio":[2,1]}]', 'ratio', /the smaller first/],
    ['[{"kind":"randomResizedCrop","size":8,"scale":[0,1]}]', 'scale', /two numbers/],
    ['[{"kind":"randomResizedCrop","size":0}]', 'size', /from 1 on/],
    ['[{"kind":"randomResizedCrop"}]', 'size', /from 1 on/],
    ['[{"kind":"randomResizedCrop","size":"8"}]', 'size', /from 1 on/],
    ['[{"kind":"randomResizedCrop","size":8,"antialias":1}]', 'antialias', /true or false/],
    ['[{"kind":"randomCrop","size":64}]', 'size', /at most 32 by 32/],
    ['[{"kind":"randomCrop","size":32,"padding":-1}]', 'padding', /from 0 on/],
    ['[{"kind":"randomCrop","size":32,"padding":4,"mode":"reflekt"}]', 'reflekt', /Did you mean "reflect"/],
    ['[{"kind":"randomCrop","size":32,"padding":32,"mode":"reflect"}]', 'padding', /less than 32/],
    ['[{"kind":"gaussianBlur","kernelSize":4}]', 'kernelSize', /an odd integer/],
    ['[{"kind":"gaussianBlur","kernelSize":65}]', 'kernelSize', /an odd integer/],
    ['[{"kind":"gaussianBlur","kernelSize":3,"sigma":0}]', 'sigma', /two numbers/],
    ['[{"kind":"colorJitter","hue":0.6}]', 'hue', /from 0 to 0.5/],
    ['[{"kind":"colorJitter","contrast":-1}]', 'contrast', /from 0/],
    ['[{"kind":"solarize","threshold":2}]', 'threshold', /from 0 to 1/],
    ['[{"kind":"erasing","value":[1,2]}]', 'value', /3 numbers, one a channel/],
    ['[{"kind":"affine","translate":[2,0]}]', 'translate', /from 0 to 1/],
    ['[{"kind":"affine","interpolation":"cubic"}]', 'cubic', /bilinear, nearest/],
    ['[{"kind":"normalize","mean":[0.5],"std":[0.5]}]', 'mean', /3 numbers/],
    ['[{"kind":"normalize","mean":[0,0,0],"std":[1,1,0]}]', 'std', /above 0/],
    ['[]', 'spec', /at least one step/],
    ['{"views":[]}', 'views', /at least one/],
  ])('%s', (text, input, message) => {
    expect(() => augmentation(spec(text), RGB)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', input, message: expect.stringMatching(message) }),
    )
  })

  it.each<[Partial<AugmentationOptions>, string]>([
    [{ size: 0 }, 'size'],
    [{ size: [32, -1] }, 'size'],
    [{ channels: 2 }, 'channels'],
    [{ views: 0 }, 'views'],
  ])('options %j', (options, input) => {
    expect(() => augmentation(cifarAugmentation(), { ...RGB, ...options })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', input }),
    )
  })

  it('counters that are none', () => {
    const { draw } = augmentation(cifarAugmentation(), RGB)
    expect(() => draw(0.5, 0, 1)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', input: 'seed' }))
    expect(() => draw(0, -1, 1)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', input: 'step' }))
    expect(() => draw(0, 0, 0)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', input: 'count' }))
  })
})
