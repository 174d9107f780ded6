import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Builder, op, type Value } from '../../graph/index.ts'
import { compile, evaluate } from '../../runtime/index.ts'
import { grad } from '../grad.ts'
import { checkGradients, numbers } from '../testing/check.ts'

const attributes = fc.integer({ min: 1, max: 3 }).chain((rank) => {
  const each = (low: number, high: number) =>
    fc.array(fc.integer({ min: low, max: high }), { minLength: rank, maxLength: rank })
  return fc.record({
    kernel: each(2, 3),
    strides: each(1, 4),
    dilations: each(1, 2),
    // ONNX Runtime wants pads smaller than the window.
    pads: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 2 * rank, maxLength: 2 * rank }),
    size: each(5, 7),
    ceilMode: fc.boolean(),
    countIncludePad: fc.boolean(),
    autoPad: fc.constantFrom(undefined, undefined, 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
  })
})

/** With `SAME`, ONNX Runtime pads as if windows were not dilated. */
const dilationsOf = (dilations: readonly number[], autoPad: string | undefined) =>
  autoPad?.startsWith('SAME') ? dilations.map(() => 1) : dilations

/** With `ceilMode`, ONNX's inference counts windows that begin behind the pictures, and ONNX Runtime leaves them out. */
const hasLateWindows = ({
  kernel,
  strides,
  pads,
  size,
}: Record<'kernel' | 'strides' | 'pads' | 'size', number[]>) =>
  size.some((length, i) => {
    const span = length + pads[i]! + pads[i + size.length]! - kernel[i]!
    return Math.ceil(span / strides[i]!) * strides[i]! >= length + pads[i]!
  })

/** ONNX Runtime computes negative pads for `SAME` where windows leave gaps, and refuses them. */
const fits = ({ kernel, strides }: Record<'kernel' | 'strides', number[]>) =>
  strides.every((stride, i) => stride <= kernel[i]!)

/** Distinct numbers, farther apart than the differences reach. */
function distinct(shape: readonly number[]) {
  const { data, ...rest } = numbers(shape)
  const order = Array.from(data, Number).map((value, i) => [value, i] as const)
  const ranks = new Float64Array(data.length)
  for (const [rank, [, i]] of order.sort(([a], [b]) => a - b).entries()) ranks[i] = rank / 8
  return { ...rest, data: ranks }
}

const linear = { step: 0.25, tolerance: 2e-3, elements: 12 }

