import { describe, expect, it } from 'vitest'
import { seeded } from '../../nn/index.ts'
import { cosineSimilarity } from '../../tensor/index.ts'
import { embeddingMap } from '../index.ts'
import type { MapItem, MapMethod } from '../types.ts'

const random = seeded(3, 'map test')

/** Three clouds around axes of space, and the label of each point. */
const clouds = Array.from({ length: 45 }, (_, i) => ({
  vector: Float32Array.from({ length: 8 }, (_, axis) => (axis === i % 3 ? 4 : 0) + 0.5 * random.normal()),
  item: { id: `p${i}`, text: `text ${i}`, label: `cloud ${i % 3}` },
}))
const items: readonly MapItem[] = clouds.map(({ item }) => item)
const vectors = clouds.map(({ vector }) => vector)
const view = { name: 'a', vectors }

describe('A map', () => {
  it.each<MapMethod>([
    'umap',
    'tsne',
    'pca',
  ])('by %s keeps clouds together, in the square from −1 to 1', async (method) => {
    const map = await embeddingMap(items, [view], { method, seed: 1 })
    const { points } = map.views[0]!
    expect(points).toHaveLength(90)
    expect(Math.max(...points.map(Math.abs))).toBeCloseTo(1, 5)
    const distance = (i: number, j: number) =>
      Math.hypot(points[2 * i]! - points[2 * j]!, points[2 * i + 1]! - points[2 * j + 1]!)
    for (let i = 0; i < 42; i += 3) {
      const own = distance(i, i + 3)
      expect(own).toBeLessThan(Math.max(distance(i, i + 1), distance(i, i + 2)))
    }
    expect(await embeddingMap(items, [view], { method, seed: 1 })).toEqual(map)
  })

  it('has the neighbours of the vectors, not of the plane', async () => {
    const { views, near } = await embeddingMap(items, [view], { method: 'pca', near: 4 })
    expect(near).toBe(4)
    for (const [i, vector] of vectors.entries()) {
      const all = vectors.map((other, j) => (j === i ? -2 : cosineSimilarity(vector, other)))
      const nearest = [...all.keys()].sort((a, b) => all[b]! - all[a]!).slice(0, 4)
      expect([...views[0]!.neighbours.subarray(i * 4, i * 4 + 4)]).toEqual(nearest)
      for (const [at, index] of nearest.entries())
        expect(views[0]!.similarities[i * 4 + at]).toBeCloseTo(all[index]!, 5)
    }
  })

  it('is coloured by label, or by clusters that are called after the item in their middle', async () => {
    const { groups } = await embeddingMap(items, [view], { method: 'pca' })
    expect(groups).toMatchObject({ kind: 'label', names: ['cloud 0', 'cloud 1', 'cloud 2'] })
    expect([...groups.of.slice(0, 4)]).toEqual([0, 1, 2, 0])
    const clusters = (await embeddingMap(items, [view], { method: 'pca', clusters: 3 })).groups
    expect(clusters.kind).toBe('cluster')
    expect(clusters.names.every((name) => /^text \d+$/.test(name))).toBe(true)
    // The clusters are the clouds.
    expect(new Set(Array.from(clusters.of, (group, i) => `${group} ${i % 3}`)).size).toBe(3)
    const some = items.map((item, i) => (i < 40 ? item : { id: item.id }))
    expect((await embeddingMap(some, [view], { method: 'pca' })).groups.names.at(-1)).toBe('no label')
  })

  it('of a further view lies as the first one does', async () => {
    // Turned by a quarter and mirrored in the plane of the first two axes.
    const turned = vectors.map((vector) =>
      vector.map((_, axis) => vector[axis === 0 ? 1 : axis === 1 ? 0 : axis]!),
    )
    const { views } = await embeddingMap(items, [view, { name: 'b', vectors: turned }], { method: 'pca' })
    for (const [i, value] of views[1]!.points.entries()) expect(value).toBeCloseTo(views[0]!.points[i]!, 3)
  })

  it('takes further views later, and keeps its places and colours', async () => {
    const first = await embeddingMap(items, [view], { method: 'pca', clusters: 4 })
    const noisy = vectors.map((vector) => vector.map((value) => value + 0.1 * random.normal()))
    const next = await embeddingMap(first.items, [{ name: 'b', vectors: noisy }], {
      method: 'pca',
      before: first,
    })
    expect(next.views).toHaveLength(2)
    expect(next.views[0]).toBe(first.views[0])
    expect(next.groups).toBe(first.groups)
    await expect(
      embeddingMap(items.slice(1), [{ name: 'b', vectors: vectors.slice(1) }], { before: first }),
    ).rejects.toThrow(/not those of the map before/)
    await expect(embeddingMap(items, [view], { before: first })).rejects.toThrow(/Two views are called a/)
  })
})

