import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedder } from '../../embed/index.ts'
import { readOnnx, writeOnnx } from '../../graph/files/index.ts'
import { Builder, op } from '../../graph/index.ts'
import { open } from '../../models/index.ts'
import { seeded } from '../../nn/index.ts'
import { evaluate } from '../../runtime/index.ts'
import { l2Normalize, type Matrix, row } from '../../tensor/index.ts'
import {
  incrementalPca,
  johnsonLindenstrauss,
  type LinearReducer,
  lda,
  loadReducer,
  pca,
  randomProjection,
  whitening,
} from '../index.ts'
import { difference, digits, labels, reference, some } from '../testing/reference.ts'

const few = some(digits, 0, 12)

function random(rows: number, columns: number, seed = 1): Matrix {
  const numbers = seeded(seed, 'test')
  const data = new Float32Array(rows * columns)
  // Later columns vary less.
  for (let at = 0; at < data.length; at++) data[at] = numbers.normal() / (1 + (at % columns) / 4) + 0.5
  return { rows, columns, data }
}

function covariance({ rows, columns, data }: Matrix): number[][] {
  const mean = (j: number) =>
    Array.from({ length: rows }, (_, i) => data[i * columns + j]!).reduce((a, b) => a + b) / rows
  const means = Array.from({ length: columns }, (_, j) => mean(j))
  return means.map((a, i) =>
    means.map((b, j) => {
      let sum = 0
      for (let k = 0; k < rows; k++) sum += (data[k * columns + i]! - a) * (data[k * columns + j]! - b)
      return sum / (rows - 1)
    }),
  )
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-reduce-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function expectSaved(reducer: LinearReducer, data: Matrix) {
  const path = join(folder, `${reducer.kind}.safetensors`)
  await reducer.save(path)
  const loaded = (await loadReducer(path)) as LinearReducer
  expect(loaded.kind).toBe(reducer.kind)
  expect([loaded.inputDimensions, loaded.dimensions, loaded.skipped]).toEqual([
    reducer.inputDimensions,
    reducer.dimensions,
    reducer.skipped,
  ])
  const short = await reducer.transform(data)
  expect(await loaded.transform(data)).toEqual(short)
  expect(loaded.invertible).toBe(reducer.invertible)
  if (reducer.invertible) expect(await loaded.inverse(short)).toEqual(await reducer.inverse(short))
  return loaded
}

describe('pca', () => {
  it.each([
    ['pca', {}],
    ['pcaWhiten', { whiten: true }],
  ] as const)("agrees with scikit-learn's, signs included: %s", async (name, options) => {
    const reducer = await pca.fit(digits, { components: 6, ...options })
    const wanted = reference[name]
    const short = await reducer.transform(few)
    expect(difference(reducer.components.data, wanted.components)).toBeLessThan(1e-5)
    expect(difference(reducer.mean, wanted.mean)).toBeLessThan(1e-7)
    expect(difference(reducer.explainedVariance, wanted.variance)).toBeLessThan(1e-8)
    expect(difference(reducer.explainedVarianceRatio, wanted.ratio)).toBeLessThan(1e-8)
    expect(difference(short.data, wanted.transformed)).toBeLessThan(1e-5)
    expect(difference((await reducer.inverse(some(short, 0, 3))).data, wanted.inverse)).toBeLessThan(1e-5)
    const loaded = await expectSaved(reducer, few)
    expect(loaded).toMatchObject({ explainedVarianceRatio: reducer.explainedVarianceRatio })
  })

  it('agrees with it where there are more columns than rows', async () => {
    const wanted = reference.pcaWide
    const reducer = await pca.fit(some(digits, 0, 20), { components: 5 })
    expect(difference(reducer.components.data, wanted.components)).toBeLessThan(1e-5)
    expect(difference(reducer.explainedVariance, wanted.variance)).toBeLessThan(1e-8)
    expect(difference((await reducer.transform(few)).data, wanted.transformed)).toBeLessThan(1e-5)
    // The mean takes one direction away: the last component is any, and the data have no variance along it.
    const all = await pca.fit(some(digits, 0, 20))
    expect(all.dimensions).toBe(20)
    expect(all.explainedVariance[19]).toBe(0)
    const { data } = all.components
    const length = Math.hypot(...data.subarray(19 * 64, 20 * 64))
    expect(length).toBeCloseTo(1, 6)
    const back = await all.inverse(await all.transform(few))
    expect(difference(back.data, [...few.data])).toBeLessThan(1e-6)
  })

  it('takes as many components as a share of the variance needs', async () => {
    expect((await pca.fit(digits, { components: 0.9 })).dimensions).toBe(reference.pcaShare)
  })

  it('gives with few of many columns what it gives with all, and the randomised solver comes near', async () => {
    const data = random(400, 200)
    const [all, exact, near, again] = await Promise.all([
      pca.fit(data),
      pca.fit(data, { components: 12 }),
      pca.fit(data, { components: 12, solver: 'randomized', seed: 3 }),
      pca.fit(data, { components: 12, solver: 'randomized', seed: 3 }),
    ])
    const wanted = [...all.components.data.subarray(0, 12 * 200)]
    expect(difference(exact.components.data, wanted)).toBeLessThan(1e-6)
    expect(difference(near.explainedVariance, [...exact.explainedVariance])).toBeLessThan(1e-3)
    expect(near.components).toEqual(again.components)
  })

  it('finds no variance where there is none, among many columns', async () => {
    const data = random(400, 200)
    for (let at = 0; at < data.data.length; at++) if (at % 200 >= 3) data.data[at] = 7
    const reducer = await pca.fit(data, { components: 12 })
    const [third, ...none] = reducer.explainedVariance.slice(2)
    expect(third).toBeGreaterThan(0.3)
    expect(Math.max(...none)).toBeLessThan(1e-12)
    const back = await reducer.inverse(await reducer.transform(data))
    expect(difference(back.data, [...data.data])).toBeLessThan(1e-6)
    await expect(pca.fit(data, { components: 12, whiten: true })).rejects.toThrow('vary in 3 directions only')
    const equal = await pca.fit({ ...data, data: data.data.fill(7) }, { components: 12 })
    expect(equal.explainedVariance[0]).toBe(0)
  })

  it('of a stream is that of all its rows at once', async () => {
    async function* batches() {
      for (const [from, to] of [
        [0, 1],
        [1, 120],
        [120, 300],
      ])
        yield some(digits, from!, to!)
    }
    const [stream, whole] = await Promise.all([
      incrementalPca.fit(batches(), { components: 6 }),
      pca.fit(digits, { components: 6 }),
    ])
    expect(difference(stream.components.data, [...whole.components.data])).toBeLessThan(1e-6)
    expect(difference(stream.explainedVarianceRatio, [...whole.explainedVarianceRatio])).toBeLessThan(1e-9)
    await expect(incrementalPca.fit([])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(incrementalPca.fit([some(digits, 0, 3), random(3, 5)])).rejects.toMatchObject({
      code: 'DIMENSION_MISMATCH',
    })
    await expect(incrementalPca.fit([few], { solver: 'randomized' })).rejects.toThrow('read once')
    await expect(incrementalPca.fit([few], { components: 13 })).rejects.toThrow('have 12')
  })

  it('refuses or leaves out rows with NaN, and counts them', async () => {
    const holed = { ...digits, data: digits.data.slice() }
    holed.data[5 * 64 + 3] = Number.NaN
    holed.data[9 * 64] = Number.POSITIVE_INFINITY
    await expect(pca.fit(holed)).rejects.toThrow('Row 5 holds NaN or an infinity. It is one of 2.')
    const reducer = await pca.fit(holed, { components: 3, onError: 'skip' })
    expect(reducer.skipped).toBe(2)
    await expect(reducer.transform(holed)).rejects.toMatchObject({ code: 'INPUT_INVALID', input: 5 })
    const short = await reducer.transform(holed, { onError: 'skip' })
    const bad = Array.from({ length: 300 }, (_, i) => i).filter((i) => Number.isNaN(short.data[i * 3]))
    expect(bad).toEqual([5, 9])
    expect(row(short, 10)).toEqual(row(await reducer.transform(some(digits, 10, 11)), 0))
  })

  it('answers bad input with an error that says what is wrong', async () => {
    const { vectors } = { vectors: [new Float32Array(3), new Float32Array(3)] }
    await expect(pca.fit([])).rejects.toThrow('There are 0 rows of 0 numbers to fit')
    await expect(pca.fit([[1, 2]])).rejects.toThrow('There are 1 rows')
    await expect(pca.fit([[1, 2], [1]])).rejects.toMatchObject({ code: 'DIMENSION_MISMATCH', input: 1 })
    await expect(pca.fit(few, { components: 13 })).rejects.toThrow(
      'components is 13; data of as few rows or columns have 12',
    )
    await expect(pca.fit(few, { components: 1.5 })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(pca.fit(few, { components: 0.5, solver: 'randomized' })).rejects.toThrow(
      'share of the variance',
    )
    await expect(pca.fit(few, { solver: 'svd' as 'full' })).rejects.toThrow("solver is 'svd'")
    await expect(pca.fit({ rows: 2, columns: 2, data: new Float32Array(3) })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    })
    await expect(pca.fit(vectors, { whiten: true })).rejects.toThrow('all rows are equal')
    await expect(pca.fit(digits, { whiten: true })).rejects.toThrow('The data vary in 5')
    await expect(pca.fit(few, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    const constant = await pca.fit(vectors)
    expect([...constant.explainedVarianceRatio]).toEqual([0, 0])
    expect((await constant.transform(vectors)).data.every((x) => x === 0)).toBe(true)
    await expect(constant.transform([[1]])).rejects.toThrow('Rows have 1 numbers; the reducer takes 3')
    expect(await constant.transform([])).toMatchObject({ rows: 0, columns: 2 })
  })
})

describe('whitening', () => {
  it.each(['pca', 'zca'] as const)('gives variance 1 in every direction: %s', async (method) => {
    const data = random(500, 6)
    const reducer = await whitening.fit(data, { method })
    const short = await reducer.transform(data)
    for (const [i, line] of covariance(short).entries())
      for (const [j, value] of line.entries()) expect(value).toBeCloseTo(i === j ? 1 : 0, 5)
    const back = await reducer.inverse(short)
    expect(difference(back.data, [...data.data])).toBeLessThan(1e-6)
    await expectSaved(reducer, data)
  })

  it('of zca lies along the columns, and takes data without variance with an epsilon only', async () => {
    const { projection } = await whitening.fit(random(500, 6), { method: 'zca' })
    for (let i = 0; i < 6; i++)
      for (let j = 0; j < i; j++)
        expect(projection.data[i * 6 + j]).toBeCloseTo(projection.data[j * 6 + i]!, 4)
    await expect(whitening.fit(digits)).rejects.toThrow('The data vary in')
    const reducer = await whitening.fit(digits, { epsilon: 1e-3 })
    expect((await reducer.transform(few)).data.every(Number.isFinite)).toBe(true)
    await expect(whitening.fit(digits, { method: 'zca', components: 3 })).rejects.toThrow(
      'zca keeps all columns',
    )
    await expect(whitening.fit(digits, { epsilon: -1 })).rejects.toThrow('epsilon is -1')
  })
})

describe('lda', () => {
  it("agrees with scikit-learn's up to signs, constant columns included", async () => {
    const reducer = await lda.fit(digits, labels)
    expect(reducer.dimensions).toBe(9)
    expect(reducer.classes).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(difference((await reducer.transform(few)).data, reference.lda.transformed, 9)).toBeLessThan(1e-5)
    expect(difference(reducer.explainedVarianceRatio, reference.lda.ratio)).toBeLessThan(1e-6)
    const loaded = await expectSaved(reducer, few)
    expect(loaded).toMatchObject({ classes: reducer.classes })
    await expect(reducer.inverse(few)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  it('leaves out rows with NaN together with their labels', async () => {
    const holed = { ...digits, data: digits.data.slice() }
    for (let i = 40; i < 300; i += 20) holed.data[i * 64] = Number.NaN
    const kept = Array.from({ length: 300 }, (_, i) => i).filter((i) => !Number.isNaN(holed.data[i * 64]))
    const wanted = await lda.fit(
      kept.map((i) => row(digits, i)),
      kept.map((i) => labels[i]!),
    )
    const found = await lda.fit(holed, labels, { onError: 'skip' })
    expect(found.skipped).toBe(13)
    expect(await found.transform(few)).toEqual(await wanted.transform(few))
  })

  it('answers bad input with an error that says what is wrong', async () => {
    await expect(lda.fit(few, Array(12).fill(0))).rejects.toThrow('All rows are of one class')
    await expect(lda.fit(digits, labels, { components: 10 })).rejects.toThrow(
      '10 classes of 64 columns have 9',
    )
    await expect(lda.fit(digits, [1, 2])).rejects.toThrow('300 rows and 2 labels')
    await expect(lda.fit([[1], [2]], ['a', 'b'])).rejects.toThrow('more rows than classes')
    await expect(lda.fit([[1], [1], [2], [2]], ['a', 'a', 'b', 'b'])).rejects.toThrow(
      'No column varies within',
    )
  })
})

describe('randomProjection', () => {
  it.each(['gaussian', 'sparse'] as const)('keeps squared distances on average: %s', async (method) => {
    const data = random(30, 400)
    const reducer = await randomProjection.fit(data, { components: 200, method, seed: 5, inverse: true })
    const short = await reducer.transform(data)
    const squared = ({ columns, data: numbers }: Matrix, i: number, j: number) => {
      let sum = 0
      for (let k = 0; k < columns; k++) sum += (numbers[i * columns + k]! - numbers[j * columns + k]!) ** 2
      return sum
    }
    let ratio = 0
    for (let i = 1; i < 30; i++) ratio += squared(short, 0, i) / squared(data, 0, i) / 29
    expect(Math.abs(ratio - 1)).toBeLessThan(0.15)
    const again = await reducer.transform(await reducer.inverse(short))
    expect(difference(again.data, [...short.data])).toBeLessThan(1e-5)
    await expectSaved(reducer, data)
    const other = await randomProjection.fit(data, { components: 200, method, seed: 6 })
    expect(other.projection).not.toEqual(reducer.projection)
  })

  it('takes as many components as scikit-learn', async () => {
    const sizes = [
      [10000, 0.2],
      [100, 0.5],
      [1000000, 0.1],
    ].map(([n, share]) => johnsonLindenstrauss(n!, share))
    expect(sizes).toEqual(reference.johnsonLindenstrauss)
    await expect(randomProjection.fit(digits)).rejects.toThrow('takes 4888 components; data have 64 columns')
    await expect(randomProjection.fit(digits, { components: 4, density: 2 })).rejects.toThrow('density is 2')
  })
})

describe('appendTo', () => {
  it('Appended to a graph, a reducer gives the numbers of transform, in the runtime and from an ONNX file', async () => {
    const unit = { ...digits, data: digits.data.slice() }
    for (let i = 0; i < unit.rows; i++) l2Normalize(row(unit, i), row(unit, i))
    const builder = new Builder({ name: 'encoder' })
    const x = builder.input('x', 'float32', ['batch', 64])
    builder.output('hidden', op.add(x, x))
    builder.output('embedding', op.relu(x))
    const graph = builder.build()
    const path = join(folder, 'reduced.onnx')
    const feeds = { x: { dtype: 'float32', shape: [12, 64], data: unit.data.slice(0, 12 * 64) } } as const
    for (const reducer of [
      await pca.fit(unit, { components: 8 }),
      await pca.fit(unit, { components: 8, whiten: true }),
      await lda.fit(unit, labels, { components: 4 }),
      await whitening.fit(unit, { components: 8 }),
      await randomProjection.fit(unit, { components: 16 }),
    ]) {
      const wanted = await reducer.transform(some(unit, 0, 12))
      await writeOnnx(reducer.appendTo(graph, 'embedding'), path)
      const { reduced, hidden } = await evaluate(await readOnnx(path), feeds)
      expect(reduced!.shape).toEqual([12, reducer.dimensions])
      expect(hidden!.shape).toEqual([12, 64])
      expect(difference(reduced!.data as Float32Array, [...wanted.data]), reducer.kind).toBeLessThan(1e-5)
      const { short } = await evaluate(
        reducer.appendTo(graph, 'embedding', { name: 'short', normalize: true }),
        feeds,
      )
      const first = (short!.data as Float32Array).subarray(0, reducer.dimensions)
      expect(difference(first, [...l2Normalize(row(wanted, 0))])).toBeLessThan(1e-5)
    }
    expect(graph.outputs.map(({ name }) => name)).toEqual(['hidden', 'embedding'])
    const taken = await pca.fit(unit, { components: 8 })
    expect(() => taken.appendTo(graph, 'embedding', { name: 'hidden' })).toThrow('has a value hidden already')
    const reducer = await pca.fit(few, { components: 2 })
    expect(() => reducer.appendTo(graph)).toThrow('The graph has 2 outputs. Name one of: hidden, embedding')
    expect(() => reducer.appendTo(graph, 'embeding')).toThrow('embeding is no output')
    const other = await pca.fit(
      [
        [1, 2],
        [2, 1],
        [0, 5],
      ],
      { components: 1 },
    )
    expect(() => other.appendTo(graph, 'embedding')).toThrow('vectors of 64 numbers; the reducer takes 2')
  })
})

describe('applyTo', () => {
  it('makes a model whose embedder gives what transform gives, under another fingerprint, from a file too', async () => {
    const model = await open('all-MiniLM-L6-v2')
    const texts = ['a towhee sings', 'an owl calls', 'markets fell', 'a train leaves', 'rain', 'snow in May']
    const runtime = { workers: 0 }
    const whole = await embedder(model, { runtime })
    const { vectors } = await whole.embed(texts)
    const reducer = await pca.fit(vectors, { components: 3 })
    const wanted = await reducer.transform(vectors)
    const small = await reducer.applyTo(model)
    const path = join(folder, 'small.onnx')
    await small.export(path)
    for (const source of [small, path]) {
      const e = await embedder(source as string, { runtime })
      expect(e.dimensions).toBe(3)
      expect(difference((await e.embed(texts)).data, [...wanted.data])).toBeLessThan(1e-5)
      expect(e.recipe.source.fingerprint).not.toBe(whole.recipe.source.fingerprint)
      await e.dispose()
    }
    const other = await pca.fit(vectors.slice(1), { components: 3 })
    expect((await other.applyTo(model)).fingerprint).not.toBe(small.fingerprint)
    expect((await reducer.applyTo(model)).fingerprint).toBe(small.fingerprint)
    await expect(reducer.applyTo(model, { dimensions: 100 })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    })
    await whole.dispose()
  })
})

describe('loadReducer', () => {
  it('refuses files that hold no reducer', async () => {
    const { writeSafetensors } = await import('../../models/index.ts')
    const path = join(folder, 'other.safetensors')
    await writeSafetensors(
      path,
      new Map([['x', { dtype: 'float32', shape: [1], data: new Float32Array(1) }]]),
    )
    await expect(loadReducer(path)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
    const metadata = new Map([['pipilo.reducer', JSON.stringify({ version: 1, kind: 'pca' })]])
    await writeSafetensors(
      path,
      new Map([['x', { dtype: 'float32', shape: [1], data: new Float32Array(1) }]]),
      metadata,
    )
    await expect(loadReducer(path)).rejects.toThrow("has no float64 tensor 'components'")
    await expect(loadReducer(join(folder, 'none.safetensors'))).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    })
  })
})

describe('decompose', () => {
  it('gives on a thread what it gives in place, and leaves the event loop free', async () => {
    const data = random(300, 200)
    const whole = await pca.fit(data)
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const padded = { rows: 300, columns: 320, data: new Float32Array(300 * 320) }
    for (let i = 0; i < 300; i++) padded.data.set(row(data, i), i * 320)
    const found = await pca.fit(padded, { components: 200 })
    clearInterval(timer)
    expect(turns).toBeGreaterThan(3)
    expect(difference(found.explainedVariance, [...whole.explainedVariance])).toBeLessThan(1e-10)
  })
})
