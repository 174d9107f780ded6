// t-SNE by Barnes and Hut's method: a map in the plane in which near rows stay near.
import { breathe, checkCount, PipiloError, throwIfAborted } from '../../base/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { dense } from '../dense.ts'
import { type SavedReducer, writeReducer } from '../files.ts'
import { placed, type Rows, rowsToFit } from '../rows.ts'
import type { FitOptions } from '../types.ts'
import {
  comparable,
  type Metric,
  type Neighbours,
  nearestRows,
  type Sparse,
  symmetrized,
} from './neighbours.ts'
import { QuadTree } from './quadTree.ts'
import { firstPlaces, type Start } from './start.ts'

/** Options of `tsne.fit`. */
export interface TsneOptions extends FitOptions {
  /** Neighbours that each row has, softly counted; below the number of rows. Default 30. */
  readonly perplexity?: number
  /** Default `euclidean`. */
  readonly metric?: Metric
  /** Steps. Default 1,000, of which the first 250 exaggerate. */
  readonly iterations?: number
  /** Factor by which near rows attract each other more in the first 250 steps. Default 12. */
  readonly earlyExaggeration?: number
  /** Default `auto`: rows / earlyExaggeration / 4, and 50 at least. */
  readonly learningRate?: number | 'auto'
  /** Angle below which far points count as one; 0 is exact and slow. Default 0.5. */
  readonly angle?: number
  /** First places. Default `pca`. */
  readonly start?: Start
}

/** Result of `tsne.fit`: places of the rows that were fitted; other rows have none. */
export interface Tsne {
  readonly kind: 'tsne'
  readonly inputDimensions: number
  /** 2. */
  readonly dimensions: number
  readonly skipped: number
  /** Rows × 2, in the order given; NaN for rows that were left out. */
  readonly embedding: Matrix
  /** Kullback-Leibler divergence of the affinities in the map from those of the rows. */
  readonly divergence: number
  /** Steps that were made: fewer where they did not change anything any more. */
  readonly iterations: number
  /** Writes it as a safetensors file, which `loadReducer` reads. @throws `WRITE_FAILED` */
  save(path: string): Promise<void>
}

const EARLY = 250
const CHECK_EVERY = 50
/** Steps without progress after which it ends. */
const PATIENCE = 300
const SMALLEST_GRADIENT = 1e-7
const SMALLEST_GAIN = 0.01
const TINY = 2.220446049250313e-16

/** See `tsne` in ../onDemand.ts. */
export async function fitTsne(data: Rows, options: TsneOptions = {}): Promise<Tsne> {
  const rows = rowsToFit(data, options, 4)
  const {
    perplexity = 30,
    metric = 'euclidean',
    iterations = 1000,
    start = 'pca',
    seed = 0,
    signal,
  } = options
  const { earlyExaggeration = 12, learningRate = 'auto', angle = 0.5 } = options
  const n = rows.rows
  if (!(perplexity >= 1 && perplexity < n)) {
    throw new PipiloError(
      'OPTION_INVALID',
      `perplexity is ${perplexity}; it lies between 1 and the number of rows, ${n}.`,
      { input: 'perplexity' },
    )
  }
  checkCount('iterations', iterations, EARLY)
  checkNumber('earlyExaggeration', earlyExaggeration, 1)
  checkNumber('angle', angle, 0)
  if (learningRate !== 'auto') checkNumber('learningRate', learningRate, Number.MIN_VALUE)
  if (start !== 'pca' && start !== 'random') {
    throw new PipiloError('OPTION_INVALID', `start is '${String(start)}'; it has to be pca or random.`, {
      input: 'start',
    })
  }
  const compared = comparable(rows, metric)
  const near = await nearestRows(
    compared,
    compared,
    Math.min(n - 1, Math.floor(3 * perplexity + 1)),
    metric,
    signal,
  )
  const places = (await firstPlaces(compared, 2, start, seed, signal)).map((x) => x * 1e-4)
  const descent = new Descent(await affinities(near, perplexity), places, {
    angle,
    rate: learningRate === 'auto' ? Math.max(n / earlyExaggeration / 4, 50) : learningRate,
    onStep: (done) => options.onProgress?.({ done, total: iterations }),
    ...(signal && { signal }),
  })
  await descent.run(0, EARLY, { momentum: 0.5, exaggeration: earlyExaggeration, patience: EARLY })
  const done = await descent.run(EARLY, iterations, { momentum: 0.8, exaggeration: 1, patience: PATIENCE })
  return new FittedTsne({
    embedding: placed(places, 2, rows),
    divergence: descent.divergence,
    iterations: done,
    inputDimensions: rows.columns,
    skipped: rows.given - n,
  })
}

