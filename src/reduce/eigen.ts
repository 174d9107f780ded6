// Eigenvalues and eigenvectors of symmetric matrices: all of a small one, the largest of a large one.
import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { PipiloError } from '../base/index.ts'
import { seeded } from '../nn/index.ts'
import { type Dense, dense, type Products, rowsOf } from './dense.ts'

/** Eigenvalues, largest first, and their vectors: one a row, of length 1, its largest number positive. */
export interface Eigen {
  readonly values: Float64Array
  readonly vectors: Dense
}

/** Options of {@link largestOf}. */
export interface LargestOptions {
  readonly products: Products
  readonly seed: number
  /** Stop after this many blocks of the Krylov space, whatever has been reached. Default: go on until it is exact. */
  readonly passes?: number
}

/** Size up to which a matrix is decomposed at once. */
const SMALL = 160

/** Vectors that are multiplied at once. */
const BLOCK = 8

/** Length of a residual, as a share of the largest eigenvalue, at which an eigenvector is exact. */
const EXACT = 1e-11

/** All eigenvalues of a symmetric matrix, by ml-matrix (Householder and QL). */
export function allOf(matrix: Dense): Eigen {
  const n = matrix.rows
  const whole = Matrix.from1DArray(n, n, matrix.data)
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(whole, { assumeSymmetric: true })
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!)
  const vectors = dense(n, n)
  for (let j = 0; j < n; j++) {
    const numbers = eigenvectorMatrix.getRow(j)
    for (let i = 0; i < n; i++) vectors.data[i * n + j] = numbers[order[i]!]!
  }
  return { values: Float64Array.from(order, (i) => realEigenvalues[i]!), vectors: oriented(vectors) }
}

/** The `count` largest eigenvalues of a symmetric matrix. */
export async function largestOfMatrix(matrix: Dense, count: number, options: LargestOptions): Promise<Eigen> {
  const n = matrix.rows
  if (n <= SMALL || 4 * count > n) return first(allOf(matrix), count)
  const multiply = (block: Dense) => options.products.multiply(block, matrix)
  const found = await largestOf(multiply, n, count, { ...options, giveUp: n <= 1024 })
  return found ?? first(allOf(matrix), count)
}

/**
 * The `count` largest eigenvalues of a symmetric positive operator, by block Lanczos with full orthogonalisation and thick restarts. With
 * `passes` it is the randomised block Krylov method: that many products with `count` + 10 vectors, no more.
 *
 * @param multiply rows times the matrix
 * @returns undefined with `giveUp`, where it comes closer too slowly
 * @see https://arxiv.org/abs/1504.05477
 */
export async function largestOf(
  multiply: (block: Dense) => Promise<Dense>,
  n: number,
  count: number,
  { products, seed, passes, giveUp = false }: LargestOptions & { readonly giveUp?: boolean },
): Promise<Eigen | undefined> {
  const width = Math.min(n, passes === undefined ? BLOCK : count + 10)
  const kept = Math.min(n, count + width)
  const most = Math.min(n, passes === undefined ? kept + Math.max(count, 16 * BLOCK) : passes * width)
  const random = seeded(seed, 'reduce.eigen')
  const basis = dense(most, n)
  const images = dense(most, n)
  let size = 0
  let block: Float64Array = dense(width, n).data.map(() => random.normal())
  for (let cycle = 1; ; cycle++) {
    while (size < most) {
      const rows = Math.min(width, most - size)
      const fresh = await orthonormal(dense(rows, n, block.subarray(0, rows * n)), rowsOf(basis, 0, size), {
        products,
        random,
      })
      basis.data.set(fresh.data, size * n)
      const image = await multiply(fresh)
      images.data.set(image.data, size * n)
      size += rows
      block = image.data
    }
    const { values, vectors } = allOf(
      symmetric(await products.multiplyTransposed(rowsOf(basis, 0, size), rowsOf(images, 0, size))),
    )
    const turn = rowsOf(vectors, 0, Math.min(kept, size))
    const ritz = await products.multiply(turn, rowsOf(basis, 0, size))
    if (passes !== undefined || size === n) return first({ values, vectors: oriented(ritz) }, count)
    const turned = await products.multiply(turn, rowsOf(images, 0, size))
    const residuals = turned.data.map((x, at) => x - values[Math.floor(at / n)]! * ritz.data[at]!)
    const open = unfinished(residuals, n, count, EXACT * Math.abs(values[0]!))
    if (open.length === 0) return first({ values, vectors: oriented(ritz) }, count)
    if (giveUp && cycle === 3) return undefined
    if (cycle === 300) {
      throw new PipiloError('RESULT_INVALID', 'The eigenvalues lie too close to tell them apart.', {
        hint: "Ask for fewer components, or for an approximation: solver: 'randomized'.",
      })
    }
    basis.data.set(ritz.data)
    images.data.set(turned.data)
    size = ritz.rows
    block = new Float64Array(width * n)
    for (const [to, from] of open.slice(0, width).entries())
      block.set(residuals.subarray(from * n, (from + 1) * n), to * n)
  }
}

/** Rows whose residual is too long. */
function unfinished(residuals: Float64Array, n: number, count: number, limit: number): number[] {
  const open: number[] = []
  for (let i = 0; i < count; i++) if (lengthOf(residuals.subarray(i * n, (i + 1) * n)) > limit) open.push(i)
  return open
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
  for (let pass = 0; pass < 3; pass++) {
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
