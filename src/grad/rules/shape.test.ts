import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Attribute, op, type Shape, type Value } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { gradientsOf } from '../testing/at.ts'
import { checkGradients, numbers } from '../testing/check.ts'
import { itAgreesWithPyTorch } from '../testing/reference.ts'

const int = (value: number): Attribute => ({ type: 'int', value })
const batched: readonly Shape[] = [['batch', 3, 4]]

describe('Gradients of operators that move elements', () => {
  const moves: Record<string, (x: Value) => Value | readonly Value[]> = {
    Reshape: (x) => op.reshape(x, [0, -1]),
    'Reshape of several unknown sizes': (x) => op.reshape(op.transpose(x), [-1]),
    Flatten: (x) => op.flatten(x, 2),
    Unsqueeze: (x) => op.unsqueeze(x, [0, -1]),
    Squeeze: (x) => op.squeeze(op.slice(x, [1], [2], { axes: [1] }), [1]),
    Transpose: (x) => op.transpose(x, [2, 0, 1]),
    'Transpose without an order': (x) => op.transpose(x),
    Concat: (x) => op.concat([x, op.mul(x, 2), x], 0),
    'Concat with what is not wanted': (x) =>
      op.concat(
        [op.constantOfShape(op.shape(x), 1, x.dtype), x, op.constantOfShape(op.shape(x), 2, x.dtype)],
        1,
      ),
    Split: (x) => op.split(x, [1, 2], 1).map((part, i) => op.mul(part, i + 1)),
    'Split in equal parts': (x) => op.split(x, 2, -1),
    'Split of which one is used': (x) => op.split(x, [1, 1, 2], 2)[1]!,
    Expand: (x) => op.expand(op.unsqueeze(x, [1]), [1, 2, 1, 1]),
    Tile: (x) => op.tile(x, [2, 1, 3]),
    'Tile without effect': (x) => op.mul(op.tile(x, [1, 1, 1]), 2),
    Pad: (x) => op.pad(x, [1, 0, 2, 0, 1, 0]),
    'Pad that cuts': (x) => op.pad(x, [0, -1, 2, 0, 1, -1]),
    'Pad reflecting': (x) => op.pad(x, [0, 2, 1, 0, 1, 3], { mode: 'reflect' }),
    'Pad with edges': (x) => op.pad(x, [0, 4, 1, 0, 1, 3], { mode: 'edge' }),
    'Pad only at the end': (x) => op.pad(x, [0, 0, 0, 0, 1, 0], { mode: 'edge' }),
    Trilu: (x) => op.trilu(x, true),
    'Trilu lower': (x) => op.trilu(x, false, 1),
    CumSum: (x) => op.cumSum(x, 1),
    'CumSum exclusive': (x) => op.cumSum(x, -1, { exclusive: true }),
    'CumSum in reverse': (x) => op.cumSum(x, 0, { reverse: true }),
    'CumSum exclusive in reverse': (x) => op.cumSum(x, 2, { exclusive: true, reverse: true }),
  }
  for (const [name, build] of Object.entries(moves)) {
    it(`${name}: agree with finite differences, for a batch of unknown size as well`, async () => {
      const inputs = [numbers([2, 3, 4])]
      await checkGradients(([x]) => build(x!), inputs)
      await checkGradients(([x]) => build(x!), inputs, { shapes: batched })
    })
  }

  it('Slice of any start, end and step', async () => {
    const ends = fc.integer({ min: -8, max: 8 })
    const steps = fc.constantFrom(1, 1, 2, 3, -1, -2, -3)
    await fc.assert(
      fc.asyncProperty(ends, ends, steps, fc.boolean(), async (from, to, step, isSymbolic) => {
        // Inference takes a symbolic axis to be as long as a slice asks for.
        const [start, end] = isSymbolic ? [from % 6, to % 6] : [from, to]
        const build = (x: Value) => {
          const part = op.slice(op.mul(x, x), [start], [end], { axes: [-1], steps: [step] })
          const weights = op.slice(op.cumSum(op.add(op.mul(part, 0), 1), 1), [0], [2 ** 31], { axes: [1] })
          return op.add(op.reduceSum(op.mul(part, weights), [1]), op.reduceSum(x, [1]))
        }
        await checkGradients(([x]) => build(x!), [numbers([2, 5])], {
          shapes: isSymbolic ? [['batch', 'time']] : [],
        })
      }),
      { numRuns: 60, seed: 11 },
    )
  })

  it('Slice of several axes, and of starts that are computed', async () => {
    const several = (x: Value) =>
      op.slice(x, [-1, 2], [-(2 ** 31), 2 ** 31 - 1], { axes: [0, 2], steps: [-1, 1] })
    await checkGradients(([x]) => several(x!), [numbers([2, 3, 4])])
    await checkGradients(([x]) => op.slice(x!, [1], [3]), [numbers([4, 3])], { shapes: [['batch', 3]] })
    for (const at of [1, -3]) {
      const start = tensor('int64', [1], [at])
      const build = ([x, from]: readonly Value[]) =>
        op.reduceSum(op.slice(op.mul(x!, x!), from!, op.add(from!, 2), { axes: [1] }), [1])
      await checkGradients(build, [numbers([2, 5]), start])
    }
  })

  it('Slice that finds less than it asks for, where sizes are known only at run time', async () => {
    const build = (x: Value) => op.reduceSum(op.slice(x, [1], [4], { axes: [1] }), [1])
    await checkGradients(([x]) => build(x!), [numbers([2, 3])], { shapes: [['batch', 'time']] })
  })

  it('Pad with a number that counts, wrapped, or along named axes', async () => {
    const filled = ([x, value]: readonly Value[]) => op.pad(x!, [1, -1, 2, 0], { value: value! })
    await checkGradients(filled, [numbers([2, 3]), tensor('float64', [], [0.5])])
    for (const [mode, pads] of [
      ['wrap', [1, 2, 3, 0]],
      ['constant', [1, -1, 0, 2]],
    ] as const) {
      const build = (x: Value) =>
        x.builder.node('Pad', [x, x.builder.constant(pads), undefined, x.builder.constant([-1, 0])], {
          mode: { type: 'string', value: mode },
        })[0]!
      await checkGradients(([x]) => build(x!), [numbers([2, 3])], { opset: 19 })
    }
  })

  it('Pad that cannot be undone is an error', async () => {
    const pads = (x: Value, mode: 'reflect' | 'edge', ends: number[]) => op.pad(x, ends, { mode })
    const x = numbers([2, 3])
    const shapes = [['batch', 'time']]
    await expect(checkGradients(([v]) => pads(v!, 'edge', [0, 1, 0, 1]), [x], { shapes })).rejects.toThrow(
      /known sizes/,
    )
    await expect(checkGradients(([v]) => pads(v!, 'edge', [0, -1, 0, 1]), [x])).rejects.toThrow(
      /negative pads/,
    )
  })

  it('before the operator sets that take lists as inputs', async () => {
    const inputs = [numbers([2, 4])]
    const builds: ((x: Value) => Value | readonly Value[])[] = [
      (x) => op.squeeze(op.unsqueeze(x, [0]), [0]),
      (x) => op.split(x, [1, 3], 1),
      (x) => op.slice(x, [1], [3], { axes: [1] }),
      (x) => op.pad(x, [0, 1, 0, -1]),
      (x) => op.concat([x, op.reduceSum(x, [1], { keepDims: true })], 1),
    ]
    for (const build of builds) await checkGradients(([x]) => build(x!), inputs, { opset: 9 })
  })

  it('Range, by its start and step', async () => {
    const scalar = (value: number) => tensor('float64', [], [value])
    const build = ([start, delta]: readonly Value[]) => {
      const places = op.range(start!, 3.2, delta!)
      return op.reduceSum(op.mul(places, op.mul(places, places)))
    }
    await checkGradients(build, [scalar(0.5), scalar(0.4)])
  })

  it('ReverseSequence', async () => {
    const build = ([x, lengths]: readonly Value[]) =>
      x!.builder.node('ReverseSequence', [x!, lengths!], { time_axis: int(1), batch_axis: int(0) })[0]!
    await checkGradients(build, [numbers([2, 3]), tensor('int64', [2], [2, 3])])
  })

  it('of what a slice leaves out are 0', async () => {
    const x = tensor('float32', [4], [1, 2, 3, 4])
    expect(await gradientsOf((v) => op.slice(v, [3], [0], { axes: [0], steps: [-2] }), x)).toEqual([
      0, 1, 0, 1,
    ])
  })
})