function checkNumber(input: string, value: number, least: number): void {
  if (value >= least && Number.isFinite(value)) return
  throw new PipiloError(
    'OPTION_INVALID',
    `${input} is ${value}; it has to be ${least > 0 && least < 1 ? 'above 0' : `${least} or more`}.`,
    { input },
  )
}

/** Affinities of rows: for each row a normal distribution over its neighbours, as wide as the perplexity asks; symmetric, of sum 1. */
export async function affinities(near: Neighbours, perplexity: number): Promise<Sparse> {
  const { rows, count, distances } = near
  const values = new Float64Array(rows * count)
  const wanted = Math.log(perplexity)
  for (let i = 0; i < rows; i++) {
    await breathe()
    const squares = distances.subarray(i * count, (i + 1) * count).map((d) => d * d)
    const own = values.subarray(i * count, (i + 1) * count)
    let [beta, low, high] = [1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (let step = 0; step < 100; step++) {
      const apart = entropy(squares, beta, own) - wanted
      if (Math.abs(apart) <= 1e-5) break
      if (apart > 0) {
        low = beta
        beta = high === Number.POSITIVE_INFINITY ? beta * 2 : (beta + high) / 2
      } else {
        high = beta
        beta = low === Number.NEGATIVE_INFINITY ? beta / 2 : (beta + low) / 2
      }
    }
  }
  const joint = symmetrized(near, values, (a, b) => a + b)
  const sum = joint.values.reduce((all, value) => all + value, 0)
  for (let at = 0; at < joint.values.length; at++) joint.values[at] = Math.max(joint.values[at]! / sum, TINY)
  return joint
}

/** Fills `out` with the distribution, and gives its entropy. The nearest neighbour's distance is taken away, so that sums are never 0. */
function entropy(squares: Float64Array, beta: number, out: Float64Array): number {
  const least = squares[0]!
  let sum = 0
  for (let k = 0; k < squares.length; k++) {
    out[k] = Math.exp(-(squares[k]! - least) * beta)
    sum += out[k]!
  }
  let weighted = 0
  for (let k = 0; k < squares.length; k++) {
    out[k]! /= sum
    weighted += (squares[k]! - least) * out[k]!
  }
  return Math.log(sum) + beta * weighted
}

interface DescentOptions {
  readonly angle: number
  readonly rate: number
  readonly onStep: (done: number) => void
  readonly signal?: AbortSignal
}

/** Gradient descent with momentum and a gain for each number. */
class Descent {
  /** Of the last step that was checked. */
  divergence = Number.POSITIVE_INFINITY
  readonly #affinities: Sparse
  readonly #places: Float64Array
  readonly #options: DescentOptions
  readonly #gradient: Float64Array
  readonly #push: Float64Array
  readonly #update: Float64Array
  readonly #gains: Float64Array
  readonly #tree = new QuadTree()

  constructor(joint: Sparse, places: Float64Array, options: DescentOptions) {
    this.#affinities = joint
    this.#places = places
    this.#options = options
    this.#gradient = new Float64Array(places.length)
    this.#push = new Float64Array(places.length)
    this.#update = new Float64Array(places.length)
    this.#gains = new Float64Array(places.length).fill(1)
  }

  /** Steps up to `to`, or until nothing changes; gives how many were made. */
  async run(
    from: number,
    to: number,
    { momentum, exaggeration, patience }: { momentum: number; exaggeration: number; patience: number },
  ): Promise<number> {
    let best = Number.POSITIVE_INFINITY
    let bestAt = from
    this.#update.fill(0)
    this.#gains.fill(1)
    for (let step = from; step < to; step++) {
      const isChecked = (step + 1) % CHECK_EVERY === 0 || step === to - 1
      await this.#differentiate(exaggeration, isChecked)
      const length = this.#descend(momentum)
      this.#options.onStep(step + 1)
      if (!isChecked) continue
      if (this.divergence < best) {
        best = this.divergence
        bestAt = step
      } else if (step - bestAt > patience) return step + 1
      if (length <= SMALLEST_GRADIENT) return step + 1
    }
    return to
  }

  async #differentiate(exaggeration: number, withDivergence: boolean): Promise<void> {
    const [places, push, gradient, tree] = [this.#places, this.#push, this.#gradient, this.#tree]
    const { offsets, columns, values } = this.#affinities
    const n = places.length / 2
    tree.build(places)
    push.fill(0)
    let z = 0
    for (let i = 0; i < n; i++) {
      if ((i & 31) === 0) {
        throwIfAborted(this.#options.signal)
        await breathe()
      }
      z += tree.push(places[2 * i]!, places[2 * i + 1]!, this.#options.angle, push, 2 * i)
    }
    let divergence = 0
    for (let i = 0; i < n; i++) {
      if ((i & 255) === 0) await breathe()
      const [x, y] = [places[2 * i]!, places[2 * i + 1]!]
      let pullX = 0
      let pullY = 0
      for (let at = offsets[i]!; at < offsets[i + 1]!; at++) {
        const j = columns[at]!
        const dx = x - places[2 * j]!
        const dy = y - places[2 * j + 1]!
        const q = 1 / (1 + dx * dx + dy * dy)
        const p = values[at]! * exaggeration
        pullX += p * q * dx
        pullY += p * q * dy
        if (withDivergence) divergence += p * Math.log(p / Math.max(q / z, TINY))
      }
      gradient[2 * i] = 4 * (pullX - push[2 * i]! / z)
      gradient[2 * i + 1] = 4 * (pullY - push[2 * i + 1]! / z)
    }
    if (withDivergence) this.divergence = divergence
  }

  /** Moves the places, and gives the length of the gradient with its gains. */
  #descend(momentum: number): number {
    const [places, gradient, update, gains] = [this.#places, this.#gradient, this.#update, this.#gains]
    const { rate } = this.#options
    let squares = 0
    for (let k = 0; k < places.length; k++) {
      const isTurning = update[k]! * gradient[k]! < 0
      gains[k] = Math.max(isTurning ? gains[k]! + 0.2 : gains[k]! * 0.8, SMALLEST_GAIN)
      const scaled = gradient[k]! * gains[k]!
      squares += scaled * scaled
      update[k] = momentum * update[k]! - rate * scaled
      places[k]! += update[k]!
    }
    if (!Number.isFinite(squares)) {
      throw new PipiloError('RESULT_INVALID', 'The places of t-SNE have run away.', {
        hint: 'Take a smaller learningRate.',
      })
    }
    return Math.sqrt(squares)
  }
}

class FittedTsne implements Tsne {
  readonly kind = 'tsne'
  readonly dimensions = 2
  readonly inputDimensions: number
  readonly skipped: number
  readonly embedding: Matrix
  readonly divergence: number
  readonly iterations: number

  constructor(parts: Pick<Tsne, 'embedding' | 'divergence' | 'iterations' | 'inputDimensions' | 'skipped'>) {
    this.inputDimensions = parts.inputDimensions
    this.skipped = parts.skipped
    this.embedding = parts.embedding
    this.divergence = parts.divergence
    this.iterations = parts.iterations
  }

  save(path: string): Promise<void> {
    const { embedding, divergence, iterations, inputDimensions, skipped } = this
    const numbers = { embedding: dense(embedding.rows, 2, Float64Array.from(embedding.data)) }
    return writeReducer(path, this.kind, numbers, { divergence, iterations, inputDimensions, skipped })
  }
}

/** The t-SNE of a file. */
export function savedTsne(saved: SavedReducer): Tsne {
  const { rows, columns, data } = saved.matrix('embedding', undefined, 2)
  return new FittedTsne({
    embedding: { rows, columns, data: Float32Array.from(data) },
    divergence: saved.number('divergence'),
    iterations: saved.number('iterations'),
    inputDimensions: saved.number('inputDimensions'),
    skipped: saved.number('skipped'),
  })
}
