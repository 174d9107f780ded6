// Principal components: exact, randomised, and of a stream.
import { checkCount, PipiloError } from '../../base/index.ts'
import { seeded } from '../../nn/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { type Dense, dense, type Products, rowsOf, transposed, withProducts } from '../dense.ts'
import { allOf, type Eigen, krylov, largestOfMatrix, oriented, orthonormal } from '../eigen.ts'
import { finiteRows, type Rows, rowsToFit } from '../rows.ts'
import type { FitOptions, Pca } from '../types.ts'
import { asMatrix, Linear, type LinearParts, pieces, scaledColumns } from './linearReducer.ts'
import { type Moments, meanOf, totalScatter, withRows } from './moments.ts'

/** Options of `pca.fit` and `incrementalPca.fit`. */
export interface PcaOptions extends FitOptions {
  /**
   * How many, at most as many as rows and columns; below 1 the share of the variance that is to be kept: 0.95 takes as many as that needs.
   * Default: all.
   */
  readonly components?: number
  /**
   * `full`: exact, through the matrix of covariances (or of products of rows, where there are fewer). `randomized`: the block Krylov method, a few
   * passes over the data, for very long vectors. `auto`: `randomized` above 2,048 rows and columns where less than a fifth is asked for. Default `auto`.
   */
  readonly solver?: 'auto' | 'full' | 'randomized'
  /** Divide each result by its deviation, so that all have variance 1. Default `false`. */
  readonly whiten?: boolean
}

/** Passes over the data of the randomised solver. */
const PASSES = 6

/** Rows and columns from which it pays. */
const LARGE = 2048

/** Share of the largest variance below which there is none but rounding. */
const NOTHING = 1e-12

/** See `pca` in ../onDemand.ts. */
export async function fitPca(data: Rows, options: PcaOptions = {}): Promise<Pca> {
  const rows = rowsToFit(data, options)
  const count = componentsOf(options, Math.min(rows.rows, rows.columns))
  const skipped = rows.given - rows.rows
  const { onProgress, seed = 0 } = options
  onProgress?.({ done: 0, total: 2 })
  return withProducts(async (products) => {
    const mean = meanOf(rows)
    const eigen = await eigenOf(
      rows,
      mean,
      count,
      { products, seed, solver: solverOf(options, rows, count) },
      () => onProgress?.({ done: 1, total: 2 }),
    )
    const total = totalScatter(rows, mean)
    onProgress?.({ done: 2, total: 2 })
    return fitted({ eigen, mean, total, rows: rows.rows, skipped }, options)
  }, pieces(options))
}

/** See `incrementalPca` in ../onDemand.ts. */
export async function fitIncrementalPca(
  batches: AsyncIterable<Rows> | Iterable<Rows>,
  options: PcaOptions = {},
): Promise<Pca> {
  const { onProgress, seed = 0 } = options
  if (options.solver === 'randomized') {
    throw new PipiloError(
      'OPTION_INVALID',
      'A stream is read once, and a randomised solver reads it several times.',
      {
        input: 'solver',
        hint: 'Leave solver out: what incrementalPca gives is exact.',
      },
    )
  }
  componentsOf(options, Number.POSITIVE_INFINITY)
  return withProducts(async (products) => {
    let moments: Moments | undefined
    let given = 0
    for await (const batch of batches) {
      const rows = finiteRows(batch, options)
      given += rows.given
      if (rows.rows === 0) continue
      if (moments && rows.columns !== moments.mean.length) {
        throw new PipiloError(
          'DIMENSION_MISMATCH',
          `A batch has rows of ${rows.columns} numbers, others have ${moments.mean.length}.`,
        )
      }
      moments = await withRows(moments, rows, products)
      onProgress?.({ done: given, total: given })
    }
    if (!moments || moments.rows < 2) {
      throw new PipiloError(
        'INPUT_INVALID',
        `The stream had ${moments?.rows ?? 0} rows to fit; it takes 2 or more.`,
      )
    }
    const { rows, mean, scatter } = moments
    const count = componentsOf(options, Math.min(rows, mean.length))
    const eigen = await largestOfMatrix(scatter, count, { products, seed })
    let total = 0
    for (let i = 0; i < mean.length; i++) total += scatter.data[i * mean.length + i]!
    return fitted({ eigen, mean, total, rows, skipped: given - rows }, options)
  }, pieces(options))
}

