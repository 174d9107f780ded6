// Eigenvalues and eigenvectors of symmetric matrices: all of a small one, the largest of a large one.
import { PipiloError } from '../base/index.ts'
import { seeded } from '../nn/index.ts'
import { decompose } from './decompose.ts'
import { type Dense, dense, type Products, rowsOf } from './dense.ts'

/** Eigenvalues, largest first, and their vectors: one a row, of length 1, its largest number positive. */
export interface Eigen {
  readonly values: Float64Array
  readonly vectors: Dense
}

/** Options of {@link largestOfMatrix} and {@link krylov}. */
export interface LargestOptions {
  readonly products: Products
  readonly seed: number
}

/** Size up to which a matrix is decomposed at once, and up to which it is where iterations do not come closer. */
const [SMALL, MEDIUM] = [160, 1024]

/** Length of a residual, as a share of the largest eigenvalue, at which an eigenvector is exact. */
const EXACT = 1e-11

/** Products with the matrix between two orthogonalisations. */
const DEGREE = 10

/** Filters after which a matrix of medium size is decomposed at once, and after which it is given up. */
const [FEW_FILTERS, MOST_FILTERS] = [12, 300]

/** All eigenvalues of a symmetric matrix. */
export async function allOf(matrix: Dense): Promise<Eigen> {
  const n = matrix.rows
  const { values, vectors: found } = await decompose(matrix)
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[b]! - values[a]!)
  const vectors = dense(n, n)
  for (const [i, from] of order.entries())
    for (let j = 0; j < n; j++) vectors.data[i * n + j] = found.data[j * n + from]!
  return { values: Float64Array.from(order, (i) => values[i]!), vectors: oriented(vectors) }
}

/**
 * The `count` largest eigenvalues of a symmetric matrix that has no negative ones: at once where it is small or many are asked for, else by subspace
 * iteration with Chebyshev filters.
 *
 * @see https://doi.org/10.1016/j.jcp.2006.03.017
 */
export async function largestOfMatrix(matrix: Dense, count: number, options: LargestOptions): Promise<Eigen> {
  const n = matrix.rows
  if (n <= SMALL || 4 * count > n) return first(await allOf(matrix), count)
  const { products, seed } = options
  const random = seeded(seed, 'reduce.eigen')
  const width = count + Math.max(8, count >> 2)
  let basis = await independent(randomRows(width, n, random))
  for (let filters = 0; ; filters++) {
    const images = await products.multiply(basis, matrix)
    const inner = await allOf(symmetric(await products.multiplyTransposed(basis, images)))
    const ritz = await products.multiply(inner.vectors, basis)
    const turned = await products.multiply(inner.vectors, images)
    const { values } = inner
    if (isExact(ritz, turned, values, count)) return first({ values, vectors: oriented(ritz) }, count)
    if (filters === FEW_FILTERS && n <= MEDIUM) return first(await allOf(matrix), count)
    if (filters === MOST_FILTERS) {
      throw new PipiloError('RESULT_INVALID', 'The eigenvalues lie too close to tell them apart.', {
        hint: 'Ask for fewer components, or for more than a quarter of all.',
      })
    }
    const filtered = await filter(ritz, turned, matrix, { values, products })
    basis = await independent(filtered)
  }

  async function independent(rows: Dense): Promise<Dense> {
    const fast = await orthonormalFast(rows, products)
    return fast ?? orthonormal(rows, dense(0, n), { products, random })
  }
}

/** True if the first rows are eigenvectors as exactly as doubles say. */
function isExact(ritz: Dense, images: Dense, values: Float64Array, count: number): boolean {
  const n = ritz.columns
  const limit = EXACT * Math.abs(values[0]!)
  for (let i = 0; i < count; i++) {
    let squares = 0
    for (let at = i * n; at < (i + 1) * n; at++)
      squares += (images.data[at]! - values[i]! * ritz.data[at]!) ** 2
    if (!(Math.sqrt(squares) <= limit)) return false
  }
  return true
}

/** The rows times the Chebyshev polynomial of the matrix that is small from 0 to the least of the values, and large beyond. */
async function filter(
  rows: Dense,
  images: Dense,
  matrix: Dense,
  { values, products }: { values: Float64Array; products: Products },
): Promise<Dense> {
  const half = Math.max(values.at(-1)!, EXACT * values[0]!) / 2
  // Numbers grow with each product: they stay far from the largest double.
  const degree = Math.max(1, Math.min(DEGREE, Math.floor(200 / Math.log10((4 * values[0]!) / half))))
  let before = rows.data
  let now: Float64Array = images.data.map((x, at) => (x - half * before[at]!) / half)
  for (let k = 1; k < degree; k++) {
    const { data: next } = await products.multiply({ ...rows, data: now }, matrix)
    for (let at = 0; at < next.length; at++)
      next[at] = (2 * (next[at]! - half * now[at]!)) / half - before[at]!
    before = now
    now = next
  }
  return { ...rows, data: now }
}

/**
 * About the `count` largest eigenvalues of a symmetric operator, by the randomised block Krylov method: `passes` products with `count` + 10 vectors.
 *
 * @param multiply rows times the matrix
 * @see https://arxiv.org/abs/1504.05477
 */