describe('Gradients of moving elements', () => {
  const wrap = { mode: { type: 'string', value: 'wrap' } } as const
  itAgreesWithPyTorch('shape', {
    // x.permute(2, 0, 1)
    permute: (x) => op.transpose(x!, [2, 0, 1]),
    // torch.cat([a, b, a], 1)
    cat: (a, b) => op.concat([a!, b!, a!], 1),
    // x.split([1, 2], 1)[1] * 3
    split: (x) => op.mul(op.split(x!, [1, 2], 1)[1]!, 3),
    // x[:, None].expand(2, 5, 3, 4)
    expand: (x) => op.expand(op.unsqueeze(x!, [1]), [2, 5, 3, 4]),
    // x.repeat(2, 1, 3)
    repeat: (x) => op.tile(x!, [2, 1, 3]),
    // x[:, 1:, ::2]
    slice: (x) => op.slice(x!, [1, 0], [9, 9], { axes: [1, 2], steps: [1, 2] }),
    // x.flip(1)
    flip: (x) => op.slice(x!, [-1], [-9], { axes: [1], steps: [-1] }),
    // F.pad(x, (1, -1, 0, 2))
    pad: (x) => op.pad(x!, [0, 0, 1, 0, 2, -1]),
    // F.pad(x, (2, 3), mode='reflect')
    'pad reflecting': (x) => op.pad(x!, [0, 0, 2, 0, 0, 3], { mode: 'reflect' }),
    // F.pad(x, (2, 3), mode='replicate')
    'pad with edges': (x) => op.pad(x!, [0, 0, 2, 0, 0, 3], { mode: 'edge' }),
    // F.pad(x, (2, 3), mode='circular')
    'pad circular': (x) => x!.builder.node('Pad', [x!, x!.builder.constant([0, 0, 2, 0, 0, 3])], wrap)[0]!,
    // x.tril(1)
    tril: (x) => op.trilu(x!, false, 1),
    // x.cumsum(1)
    cumsum: (x) => op.cumSum(x!, 1),
  })
})
