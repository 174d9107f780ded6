import { describe, expect, it } from 'vitest'
import { type Attribute, Builder, op, type Value } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { grad } from '../grad.ts'
import { checkGradients, numbers } from '../testing/check.ts'

/** All is linear: a step may be large. */
const linear = { step: 0.25, tolerance: 2e-3, elements: 16 }

const COORDINATES = ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'] as const

describe('Gradients of resizing', () => {
  it('agree with finite differences for all modes and coordinates, larger and smaller', async () => {
    for (const coordinates of COORDINATES) {
      for (const sizes of [
        [2, 2, 7, 9],
        [2, 2, 3, 2],
        [2, 2, 5, 1],
        [2, 2, 10, 12],
      ]) {
        const x = [numbers([2, 2, 5, 6])]
        for (const mode of ['linear', 'cubic'] as const) {
          await checkGradients(([x]) => op.resize(x!, { sizes }, { mode, coordinates }), x, linear)
        }
        for (const nearest of ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'] as const) {
          const options = { mode: 'nearest', coordinates, nearest } as const
          await checkGradients(([x]) => op.resize(x!, { sizes }, options), x, linear)
        }
      }
    }
  })

  it('agree for scales, which may leave a rest', async () => {
    for (const scales of [
      [1, 1, 2, 2],
      [1, 1, 0.6, 1.7],
      [1, 1, 1, 2.5],
    ]) {
      for (const mode of ['nearest', 'linear', 'cubic'] as const) {
        await checkGradients(([x]) => op.resize(x!, { scales }, { mode }), [numbers([2, 2, 5, 6])], linear)
      }
    }
    await checkGradients(([x]) => op.resize(x!, { scales: [1, 1, 2] }), [numbers([2, 2, 5])], linear)
    await checkGradients(
      ([x]) => op.resize(x!, { scales: [1, 1, 2, 1.5, 2] }, { mode: 'nearest' }),
      [numbers([1, 2, 2, 3, 2])],
      linear,
    )
  })

  it('agree for cubic weights without what is outside, symmetric coordinates, and named axes', async () => {
    const resize =
      (attributes: Record<string, Attribute>, scales: readonly number[]) => (values: readonly Value[]) => {
        const [x] = values
        const b = x!.builder
        return b.node('Resize', [x, undefined, b.constant(scales, 'float32')], attributes)[0]!
      }
    const text = (value: string): Attribute => ({ type: 'string', value })
    const x = [numbers([2, 2, 5, 6])]
    await checkGradients(
      resize({ mode: text('cubic'), exclude_outside: { type: 'int', value: 1 } }, [1, 1, 1.3, 0.5]),
      x,
      linear,
    )
    await checkGradients(
      resize({ mode: text('linear'), axes: { type: 'ints', value: [3, -2] } }, [1.3, 0.5]),
      x,
      { ...linear, opset: 18 },
    )
    await checkGradients(
      resize(
        { mode: text('linear'), coordinate_transformation_mode: text('half_pixel_symmetric') },
        [1, 1, 1.3, 0.7],
      ),
      x,
      { ...linear, opset: 19 },
    )
  })

  it('agree for Upsample and Resize of early operator sets', async () => {
    for (const [name, opset] of [
      ['Upsample', 9],
      ['Resize', 10],
    ] as const) {
      for (const mode of ['nearest', 'linear']) {
        for (const scales of name === 'Resize'
          ? [
              [1, 1, 2, 3],
              [1, 1, 0.5, 0.4],
            ]
          : [[1, 1, 2, 3]]) {
          await checkGradients(
            ([x]) => {
              const b = x!.builder
              return b.node(name, [x, b.constant(scales, 'float32')], {
                mode: { type: 'string', value: mode },
              })[0]!
            },
            [numbers([2, 2, 5, 6])],
            { ...linear, opset },
          )
        }
      }
    }
  })

  it('agree for blocks between space and channels', async () => {
    for (const mode of ['DCR', 'CRD'] as const) {
      await checkGradients(([x]) => op.depthToSpace(x!, 2, mode), [numbers([2, 8, 3, 2])], linear)
    }
    await checkGradients(([x]) => op.spaceToDepth(x!, 2), [numbers([2, 3, 4, 6])], linear)
  })

  it('need known sizes, but no known batch', async () => {
    const b = new Builder()
    const x = b.input('x', 'float32', ['batch', 1, 2, 2])
    b.output(
      'loss',
      op.reduceSum(op.resize(x, { scales: [1, 1, 2, 2] }, { mode: 'nearest', coordinates: 'asymmetric' })),
    )
    const data = Float32Array.of(1, 2, 3, 4)
    const gradients = await evaluate(grad(b.build(), { of: 'loss', by: ['x'] }), {
      x: { dtype: 'float32', shape: [1, 1, 2, 2], data },
    })
    expect([...gradients['x.grad']!.data]).toEqual([4, 4, 4, 4])
    const open = new Builder()
    const wide = open.input('x', 'float32', ['batch', 1, 'height', 2])
    open.output('loss', op.reduceSum(op.resize(wide, { scales: [1, 1, 2, 2] })))
    expect(() => grad(open.build(), { of: 'loss', by: ['x'] })).toThrow(/known sizes only/)
  })
})
