// Random projection: fewer numbers, distances kept within a bound whatever the data are.
import { checkCount, PipiloError } from '../../base/index.ts'
import { seeded } from '../../nn/index.ts'
import { type Dense, dense, type Products, transposed, withProducts } from '../dense.ts'
import { allOf } from '../eigen.ts'
import { type Rows, rowsToFit } from '../rows.ts'
import type { FitOptions, LinearReducer } from '../types.ts'
import { johnsonLindenstrauss } from './johnsonLindenstrauss.ts'
import { Linear, pieces, scaledColumns } from './linearReducer.ts'

/** Options of `randomProjection.fit`. */
export interface RandomProjectionOptions extends FitOptions {
  /** Default: as many as `distortion` needs for as many rows ({@link johnsonLindenstrauss}). */
  readonly components?: number
  /** Largest change of squared distances, as a share, between 0 and 1. Default 0.1. */
  readonly distortion?: number
  /** `gaussian`: normal numbers. `sparse`: most are 0, the rest ± one number. Default `gaussian`. */
  readonly method?: 'gaussian' | 'sparse'
  /** Share of numbers of `sparse` that are not 0. Default 1 / √columns. */
  readonly density?: number
  /** Compute the way back too (the pseudo-inverse). Default `false`. */
  readonly inverse?: boolean
}

/** See `randomProjection` in ../onDemand.ts. */
export async function fitRandomProjection(
  data: Rows,
  options: RandomProjectionOptions = {},
): Promise<LinearReducer> {
  const rows = rowsToFit(data, options, 1)
  const { distortion = 0.1, method = 'gaussian', seed = 0, inverse = false } = options
  if (method !== 'gaussian' && method !== 'sparse') {
    throw new PipiloError(
      'OPTION_INVALID',
      `method is '${String(method)}'; it has to be gaussian or sparse.`,
      { input: 'method' },
    )
  }
  const { columns } = rows
  const components = options.components ?? johnsonLindenstrauss(rows.rows, distortion)
  checkCount('components', components, 1)
  if (components > columns) {
    const asked =
      options.components === undefined
        ? `A distortion of ${distortion} for ${rows.rows} rows takes ${components} components`
        : `components is ${components}`
    throw new PipiloError('OPTION_INVALID', `${asked}; data have ${columns} columns.`, {
      input: 'components',
      hint: 'Ask for fewer components, or allow a larger distortion.',
    })
  }
  const density = options.density ?? 1 / Math.sqrt(columns)
  if (!(density > 0 && density <= 1)) {
    throw new PipiloError('OPTION_INVALID', `density is ${density}; it lies between 0 and 1.`, {
      input: 'density',
    })
  }
  const random = seeded(seed, 'reduce.randomProjection')
  const normal = () => random.normal() / Math.sqrt(components)
  const size = 1 / Math.sqrt(components * density)
  const sparse = () => (random.uniform() >= density ? 0 : random.uniform() < 0.5 ? size : -size)
  const forward = dense(columns, components)
  forward.data.set(forward.data.map(method === 'gaussian' ? normal : sparse))
  const back = inverse
    ? await withProducts((products) => pseudoInverse(forward, products), pieces(options))
    : undefined
  const skipped = rows.given - rows.rows
  return new Linear('random-projection', {
    mean: new Float64Array(columns),
    forward,
    skipped,
    ...(back && { back }),
  })
}

/** (AᵀA)⁺Aᵀ, of a matrix that has more rows than columns. */
async function pseudoInverse(matrix: Dense, products: Products): Promise<Dense> {
  const turned = transposed(matrix)
  const { values, vectors } = await allOf(await products.multiplyTransposed(turned, turned))
  const isSmall = (value: number) => value <= 1e-12 * values[0]!
  const scaled = scaledColumns(transposed(vectors), (j) => (isSmall(values[j]!) ? 0 : 1 / values[j]!))
  return products.multiply(await products.multiply(scaled, vectors), turned)
}