describe('With little or bad data', () => {
  const few = (count: number) =>
    embeddingMap(items.slice(0, count), [{ name: 'a', vectors: vectors.slice(0, count) }])

  it('one item lies in the middle, and two and three are placed by PCA', async () => {
    const one = await few(1)
    expect([...one.views[0]!.points]).toEqual([0, 0])
    expect(one).toMatchObject({ near: 0, groups: { names: ['cloud 0'] } })
    for (const count of [2, 3]) {
      const map = await few(count)
      expect(map.views[0]!.method).toBe('pca')
      expect(map.views[0]!.points.every(Number.isFinite)).toBe(true)
      expect(map.near).toBe(count - 1)
    }
    expect((await few(4)).views[0]!.method).toBe('umap')
  })

  it.each<MapMethod>(['umap', 'tsne', 'pca'])('equal vectors lie on one another (%s)', async (method) => {
    const same = Array.from({ length: 6 }, () => Float32Array.of(1, 2, 3))
    const map = await embeddingMap(items.slice(0, 6), [{ name: 'a', vectors: same }], {
      method,
      color: 'cluster',
    })
    expect([...map.views[0]!.points]).toEqual(new Array(12).fill(0))
    expect([...new Set(map.groups.of)]).toHaveLength(map.groups.names.length)
  })

  it('rows of NaN and of zeros are left out, and said', async () => {
    const broken = vectors.map((vector, i) =>
      i === 2 ? vector.map(() => Number.NaN) : i === 5 ? vector.map(() => 0) : vector,
    )
    const map = await embeddingMap(items, [view, { name: 'b', vectors: broken }], { method: 'pca' })
    expect(map.skipped.map(({ id }) => id)).toEqual(['p2', 'p5'])
    expect(map.items).toHaveLength(43)
    expect(map.views.map(({ points }) => points.length)).toEqual([86, 86])
    await expect(
      embeddingMap(items.slice(0, 1), [{ name: 'a', vectors: [new Float32Array(8)] }]),
    ).rejects.toThrow(/All 1 vectors are NaN or zeros/)
  })

  it.each([
    [{ method: 'lda' as MapMethod }, /method is 'lda'; it has to be one of umap, tsne, pca/],
    [{ method: 'pca' as const, neighbors: 5 }, /neighbors is of no use/],
    [{ perplexity: 5 }, /perplexity is of no use/],
    [{ neighbors: 46 }, /neighbors is 46; there are 45 rows/],
    [{ method: 'tsne' as const, perplexity: 45 }, /perplexity is 45/],
    [{ color: 'cluster' as const, clusters: 46 }, /clusters is 46; there are 45 items/],
    [{ color: 'label' as const, clusters: 3 }, /clusters is of no use/],
    [{ near: 0 }, /near/],
  ])('%j is refused', async (options, message) => {
    await expect(embeddingMap(items, [view], options)).rejects.toThrow(message)
  })

  it('nothing, no view, and other numbers of vectors than items are refused', async () => {
    await expect(embeddingMap([], [{ name: 'a', vectors: [] }])).rejects.toThrow(/nothing to put on a map/)
    await expect(embeddingMap(items, [])).rejects.toThrow(/one view at least/)
    await expect(embeddingMap(items, [{ name: 'a', vectors: vectors.slice(1) }])).rejects.toThrow(
      /belong together/,
    )
    const bare = items.map(({ id }) => ({ id }))
    await expect(embeddingMap(bare, [view], { color: 'label' })).rejects.toThrow(/No item has a label/)
  })
})
