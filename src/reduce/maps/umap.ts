// UMAP: a map in few dimensions in which near rows stay near, and into which new rows can be put.

import { breathe, checkCount, checkOptions, PipiloError } from '../../base/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { dense } from '../dense.ts'
import { type SavedReducer, writeReducer } from '../files.ts'
import * as types from '../methodTypes.ts'
import { placed, type Rows, rowsToFit, rowsToTransform } from '../rows.ts'
import type { FitOptions, Reducer, TransformOptions } from '../types.ts'
import { type Curve, curveOf } from './curve.ts'
import { type Edges, layOut } from './layout.ts'
import {
  comparable,
  type Metric,
  type Neighbours,
  nearestRows,
  type Sparse,
  symmetrized,
} from './neighbours.ts'
import { firstPlaces, type Start } from './start.ts'

/** Options of `umap.fit`. */
export interface UmapOptions extends FitOptions {
  /** Dimensions of the map. Default 2. */
  readonly components?: number
  /** Neighbours of each row, itself included: few show details, many the whole. Below the number of rows. Default 15. */
  readonly neighbors?: number
  /** Distance of near places in the map. Default 0.1. */
  readonly minDistance?: number
  /** Scale of the map. Default 1. */
  readonly spread?: number
  /** Default `euclidean`. */
  readonly metric?: Metric
  /** Default 500 up to 10,000 rows, 200 above. */
  readonly epochs?: number
  /** Default 1. */
  readonly learningRate?: number
  /** First places. Default `pca`. */
  readonly start?: Start
}

/** Result of `umap.fit`. */
export interface Umap extends Reducer {
  readonly kind: 'umap'
  /** Places of the rows that were fitted, in the order given; NaN for rows that were left out. */
  readonly embedding: Matrix
}

const NEGATIVES = 5
const REPULSION = 1

/** Width of the map at the beginning. */
const WIDTH = 10

/** Least width of a row's neighbourhood, as a share of the mean distance of neighbours. */
const NARROWEST = 1e-3

/** See `umap` in ../onDemand.ts. */
export async function fitUmap(data: Rows, options: UmapOptions = {}): Promise<Umap> {
  const rows = rowsToFit(data, options, 3)
  const n = rows.rows
  const { components = 2, neighbors = 15, minDistance = 0.1, spread = 1, metric = 'euclidean' } = options
  const { epochs = n <= 10_000 ? 500 : 200, learningRate = 1, start = 'pca', seed = 0, signal } = options
  checkCount('components', components, 1)
  checkCount('neighbors', neighbors, 2)
  checkCount('epochs', epochs, 1)
  if (neighbors > n) {
    throw new PipiloError('OPTION_INVALID', `neighbors is ${neighbors}; there are ${n} rows.`, {
      input: 'neighbors',
    })
  }
  if (!(minDistance >= 0 && spread > 0 && minDistance <= spread && Number.isFinite(spread))) {
    throw new PipiloError(
      'OPTION_INVALID',
      `minDistance is ${minDistance} and spread ${spread}; they are 0 ≤ minDistance ≤ spread.`,
      { input: 'minDistance' },
    )
  }
  if (!(learningRate > 0 && Number.isFinite(learningRate))) {
    throw new PipiloError('OPTION_INVALID', `learningRate is ${learningRate}; it has to be above 0.`, {
      input: 'learningRate',
    })
  }
  if (start !== 'pca' && start !== 'random') {
    throw new PipiloError('OPTION_INVALID', `start is '${String(start)}'; it has to be pca or random.`, {
      input: 'start',
    })
  }
  const points = comparable(rows, metric)
  const near = await nearestRows(points, points, neighbors - 1, metric, signal)
  const graph = await fuzzyGraph(near)
  const places = spreadOut(await firstPlaces(points, components, start, seed, signal), components)
  const curve = curveOf(spread, minDistance)
  const settings = { metric, neighbors, learningRate, epochs, seed, curve }
  await layOut(places, places, edgesOf(graph, epochs), {
    ...layoutOf(settings, components),
    ...(signal && { signal }),
    onEpoch: (done) => options.onProgress?.({ done, total: epochs }),
  })
  return new FittedUmap({
    points,
    places,
    settings,
    embedding: placed(places, components, rows),
    skipped: rows.given - n,
  })
}