describe('Gradients of pooling', () => {
  it('of maxima agree with finite differences for random attributes', async () => {
    await fc.assert(
      fc.asyncProperty(attributes, async ({ kernel, strides, pads, size, ceilMode, autoPad, ...a }) => {
        fc.pre(
          autoPad?.startsWith('SAME')
            ? fits({ kernel, strides })
            : !ceilMode || !hasLateWindows({ kernel, strides, pads, size }),
        )
        const dilations = dilationsOf(a.dilations, autoPad)
        const window = autoPad ? { autoPad } : { pads, ceilMode }
        await checkGradients(
          ([x]) => op.maxPool(x!, kernel, { strides, dilations, ...window }),
          [distinct([2, 2, ...size])],
          { step: 0.03, tolerance: 5e-3, elements: 12 },
        )
      }),
      { numRuns: 25, seed: 3 },
    )
  })

  it('of means agree with finite differences for random attributes', async () => {
    await fc.assert(
      fc.asyncProperty(attributes, fc.constantFrom(17, 19, 22), async (a, opset) => {
        const { kernel, strides, pads, size, ceilMode, countIncludePad, autoPad } = a
        fc.pre(autoPad?.startsWith('SAME') ? fits(a) : !ceilMode || !hasLateWindows(a))
        const window = autoPad ? { autoPad } : { pads, ceilMode }
        const dilations = opset >= 19 ? { dilations: dilationsOf(a.dilations, autoPad) } : {}
        await checkGradients(
          ([x]) => op.averagePool(x!, kernel, { strides, countIncludePad, ...window, ...dilations }),
          [numbers([2, 2, ...size])],
          { ...linear, opset },
        )
      }),
      { numRuns: 40, seed: 4 },
    )
  })

  it('of norms agree with finite differences', async () => {
    for (const p of [1, 2, 3]) {
      const node = (name: string, x: Value) =>
        x.builder.node(name, [x], {
          p: { type: 'int', value: p },
          ...(name === 'LpPool' && {
            kernel_shape: { type: 'ints', value: [3, 2] },
            strides: { type: 'ints', value: [2, 1] },
            pads: { type: 'ints', value: [1, 0, 1, 1] },
          }),
        } as const)[0]!
      for (const name of ['LpPool', 'GlobalLpPool']) {
        await checkGradients(([x]) => node(name, x!), [numbers([2, 2, 5, 6], 0, 0.2, 1)], {
          tolerance: 1e-2,
          step: 3e-3,
        })
      }
    }
  })

  it('over all of space agree, and a maximum goes to the first of equals', async () => {
    for (const shape of [
      [2, 3, 4],
      [2, 3, 4, 5],
      [2, 3, 2, 2, 2],
    ]) {
      await checkGradients(([x]) => op.globalAveragePool(x!), [numbers(shape)], linear)
      await checkGradients(([x]) => op.globalMaxPool(x!), [distinct(shape)], { ...linear, step: 0.03 })
    }
    const b = new Builder()
    b.output('loss', op.reduceSum(op.globalMaxPool(b.input('x', 'float32', ['n', 1, 'h', 'w']))))
    const x = { dtype: 'float32', shape: [1, 1, 2, 2], data: Float32Array.of(0, 5, 5, 1) } as const
    const gradients = await evaluate(grad(b.build(), { of: 'loss', by: ['x'] }), { x })
    expect([...gradients['x.grad']!.data]).toEqual([0, 1, 0, 0])
  })

  it('of unpooling take what stands at the indices', async () => {
    await checkGradients(
      ([x]) => {
        const [values, places] = op.maxPoolWithIndices(x!, [2, 2], { strides: [2, 2] })
        return op.maxUnpool(op.mul(values, values), places, [2, 2], { strides: [2, 2] })
      },
      [distinct([2, 2, 4, 6])],
      { step: 0.03, tolerance: 5e-3 },
    )
  })

  it('of overlapping windows with ties are right in each of 40 runs with two threads', async () => {
    const [shape, kernel] = [
      [8, 16, 24, 24],
      [3, 3],
    ]
    const pool = { strides: [2, 2], pads: [1, 1, 1, 1] }
    const b = new Builder()
    const y = op.maxPool(b.input('x', 'float32', ['batch', ...shape.slice(1)]), kernel, pool)
    b.output('loss', op.reduceSum(op.mul(y, b.input('w', 'float32', ['batch', 16, 12, 12]))))
    const session = await compile(grad(b.build(), { of: 'loss', by: ['x'] }), { workers: 0, threads: 2 })
    // Halves of the numbers are 0, as after a ReLU; weights are small integers, so that sums are exact.
    const x = Float32Array.from(Array.from(numbers(shape).data, Number), (value) =>
      Math.max(0, Math.round(value * 4)),
    )
    const w = Float32Array.from(Array.from(numbers([8, 16, 12, 12], 1).data, Number), (value) =>
      Math.round(value * 8),
    )
    const expected = maxPoolGradient(x, w)
    try {
      for (let run = 0; run < 40; run++) {
        const gradients = await session.run({
          x: { dtype: 'float32', shape, data: x.slice() },
          w: { dtype: 'float32', shape: [8, 16, 12, 12], data: w.slice() },
        })
        expect(Buffer.compare(bytes(gradients['x.grad']!.data as Float32Array), bytes(expected))).toBe(0)
      }
    } finally {
      await session.dispose()
    }
  })

  it('say what they cannot', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', [1, 1, 4, 4])
    const [y] = b.node('MaxPool', [x], {
      kernel_shape: { type: 'ints', value: [2, 2] },
      storage_order: { type: 'int', value: 1 },
    })
    b.output('loss', op.reduceSum(y!))
    expect(() => grad(b.build(), { of: 'loss', by: ['x'] })).toThrow(
      expect.objectContaining({
        code: 'OPERATOR_UNSUPPORTED',
        message: expect.stringContaining('MaxPool at'),
      }),
    )
    const open = new Builder()
    const wide = open.input('x', 'float32', ['batch', 1, 'height', 'width'])
    open.output('loss', op.reduceSum(op.averagePool(wide, [2, 2])))
    expect(() => grad(open.build(), { of: 'loss', by: ['x'] })).toThrow(/known sizes of pictures only/)
  })
})

const bytes = (data: Float32Array) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)

/** 3 × 3, stride 2, padding 1 over planes of 24 × 24: the first of equals gets all, row by row. */
function maxPoolGradient(x: Float32Array, dy: Float32Array): Float32Array {
  const dx = new Float32Array(x.length)
  for (let plane = 0; plane < x.length / 576; plane++) {
    for (let window = 0; window < 144; window++) {
      let best = -1
      for (let tap = 0; tap < 9; tap++) {
        const row = 2 * Math.floor(window / 12) - 1 + Math.floor(tap / 3)
        const column = 2 * (window % 12) - 1 + (tap % 3)
        if (row < 0 || column < 0 || row > 23 || column > 23) continue
        const at = plane * 576 + row * 24 + column
        if (best < 0 || x[at]! > x[best]!) best = at
      }
      dx[best]! += dy[plane * 144 + window]!
    }
  }
  return dx
}