/** Components to compute. @throws PipiloError `OPTION_INVALID` */
function componentsOf({ components, solver = 'auto' }: PcaOptions, most: number): number {
  if (!['auto', 'full', 'randomized'].includes(solver)) {
    throw new PipiloError('OPTION_INVALID', `solver is '${solver}'; it has to be auto, full or randomized.`, {
      input: 'solver',
    })
  }
  if (components === undefined) return most
  if (components > 0 && components < 1) {
    if (solver !== 'randomized') return most
    throw new PipiloError(
      'OPTION_INVALID',
      'A share of the variance is known only when all components are.',
      {
        input: 'components',
        hint: "Say how many, or take solver: 'full'.",
      },
    )
  }
  checkCount('components', components, 1)
  if (components <= most) return components
  throw new PipiloError(
    'OPTION_INVALID',
    `components is ${components}; data of as few rows or columns have ${most}.`,
    {
      input: 'components',
      hint: 'Ask for fewer, or give more rows.',
    },
  )
}

function solverOf(
  { solver = 'auto' }: PcaOptions,
  { rows, columns }: Matrix,
  count: number,
): 'full' | 'randomized' {
  if (solver !== 'auto') return solver
  const least = Math.min(rows, columns)
  return least > LARGE && 5 * count < least ? 'randomized' : 'full'
}

interface Solving {
  readonly products: Products
  readonly seed: number
  readonly solver: 'full' | 'randomized'
}

/** The largest eigenvalues of the scatter matrix; `onScatter` is called when only small work is left. */
async function eigenOf(
  rows: Matrix,
  mean: Float64Array,
  count: number,
  { products, seed, solver }: Solving,
  onScatter: () => void,
): Promise<Eigen> {
  if (solver === 'randomized') {
    const twice = async (block: Dense) => transposed(await products.twice(rows, mean, transposed(block)))
    return krylov(twice, rows.columns, count, { products, seed, passes: PASSES })
  }
  if (rows.columns <= rows.rows) {
    const scatter = await products.scatter(rows, mean)
    onScatter()
    return largestOfMatrix(scatter, count, { products, seed })
  }
  return dual(rows, mean, count, { products, seed }, onScatter)
}

/** By way of the products of the rows with each other, where there are fewer of them than columns. */
async function dual(
  rows: Matrix,
  mean: Float64Array,
  count: number,
  { products, seed }: Omit<Solving, 'solver'>,
  onGram: () => void,
): Promise<Eigen> {
  const { rows: n, columns } = rows
  const centred = dense(n, columns)
  for (let at = 0; at < centred.data.length; at++) centred.data[at] = rows.data[at]! - mean[at % columns]!
  const gram = await products.multiplyTransposed(centred, centred)
  onGram()
  const { values, vectors } = await largestOfMatrix(gram, count, { products, seed })
  const turned = await products.multiply(vectors, centred)
  const found = values.findIndex((value) => !(value > NOTHING * values[0]!))
  const rank = found < 0 ? count : found
  for (let i = 0; i < rank; i++)
    for (let j = 0; j < columns; j++) turned.data[i * columns + j]! /= Math.sqrt(values[i]!)
  const known = rowsOf(turned, 0, rank)
  // No data lie in what is left: any directions do.
  const random = seeded(seed, 'reduce.pca')
  const rest = dense(count - rank, columns).data.map(() => random.normal())
  const others = await orthonormal(dense(count - rank, columns, rest), known, { products, random })
  turned.data.set(others.data, rank * columns)
  return { values: values.map((value, i) => (i < rank ? value : 0)), vectors: oriented(turned) }
}

