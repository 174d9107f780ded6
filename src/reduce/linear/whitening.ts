// Whitening: vectors turned and scaled until they have variance 1 in every direction.
import { checkCount, PipiloError } from '../../base/index.ts'
import { transposed, withProducts } from '../dense.ts'
import { type Rows, rowsToFit } from '../rows.ts'
import type { FitOptions, LinearReducer } from '../types.ts'
import { Linear, pieces } from './linearReducer.ts'
import { withRows } from './moments.ts'
import { covarianceEigen, whitened } from './pca.ts'

/** Options of `whitening.fit`. */
export interface WhiteningOptions extends FitOptions {
  /** `pca`: along the principal components. `zca`: turned back, so that results lie as near to the vectors as they can. Default `pca`. */
  readonly method?: 'pca' | 'zca'
  /** Results of `pca`. Default: as many as columns. */
  readonly components?: number
  /** Added to each variance: keeps directions with next to none from being blown up. Default 0, and such directions are an error. */
  readonly epsilon?: number
}

/** See `whitening` in ../onDemand.ts. */
export async function fitWhitening(data: Rows, options: WhiteningOptions = {}): Promise<LinearReducer> {
  const { method = 'pca', epsilon = 0 } = options
  if (method !== 'pca' && method !== 'zca') {
    throw new PipiloError('OPTION_INVALID', `method is '${String(method)}'; it has to be pca or zca.`, {
      input: 'method',
    })
  }
  if (!(epsilon >= 0 && Number.isFinite(epsilon))) {
    throw new PipiloError('OPTION_INVALID', `epsilon is ${epsilon}; it has to be 0 or more.`, {
      input: 'epsilon',
    })
  }
  const rows = rowsToFit(data, options)
  const { components = rows.columns } = options
  checkCount('components', components, 1)
  if (components > rows.columns || (method === 'zca' && components < rows.columns)) {
    const fault = method === 'zca' ? 'zca keeps all columns' : `data have ${rows.columns} columns`
    throw new PipiloError('OPTION_INVALID', `components is ${components}; ${fault}.`, { input: 'components' })
  }
  return withProducts(async (products) => {
    const moments = await withRows(undefined, rows, products)
    const { values, vectors } = await covarianceEigen(moments)
    const kept = {
      rows: components,
      columns: vectors.columns,
      data: vectors.data.subarray(0, components * vectors.columns),
    }
    const { forward, back } = whitened(
      kept,
      values.slice(0, components).map((value) => value + epsilon),
    )
    const skipped = rows.given - rows.rows
    if (method === 'pca') return new Linear('whitening', { mean: moments.mean, forward, back, skipped })
    return new Linear('whitening', {
      mean: moments.mean,
      forward: await products.multiply(forward, kept),
      back: await products.multiply(transposed(kept), back),
      skipped,
    })
  }, pieces(options))
}