/** Facts that transforming needs beside the points. */
interface Settings {
  readonly metric: Metric
  readonly neighbors: number
  readonly learningRate: number
  readonly epochs: number
  readonly seed: number
  readonly curve: Curve
}

const layoutOf = ({ curve, learningRate, epochs, seed }: Settings, dimensions: number) => ({
  dimensions,
  epochs,
  curve,
  learningRate,
  seed,
  negatives: NEGATIVES,
  repulsion: REPULSION,
})

/** How near rows are to their neighbours, from 0 to 1, either way: the fuzzy union. */
export async function fuzzyGraph(near: Neighbours): Promise<Sparse> {
  return symmetrized(near, await memberships(near, 1), (a, b) => a + b - a * b)
}

/**
 * How near rows are to their neighbours: 1 for the nearest (with `connected` 1), then falling off so that the sum is log₂ of the number of
 * neighbours, the row itself included.
 */
async function memberships({ rows, count, distances }: Neighbours, connected: 0 | 1): Promise<Float64Array> {
  const values = new Float64Array(rows * count)
  // The row itself is one of the neighbours where rows are fitted: it has distance 0, and a share in means.
  const all = count + connected
  const wanted = Math.log2(all)
  const total = distances.reduce((sum, d) => sum + d, 0) / (rows * all)
  for (let i = 0; i < rows; i++) {
    await breathe()
    const own = distances.subarray(i * count, (i + 1) * count)
    const nearest = connected === 1 ? (own.find((d) => d > 0) ?? 0) : 0
    const mean = own.reduce((sum, d) => sum + d, 0) / all
    const width = Math.max(widthOf(own, nearest, wanted, connected), NARROWEST * (nearest > 0 ? mean : total))
    for (let k = 0; k < count; k++) {
      const beyond = own[k]! - nearest
      values[i * count + k] = beyond <= 0 || width === 0 ? 1 : Math.exp(-beyond / width)
    }
  }
  return values
}

/** Width at which the closeness of the neighbours has the wanted sum; of new rows the nearest does not count. */
function widthOf(distances: Float64Array, nearest: number, wanted: number, connected: 0 | 1): number {
  let [low, high, width] = [0, Number.POSITIVE_INFINITY, 1]
  for (let step = 0; step < 64; step++) {
    let sum = 0
    for (let k = 1 - connected; k < distances.length; k++) {
      const beyond = distances[k]! - nearest
      sum += beyond > 0 ? Math.exp(-beyond / width) : 1
    }
    if (Math.abs(sum - wanted) < 1e-5) break
    if (sum > wanted) high = width
    else low = width
    width = high === Number.POSITIVE_INFINITY ? width * 2 : (low + high) / 2
  }
  return width
}

/** Edges that draw at least once. */
function edgesOf({ offsets, columns, values }: Sparse, epochs: number): Edges {
  const most = values.reduce((largest, value) => Math.max(largest, value), 0)
  const heads: number[] = []
  const tails: number[] = []
  const weights: number[] = []
  for (let i = 0; i + 1 < offsets.length; i++) {
    for (let at = offsets[i]!; at < offsets[i + 1]!; at++) {
      if (!(values[at]! >= most / epochs)) continue
      heads.push(i)
      tails.push(columns[at]!)
      weights.push(values[at]! / most)
    }
  }
  return { heads: Int32Array.from(heads), tails: Int32Array.from(tails), weights: Float64Array.from(weights) }
}

