import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Attribute, Builder, op, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { grad } from '../grad.ts'
import { checkGradients, numbers } from '../testing/check.ts'

const shapes = fc.array(fc.integer({ min: 2, max: 4 }), { minLength: 2, maxLength: 5 })

describe('Gradients of normalisation', () => {
  it('of batches agree with finite differences, with fixed statistics', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const channels = [shape[1]!]
        await checkGradients(
          ([x, scale, bias, mean, variance]) => op.batchNormalization(x!, scale!, bias!, mean!, variance!),
          [
            numbers(shape),
            numbers(channels, 1),
            numbers(channels, 2),
            numbers(channels, 3),
            numbers(channels, 4, 0.5, 2),
          ],
          { tolerance: 5e-3 },
        )
      }),
      { numRuns: 10, seed: 1 },
    )
  })

  it('of batches agree with finite differences, with their own statistics', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async ([batch = 2, channels = 2, ...space]) => {
        await checkGradients(
          ([x, scale, bias]) => op.batchNormalizationTraining(x!, scale!, bias!)[0],
          [
            numbers([batch + 2, channels, ...space], 0, -2, 2),
            numbers([channels], 1),
            numbers([channels], 2),
          ],
          { tolerance: 1e-2 },
        )
      }),
      { numRuns: 12, seed: 2 },
    )
  })

  it('of batches take running statistics that are no batch statistics as such', async () => {
    await checkGradients(
      ([x, scale, bias]) => {
        const { builder } = x!
        const of = (value: number) => op.mul(op.abs(scale!), value)
        const attributes: Record<string, Attribute> = {
          training_mode: { type: 'int', value: 1 },
          momentum: { type: 'float', value: 0.5 },
        }
        return builder.node('BatchNormalization', [x, scale, bias, of(0), of(1)], attributes, {
          outputs: 3,
        })[0]!
      },
      [numbers([4, 2, 3], 0, -2, 2), numbers([2], 1), numbers([2], 2)],
      { tolerance: 1e-2, by: [0, 2] },
    )
  })

  it('of batches keep their digits where the mean is large', async () => {
    const shape = [16, 2, 8, 8]
    const gradientAt = async (offset: number) => {
      const b = new Builder()
      const x = b.input('x', 'float32', ['batch', 2, 8, 8])
      const one = b.constant([1, 2], 'float32')
      const [y] = op.batchNormalizationTraining(x, one, one)
      b.output('loss', op.reduceSum(op.mul(y, b.input('w', 'float32', ['batch', 2, 8, 8]))))
      const graph = grad(b.build(), { of: 'loss', by: ['x'] })
      // Steps of 1/64 keep x + offset exact.
      const data = Float32Array.from(
        Array.from(numbers(shape).data, Number),
        (value) => Math.round(value * 64) / 64 + offset,
      )
      const w = Float32Array.from(numbers(shape, 1).data as Float64Array)
      const feeds = { x: { dtype: 'float32', shape, data }, w: { dtype: 'float32', shape, data: w } } as const
      return (await evaluate(graph, feeds))['x.grad']!.data as Float32Array
    }
    const [near, far] = [await gradientAt(0), await gradientAt(256)]
    const scale = Math.max(...near.map(Math.abs))
    const worst = Math.max(...near.map((value, i) => Math.abs(value - far[i]!)))
    expect(worst / scale).toBeLessThan(1e-3)
  })

  it('of layers agree with finite differences for any axis, with and without bias', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), fc.boolean(), fc.boolean(), async (shape, pick, bias, negative) => {
        const sizes = shape.map((size) => size + 1)
        const axis = pick % sizes.length
        const features = sizes.slice(axis)
        await checkGradients(
          ([x, scale, shift]) =>
            op.layerNormalization(x!, scale!, shift, { axis: negative ? axis - sizes.length : axis }),
          [numbers(sizes, 0, -2, 2), numbers(features, 1), ...(bias ? [numbers(features, 2)] : [])],
          { tolerance: 1e-2 },
        )
      }),
      { numRuns: 15, seed: 3 },
    )
  })

  it('of layers whose batch is known only at run time', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 'sequence', 4])
    const scale = b.input('scale', 'float32', [4])
    const y = op.layerNormalization(x, scale, scale)
    b.output('loss', op.reduceSum(op.mul(y, y)))
    const graph = grad(b.build(), { of: 'loss', by: ['x', 'scale'] })
    const of = (shape: number[], seed: number) =>
      ({
        dtype: 'float32',
        shape,
        data: Float32Array.from(numbers(shape, seed).data as Float64Array),
      }) as const
    const gradients = await evaluate(graph, { x: of([2, 3, 4], 0), scale: of([4], 1) })
    expect(gradients['x.grad']!.shape).toEqual([2, 3, 4])
    expect(gradients['scale.grad']!.shape).toEqual([4])
  })

  it('of instances and groups agree with finite differences', async () => {
    const group = (x: Value, scale: Value, bias: Value) =>
      x.builder.node('GroupNormalization', [x, scale, bias], { num_groups: { type: 'int', value: 2 } })[0]!
    for (const shape of [
      [2, 4, 5],
      [2, 4, 3, 3],
    ]) {
      await checkGradients(
        ([x, scale, bias]) => op.instanceNormalization(x!, scale!, bias!),
        [numbers(shape, 0, -2, 2), numbers([4], 1), numbers([4], 2)],
        { tolerance: 1e-2 },
      )
      for (const [opset, count] of [
        [18, 2],
        [21, 4],
      ] as const) {
        await checkGradients(
          // Computed in float32 inside, whatever the dtype.
          ([x, scale, bias]) => group(x!, scale!, bias!),
          [numbers(shape, 0, -2, 2), numbers([count], 1), numbers([count], 2)],
          { tolerance: 1e-2, step: 1e-2, opset },
        )
      }
    }
  })

  it('of local responses, norms, and mean and variance agree with finite differences', async () => {
    const node = (name: string, attributes: Record<string, Attribute>) => (values: readonly Value[]) =>
      values[0]!.builder.node(name, [values[0]!], attributes)[0]!
    const x = [numbers([2, 5, 3, 3], 0, -2, 2)]
    for (const size of [1, 3, 4]) {
      const attributes: Record<string, Attribute> = {
        size: { type: 'int', value: size },
        alpha: { type: 'float', value: 0.5 },
      }
      // ONNX Runtime takes odd sizes only.
      if (size % 2) await checkGradients(node('LRN', attributes), x, { tolerance: 1e-2 })
    }
    for (const p of [1, 2]) {
      for (const axis of [-1, 1]) {
        const attributes: Record<string, Attribute> = {
          p: { type: 'int', value: p },
          axis: { type: 'int', value: axis },
        }
        await checkGradients(node('LpNormalization', attributes), x, { tolerance: 1e-2 })
      }
    }
    await checkGradients(node('MeanVarianceNormalization', {}), x, { tolerance: 1e-2 })
    await checkGradients(node('MeanVarianceNormalization', { axes: { type: 'ints', value: [1, -1] } }), x, {
      tolerance: 1e-2,
    })
  })
})
