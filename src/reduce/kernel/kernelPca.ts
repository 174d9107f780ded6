// Kernel PCA: principal components in the space of a kernel.

import { breathe, checkCount, checkOptions, PipiloError, throwIfAborted } from '../../base/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { solve } from '../decompose.ts'
import { type Dense, dense, type Products, rowsOf, transposed, withProducts } from '../dense.ts'
import { largestOfMatrix } from '../eigen.ts'
import { type SavedReducer, writeReducer } from '../files.ts'
import { pieces, scaledColumns } from '../linear/linearReducer.ts'
import * as types from '../methodTypes.ts'
import { placed, type Rows, rowsToFit, rowsToTransform } from '../rows.ts'
import type { FitOptions, Reducer, TransformOptions } from '../types.ts'

/** Kernels of two vectors. */
export type Kernel = 'rbf' | 'polynomial' | 'cosine' | 'linear'

/** Options of `kernelPca.fit`. */
export interface KernelPcaOptions extends FitOptions {
  /** At most as many as rows. Default 2. */
  readonly components?: number
  /** `rbf`: exp(−γ·|x − y|²). `polynomial`: (γ·x·y + c)^degree. `cosine`, `linear`. Default `rbf`. */
  readonly kernel?: Kernel
  /** Default 1 / columns. */
  readonly gamma?: number
  /** Of `polynomial`. Default 3. */
  readonly degree?: number
  /** The c of `polynomial`. Default 1. */
  readonly coef0?: number
  /** Learn the way back too, by ridge regression with this penalty (`true`: 1). It takes the cube of rows. Default `false`. */
  readonly inverse?: boolean | number
}

/** Result of `kernelPca.fit`. */
export interface KernelPca extends Reducer {
  readonly kind: 'kernel-pca'
  readonly kernel: Kernel
  /** Of the centred matrix of kernels, largest first. */
  readonly eigenvalues: Float64Array
  /** Vectors as long as they were, as well as regression tells. @throws `OPTION_INVALID` without the option `inverse` of `fit` */
  inverse(rows: Rows, options?: TransformOptions): Promise<Matrix>
}

const kernels: readonly Kernel[] = ['rbf', 'polynomial', 'cosine', 'linear']

/** Rows whose matrix of kernels still fits into memory (3.2 GB). */
const MOST_ROWS = 20_000

/** Rows up to which the way back is computed. */
const MOST_INVERSE = 4_000

interface Shape {
  readonly kernel: Kernel
  readonly gamma: number
  readonly degree: number
  readonly coef0: number
}

/** See `kernelPca` in ../onDemand.ts. */
export async function fitKernelPca(data: Rows, options: KernelPcaOptions = {}): Promise<KernelPca> {
  const rows = rowsToFit(data, options)
  const shape = shapeOf(options, rows.columns)
  const { components = 2, seed = 0, onProgress } = options
  const penalty = options.inverse === true ? 1 : Number(options.inverse ?? 0)
  checkSizes(rows.rows, components, penalty)
  const onPiece = pieces(options)
  return withProducts(async (products) => {
    onProgress?.({ done: 0, total: 2 })
    const points = asDense(rows)
    const matrix = await kernelMatrix(points, points, shape, products, onPiece)
    const noise = rounding(matrix)
    const means = columnMeans(matrix)
    const mean = means.reduce((sum, m) => sum + m, 0) / means.length
    await centre(matrix, means, mean, onPiece)
    onProgress?.({ done: 1, total: 2 })
    // No eigenvalue is above the trace, and iterations on rounding errors alone come to no end.
    if (!(trace(matrix) > noise)) throw tooFewDirections(0, components)
    const { values, vectors } = await largestOfMatrix(matrix, components, { products, seed })
    const least = Math.max(1e-12 * values[0]!, noise)
    const rank = values.findIndex((value) => !(value > least))
    if (rank >= 0) throw tooFewDirections(rank, components)
    const parts: Parts = { points, shape, means, mean, values, vectors, skipped: rows.given - rows.rows }
    if (penalty === 0) return new FittedKernelPca(parts)
    const places = scaledColumns(transposed(vectors), (j) => Math.sqrt(values[j]!))
    const duals = await regression(places, points, { shape, penalty, products, onPiece })
    onProgress?.({ done: 2, total: 2 })
    return new FittedKernelPca({ ...parts, duals })
  }, onPiece)
}

/** The least that an eigenvalue has to be above, as rounding errors of centring alone come to as much. */
const rounding = (kernels: Dense): number => kernels.rows * Number.EPSILON * trace(kernels)

function trace({ rows, columns, data }: Dense): number {
  let sum = 0
  for (let i = 0; i < rows; i++) sum += data[i * columns + i]!
  return sum
}

