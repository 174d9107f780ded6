import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { float16ToFloat32, float32ToFloat16, type Tensor, tensor } from '../../tensor/index.ts'
import { Builder } from '../builder.ts'
import { readOnnx, writeOnnx } from '../files/index.ts'
import * as op from '../ops/all.ts'
import { run } from '../testing/run.ts'
import type { Graph } from '../types.ts'
import { halve } from './halve.ts'
import { quantize } from './quantize.ts'

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

function numbers(shape: readonly number[], next: () => number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1)
  return tensor('float32', shape, Float32Array.from({ length: size }, next))
}

function cosine(a: Tensor | undefined, b: Tensor | undefined): number {
  let [ab, aa, bb] = [0, 0, 0]
  for (const [i, x] of (a!.data as Float32Array).entries()) {
    const y = Number(b!.data[i])
    ab += x * y
    aa += x * x
    bb += y * y
  }
  return aa === 0 && bb === 0 ? 1 : ab / Math.sqrt(aa * bb)
}

const operators = (graph: Graph) => graph.nodes.map((node) => node.op)

/** `x · weight` in one of the forms that models have. */
function product(form: string, weight: Tensor, opset: number): Graph {
  const builder = new Builder({ opset })
  const [inner, outer] = weight.shape as [number, number]
  const x = builder.input('x', 'float32', ['rows', inner])
  const turned = numbers([outer, inner], () => 0)
  for (let i = 0; i < inner; i++)
    for (let j = 0; j < outer; j++)
      (turned.data as Float32Array)[j * inner + i] = Number(weight.data[i * outer + j])
  const bias = builder.initializer('bias', numbers([outer], random(9)))
  const half = (one: Tensor) => tensor('float16', one.shape, float32ToFloat16(one.data as Float32Array))
  const y = builder.scope('layer', () => {
    switch (form) {
      case 'MatMul':
        return op.add(op.matMul(x, builder.initializer('weight', weight)), bias)
      case 'Linear':
        return op.add(op.matMul(x, op.transpose(builder.initializer('weight', turned))), bias)
      case 'half':
        return op.add(
          op.matMul(x, op.transpose(op.cast(builder.initializer('weight', half(turned)), 'float32'))),
          bias,
        )
      default: {
        const attributes = {
          transB: { type: 'int', value: 1 },
          alpha: { type: 'float', value: 0.5 },
        } as const
        return builder.node('Gemm', [x, builder.initializer('weight', turned), bias], attributes)[0]!
      }
    }
  })
  builder.output('y', y)
  return builder.build()
}

