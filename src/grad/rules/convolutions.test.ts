import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Builder, op } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { grad } from '../grad.ts'
import { checkGradients, numbers } from '../testing/check.ts'

const float32 = {
  data: (shape: readonly number[], seed = 0) => Float32Array.from(numbers(shape, seed).data as Float64Array),
}
const input = (shape: readonly number[], seed = 0) =>
  ({ dtype: 'float32', shape, data: float32.data(shape, seed) }) as const

/** Attributes of a convolution of one to three axes. */
const attributes = fc.integer({ min: 1, max: 3 }).chain((rank) => {
  const each = (low: number, high: number) =>
    fc.array(fc.integer({ min: low, max: high }), { minLength: rank, maxLength: rank })
  return fc.record({
    kernel: each(1, 3),
    strides: each(1, 3),
    dilations: each(1, 2),
    pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 2 * rank, maxLength: 2 * rank }),
    size: each(5, 7),
    group: fc.constantFrom(1, 1, 2),
    channels: fc.constantFrom(1, 2, 8),
    outputs: fc.constantFrom(1, 2, 9),
    bias: fc.boolean(),
    autoPad: fc.constantFrom(undefined, undefined, 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
  })
})

/** Gradients are linear in each input, so a step may be large: rounding matters less. */
const linear = { step: 4, tolerance: 2e-3, elements: 8 }

