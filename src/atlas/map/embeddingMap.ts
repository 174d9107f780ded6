// Makes maps of embeddings: places by a reducer, neighbours by the vectors, groups for the colours.
import { checkCount, PipiloError, throwIfAborted } from '../../base/index.ts'
import { nearestOthers } from '../../evaluate/index.ts'
import { pca, tsne, umap } from '../../reduce/index.ts'
import { l2Normalize, type Matrix, matrixOf, row, type Vector } from '../../tensor/index.ts'
import type { EmbeddingMap, MapItem, MapMethod, MapOptions, MapView, PlacedView } from '../types.ts'
import { fitted, laidWide, turnedTowards } from './align.ts'
import { groupsOf } from './groups.ts'

const methods: readonly MapMethod[] = ['umap', 'tsne', 'pca']

/** Fewer items than these have no neighbourhoods: PCA places them. */
const FEWEST = 4

/** See `embeddingMap` in ../onDemand.ts. */
export async function embeddingMap(
  items: readonly MapItem[],
  views: readonly MapView[],
  options: MapOptions = {},
): Promise<EmbeddingMap> {
  const { before, near = before?.near ?? 10, method = 'umap', signal } = options
  checkMethod(method, options)
  checkCount('near', near, before ? 0 : 1)
  const matrices = matricesOf(items, views, before)
  const kept = items.flatMap((_, i) => (matrices.every((matrix) => hasDirection(row(matrix, i))) ? [i] : []))
  if (kept.length === 0) {
    throw new PipiloError(
      'INPUT_INVALID',
      items.length === 0
        ? 'There is nothing to put on a map.'
        : `All ${items.length} vectors are NaN or zeros: nothing is left to put on a map.`,
      { input: 'items' },
    )
  }
  const units = matrices.map((matrix) => matrixOf(kept.map((i) => l2Normalize(row(matrix, i)))))
  const count = Math.min(near, kept.length - 1)
  if (before) checkBefore(before, items, { kept: kept.length, near: count })
  const placed: PlacedView[] = [...(before?.views ?? [])]
  for (const [i, unit] of units.entries()) {
    throwIfAborted(signal)
    const told = (share: number) =>
      options.onProgress?.({ done: Math.round((i + share) * 1000), total: units.length * 1000 })
    const own = fewMethod(method, unit)
    const last = placed.at(-1)
    const places = await placesOf(unit, own, options, told)
    const points = fitted(own === 'pca' ? places : laidWide(places))
    placed.push({
      name: views[i]!.name,
      method: own,
      points: last ? turnedTowards(points, last.points) : points,
      ...(await neighboursOf(unit, count, signal)),
    })
    told(1)
  }
  const left = new Set(kept)
  const all = kept.map((i) => items[i]!)
  return {
    items: all,
    views: placed,
    groups: before?.groups ?? (await groupsOf(all, units[0]!, options)),
    near: count,
    skipped: before?.skipped ?? items.filter((_, i) => !left.has(i)),
  }
}

function checkMethod(method: MapMethod, { neighbors, perplexity }: MapOptions): void {
  if (!methods.includes(method)) {
    throw new PipiloError('OPTION_INVALID', `method is '${String(method)}'; it is ${methods.join(', ')}.`, {
      input: 'method',
    })
  }
  const odd = method !== 'umap' && neighbors !== undefined ? 'neighbors' : undefined
  const strange = odd ?? (method !== 'tsne' && perplexity !== undefined ? 'perplexity' : undefined)
  if (strange === undefined) return
  throw new PipiloError('OPTION_INVALID', `${strange} is of no use: ${method} has none.`, { input: strange })
}

