/** NumPy's `.npy` files: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */

import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { fileError, temporaryName, writeFileAtomic } from '../base/files/index.ts'
import { PipiloError } from '../base/index.ts'
import { byteLength, bytesOf, elementCount, typedArray } from './dtypes.ts'
import type { DType, Tensor, TypedArray } from './tensor.ts'

/** NumPy's kind and size of each dtype that it has. */
const DESCRIPTIONS: Partial<Record<DType, string>> = {
  float16: 'f2',
  float32: 'f4',
  float64: 'f8',
  int8: 'i1',
  uint8: 'u1',
  int16: 'i2',
  uint16: 'u2',
  int32: 'i4',
  uint32: 'u4',
  int64: 'i8',
  uint64: 'u8',
  bool: 'b1',
  complex64: 'c8',
  complex128: 'c16',
}

const MAGIC = '\x93NUMPY'

/** Headers are filled up to a multiple of this, so that the data is aligned. */
const ALIGNMENT = 64

function header(dtype: DType, shape: readonly number[], least = 0): Uint8Array {
  const description = DESCRIPTIONS[dtype]
  if (!description) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `NumPy files have no elements of dtype ${dtype}.`, {
      hint: 'Convert to float32 first.',
    })
  }
  const order = description.endsWith('1') ? '|' : '<'
  const size = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const text = `{'descr': '${order}${description}', 'fortran_order': False, 'shape': ${size}, }`
  // A shape of thousands of sizes needs version 2, whose length field has four bytes.
  const head = text.length + 64 > 65_535 ? 12 : 10
  const length = Math.max(least, Math.ceil((head + text.length + 1) / ALIGNMENT) * ALIGNMENT)
  const bytes = Buffer.alloc(length, ' ')
  bytes.write(MAGIC, 0, 'latin1')
  bytes[6] = head === 10 ? 1 : 2
  bytes[7] = 0
  if (head === 10) bytes.writeUInt16LE(length - head, 8)
  else bytes.writeUInt32LE(length - head, 8)
  bytes.write(text, head, 'latin1')
  bytes.write('\n', length - 1)
  return bytes
}

/**
 * A tensor as the bytes of a `.npy` file.
 * @throws `FORMAT_UNSUPPORTED` for dtypes that NumPy does not have (strings, bfloat16, float8, packed types)
 */
export function npyBytes(tensor: Tensor): Uint8Array {
  return new Uint8Array(Buffer.concat(npyChunks(tensor)))
}

function npyChunks({ dtype, shape, data }: Tensor): Uint8Array[] {
  const head = header(dtype, shape)
  return ArrayBuffer.isView(data) ? [head, bytesOf(data)] : [head]
}

/**
 * Writes a `.npy` file; it appears under its name when it is whole.
 *
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
    const start = await readAt(file, 0, Math.min(size, 65_536 + 12))
    const { offset, dtype, shape, swap } = parseHeader(start, path)
    const length = byteLength(dtype, elementCount(shape))
    expectLength(path, size - offset, length)
    return { dtype, shape, data: elements(dtype, await readAt(file, offset, length), swap) }
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    await file?.close()
  }
}

/** Reads a `.npy` file that is in memory, whose memory is shared where it is aligned. */
export function parseNpy(bytes: Uint8Array, name = 'the array'): Tensor {
  const { offset, dtype, shape, swap } = parseHeader(bytes, name)
  const length = byteLength(dtype, elementCount(shape))
  expectLength(name, bytes.length - offset, length)
  const data = bytes.subarray(offset, offset + length)
  return { dtype, shape, data: elements(dtype, swap > 1 ? data.slice() : data, swap) }
}

function expectLength(name: string, got: number, wanted: number): void {
  if (got >= wanted) return
  throw new PipiloError(
    'FORMAT_INVALID',
    `${name} is cut off: it has ${got} of ${wanted} bytes of elements.`,
    {
      input: name,
    },
  )
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const wanted = Math.min(length - filled, 1 << 30)
    const { bytesRead } = await file.read(bytes, filled, wanted, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

function elements(dtype: DType, bytes: Uint8Array, swap: number): TypedArray {
  if (swap > 1) {
    for (let i = 0; i < bytes.length; i += swap) bytes.subarray(i, i + swap).reverse()
  }
  return typedArray(dtype, bytes)
}

/** Fields of a header; `swap` is the width of numbers whose bytes are in the other order, or 1. */
function parseHeader(bytes: Uint8Array, name: string) {
  const invalid = (reason: string) =>
    new PipiloError('FORMAT_INVALID', `${name} is no .npy file: ${reason}.`, { input: name })
  const unsupported = (reason: string, hint: string) =>
    new PipiloError('FORMAT_UNSUPPORTED', `${name} ${reason}.`, { hint, input: name })
  if (bytes.length === 0) throw new PipiloError('FILE_EMPTY', `${name} is empty.`, { input: name })
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 12 || buffer.toString('latin1', 0, 6) !== MAGIC)
    throw invalid('its first bytes are others')
  const version = buffer[6]!
  if (version < 1 || version > 3)
    throw unsupported(`has the unknown version ${version}`, 'Save it again with NumPy.')
  const head = version === 1 ? 10 : 12
  const offset = head + (version === 1 ? buffer.readUInt16LE(8) : buffer.readUInt32LE(8))
  if (offset > bytes.length) throw invalid('its header is cut off')
  const text = buffer.toString(version === 3 ? 'utf8' : 'latin1', head, offset)
  const description = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1]
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1]
  const sizes = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(text)?.[1]
  if (!fortran || sizes === undefined) throw invalid('its header is damaged')
  const shape = sizes.split(',').flatMap((size) => (size.trim() ? [Number(size)] : []))
  const dtype = Object.entries(DESCRIPTIONS).find(([, code]) => code === description?.slice(1))?.[0]
  if (!description || !dtype) {
    throw unsupported(
      `holds ${description ?? 'records'}, not numbers of a known type`,
      'Convert it with NumPy (`astype`).',
    )
  }
  if (fortran === 'True' && shape.length > 1) {
    throw unsupported('is in column-major order', 'Save it with `numpy.ascontiguousarray`.')
  }
  if (!shape.every(Number.isSafeInteger) || !Number.isSafeInteger(elementCount(shape) * 16)) {
    throw invalid('its shape is impossible')
  }
  const width = Number(description.slice(2)) / (description[1] === 'c' ? 2 : 1)
  return { offset, dtype: dtype as DType, shape, swap: description[0] === '>' ? width : 1 }
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
 * ```ts
 * const rows = await NpyWriter.create('vectors.npy', { columns: 384 })
 * for await (const vector of vectors) await rows.append(vector)
 * await rows.close()
 * ```
 *
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
    const space = header(dtype, [0, columns], STREAM_HEADER)
    const temporary = temporaryName(path)
    try {
      const file = await open(temporary, 'wx')
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
      const head = header(this.#dtype, [this.rows, this.#columns], STREAM_HEADER)
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