function tooFewDirections(rank: number, components: number): PipiloError {
  return new PipiloError(
    'OPTION_INVALID',
    `In the space of the kernel the data vary in ${rank} directions only, and ${components} are asked for.`,
    {
      input: 'components',
      hint: rank === 0 ? 'All rows are equal there.' : `Ask for ${rank} at most.`,
    },
  )
}

function shapeOf({ kernel = 'rbf', gamma, degree = 3, coef0 = 1 }: KernelPcaOptions, columns: number): Shape {
  if (!kernels.includes(kernel)) {
    throw new PipiloError(
      'OPTION_INVALID',
      `kernel is '${kernel}'; it has to be one of ${kernels.join(', ')}.`,
      { input: 'kernel' },
    )
  }
  const shape = { kernel, gamma: gamma ?? 1 / columns, degree, coef0 }
  for (const [input, value] of Object.entries({ gamma: shape.gamma, degree })) {
    if (!(value > 0 && Number.isFinite(value)))
      throw new PipiloError('OPTION_INVALID', `${input} is ${value}; it has to be above 0.`, { input })
  }
  if (Number.isFinite(coef0)) return shape
  throw new PipiloError('OPTION_INVALID', `coef0 is ${coef0}; it has to be a number.`, { input: 'coef0' })
}

function checkSizes(rows: number, components: number, penalty: number): void {
  checkCount('components', components, 1)
  if (components > rows) {
    throw new PipiloError('OPTION_INVALID', `components is ${components}; there are ${rows} rows.`, {
      input: 'components',
    })
  }
  if (!(penalty >= 0 && Number.isFinite(penalty))) {
    throw new PipiloError(
      'OPTION_INVALID',
      `inverse is ${penalty}; it has to be true, or a penalty above 0.`,
      { input: 'inverse' },
    )
  }
  const most = penalty > 0 ? MOST_INVERSE : MOST_ROWS
  if (rows <= most) return
  throw new PipiloError(
    'INPUT_INVALID',
    `Kernel PCA${penalty > 0 ? ' with a way back' : ''} holds a matrix of rows × rows, and there are ${rows}.`,
    {
      hint: `Fit it on a sample of at most ${most}, and transform the rest.`,
    },
  )
}

const asDense = ({ rows, columns, data }: Matrix): Dense => ({ rows, columns, data: Float64Array.from(data) })

/** Kernels of each row with each other row. */
async function kernelMatrix(
  a: Dense,
  b: Dense,
  { kernel, gamma, degree, coef0 }: Shape,
  products: Products,
  onPiece: () => Promise<void> | undefined,
): Promise<Dense> {
  const matrix = await products.multiplyTransposed(a, b)
  if (kernel === 'linear') return matrix
  const [left, right] = [squares(a), squares(b)]
  const { data, columns } = matrix
  for (let i = 0; i < a.rows; i++) {
    await onPiece()
    for (let j = 0, at = i * columns; j < columns; j++, at++) {
      const dot = data[at]!
      if (kernel === 'rbf') data[at] = Math.exp(-gamma * Math.max(0, left[i]! + right[j]! - 2 * dot))
      else if (kernel === 'polynomial') data[at] = (gamma * dot + coef0) ** degree
      else data[at] = dot / (Math.sqrt(left[i]! * right[j]!) || 1)
      if (!Number.isFinite(data[at])) throw notFinite(kernel)
    }
  }
  return matrix
}

function notFinite(kernel: Kernel): PipiloError {
  return new PipiloError('RESULT_INVALID', `The ${kernel} kernel of these rows is no finite number.`, {
    hint: 'Scale the rows, or take a whole degree.',
  })
}

function squares({ rows, columns, data }: Dense): Float64Array {
  const out = new Float64Array(rows)
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[i]! += data[at++]! ** 2
  return out
}

function columnMeans({ rows, columns, data }: Dense): Float64Array {
  const means = new Float64Array(columns)
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++) means[j]! += data[at++]! / rows
  return means
}

/** Subtracts, in place, the means of the rows and of the columns that were fitted. */
async function centre(
  matrix: Dense,
  means: Float64Array,
  mean: number,
  onPiece: () => Promise<void> | undefined,
): Promise<void> {
  const { rows, columns, data } = matrix
  for (let i = 0; i < rows; i++) {
    await onPiece()
    const own = data.subarray(i * columns, (i + 1) * columns)
    let sum = 0
    for (let j = 0; j < columns; j++) sum += own[j]!
    for (let j = 0; j < columns; j++) own[j]! += mean - means[j]! - sum / columns
  }
}

interface Regression {
  readonly shape: Shape
  readonly penalty: number
  readonly products: Products
  readonly onPiece: () => Promise<void> | undefined
}