/** @throws `INPUT_INVALID` for other items than those of the map, `OPTION_INVALID` */
function checkBefore(
  before: EmbeddingMap,
  items: readonly MapItem[],
  { kept, near }: { readonly kept: number; readonly near: number },
): void {
  const isSame =
    before.items.length === items.length && items.every(({ id }, i) => id === before.items[i]!.id)
  if (!isSame) {
    throw new PipiloError('INPUT_INVALID', 'The items are not those of the map before.', {
      input: 'before',
      hint: 'Give its items.',
    })
  }
  if (kept < items.length) {
    throw new PipiloError(
      'INPUT_INVALID',
      `${items.length - kept} of ${items.length} vectors are NaN or zeros, which the map before has places for.`,
      { input: 'before' },
    )
  }
  if (near === before.near) return
  throw new PipiloError('OPTION_INVALID', `near is ${near}; the map before has ${before.near}.`, {
    input: 'near',
  })
}

function matricesOf(
  items: readonly MapItem[],
  views: readonly MapView[],
  before: EmbeddingMap | undefined,
): Matrix[] {
  if (views.length === 0)
    throw new PipiloError('INPUT_INVALID', 'A map has one view at least.', { input: 'views' })
  const names = new Set(before?.views.map(({ name }) => name))
  return views.map(({ name, vectors }) => {
    if (names.has(name)) {
      throw new PipiloError('INPUT_INVALID', `Two views are called ${name}.`, { input: name })
    }
    names.add(name)
    const matrix = 'columns' in vectors ? vectors : matrixOf(vectors)
    if (matrix.rows === items.length) return matrix
    throw new PipiloError(
      'INPUT_INVALID',
      `${name} has ${matrix.rows} vectors, and there are ${items.length} items; they belong together one by one.`,
      { input: name },
    )
  })
}

/** True of a vector that has cosines with others. */
function hasDirection(vector: Vector): boolean {
  let isZero = true
  for (let i = 0; i < vector.length; i++) {
    if (!Number.isFinite(vector[i])) return false
    if (vector[i] !== 0) isZero = false
  }
  return !isZero
}

/** PCA where there are too few items for what was asked for, and where all are the same. */
function fewMethod(method: MapMethod, unit: Matrix): MapMethod {
  return unit.rows < FEWEST || isConstant(unit) ? 'pca' : method
}

function isConstant({ data, columns }: Matrix): boolean {
  return data.every((value, i) => value === data[i % columns])
}

async function placesOf(
  unit: Matrix,
  method: MapMethod,
  { neighbors, perplexity, seed = 0, signal }: MapOptions,
  told: (share: number) => void,
): Promise<ArrayLike<number>> {
  const { rows } = unit
  const shared = {
    seed,
    ...(signal && { signal }),
    onProgress: ({ done, total }: { done: number; total: number }) => told(done / total),
  }
  if (method === 'umap') {
    const { embedding } = await umap.fit(unit, {
      ...shared,
      neighbors: neighbors ?? Math.min(15, rows),
      metric: 'cosine',
    })
    return embedding.data
  }
  if (method === 'tsne') {
    // Three times the perplexity are looked at.
    const usual = Math.max(1, Math.min(30, (rows - 1) / 3))
    const { embedding } = await tsne.fit(unit, {
      ...shared,
      perplexity: perplexity ?? usual,
      metric: 'cosine',
    })
    return embedding.data
  }
  const places = new Float32Array(rows * 2)
  if (rows < 2 || isConstant(unit)) return places
  const components = Math.min(2, rows, unit.columns)
  const { data } = await (await pca.fit(unit, { components, ...shared })).transform(unit)
  for (let i = 0; i < rows; i++) places.set(data.subarray(i * components, (i + 1) * components), i * 2)
  return places
}

async function neighboursOf(
  unit: Matrix,
  near: number,
  signal: AbortSignal | undefined,
): Promise<Pick<PlacedView, 'neighbours' | 'similarities'>> {
  const neighbours = new Uint32Array(unit.rows * near)
  const similarities = new Float32Array(unit.rows * near)
  if (near === 0) return { neighbours, similarities }
  for (const [i, found] of (await nearestOthers(unit, near, signal)).entries()) {
    for (const [at, { index, score }] of found.entries()) {
      neighbours[i * near + at] = index
      similarities[i * near + at] = score
    }
  }
  return { neighbours, similarities }
}