/** The places from 0 to the map's width along each axis. */
function spreadOut(places: Float64Array, dimensions: number): Float64Array {
  const out = places.slice()
  for (let d = 0; d < dimensions; d++) {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (let at = d; at < out.length; at += dimensions) {
      low = Math.min(low, out[at]!)
      high = Math.max(high, out[at]!)
    }
    const scale = WIDTH / (high - low || 1)
    for (let at = d; at < out.length; at += dimensions) out[at] = (out[at]! - low) * scale
  }
  return out
}

interface Parts {
  readonly points: Matrix
  readonly places: Float64Array
  readonly settings: Settings
  readonly embedding: Matrix
  readonly skipped: number
}

class FittedUmap implements Umap {
  readonly kind = 'umap'
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get inputDimensions(): number {
    return this.#parts.points.columns
  }

  get dimensions(): number {
    return this.#parts.embedding.columns
  }

  get embedding(): Matrix {
    return this.#parts.embedding
  }

  get skipped(): number {
    return this.#parts.skipped
  }

  async transform(rows: Rows, options: TransformOptions = {}): Promise<Matrix> {
    checkOptions('transform', options, types.transform)
    const { points, places, settings } = this.#parts
    const { signal } = options
    const given = rowsToTransform(rows, points.columns, options)
    if (given.rows === 0) return placed([], this.dimensions, given)
    const { metric, neighbors } = settings
    const found = comparable(given, metric)
    const near = await nearestRows(found, points, neighbors, metric, signal)
    const weights = await memberships(near, 0)
    const start = middles(near, weights, places, this.dimensions)
    const epochs = Math.max(1, Math.floor(settings.epochs / (given.rows <= 10_000 ? 3 : 10)))
    const offsets = Int32Array.from({ length: near.rows + 1 }, (_, i) => i * near.count)
    const edges = edgesOf({ offsets, columns: near.indices, values: weights }, epochs)
    const layout = layoutOf({ ...settings, epochs, learningRate: settings.learningRate / 4 }, this.dimensions)
    await layOut(start, places, edges, { ...layout, ...(signal && { signal }) })
    return placed(start, this.dimensions, given)
  }

  save(path: string): Promise<void> {
    const { points, places, settings, embedding, skipped } = this.#parts
    const { curve, ...rest } = settings
    const { rows, columns, data } = points
    return writeReducer(
      path,
      this.kind,
      {
        points: { dtype: 'float32', shape: [rows, columns], data },
        places: dense(rows, embedding.columns, places),
        embedding: { dtype: 'float32', shape: [embedding.rows, embedding.columns], data: embedding.data },
      },
      { ...rest, ...curve, skipped },
    )
  }
}

/** The means of the neighbours' places, by their weights. */
function middles(
  near: Neighbours,
  weights: Float64Array,
  places: Float64Array,
  dimensions: number,
): Float64Array {
  const out = new Float64Array(near.rows * dimensions)
  for (let i = 0; i < near.rows; i++) {
    let sum = 0
    for (let at = i * near.count; at < (i + 1) * near.count; at++) {
      sum += weights[at]!
      for (let d = 0; d < dimensions; d++)
        out[i * dimensions + d]! += weights[at]! * places[near.indices[at]! * dimensions + d]!
    }
    for (let d = 0; d < dimensions; d++) out[i * dimensions + d]! /= sum
  }
  return out
}

/** The UMAP of a file. */
export function savedUmap(saved: SavedReducer): Umap {
  const matrix = (name: string): Matrix => {
    const { shape, data } = saved.tensor(name, 'float32', 2)
    return { rows: shape[0]!, columns: shape[1]!, data: data as Float32Array }
  }
  const points = matrix('points')
  const embedding = matrix('embedding')
  return new FittedUmap({
    points,
    embedding,
    places: saved.matrix('places', points.rows, embedding.columns).data,
    settings: {
      metric: saved.text('metric', ['euclidean', 'cosine']),
      neighbors: saved.number('neighbors'),
      learningRate: saved.number('learningRate'),
      epochs: saved.number('epochs'),
      seed: saved.number('seed'),
      curve: { a: saved.number('a'), b: saved.number('b') },
    },
    skipped: saved.number('skipped'),
  })
}
