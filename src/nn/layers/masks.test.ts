import { describe, expect, it } from 'vitest'
import { Builder, type Graph, op, updatesOf, type Value } from '../../graph/index.ts'
import { compile, evaluate } from '../../runtime/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { dropout, dropPath, MASK_COUNTER, stochasticDepth } from '../index.ts'

/** A graph of one input `x` whose outputs are made of it. */
function graphOf(
  shape: readonly (number | string)[],
  outputs: (x: Value) => Readonly<Record<string, Value>>,
): Graph {
  const b = new Builder()
  for (const [name, value] of Object.entries(outputs(b.input('x', 'float32', shape)))) b.output(name, value)
  return b.build()
}

const ones = (...shape: number[]) =>
  tensor('float32', shape, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1))
const counter = (seed: number, step: number) => tensor('int64', [2], [seed, step])
const numbers = ({ data }: Tensor) => data as Float32Array

/** 1 where kept, 0 where dropped. */
async function masks(graph: Graph, x: Tensor, seed: number, step: number) {
  const results = await evaluate(graph, { x, [MASK_COUNTER]: counter(seed, step) })
  return (name: string) => Array.from(numbers(results[name]!), (value) => Number(value !== 0))
}

/** How far `ones` of `count` are from probability `q`, in standard deviations. */
const deviations = (ones: number, count: number, q: number) =>
  Math.abs(ones - count * q) / Math.sqrt(count * q * (1 - q))

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
/** How often two masks agree in keeping. */
const both = (a: readonly number[], b: readonly number[]) => sum(a.map((value, i) => value * b[i]!))