describe('Gradients of convolutions', () => {
  it('agree with finite differences for random attributes', async () => {
    await fc.assert(
      fc.asyncProperty(attributes, async (a) => {
        const { strides, group } = a
        // ONNX Runtime knows one or the other.
        const dilations = a.autoPad?.startsWith('SAME') ? {} : { dilations: a.dilations }
        const window = a.autoPad ? { autoPad: a.autoPad } : { pads: a.pads }
        const x = numbers([2, a.channels * group, ...a.size])
        const weight = numbers([a.outputs * group, a.channels, ...a.kernel], 1)
        const bias = a.bias ? [numbers([a.outputs * group], 2)] : []
        await checkGradients(
          ([x, w, b]) => op.conv(x!, w!, b, { strides, ...dilations, group, ...window }),
          [x, weight, ...bias],
          linear,
        )
      }),
      { numRuns: 40, seed: 7 },
    )
  })

  it('agree with finite differences for random windows a step apart, by rows and by patches', async () => {
    const dense = attributes.map((a) => ({ ...a, channels: a.channels + 1, strides: a.strides.map(() => 1) }))
    await fc.assert(
      fc.asyncProperty(dense, async ({ dilations, pads, group, size, kernel, channels, outputs }) => {
        await checkGradients(
          ([x, w]) => op.conv(x!, w!, undefined, { dilations, pads, group }),
          [numbers([2, channels * group, ...size]), numbers([outputs * group, channels, ...kernel], 1)],
          linear,
        )
      }),
      { numRuns: 30, seed: 9 },
    )
  })

  it('agree with finite differences for few pixels and many channels', async () => {
    const small = attributes.filter(({ kernel, size }) => kernel.length < 3 && size.length < 3)
    await fc.assert(
      fc.asyncProperty(small, async ({ dilations, strides, pads, kernel, channels }) => {
        const size = kernel.map((length, i) => (length - 1) * dilations[i]! + 1 + (i % 2))
        const pixels = size.reduce((product, one) => product * one, 1)
        await checkGradients(
          ([x, w]) => op.conv(x!, w!, undefined, { dilations, strides, pads }),
          [numbers([3, channels, ...size]), numbers([4 * pixels + 1, channels, ...kernel], 1)],
          linear,
        )
      }),
      { numRuns: 30, seed: 10 },
    )
  })

  it.each([
    ['rows', [8, 8, 3, 3]],
    ['patches', [9, 4, 3, 3]],
  ] as const)('of pictures whose copies (%s) are made in parts are the sums of the parts', async (_, shape) => {
    const [batch, side] = [5, 640]
    const x = input([batch, shape[1], side, side])
    const w = input(shape, 1)
    const gradient = async (first: number, rows: number) => {
      const b = new Builder()
      const size = x.data.length / batch
      const data = x.data.slice(first * size, (first + rows) * size)
      const given = { ...x, shape: [rows, ...x.shape.slice(1)], data }
      const y = op.conv(b.input('x', 'float32', given.shape), b.input('w', 'float32', w.shape), undefined, {
        pads: [1, 1, 1, 1],
      })
      b.output('loss', op.reduceMean(op.mul(y, y)))
      const graph = grad(b.build(), { of: 'loss', by: ['w'] })
      return (await evaluate(graph, { x: given, w }))['w.grad']!.data as Float32Array
    }
    const whole = await gradient(0, batch)
    const each = await Promise.all(Array.from({ length: batch }, (_, i) => gradient(i, 1)))
    const scale = Math.max(...whole.map(Math.abs))
    for (const [i, value] of whole.entries())
      expect(Math.abs(value - each.reduce((sum, one) => sum + one[i]!, 0) / batch)).toBeLessThan(1e-4 * scale)
  })

  it('agree for what networks are made of', async () => {
    for (const [x, w, options] of [
      [[2, 4, 9, 8], [3, 4, 7, 5], { pads: [6, 1, 3, 4] }],
      [[2, 4, 12, 12], [3, 4, 10, 3], {}],
      [[2, 3, 7, 7], [2, 3, 2, 2], { pads: [2, 3, 3, 2] }],
      [[2, 3, 9, 9], [4, 3, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }],
      [[2, 8, 6, 6], [8, 8, 3, 3], { pads: [1, 1, 1, 1] }],
      [[2, 8, 6, 6], [8, 8, 1, 1], { strides: [2, 2] }],
      [[2, 6, 7, 7], [6, 1, 3, 3], { pads: [1, 1, 1, 1], group: 6 }],
      [[2, 6, 7, 7], [6, 1, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1], group: 6 }],
      [[2, 3, 8, 8], [5, 3, 4, 4], { strides: [4, 4] }],
      [[2, 1, 12, 12], [6, 1, 5, 5], { pads: [2, 2, 2, 2] }],
      [[2, 2, 5, 5], [3, 2, 1, 1], { pads: [1, 1, 1, 1] }],
    ] as const) {
      await checkGradients(
        ([x, w]) => op.conv(x!, w!, undefined, options),
        [numbers(x), numbers(w, 1)],
        linear,
      )
    }
  })

  it('agree for transposed convolutions', async () => {
    await fc.assert(
      fc.asyncProperty(
        attributes,
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 3, maxLength: 3 }),
        async (a, extra) => {
          const { strides, dilations, group } = a
          // There ONNX Runtime's output is smaller than ONNX says.
          fc.pre(!a.autoPad || strides.every((stride, i) => stride <= (a.kernel[i]! - 1) * dilations[i]! + 1))
          const outputPadding = strides.map((stride, i) => Math.min(extra[i]!, stride - 1))
          const pads = a.pads.map((pad) => Math.min(pad, 1))
          const window = a.autoPad ? { autoPad: a.autoPad } : { pads, outputPadding }
          const x = numbers([2, a.channels * group, ...a.size])
          const weight = numbers([a.channels * group, a.outputs, ...a.kernel], 1)
          const bias = a.bias ? [numbers([a.outputs * group], 2)] : []
          await checkGradients(
            ([x, w, b]) => op.convTranspose(x!, w!, b, { strides, dilations, group, ...window }),
            [x, weight, ...bias],
            linear,
          )
        },
      ),
      { numRuns: 30, seed: 8 },
    )
  })

  it('agree for sizes that are known only at run time', async () => {
    for (const [options, weight, channels] of [
      [{ pads: [1, 1, 1, 1] }, [4, 4, 3, 3], 4],
      [{ strides: [2, 2], pads: [1, 1, 1, 1] }, [4, 4, 3, 3], 4],
      [{ strides: [2, 3], group: 2, dilations: [2, 1] }, [4, 2, 3, 3], 4],
      [{ pads: [1, 1, 1, 1], group: 4 }, [4, 1, 3, 3], 4],
      [{ strides: [2, 2] }, [8, 8, 1, 1], 8],
    ] as const) {
      const x = [3, channels, 8, 9]
      const feeds = { x: input(x), w: input(weight, 1) }
      const results = await Promise.all(
        [x, ['batch', channels, 8, 9], ['batch', channels, 'height', 'width']].map((shape) => {
          const b = new Builder()
          const y = op.conv(
            b.input('x', 'float32', shape),
            b.input('w', 'float32', weight),
            undefined,
            options,
          )
          b.output('loss', op.reduceSum(op.mul(y, y)))
          return evaluate(grad(b.build(), { of: 'loss', by: ['x', 'w'] }), feeds)
        }),
      )
      for (const name of ['x.grad', 'w.grad']) {
        const [known, ...others] = results.map((result) => result[name]!)
        for (const other of others) {
          expect(other.shape).toEqual(known!.shape)
          const worst = Math.max(
            ...Array.from(other.data as Float32Array, (value, i) => Math.abs(value - Number(known!.data[i]))),
          )
          expect(worst, `${name} ${JSON.stringify(options)}`).toBeLessThan(1e-3)
        }
      }
    }
  })
})
