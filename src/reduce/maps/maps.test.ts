import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seeded } from '../../nn/index.ts'
import { loadReducer, pca, type Tsne, trustworthiness, tsne, type Umap, umap } from '../index.ts'
import { difference, digits, reference, some } from '../testing/reference.ts'
import { curveOf } from './curve.ts'
import { nearestRows, type Sparse } from './neighbours.ts'
import { QuadTree } from './quadTree.ts'
import { affinities } from './tsne.ts'
import { fuzzyGraph } from './umap.ts'

const few = some(digits, 0, 60)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-maps-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function rowOf({ offsets, columns, values }: Sparse, i: number): number[] {
  const out = new Array(offsets.length - 1).fill(0)
  for (let at = offsets[i]!; at < offsets[i + 1]!; at++) out[columns[at]!] = values[at]!
  return out
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, x) => all + x, 0)

describe('neighbours', () => {
  it('are the nearest, in order, without the row itself also where rows are equal', async () => {
    const rows = { rows: 5, columns: 2, data: Float32Array.of(0, 0, 3, 0, 0, 0, 0, 1, 1000, 1000) }
    const near = await nearestRows(rows, rows, 3, 'euclidean')
    expect([...near.indices]).toEqual([2, 3, 1, 0, 2, 3, 0, 3, 1, 0, 2, 1, 1, 3, 0])
    expect([...near.distances.subarray(0, 3)]).toEqual([0, 1, 3])
  })

  it("have the affinities of scikit-learn's t-SNE and the graph of umap-learn", async () => {
    const joint = await affinities(await nearestRows(few, few, 31, 'euclidean'), 10)
    expect(difference(rowOf(joint, 3), reference.tsneAffinities.row)).toBeLessThan(1e-4)
    expect(sum(joint.values.map((p) => p * p))).toBeCloseTo(reference.tsneAffinities.sum, 6)
    const graph = await fuzzyGraph(await nearestRows(few, few, 7, 'euclidean'))
    expect(difference(rowOf(graph, 3), reference.umapGraph.row)).toBeLessThan(1e-4)
    // Of neighbours that are equally far, it depends on the order which is the last.
    expect(sum(graph.values) / reference.umapGraph.sum).toBeCloseTo(1, 3)
    expect(sum(graph.values.map((p) => p * p)) / reference.umapGraph.squares).toBeCloseTo(1, 3)
  })
})

describe('QuadTree', () => {
  it('gives at angle 0 the forces of all pairs, equal points included', () => {
    const random = seeded(1, 'test')
    const points = new Float64Array(2 * 60).map(() => random.normal())
    points.copyWithin(20, 0, 10)
    const tree = new QuadTree()
    tree.build(points)
    for (const i of [0, 3, 10, 59]) {
      const wanted = [0, 0, 0]
      for (let j = 0; j < 60; j++) {
        if (j === i) continue
        const [dx, dy] = [points[2 * i]! - points[2 * j]!, points[2 * i + 1]! - points[2 * j + 1]!]
        const q = 1 / (1 + dx * dx + dy * dy)
        for (const [at, value] of [q, q * q * dx, q * q * dy].entries()) wanted[at]! += value
      }
      for (const [angle, digit] of [
        [0, 10],
        [0.3, 1],
      ] as const) {
        const forces = new Float64Array(2)
        const share = tree.push(points[2 * i]!, points[2 * i + 1]!, angle, forces, 0)
        for (const [at, value] of [share, ...forces].entries()) expect(value).toBeCloseTo(wanted[at]!, digit)
      }
    }
  })
})

describe('tsne', () => {
  it("is as trustworthy as scikit-learn's less 0.02, saved and loaded, and the same for a seed", async () => {
    const told: number[] = []
    const map = await tsne.fit(digits, { seed: 1, onProgress: ({ done }) => told.push(done) })
    expect(map.embedding).toMatchObject({ rows: 300, columns: 2 })
    const score = await trustworthiness(digits, map.embedding, { k: 10 })
    expect(score).toBeGreaterThan(reference.trustworthiness.tsne - 0.02)
    expect(map.divergence).toBeLessThan(1)
    expect(told.at(-1)).toBe(map.iterations)
    await map.save(join(folder, 'tsne.safetensors'))
    const loaded = (await loadReducer(join(folder, 'tsne.safetensors'))) as Tsne
    expect(loaded).toEqual(map)
    const [one, same, other] = await Promise.all(
      [1, 1, 2].map((seed) => tsne.fit(few, { seed, perplexity: 5, iterations: 300 })),
    )
    expect(one!.embedding).toEqual(same!.embedding)
    expect(one!.embedding).not.toEqual(other!.embedding)
  })

  it('answers bad input with an error or with rows of NaN, and stops when it is told', async () => {
    await expect(tsne.fit(some(digits, 0, 20))).rejects.toThrow('perplexity is 30')
    await expect(tsne.fit([[1], [2], [3]], { perplexity: 2 })).rejects.toThrow('There are 3 rows')
    await expect(tsne.fit(few, { iterations: 100 })).rejects.toThrow('iterations is 100')
    await expect(tsne.fit(few, { metric: 'manhattan' as 'cosine' })).rejects.toThrow("metric is 'manhattan'")
    const controller = new AbortController()
    const stopped = tsne.fit(digits, {
      signal: controller.signal,
      onProgress: ({ done }) => done === 20 && controller.abort(),
    })
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
    const holed = { ...few, data: few.data.slice() }
    holed.data[7 * 64] = Number.NaN
    const map = await tsne.fit(holed, { perplexity: 5, iterations: 260, onError: 'skip' })
    expect(map.skipped).toBe(1)
    expect([map.embedding.rows, map.embedding.data[14], map.embedding.data[15]]).toEqual([
      60,
      Number.NaN,
      Number.NaN,
    ])
    // All rows equal: there is nothing to tell apart, and still every row has a place.
    const equal = await tsne.fit(
      { rows: 20, columns: 3, data: new Float32Array(60).fill(2) },
      { perplexity: 5, iterations: 260 },
    )
    expect(equal.embedding.data.every(Number.isFinite)).toBe(true)
  })
})