export async function krylov(
  multiply: (block: Dense) => Promise<Dense>,
  n: number,
  count: number,
  { products, seed, passes }: LargestOptions & { readonly passes: number },
): Promise<Eigen> {
  const width = Math.min(n, count + 10)
  const most = Math.min(n, passes * width)
  const random = seeded(seed, 'reduce.eigen')
  const basis = dense(most, n)
  const images = dense(most, n)
  let block = randomRows(width, n, random)
  for (let size = 0; size < most; size += block.rows) {
    const wanted = rowsOf(block, 0, Math.min(block.rows, most - size))
    const fresh = await orthonormal(wanted, rowsOf(basis, 0, size), { products, random })
    basis.data.set(fresh.data, size * n)
    block = await multiply(fresh)
    images.data.set(block.data, size * n)
  }
  const { values, vectors } = await allOf(symmetric(await products.multiplyTransposed(basis, images)))
  return first(
    { values, vectors: oriented(await products.multiply(rowsOf(vectors, 0, count), basis)) },
    count,
  )
}

const randomRows = (rows: number, columns: number, random: { normal(): number }): Dense =>
  dense(
    rows,
    columns,
    dense(rows, columns).data.map(() => random.normal()),
  )

/** The rows made orthonormal by Cholesky's decomposition of their products, twice; undefined where they are too near to each other for that. */
async function orthonormalFast(block: Dense, products: Products): Promise<Dense | undefined> {
  const { rows: n, columns } = block
  let out: Dense = dense(n, columns, block.data.slice())
  for (let i = 0; i < n; i++) {
    const own = out.data.subarray(i * columns, (i + 1) * columns)
    const length = lengthOf(own)
    for (let k = 0; k < columns; k++) own[k]! /= length
  }
  for (let pass = 0; pass < 2; pass++) {
    const { data: gram } = await products.multiplyTransposed(out, out)
    const inverse = dense(n, n)
    // The decomposition in place, and the inverse of its triangle.
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = gram[i * n + j]!
        for (let k = 0; k < j; k++) sum -= gram[i * n + k]! * gram[j * n + k]!
        if (i === j && !(sum > 1e-12)) return undefined
        gram[i * n + j] = i === j ? Math.sqrt(sum) : sum / gram[j * n + j]!
      }
      for (let j = 0; j <= i; j++) {
        let sum = i === j ? 1 : 0
        for (let k = j; k < i; k++) sum -= gram[i * n + k]! * inverse.data[k * n + j]!
        inverse.data[i * n + j] = sum / gram[i * n + i]!
      }
    }
    out = await products.multiply(inverse, out)
  }
  return out
}

/** The rows made orthonormal, to each other and to a basis; those that are nothing new become random. */
export async function orthonormal(
  block: Dense,
  basis: Dense,
  { products, random }: { products: Products; random: { normal(): number } },
): Promise<Dense> {
  const { rows, columns } = block
  const out = dense(rows, columns, block.data.slice())
  const isNew = new Uint8Array(rows)
  // The second pass takes away what rounding has left, or orthogonalises rows that were drawn in the first.
  for (let pass = 0; pass < 2; pass++) {
    if (basis.rows > 0) {
      const shares = await products.multiplyTransposed(out, basis)
      const taken = await products.multiply(shares, basis)
      for (let i = 0; i < out.data.length; i++) out.data[i]! -= taken.data[i]!
    }
    for (let i = 0; i < rows; i++) {
      const own = out.data.subarray(i * columns, (i + 1) * columns)
      const before = lengthOf(own)
      for (let j = 0; j < i; j++) {
        const other = out.data.subarray(j * columns, (j + 1) * columns)
        let share = 0
        for (let k = 0; k < columns; k++) share += own[k]! * other[k]!
        for (let k = 0; k < columns; k++) own[k]! -= share * other[k]!
      }
      const length = lengthOf(own)
      if (!(length > 1e-10 * before) && !isNew[i]) {
        for (let k = 0; k < columns; k++) own[k] = random.normal()
        isNew[i] = 1
        pass = -1
        continue
      }
      for (let k = 0; k < columns; k++) own[k]! /= length
    }
  }
  return out
}

function lengthOf(numbers: Float64Array): number {
  let sum = 0
  for (let i = 0; i < numbers.length; i++) sum += numbers[i]! * numbers[i]!
  return Math.sqrt(sum)
}

function symmetric({ rows, columns, data }: Dense): Dense {
  const out = new Float64Array(data.length)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      out[i * columns + j] = (data[i * columns + j]! + data[j * columns + i]!) / 2
  return { rows, columns, data: out }
}

function first({ values, vectors }: Eigen, count: number): Eigen {
  return { values: values.slice(0, count), vectors: rowsOf(vectors, 0, count) }
}

/** Each row with its largest number positive, as scikit-learn turns them; in place. */
export function oriented(vectors: Dense): Dense {
  const { rows, columns, data } = vectors
  for (let i = 0; i < rows; i++) {
    const own = data.subarray(i * columns, (i + 1) * columns)
    let largest = 0
    for (let k = 0; k < columns; k++) if (Math.abs(own[k]!) > Math.abs(largest)) largest = own[k]!
    if (largest < 0) for (let k = 0; k < columns; k++) own[k] = -own[k]!
  }
  return vectors
}
