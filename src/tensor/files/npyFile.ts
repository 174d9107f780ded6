// NumPy's `.npy` files, read and written.
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { fileError, fill, openTemporary, writeFileAtomic } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { byteLength, bytesOf, elementCount, typedArray } from '../dtypes.ts'
import { expectNpyLength, npyChunks, npyElements, npyHeader, parseNpyHeader } from '../npy.ts'
import type { DType, Tensor, TypedArray } from '../tensor.ts'

/** Bytes that are read for the header. */
const NPY_HEADER = 65_536 + 12

/**
 * Writes a `.npy` file; it appears under its name when it is whole.
 *
 * @example
 * ```ts
 * await writeNpy('vectors.npy', tensor('float32', [rows, columns], data))
 * ```
 *
 * @throws `FORMAT_UNSUPPORTED`, `WRITE_FAILED`
 */
export async function writeNpy(path: string, tensor: Tensor): Promise<void> {
  await writeFileAtomic(path, npyChunks(tensor))
}

/**
 * Reads a `.npy` file of any numeric dtype, in either byte order.
 *
 * @example
 * ```ts
 * const { shape, data } = await readNpy('vectors.npy')
 * ```
 *
 * @throws `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `FILE_EMPTY`, `FORMAT_INVALID`; `FORMAT_UNSUPPORTED` for column-major
 *   order, objects, strings and records
 */
export async function readNpy(path: string): Promise<Tensor> {
  let file: FileHandle | undefined
  try {
    file = await open(path)
    const { size } = await file.stat()
    const start = await readAt(file, 0, Math.min(size, NPY_HEADER))
    const { offset, dtype, shape, swap } = parseNpyHeader(start, path)
    const length = byteLength(dtype, elementCount(shape))
    expectNpyLength(path, size - offset, length)
    return { dtype, shape, data: npyElements(dtype, await readAt(file, offset, length), swap) }
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    await file?.close()
  }
}

/** The bytes from `offset` on, fewer than `length` where the file ends before. */
async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, await fill(file, bytes, offset))
}

export interface NpyWriterOptions {
  /** Numbers in a row. */
  readonly columns: number
  /** Default `float32`. */
  readonly dtype?: DType
}

/** Room for any shape of two sizes. */
const STREAM_HEADER = 128

/**
 * Writes a matrix row by row, without knowing how many there will be.
 *
 * @example
 * ```ts
 * const rows = await NpyWriter.create('vectors.npy', { columns: 384 })
 * for await (const vector of vectors) await rows.append(vector)
 * await rows.close()
 * ```
 *
 * @remarks
 * The file appears under its name on `close`; `abort` leaves nothing behind.
 */
export class NpyWriter {
  readonly #path: string
  readonly #temporary: string
  readonly #file: FileHandle
  readonly #columns: number
  readonly #dtype: DType
  #numbers = 0
  #open = true

  private constructor(path: string, temporary: string, file: FileHandle, columns: number, dtype: DType) {
    this.#path = path
    this.#temporary = temporary
    this.#file = file
    this.#columns = columns
    this.#dtype = dtype
  }

  /** @throws `WRITE_FAILED`, `FORMAT_UNSUPPORTED` */
  static async create(path: string, options: NpyWriterOptions): Promise<NpyWriter> {
    const { columns, dtype = 'float32' } = options
    const space = npyHeader(dtype, [0, columns], STREAM_HEADER)
    try {
      const { temporary, file } = await openTemporary(path)
      const writer = new NpyWriter(path, temporary, file, columns, dtype)
      await writer.#attempt(() => file.appendFile(space))
      return writer
    } catch (error) {
      throw fileError(error, path, 'write')
    }
  }

  /** Rows written so far. */
  get rows(): number {
    return this.#columns === 0 ? 0 : this.#numbers / this.#columns
  }

  /**
   * Appends one row, or several in one array of the dtype's own kind.
   * @throws `DIMENSION_MISMATCH`, `DTYPE_MISMATCH`, `WRITE_FAILED`
   */
  async append(rows: TypedArray): Promise<void> {
    const expected = typedArray(this.#dtype, 0).constructor
    if (rows.constructor !== expected) {
      throw new PipiloError(
        'DTYPE_MISMATCH',
        `Rows of ${this.#dtype} are a ${expected.name}, not a ${rows.constructor.name}.`,
      )
    }
    const numbers = rows.byteLength / byteLength(this.#dtype, 1)
    if (numbers % Math.max(1, this.#columns) !== 0 || (this.#columns === 0 && numbers > 0)) {
      throw new PipiloError('DIMENSION_MISMATCH', `${numbers} numbers are no whole rows of ${this.#columns}.`)
    }
    await this.#attempt(() => this.#file.appendFile(bytesOf(rows)))
    this.#numbers += numbers
  }

  /** Writes the number of rows into the header and gives the file its name. @throws `WRITE_FAILED` */
  async close(): Promise<void> {
    await this.#attempt(async () => {
      const head = npyHeader(this.#dtype, [this.rows, this.#columns], STREAM_HEADER)
      await this.#file.write(head, 0, head.length, 0)
      await this.#file.sync()
      await this.#file.close()
      this.#open = false
      await rename(this.#temporary, this.#path)
    })
  }

  /** Removes what was written. */
  async abort(): Promise<void> {
    if (this.#open) await this.#file.close()
    this.#open = false
    await rm(this.#temporary, { force: true })
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      await this.abort()
      throw fileError(error, this.#path, 'write')
    }
  }
}
