// Vectors in fewer bits, and search among them: int8 with a range for each dimension, or one bit each.

import {
  breathe,
  checkCount,
  checkOptions,
  is,
  type OptionTable,
  PipiloError,
  throwIfAborted,
} from '../../base/index.ts'
import { type Matrix, type Neighbor, row, type Vector } from '../../tensor/index.ts'
import { readReducer, writeReducer } from '../files.ts'
import { finiteRows, type RowOptions, type Rows, rowsToTransform } from '../rows.ts'
import { Best } from './best.ts'

const searchTypes: OptionTable<QuantizedSearchOptions> = {
  k: is.count(1),
  rescore: is.instance('vectors'),
  oversampling: is.numeric(1),
  signal: is.abortSignal,
}

/** `int8`: a byte a dimension. `binary`: a bit a dimension, its sign. */
export type Precision = 'int8' | 'binary'

/** Options of `quantize`. */
export interface QuantizeOptions extends RowOptions {
  /** For `int8`: vectors from which the ranges are learnt. Default: the data. Numbers beyond the ranges become their ends. */
  readonly calibration?: Rows
  readonly signal?: AbortSignal
}

/** Options of `Quantized.search`. */
export interface QuantizedSearchOptions {
  /** Results a query. Default 10. */
  readonly k?: number
  /** The vectors that were quantised, in floats: the best candidates are compared again by them. Default: none, scores are those of the few bits. */
  readonly rescore?: Rows
  /** Candidates for rescoring, as a multiple of `k`. Default 4. */
  readonly oversampling?: number
  readonly signal?: AbortSignal
}

/** Vectors in fewer bits. */
export interface Quantized {
  readonly kind: 'quantized'
  readonly precision: Precision
  /** Vectors that are held. */
  readonly rows: number
  readonly dimensions: number
  /** Bytes of one vector: `dimensions`, or an eighth of it, rounded up. */
  readonly bytesPerVector: number
  /** Vectors with NaN that were left out, with `onError: 'skip'`. */
  readonly skipped: number
  /** Row after row: −128 to 127 for the 256 steps of each range; or bits, the first dimension the highest of the first byte. */
  readonly codes: Int8Array | Uint8Array
  /** For `int8`: least and largest number of each dimension, 2 × `dimensions`. */
  readonly ranges?: Matrix
  /** The same steps for other vectors. @throws `DIMENSION_MISMATCH`, `INPUT_INVALID` */
  encode(rows: Rows): Int8Array | Uint8Array
  /**
   * The best for each query, best first; indices are those of the vectors given to `quantize`.
   *
   * @throws `DIMENSION_MISMATCH`, `INPUT_INVALID`; `OPTION_INVALID` for `rescore` with as many vectors as there were not
   */
  search(queries: Rows, options?: QuantizedSearchOptions): Promise<Neighbor[][]>
  search(query: Float32Array, options?: QuantizedSearchOptions): Promise<Neighbor[]>
  /** Writes codes and ranges as a safetensors file, which `loadQuantized` reads. @throws `WRITE_FAILED` */
  save(path: string): Promise<void>
}

const STEPS = 255

/** See `quantize` in ../onDemand.ts. */
export async function quantizeRows(
  data: Rows,
  precision: Precision,
  options: QuantizeOptions = {},
): Promise<Quantized> {
  if (precision !== 'int8' && precision !== 'binary') {
    throw new PipiloError(
      'OPTION_INVALID',
      `precision is '${String(precision)}'; it has to be int8 or binary.`,
      { input: 'precision' },
    )
  }
  const rows = finiteRows(data, options)
  if (rows.rows === 0 || rows.columns === 0) {
    throw new PipiloError(
      'INPUT_INVALID',
      `There are ${rows.rows} vectors of ${rows.columns} numbers to quantize.`,
    )
  }
  if (precision === 'binary' && options.calibration) {
    throw new PipiloError('OPTION_INVALID', 'Bits are signs, and have no ranges to calibrate.', {
      input: 'calibration',
    })
  }
  throwIfAborted(options.signal)
  const given = options.calibration ? finiteRows(options.calibration, options) : rows
  if (given.columns !== rows.columns) {
    throw new PipiloError(
      'DIMENSION_MISMATCH',
      `Vectors have ${rows.columns} numbers, those of the calibration ${given.columns}.`,
    )
  }
  const ranges = precision === 'int8' ? rangesOf(given) : undefined
  const codes = await encoded(rows, ranges, options.signal)
  return new QuantizedVectors({
    codes,
    dimensions: rows.columns,
    given: rows.given,
    ...(ranges && { ranges }),
    ...(rows.origin && { origin: rows.origin }),
  })
}