describe('umap', () => {
  it('fits the curve of umap-learn', () => {
    const { a, b } = curveOf(1, 0.1)
    expect(a).toBeCloseTo(reference.umapAb[0], 4)
    expect(b).toBeCloseTo(reference.umapAb[1], 4)
  })

  it("is as trustworthy as umap-learn's less 0.02, also for new rows", async () => {
    const map = await umap.fit(digits, { seed: 1 })
    const score = await trustworthiness(digits, map.embedding, { k: 10 })
    expect(score).toBeGreaterThan(reference.trustworthiness.umap - 0.02)
    const flat = await (await pca.fit(digits, { components: 2 })).transform(digits)
    const worse = await trustworthiness(digits, flat, { k: 10 })
    expect(worse).toBeCloseTo(reference.trustworthiness.pca, 4)
    const part = await umap.fit(some(digits, 0, 200), { seed: 1 })
    const others = some(digits, 200, 300)
    const placesOfNew = await part.transform(others)
    const scoreOfNew = await trustworthiness(others, placesOfNew, { k: 10 })
    expect(scoreOfNew).toBeGreaterThan(reference.trustworthiness.umapNew - 0.02)
    await part.save(join(folder, 'umap.safetensors'))
    const loaded = (await loadReducer(join(folder, 'umap.safetensors'))) as Umap
    expect(loaded.embedding).toEqual(part.embedding)
    expect(await loaded.transform(others)).toEqual(placesOfNew)
  })

  it('takes cosines, more dimensions and seeds', async () => {
    const options = { metric: 'cosine', components: 3, neighbors: 5, epochs: 50 } as const
    const [one, same, other] = await Promise.all([1, 1, 2].map((seed) => umap.fit(few, { ...options, seed })))
    expect(one!.embedding.columns).toBe(3)
    expect(one!.embedding).toEqual(same!.embedding)
    expect(one!.embedding).not.toEqual(other!.embedding)
    const twice = { ...few, data: few.data.map((x) => 2 * x) }
    const scaled = await umap.fit(twice, { ...options, seed: 1 })
    expect(await trustworthiness(few, scaled.embedding, { k: 5, metric: 'cosine' })).toBeGreaterThan(0.9)
  })

  it('answers bad input with an error or with rows of NaN, and stops when it is told', async () => {
    await expect(umap.fit(some(digits, 0, 10))).rejects.toThrow('neighbors is 15; there are 10 rows')
    await expect(umap.fit([])).rejects.toThrow('There are 0 rows')
    await expect(umap.fit(few, { minDistance: 2 })).rejects.toThrow('minDistance is 2')
    await expect(
      umap.fit(
        [
          [0, 0],
          [1, 0],
          [0, 1],
        ],
        { metric: 'cosine', neighbors: 2 },
      ),
    ).rejects.toThrow('Row 0 is all zeros')
    const controller = new AbortController()
    const stopped = umap.fit(few, {
      signal: controller.signal,
      onProgress: ({ done }) => done === 5 && controller.abort(),
    })
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
    const holed = { ...few, data: few.data.slice() }
    holed.data[7 * 64] = Number.NaN
    const map = await umap.fit(holed, { neighbors: 5, epochs: 20, onError: 'skip' })
    expect([map.skipped, map.embedding.rows, map.embedding.data[14]]).toEqual([1, 60, Number.NaN])
    expect(await map.transform([])).toMatchObject({ rows: 0, columns: 2 })
    const equal = await umap.fit({ rows: 20, columns: 3, data: new Float32Array(60).fill(2) }, { epochs: 20 })
    expect(equal.embedding.data.every(Number.isFinite)).toBe(true)
    await expect(trustworthiness(few, map.embedding)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(trustworthiness(few, few, { k: 30 })).rejects.toThrow('k is 30')
  })
})