/** Numbers by which the kernels with the places give the points back. */
async function regression(
  places: Dense,
  points: Dense,
  { shape, penalty, products, onPiece }: Regression,
): Promise<Dense> {
  const { rows: n, data } = await kernelMatrix(places, places, shape, products, onPiece)
  for (let i = 0; i < n; i++) data[i * n + i]! += penalty
  const solved = await solve(dense(n, n, data), points)
  if (solved) return solved
  throw new PipiloError(
    'RESULT_INVALID',
    'The way back cannot be computed: the matrix of kernels is not positive.',
    {
      input: 'inverse',
      hint: 'Take a larger penalty: inverse: 10.',
    },
  )
}

interface Parts {
  readonly points: Dense
  readonly shape: Shape
  readonly means: Float64Array
  readonly mean: number
  readonly values: Float64Array
  readonly vectors: Dense
  readonly duals?: Dense
  readonly skipped: number
}

class FittedKernelPca implements KernelPca {
  readonly kind = 'kernel-pca'
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get kernel(): Kernel {
    return this.#parts.shape.kernel
  }

  get eigenvalues(): Float64Array {
    return this.#parts.values
  }

  get inputDimensions(): number {
    return this.#parts.points.columns
  }

  get dimensions(): number {
    return this.#parts.vectors.rows
  }

  get skipped(): number {
    return this.#parts.skipped
  }

  async transform(rows: Rows, options: TransformOptions = {}): Promise<Matrix> {
    checkOptions('transform', options, types.transform)
    const { points, shape, means, mean, values, vectors } = this.#parts
    const given = rowsToTransform(rows, points.columns, options)
    const axes = scaledColumns(transposed(vectors), (j) => 1 / Math.sqrt(values[j]!))
    return byBlocks(given, points.rows, axes.columns, options, async (block, products, onPiece) => {
      const matrix = await kernelMatrix(block, points, shape, products, onPiece)
      await centre(matrix, means, mean, onPiece)
      return products.multiply(matrix, axes)
    })
  }

  async inverse(rows: Rows, options: TransformOptions = {}): Promise<Matrix> {
    checkOptions('inverse', options, types.transform)
    const { points, shape, values, vectors, duals } = this.#parts
    if (!duals) {
      throw new PipiloError('OPTION_INVALID', 'The way back was not learnt.', {
        input: 'inverse',
        hint: 'Fit it with inverse: true.',
      })
    }
    const given = rowsToTransform(rows, vectors.rows, options)
    const places = scaledColumns(transposed(vectors), (j) => Math.sqrt(values[j]!))
    return byBlocks(given, places.rows, points.columns, options, async (block, products, onPiece) =>
      products.multiply(await kernelMatrix(block, places, shape, products, onPiece), duals),
    )
  }

  save(path: string): Promise<void> {
    const { points, means, values, vectors, duals, shape, mean, skipped } = this.#parts
    const numbers = { points, means, eigenvalues: values, eigenvectors: vectors, ...(duals && { duals }) }
    return writeReducer(path, this.kind, numbers, { ...shape, mean, skipped })
  }
}

/** Rows a block at a time, so that their kernels take 128 MB at most. */
async function byBlocks(
  given: ReturnType<typeof rowsToTransform>,
  width: number,
  columns: number,
  options: TransformOptions,
  work: (block: Dense, products: Products, onPiece: () => Promise<void> | undefined) => Promise<Dense>,
): Promise<Matrix> {
  const whole = asDense(given)
  const out = dense(given.rows, columns)
  const step = Math.max(1, Math.floor(2 ** 24 / width))
  await withProducts(async (products) => {
    for (let from = 0; from < given.rows; from += step) {
      throwIfAborted(options.signal)
      await breathe()
      const block = rowsOf(whole, from, Math.min(given.rows, from + step))
      out.data.set((await work(block, products, pieces(options))).data, from * columns)
    }
  }, pieces(options))
  return placed(out.data, columns, given)
}

/** The kernel PCA of a file. */
export function savedKernelPca(saved: SavedReducer): KernelPca {
  const points = saved.matrix('points')
  const values = saved.vector('eigenvalues')
  const shape = {
    kernel: saved.text('kernel', kernels),
    gamma: saved.number('gamma'),
    degree: saved.number('degree'),
    coef0: saved.number('coef0'),
  }
  return new FittedKernelPca({
    points,
    shape,
    values,
    means: saved.vector('means', points.rows),
    mean: saved.number('mean'),
    vectors: saved.matrix('eigenvectors', values.length, points.rows),
    ...(saved.has('duals') && { duals: saved.matrix('duals', points.rows, points.columns) }),
    skipped: saved.number('skipped'),
  })
}