describe('quantize', () => {
  it('multiplies by constant matrices in integers, in whichever form they are written', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 32, max: 80 }),
        fc.integer({ min: 32, max: 80 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom('MatMul', 'Linear', 'half', 'Gemm'),
        fc.constantFrom(17, 18),
        fc.nat(),
        async (inner, outer, rows, form, opset, seed) => {
          const next = random(seed)
          const graph = product(form, numbers([inner, outer], next), opset)
          const small = await quantize(graph)
          expect(operators(small)).toContain('MatMulInteger')
          const x = numbers([rows, inner], next)
          const [exact, rounded] = [await run(graph, { x }), await run(small, { x })]
          expect(cosine(rounded['y'], exact['y'])).toBeGreaterThan(0.9995)
          // Each row alone gives the numbers that it gives in company.
          const first = { x: tensor('float32', [1, inner], (x.data as Float32Array).slice(0, inner)) }
          const alone = (await run(small, first))['y']!.data as Float32Array
          expect(alone).toEqual((rounded['y']!.data as Float32Array).slice(0, outer))
        },
      ),
      { numRuns: 25 },
    )
  })

  it('keeps its precision where one channel is far larger than the others', async () => {
    const next = random(11)
    const graph = product('Linear', numbers([64, 64], next), 17)
    const x = numbers([4, 64], next)
    // What the large channel says does not matter to the product.
    for (let row = 0; row < 4; row++) (x.data as Float32Array)[row * 64 + 9] = 60
    const weight = graph.initializers.get('weight') as Tensor
    for (let column = 0; column < 64; column++) (weight.data as Float32Array)[column * 64 + 9] = 0
    const small = await quantize(graph)
    const [exact, rounded] = [await run(graph, { x }), await run(small, { x })]
    // With a scale of its largest number, each other one would be one of five steps: 0.97.
    expect(cosine(rounded['y'], exact['y'])).toBeGreaterThan(0.99)
  })

  it('gives zero for rows of zeros, and leaves small weights, skipped layers and the input graph alone', async () => {
    const graph = product('MatMul', numbers([40, 40], random(1)), 17)
    const small = await quantize(graph)
    const { y } = await run(small, { x: numbers([1, 40], () => 0) })
    expect(y!.data).toEqual((graph.initializers.get('bias') as Tensor).data)
    expect(operators(graph)).toEqual(['MatMul', 'Add'])
    expect(operators(await quantize(graph, { skip: ['layer'] }))).toEqual(['MatMul', 'Add'])
    const tiny = product('MatMul', numbers([4, 4], random(1)), 17)
    expect(operators(await quantize(tiny))).toEqual(['MatMul', 'Add'])
  })

  it('quantises what several products read once, and gathers rows from tables of int8', async () => {
    const builder = new Builder()
    const ids = builder.input('ids', 'int64', ['n'])
    const x = op.gather(builder.initializer('table', numbers([1200, 64], random(3))), ids)
    const product = (name: string, seed: number) =>
      op.matMul(x, builder.initializer(name, numbers([64, 48], random(seed))))
    builder.output('y', op.add(product('query', 4), product('key', 5)))
    const graph = builder.build()
    const small = await quantize(graph)
    const kinds = operators(small)
    expect(kinds.filter((kind) => kind === 'QuantizeLinear')).toHaveLength(1)
    expect(kinds.filter((kind) => kind === 'MatMulInteger')).toHaveLength(2)
    expect(small.initializers.get('table_quantized')?.dtype).toBe('int8')
    expect(small.initializers.has('table')).toBe(false)
    const feeds = { ids: tensor('int64', [3], [7, 0, 1199]) }
    const [exact, rounded] = [await run(graph, feeds), await run(small, feeds)]
    expect(cosine(rounded['y'], exact['y'])).toBeGreaterThan(0.999)
  })

  it('survives a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pipilo-quantize-'))
    try {
      const small = await quantize(product('Linear', numbers([48, 64], random(2)), 17))
      await writeOnnx(small, join(folder, 'small.onnx'))
      const x = numbers([3, 48], random(5))
      expect(await run(await readOnnx(join(folder, 'small.onnx')), { x })).toEqual(await run(small, { x }))
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('refuses operator sets without integer products, and samples that nothing runs', async () => {
    const old = { ...product('MatMul', numbers([40, 40], random(1)), 17), opsets: new Map([['', 9]]) }
    await expect(quantize(old)).rejects.toMatchObject({ code: 'OPERATOR_UNSUPPORTED' })
    const graph = product('MatMul', numbers([40, 40], random(1)), 17)
    await expect(quantize(graph, { samples: [] })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})

/** Padding, convolution, normalisation and activation, twice, with a sum of both and a pooling. */
function convolutional(channels: number, groups: boolean, seed: number): Graph {
  const next = random(seed)
  const builder = new Builder()
  const vector = (name: string, offset: number) => {
    const data = Float32Array.from({ length: channels }, () => offset + next() / 2)
    return builder.initializer(name, tensor('float32', [channels], data))
  }
  const block = (name: string, value: ReturnType<typeof op.relu>, inputs: number, group: number) =>
    builder.scope(name, () => {
      const weight = builder.initializer(`${name}.weight`, numbers([channels, inputs / group, 3, 3], next))
      const padded = op.pad(value, [0, 0, 1, 0, 0, 0, 1, 2])
      const convolved = op.conv(padded, weight, undefined, { group })
      const normal = op.batchNormalization(
        convolved,
        vector(`${name}.scale`, 1),
        vector(`${name}.offset`, 0),
        vector(`${name}.mean`, 0),
        vector(`${name}.variance`, 2),
      )
      return op.relu(normal)
    })
  const x = builder.input('x', 'float32', ['batch', 3, 12, 11])
  const first = block('first', x, 3, 1)
  const second = block('second', first, channels, groups ? channels : 1)
  builder.output('y', op.globalAveragePool(op.add(first, second)))
  return builder.build()
}

describe('quantize with samples', () => {
  it('convolves in integers, with padding and normalisation merged, depthwise ones as well', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(4, 8, 16), fc.boolean(), fc.nat(), async (channels, groups, seed) => {
        const graph = convolutional(channels, groups, seed)
        const next = random(seed + 1)
        const samples = Array.from({ length: 3 }, () => ({ x: numbers([2, 3, 12, 11], next) }))
        const small = await quantize(graph, { samples, evaluate: run })
        const kinds = operators(small)
        expect(kinds).not.toContain('BatchNormalization')
        expect(kinds).not.toContain('Pad')
        expect(
          [...small.initializers.values()].filter(
            ({ dtype, shape }) => dtype === 'int8' && shape.length === 4,
          ),
        ).toHaveLength(2)
        const x = numbers([2, 3, 12, 11], next)
        const [exact, rounded] = [await run(graph, { x }), await run(small, { x })]
        expect(cosine(rounded['y'], exact['y'])).toBeGreaterThan(0.995)
      }),
      { numRuns: 8 },
    )
  })

  it('merges a number a channel that is added behind a convolution, and nothing else', async () => {
    const next = random(3)
    const added = async (shape: number[]) => {
      const builder = new Builder()
      const x = builder.input('x', 'float32', ['batch', 4, 6, 4])
      const weight = builder.initializer('weight', numbers([4, 4, 1, 1], next))
      const offset = builder.initializer('offset', numbers(shape, next))
      builder.output('y', op.relu(op.add(offset, op.conv(x, weight))))
      const graph = builder.build()
      const samples = Array.from({ length: 3 }, () => ({ x: numbers([2, 4, 6, 4], next) }))
      const small = await quantize(graph, { samples, evaluate: run })
      const given = { x: numbers([2, 4, 6, 4], next) }
      expect(cosine((await run(small, given))['y'], (await run(graph, given))['y'])).toBeGreaterThan(0.999)
      return operators(small).filter((kind) => kind === 'Add').length
    }
    expect(await Promise.all([added([4, 1, 1]), added([1, 4, 1, 1])])).toEqual([0, 0])
    // Along the width, and of all.
    expect(await Promise.all([added([4]), added([1, 1, 1])])).toEqual([1, 1])
  })

  it('leaves convolutions as they are without samples', async () => {
    const graph = convolutional(4, false, 1)
    expect(operators(await quantize(graph))).toEqual(operators(graph))
  })
})

describe('halve', () => {
  it('keeps large weights as float16 behind a Cast', async () => {
    const weight = numbers([40, 40], random(1))
    const graph = product('Linear', weight, 17)
    const half = await halve(graph)
    const { dtype, data } = half.initializers.get('weight_float16') as Tensor
    expect(dtype).toBe('float16')
    expect(float16ToFloat32(data as Uint16Array)[1]).toBeCloseTo(Number(weight.data[40]), 3)
    expect(half.initializers.get('bias')?.dtype).toBe('float32')
    const x = numbers([2, 40], random(2))
    const [exact, rounded] = [await run(graph, { x }), await run(half, { x })]
    expect(cosine(rounded['y'], exact['y'])).toBeGreaterThan(0.999999)
    expect(await halve(half)).toBe(half)
  })
})