/** See `loadQuantized` in ../onDemand.ts. */
export async function readQuantized(path: string): Promise<Quantized> {
  const saved = await readReducer(path)
  if (saved.kind !== 'quantized') {
    throw new PipiloError('FORMAT_INVALID', `${path} holds ${saved.kind}, no quantized vectors.`, {
      input: path,
      hint: 'Reducers are read by loadReducer.',
    })
  }
  const precision = saved.text('precision', ['int8', 'binary'])
  const dimensions = saved.number('dimensions')
  const { shape, data } = saved.tensor('codes', precision === 'int8' ? 'int8' : 'uint8', 2)
  const [rows, bytes] = shape
  const ranges = precision === 'int8' ? saved.tensor('ranges', 'float32', 2) : undefined
  const origin = saved.has('origin') ? (saved.tensor('origin', 'int32', 1).data as Int32Array) : undefined
  const isSound =
    bytes === bytesOf(precision, dimensions) &&
    (origin?.length ?? rows) === rows &&
    (!ranges || (ranges.shape[0] === 2 && ranges.shape[1] === dimensions))
  if (!isSound)
    throw new PipiloError('FORMAT_INVALID', `The vectors in ${path} do not fit together.`, { input: path })
  return new QuantizedVectors({
    codes: data as Int8Array | Uint8Array,
    dimensions,
    given: saved.number('given'),
    ...(ranges && { ranges: { rows: 2, columns: dimensions, data: ranges.data as Float32Array } }),
    ...(origin && { origin }),
  })
}

const bytesOf = (precision: Precision, dimensions: number): number =>
  precision === 'int8' ? dimensions : Math.ceil(dimensions / 8)

function rangesOf({ rows, columns, data }: Matrix): Matrix {
  const ranges = new Float32Array(2 * columns)
  ranges.fill(Number.POSITIVE_INFINITY, 0, columns).fill(Number.NEGATIVE_INFINITY, columns)
  for (let i = 0, at = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++, at++) {
      const x = data[at]!
      if (x < ranges[j]!) ranges[j] = x
      if (x > ranges[columns + j]!) ranges[columns + j] = x
    }
  }
  return { rows: 2, columns, data: ranges }
}

/** Widths of the steps, as float32 divides; a dimension that is constant has steps of 1. */
function stepsOf({ columns, data }: Matrix): Float32Array {
  const step = (j: number) => Math.fround(Math.fround(data[columns + j]! - data[j]!) / STEPS)
  return Float32Array.from({ length: columns }, (_, j) => step(j) || 1)
}

async function encoded(
  rows: Matrix,
  ranges: Matrix | undefined,
  signal?: AbortSignal,
): Promise<Int8Array | Uint8Array> {
  const { columns } = rows
  const bytes = bytesOf(ranges ? 'int8' : 'binary', columns)
  const codes = new (ranges ? Int8Array : Uint8Array)(rows.rows * bytes)
  const steps = ranges && stepsOf(ranges)
  for (let i = 0; i < rows.rows; i++) {
    if ((i & 255) === 0) {
      throwIfAborted(signal)
      await breathe()
    }
    encodeRow(row(rows, i), codes.subarray(i * bytes, (i + 1) * bytes), ranges, steps)
  }
  return codes
}

function encodeRow(
  vector: Float32Array,
  out: Int8Array | Uint8Array,
  ranges?: Matrix,
  steps?: Float32Array,
): void {
  for (let j = 0; j < vector.length; j++) {
    if (!ranges) {
      if (vector[j]! > 0) out[j >> 3]! |= 128 >> (j & 7)
      continue
    }
    // In float32, as sentence-transformers computes it: a number at the edge of two steps falls into the same one.
    const step = Math.floor(Math.fround(Math.fround(vector[j]! - ranges.data[j]!) / steps![j]!))
    out[j] = Math.min(STEPS, Math.max(0, step)) - 128
  }
}

interface Parts {
  readonly codes: Int8Array | Uint8Array
  readonly dimensions: number
  readonly given: number
  readonly ranges?: Matrix
  readonly origin?: Int32Array
}

class QuantizedVectors implements Quantized {
  readonly kind = 'quantized'
  readonly precision: Precision
  readonly rows: number
  readonly dimensions: number
  readonly bytesPerVector: number
  readonly skipped: number
  readonly codes: Int8Array | Uint8Array
  readonly ranges?: Matrix
  readonly #origin: Int32Array | undefined
  readonly #given: number

  constructor({ codes, dimensions, given, ranges, origin }: Parts) {
    this.precision = ranges ? 'int8' : 'binary'
    this.dimensions = dimensions
    this.bytesPerVector = bytesOf(this.precision, dimensions)
    this.rows = codes.length / this.bytesPerVector
    this.skipped = given - this.rows
    this.codes = codes
    if (ranges) this.ranges = ranges
    this.#origin = origin
    this.#given = given
  }

