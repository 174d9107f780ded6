// Decomposition of symmetric matrices by ml-matrix, large ones on a thread of their own.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { PipiloError } from '../base/index.ts'
import { type Dense, dense } from './dense.ts'

/** Size up to which the calling thread is blocked: for 60 ms. */
const IN_PLACE = 192

/** Eigenvalues in any order, and their vectors as columns. */
export interface Decomposed {
  readonly values: Float64Array
  readonly vectors: Dense
}

/** All eigenvalues of a symmetric matrix, by Householder's reduction and QL. @throws PipiloError `WORKER_CRASHED` */
export async function decompose(matrix: Dense): Promise<Decomposed> {
  const { rows: n, data } = matrix
  const [values, vectors] = n > IN_PLACE ? await onThread('eigen', matrix) : eigen()
  return { values: values!, vectors: dense(n, n, vectors!) }

  function eigen(): Float64Array[] {
    const found = new EigenvalueDecomposition(Matrix.from1DArray(n, n, data), { assumeSymmetric: true })
    return [found.realEigenvalues, found.eigenvectorMatrix.to1DArray()].map((list) => Float64Array.from(list))
  }
}

/**
 * The solution x of matrix · x = right, by Cholesky; undefined where the symmetric matrix is not positive.
 *
 * @throws PipiloError `WORKER_CRASHED`
 */
export async function solve(matrix: Dense, right: Dense): Promise<Dense | undefined> {
  const { rows: n, data } = matrix
  const [solved] = n > IN_PLACE ? await onThread('solve', matrix, right) : cholesky()
  return solved && dense(n, right.columns, solved)

  function cholesky(): Float64Array[] {
    const found = new CholeskyDecomposition(Matrix.from1DArray(n, n, data))
    if (!found.isPositiveDefinite()) return []
    const x = found.solve(Matrix.from1DArray(n, right.columns, right.data))
    return [Float64Array.from(x.to1DArray())]
  }
}

/** The same on a thread: a script of its own, so that no file has to be found in the built package. */
const program = `
const { parentPort, workerData: { kind, library, matrix, right } } = require('node:worker_threads')
const { CholeskyDecomposition, EigenvalueDecomposition, Matrix } = require(library)
const of = ({ rows, columns, data }) => Matrix.from1DArray(rows, columns, data)
function eigen() {
  const found = new EigenvalueDecomposition(of(matrix), { assumeSymmetric: true })
  return [found.realEigenvalues, found.eigenvectorMatrix.to1DArray()]
}
function solve() {
  const found = new CholeskyDecomposition(of(matrix))
  return found.isPositiveDefinite() ? [found.solve(of(right)).to1DArray()] : []
}
const results = (kind === 'eigen' ? eigen() : solve()).map((list) => Float64Array.from(list))
parentPort.postMessage(results, results.map(({ buffer }) => buffer))
`

async function onThread(kind: 'eigen' | 'solve', matrix: Dense, right?: Dense): Promise<Float64Array[]> {
  const library = createRequire(import.meta.url).resolve('ml-matrix')
  const workerData = { kind, library, matrix, right }
  const worker = new Worker(program, { eval: true, execArgv: [], workerData })
  const ended = once(worker, 'exit').then(() => Promise.reject(new Error('It ended without an answer.')))
  try {
    const [results] = await Promise.race([once(worker, 'message'), ended])
    return results as Float64Array[]
  } catch (cause) {
    throw new PipiloError(
      'WORKER_CRASHED',
      `The thread that decomposes a matrix of ${matrix.rows} rows ended.`,
      {
        hint: 'There may be too little memory for it.',
        cause,
      },
    )
  } finally {
    await worker.terminate()
  }
}