describe('masks from the counter', () => {
  const twice = graphOf(['batch', 'sequence', 64], (x) => ({
    a: x.builder.scope('layer.0', () => dropout(x, 0.1, 'training')),
    b: x.builder.scope('layer.1', () => dropout(x, 0.1, 'training')),
    c: x.builder.scope('layer.1', () => dropout(x, 0.5, 'training')),
  }))

  it('are asked for by one input of two integers, and hand on the next', async () => {
    expect(twice.inputs.map(({ name, type }) => [name, type])).toEqual([
      ['x', { kind: 'tensor', dtype: 'float32', shape: ['batch', 'sequence', 64] }],
      [MASK_COUNTER, { kind: 'tensor', dtype: 'int64', shape: [2] }],
    ])
    expect(twice.outputs.map(({ name }) => name)).toEqual(['a', 'b', 'c', `${MASK_COUNTER}.next`])
    expect(twice.outputs[0]!.type).toEqual(twice.inputs[0]!.type)
    expect(updatesOf(twice).get(MASK_COUNTER)).toBe(`${MASK_COUNTER}.next`)
    const feeds = { x: ones(1, 2, 64), [MASK_COUNTER]: counter(-5, 41) }
    const next = (await evaluate(twice, feeds))[`${MASK_COUNTER}.next`]!
    expect([...(next.data as BigInt64Array)]).toEqual([-5n, 42n])
  })

  it('are the same for the same counter, with any number of threads, and when a run is resumed', async () => {
    const x = ones(8, 64, 64)
    /** Three steps from this counter on, each fed with what the one before handed on. */
    const steps = async (threads: number, seed: number, from: number) => {
      const session = await compile(twice, { workers: 0, threads })
      const found: Float32Array[] = []
      let at: Tensor = counter(seed, from)
      for (let step = 0; step < 3; step++) {
        const results = await session.run({ x, [MASK_COUNTER]: at })
        found.push(numbers(results['a']!).slice(), numbers(results['b']!).slice())
        at = results[`${MASK_COUNTER}.next`]!
      }
      await session.dispose()
      return found
    }
    const whole = await steps(1, 7, 0)
    expect(await steps(2, 7, 0)).toEqual(whole)
    expect((await steps(2, 7, 2)).slice(0, 2)).toEqual(whole.slice(4))
    for (const [i, mask] of whole.entries())
      for (const other of whole.slice(i + 1)) expect(mask).not.toEqual(other)
    expect((await steps(1, 8, 0))[0]).not.toEqual(whole[0])
  })

  it('are those of the generator as its paper writes it, on every machine', async () => {
    const [rows, columns] = [6, 64]
    const { a } = await evaluate(twice, { x: ones(2, 3, columns), [MASK_COUNTER]: counter(-1, 3) })
    const bits = (index: number) => squares((3n << 32n) + BigInt(index), keyOf(-1n, 'layer.0.dropout_mask'))
    const expected = Array.from({ length: rows * columns }, (_, i) => {
      const sum = bits(columns + Math.floor(i / columns)) + bits(i % columns)
      return BigInt.asUintN(32, sum * sum) < BigInt(Math.round(0.1 * 2 ** 32)) ? 0 : Math.fround(1 / 0.9)
    })
    expect([...numbers(a!)]).toEqual(expected)
    expect(expected.filter((value) => value === 0).length).toBeGreaterThan(15)
  })

  it.each([
    ['a', 0.1],
    ['c', 0.5],
  ])('keep 1 - p in the mean, of rows and columns alike (%s)', async (name, p) => {
    const rows = 64 * 128
    const mask = (await masks(twice, ones(64, 128, 64), 3, 9))(name)
    expect(deviations(sum(mask), mask.length, 1 - p)).toBeLessThan(4)
    // χ² of 8192 rows and of 64 columns: the mean is their number, the variance twice that.
    const chiSquare = (counts: readonly number[], each: number) =>
      sum(counts.map((count) => (count - each * (1 - p)) ** 2 / (each * p * (1 - p))))
    const perRow = Array.from({ length: rows }, (_, row) => sum(mask.slice(row * 64, row * 64 + 64)))
    const perColumn = Array.from({ length: 64 }, (_, column) => sum(mask.filter((_, i) => i % 64 === column)))
    for (const [counts, each] of [
      [perRow, 64],
      [perColumn, rows],
    ] as const) {
      const score = (chiSquare(counts, each) - counts.length) / Math.sqrt(2 * counts.length)
      expect(Math.abs(score)).toBeLessThan(4)
    }
  })

  it('do not depend on each other: between layers, steps, seeds, and neighbours of every kind', async () => {
    const [n, columns] = [64, 64]
    const x = ones(n, 64, columns)
    const now = await masks(twice, x, 3, 9)
    const mask = now('a')
    const count = mask.length
    const shifted = (by: number) => [...mask.slice(by), ...mask.slice(0, by)]
    const others: Readonly<Record<string, readonly number[]>> = {
      layer: now('b'),
      step: (await masks(twice, x, 3, 10))('a'),
      'far step': (await masks(twice, x, 3, 9 + 2 ** 20))('a'),
      seed: (await masks(twice, x, 4, 9))('a'),
      'negative seed': (await masks(twice, x, -3, 9))('a'),
      right: shifted(1),
      'two right': shifted(2),
      below: shifted(columns),
      'below and right': shifted(columns + 1),
      'next of the batch': shifted(64 * columns),
    }
    for (const [name, other] of Object.entries(others)) {
      expect(deviations(both(mask, other), count, 0.81), name).toBeLessThan(4)
    }
    // Of two masks of one layer, too, though their probabilities differ.
    expect(deviations(both(now('b'), now('c')), count, 0.45)).toBeLessThan(4)
  })

  it('do not depend on each other at the corners of rectangles, where sums of rows and columns would', async () => {
    const [rows, columns] = [64 * 64, 64]
    const graph = graphOf(['batch', 64], (x) => ({ y: dropout(x, 0.5, 'training') }))
    const mask = (await masks(graph, ones(rows, columns), 11, 0))('y')
    for (const [down, right] of [
      [1, 1],
      [1, 7],
      [13, 1],
      [500, 33],
    ] as const) {
      let even = 0
      let count = 0
      for (let i = 0; i + down < rows; i++) {
        for (let j = 0; j + right < columns; j++) {
          const at = i * columns + j
          const corners =
            mask[at]! + mask[at + right]! + mask[at + down * columns]! + mask[at + down * columns + right]!
          even += Number(corners % 2 === 0)
          count++
        }
      }
      expect(deviations(even, count, 0.5), `${down} × ${right}`).toBeLessThan(5)
    }
  })

  it('drop whole rows of the batch for stochastic depth, more often towards the end', async () => {
    const drops = stochasticDepth(0.4, [1, 2], 'training')
    const graph = graphOf(['batch', 3, 2], (x) => ({
      first: drops(0, 0)(x),
      second: x.builder.scope('b', () => drops(1, 0)(x)),
      third: x.builder.scope('c', () => drops(1, 1)(x)),
      again: x.builder.scope('d', () => dropPath(x, 0.4, 'training')),
    }))
    const count = 20_000
    const all = await masks(graph, ones(count, 3, 2), 2, 5)
    const rows = (name: string) => {
      const mask = all(name)
      const firsts = mask.filter((_, i) => i % 6 === 0)
      expect(mask).toEqual(firsts.flatMap((value) => Array<number>(6).fill(value)))
      return firsts
    }
    expect(sum(rows('first'))).toBe(count)
    for (const [name, keep] of [
      ['second', 0.8],
      ['third', 0.6],
    ] as const) {
      expect(deviations(sum(rows(name)), count, keep), name).toBeLessThan(4)
    }
    expect(deviations(both(rows('third'), rows('again')), count, 0.36)).toBeLessThan(4)
    const third = rows('third')
    expect(deviations(both(third, [...third.slice(1), third[0]!]), count, 0.36)).toBeLessThan(4)
  })

  it('keep all or nothing at the ends of the range, and never overflow at p near 1', async () => {
    const graph = graphOf(['batch', 100], (x) => ({
      nothing: dropout(x, 1, 'training'),
      little: dropout(x, 0.999, 'training'),
    }))
    const found = await masks(graph, ones(1000, 100), 1, 1)
    expect(sum(found('nothing'))).toBe(0)
    expect(deviations(sum(found('little')), 100_000, 0.001)).toBeLessThan(4)
  })

  it('are vectors, too', async () => {
    const graph = graphOf(['n'], (x) => ({ y: dropout(x, 0.25, 'training'), z: op.identity(x) }))
    const mask = (await masks(graph, ones(40_000), 1, 1))('y')
    expect(deviations(sum(mask), mask.length, 0.75)).toBeLessThan(4)
  })
})

const wrap = (value: bigint) => BigInt.asUintN(64, value)

/** `squares32` of https://arxiv.org/abs/2004.06278, section 4, in big integers. */
function squares(counter: bigint, key: bigint): bigint {
  const swap = (value: bigint) => (value >> 32n) | wrap(value << 32n)
  const y = wrap(counter * key)
  const z = wrap(y + key)
  let x = swap(wrap(y * y + y))
  x = swap(wrap(x * x + z))
  x = swap(wrap(x * x + y))
  return wrap(x * x + z) >> 32n
}

/** The key of a seed and a mask's path: odd, the path by FNV-1a and the finaliser of SplitMix64. */
function keyOf(seed: bigint, path: string): bigint {
  let z = [...Buffer.from(path)].reduce(
    (h, byte) => wrap((h ^ BigInt(byte)) * 0x100000001b3n),
    0xcbf29ce484222325n,
  )
  z = wrap((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return wrap(seed * 2n * 0x9e3779b97f4a7c15n + 2n * (z ^ (z >> 31n)) + 1n)
}