  encode(rows: Rows): Int8Array | Uint8Array {
    const given = rowsToTransform(rows, this.dimensions, {})
    const bytes = this.bytesPerVector
    const codes = new (this.ranges ? Int8Array : Uint8Array)(given.rows * bytes)
    const steps = this.ranges && stepsOf(this.ranges)
    for (let i = 0; i < given.rows; i++)
      encodeRow(row(given, i), codes.subarray(i * bytes, (i + 1) * bytes), this.ranges, steps)
    return codes
  }

  search(queries: Rows, options?: QuantizedSearchOptions): Promise<Neighbor[][]>
  search(query: Float32Array, options?: QuantizedSearchOptions): Promise<Neighbor[]>
  async search(
    queries: Rows | Float32Array,
    options: QuantizedSearchOptions = {},
  ): Promise<Neighbor[][] | Neighbor[]> {
    checkOptions('search', options, searchTypes)
    if (queries instanceof Float32Array) return (await this.search([queries], options))[0]!
    const { k = 10, oversampling = 4, signal } = options
    checkCount('k', k, 1)
    if (!(oversampling >= 1 && Number.isFinite(oversampling))) {
      throw new PipiloError('OPTION_INVALID', `oversampling is ${oversampling}; it has to be 1 or more.`, {
        input: 'oversampling',
      })
    }
    const rescore = options.rescore && this.#toRescore(options.rescore)
    const asked = rowsToTransform(queries, this.dimensions, {})
    const results: Neighbor[][] = []
    for (let i = 0; i < asked.rows; i++) {
      throwIfAborted(signal)
      const query = row(asked, i)
      const best = new Best(Math.ceil(rescore ? k * oversampling : k))
      await (this.ranges ? this.#byProducts(query, this.ranges, best) : this.#byBits(query, best))
      results.push(rescore ? rescored(query, best, rescore, k) : best.sorted())
    }
    return results
  }

  save(path: string): Promise<void> {
    const { rows, bytesPerVector, dimensions, precision, codes, ranges } = this
    const origin = this.#origin
    return writeReducer(
      path,
      this.kind,
      {
        codes: { dtype: precision === 'int8' ? 'int8' : 'uint8', shape: [rows, bytesPerVector], data: codes },
        ...(ranges && { ranges: { dtype: 'float32', shape: [2, dimensions], data: ranges.data } }),
        ...(origin && { origin: { dtype: 'int32', shape: [rows], data: origin } }),
      },
      { precision, dimensions, given: this.#given },
    )
  }

  #toRescore(rows: Rows): Rows {
    const count = 'columns' in rows ? rows.rows : rows.length
    const columns = 'columns' in rows ? rows.columns : rows[0]?.length
    if (count === this.#given && columns === this.dimensions) return rows
    throw new PipiloError(
      'OPTION_INVALID',
      `rescore has ${count} vectors of ${columns}; ${this.#given} of ${this.dimensions} were quantized.`,
      {
        input: 'rescore',
        hint: 'Give the vectors that were quantized, in their order.',
      },
    )
  }

  /** The query in floats with the middles of the steps: that costs no more than with a query in steps, and is nearer to the product. */
  async #byProducts(query: Float32Array, ranges: Matrix, best: Best): Promise<void> {
    const { codes, rows, dimensions } = this
    const steps = stepsOf(ranges)
    const weights = query.map((x, j) => x * steps[j]!)
    let base = 0
    for (let j = 0; j < dimensions; j++) base += query[j]! * (ranges.data[j]! + 128.5 * steps[j]!)
    for (let i = 0, at = 0; i < rows; i++) {
      if ((i & 1023) === 0) await breathe()
      let sum = base
      for (let j = 0; j < dimensions; j++) sum += weights[j]! * codes[at++]!
      best.add(this.#origin ? this.#origin[i]! : i, sum)
    }
  }

  /** By bits that are alike: the score is 1 for all, −1 for none. */
  async #byBits(query: Float32Array, best: Best): Promise<void> {
    const { codes, rows, dimensions, bytesPerVector: bytes } = this
    const asked = new Uint8Array(bytes)
    encodeRow(query, asked)
    for (let i = 0, at = 0; i < rows; i++) {
      if ((i & 4095) === 0) await breathe()
      let differing = 0
      for (let j = 0; j < bytes; j++) differing += bitsOf[codes[at++]! ^ asked[j]!]!
      best.add(this.#origin ? this.#origin[i]! : i, 1 - (2 * differing) / dimensions)
    }
  }
}

/** Ones of each byte. */
const bitsOf = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)

function rescored(query: Float32Array, candidates: Best, rows: Rows, k: number): Neighbor[] {
  const best = new Best(k)
  for (const { index } of candidates.sorted()) {
    const vector: Vector = 'columns' in rows ? row(rows, index) : rows[index]!
    let score = 0
    for (let j = 0; j < query.length; j++) score += query[j]! * vector[j]!
    best.add(index, score)
  }
  return best.sorted()
}