interface Found {
  readonly eigen: Eigen
  readonly mean: Float64Array
  /** Scatter along all directions. */
  readonly total: number
  readonly rows: number
  readonly skipped: number
}

function fitted(
  { eigen, mean, total, rows, skipped }: Found,
  { components = 1, whiten = false }: PcaOptions,
): Pca {
  const variances = eigen.values.map((value) => Math.max(0, value) / (rows - 1))
  const ratios = variances.map((value) => (total > 0 ? (value * (rows - 1)) / total : 0))
  let count = variances.length
  if (components > 0 && components < 1) count = enough(ratios, components)
  const vectors = rowsOf(eigen.vectors, 0, count)
  const explained = { variances: variances.slice(0, count), ratios: ratios.slice(0, count) }
  return new FittedPca(vectors, { mean, whiten, skipped, ...explained })
}

/** How many come to more than a share. */
function enough(ratios: Float64Array, share: number): number {
  let sum = 0
  for (const [i, ratio] of ratios.entries()) {
    sum += ratio
    if (sum > share) return i + 1
  }
  return ratios.length
}

/** Facts of a PCA beside its vectors. */
export interface PcaFacts {
  readonly mean: Float64Array
  readonly whiten: boolean
  readonly skipped: number
  readonly variances: Float64Array
  readonly ratios: Float64Array
}

/** See `Pca` in ../types.ts. */
export class FittedPca extends Linear<'pca'> implements Pca {
  readonly explainedVariance: Float64Array
  readonly explainedVarianceRatio: Float64Array
  readonly whiten: boolean
  readonly #vectors: Dense

  constructor(vectors: Dense, { mean, whiten, skipped, variances, ratios }: PcaFacts) {
    super('pca', { mean, skipped, ...(whiten ? whitened(vectors, variances) : plain(vectors)) })
    this.#vectors = vectors
    this.whiten = whiten
    this.explainedVariance = variances
    this.explainedVarianceRatio = ratios
  }

  get components(): Matrix {
    return asMatrix(this.#vectors)
  }

  protected override saved() {
    return {
      mean: this.mean,
      components: this.#vectors,
      explainedVariance: this.explainedVariance,
      explainedVarianceRatio: this.explainedVarianceRatio,
    }
  }

  protected override settings() {
    return { skipped: this.skipped, whiten: this.whiten }
  }
}

const plain = (vectors: Dense): Pick<LinearParts, 'forward' | 'back'> => ({
  forward: transposed(vectors),
  back: vectors,
})

/** Products by which results have variance 1. @throws PipiloError `OPTION_INVALID` where a direction has none */
export function whitened(
  vectors: Dense,
  variances: Float64Array,
): Required<Pick<LinearParts, 'forward' | 'back'>> {
  const rank = variances.findIndex((value) => !(value > NOTHING * variances[0]!))
  if (rank >= 0) {
    throw new PipiloError(
      'OPTION_INVALID',
      `The data vary in ${rank} directions only, and ${vectors.rows} are to have variance 1.`,
      {
        input: 'components',
        hint: `Ask for ${rank} components${rank === 0 ? '; all rows are equal' : ' at most'}.`,
      },
    )
  }
  const deviations = variances.map(Math.sqrt)
  const forward = scaledColumns(transposed(vectors), (j) => 1 / deviations[j]!)
  return { forward, back: transposed(scaledColumns(transposed(vectors), (j) => deviations[j]!)) }
}

/** All eigenvalues of a covariance. */
export const covarianceEigen = async ({ scatter, rows }: Moments): Promise<Eigen> => {
  const { values, vectors } = await allOf(scatter)
  return { values: values.map((value) => Math.max(0, value) / (rows - 1)), vectors }
}
