/** The share of pictures whose group their nearest neighbours among other artists' pictures tell. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'

/** Pictures of some artists with their groups. */
export interface Pictures {
  readonly paths: readonly string[]
  readonly groups: readonly string[]
}

/** Lists FOLDER/<artist>/<group>/<picture>. */
export function picturesOf(folder: string, artists: readonly string[]): Pictures {
  const found = artists.flatMap((artist) =>
    readdirSync(join(folder, artist)).flatMap((group) =>
      readdirSync(join(folder, artist, group))
        .filter((name) => name.endsWith('.png'))
        .map((name) => ({ path: join(folder, artist, group, name), group })),
    ),
  )
  return { paths: found.map(({ path }) => path), groups: found.map(({ group }) => group) }
}

/** Vectors, and the group of each. */
export interface Grouped {
  readonly vectors: readonly Float32Array[]
  readonly groups: readonly string[]
}

/**
 * Accuracy in percent of a vote of the `k` nearest by cosine, averaged over the groups; where votes are equal, the group of the nearest of
 * them wins.
 */
export function neighbourAccuracy(queries: Grouped, known: Grouped, k = 5): number {
  const right = new Map<string, { hits: number; count: number }>()
  const vectors = known.vectors.map(unit)
  for (const [i, query] of queries.vectors.entries()) {
    const group = queries.groups[i]!
    const score = right.get(group) ?? { hits: 0, count: 0 }
    const near = nearest(unit(query), vectors, k).map((row) => known.groups[row]!)
    right.set(group, { hits: score.hits + Number(vote(near) === group), count: score.count + 1 })
  }
  const shares = [...right.values()].map(({ hits, count }) => hits / count)
  return (100 * shares.reduce((sum, share) => sum + share, 0)) / shares.length
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return vector.map((value) => value / length)
}

/** Rows of the `k` largest products, best first. */
function nearest(query: Float32Array, vectors: readonly Float32Array[], k: number): number[] {
  const best: { row: number; product: number }[] = []
  for (let row = 0; row < vectors.length; row++) {
    const vector = vectors[row]!
    let product = 0
    for (let i = 0; i < query.length; i++) product += query[i]! * vector[i]!
    if (best.length === k && product <= best[k - 1]!.product) continue
    best.push({ row, product })
    best.sort((a, b) => b.product - a.product)
    if (best.length > k) best.pop()
  }
  return best.map(({ row }) => row)
}

/** The commonest of a list; among equals the first. */
function vote(groups: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1)
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best))[0]
}

/** Pixels of the pictures at `side` × `side`, RGB from 0 to 1. */
export function rawPixels(paths: readonly string[], side: number): Promise<Float32Array[]> {
  return Promise.all(
    paths.map(async (path) => {
      const bytes = await sharp(path).removeAlpha().toColourspace('srgb').resize(side, side).raw().toBuffer()
      return Float32Array.from(bytes, (byte) => byte / 255)
    }),
  )
}

/** Rows with the mean of all `known` rows subtracted. */
export function centred(rows: readonly Float32Array[], known: readonly Float32Array[]): Float32Array[] {
  const mean = new Float64Array(known[0]!.length)
  for (const row of known) for (const [i, value] of row.entries()) mean[i]! += value / known.length
  return rows.map((row) => row.map((value, i) => value - mean[i]!))
}
