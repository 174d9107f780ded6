/** Data sets with a column that is worked out from each row once, and then kept in a file. */
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileError } from '../../base/files/index.ts'
import type { Dataset, DatasetRow } from '../../embed/index.ts'
import type { DerivedColumn, DerivedSource } from '../objective.ts'

/** A data set with a derived column. */
export interface DerivedDataset {
  readonly data: Dataset
  /** Lets go of the source and of the file. */
  close(): Promise<void>
}

/**
 * The data set whose rows have the column as well, when they are asked for by their indices.
 *
 * @remarks
 * Nothing is worked out before a row is read for the first time. Numbers are kept in a temporary file, four bytes each, and memory holds a bit a row.
 */
export function withDerived(data: Dataset, column: DerivedColumn): DerivedDataset {
  const rows = new DerivedRows(data, column)
  const getMany = (indices: ArrayLike<number>) => rows.getMany(indices)
  return {
    data: {
      ...data,
      getMany,
      get: async (index) => (await getMany([index]))[0]!,
      nameOf: (index) => data.nameOf(index),
      hash: async () => `${await data.hash()}/${column.name} ${column.key}`,
      // All rows in order are read for their own columns alone.
      [Symbol.asyncIterator]: () => data[Symbol.asyncIterator](),
    },
    close: () => rows.close(),
  }
}

class DerivedRows {
  readonly #data: Dataset
  readonly #column: DerivedColumn
  /** A bit for each row whose numbers are in the file. */
  readonly #known: Uint8Array
  #opened: Promise<{ readonly source: DerivedSource; readonly file: RowFile }> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(data: Dataset, column: DerivedColumn) {
    this.#data = data
    this.#column = column
    this.#known = new Uint8Array(Math.ceil(data.length / 8))
  }

  /** One call after the other: no row is worked out twice. */
  getMany(indices: ArrayLike<number>): Promise<DatasetRow[]> {
    const made = this.#last.then(() => this.#read(Array.from(indices)))
    this.#last = made.catch(() => {})
    return made
  }

  async close(): Promise<void> {
    await this.#last
    const opened = await this.#opened?.catch(() => undefined)
    await Promise.all([opened?.source.close(), opened?.file.close()])
  }

  async #read(indices: readonly number[]): Promise<DatasetRow[]> {
    const rows = await this.#data.getMany(indices)
    this.#opened ??= this.#open()
    const { source, file } = await this.#opened
    const missing = new Map<number, DatasetRow>()
    for (const [place, index] of indices.entries()) if (!this.#has(index)) missing.set(index, rows[place]!)
    if (missing.size > 0) {
      const names = [...missing.keys()]
      const made = await source.of([...missing.values()], (place) => this.#data.nameOf(names[place]!))
      for (const [place, index] of names.entries()) {
        await file.write(index, made[place]!)
        this.#known[index >> 3]! |= 1 << (index & 7)
      }
    }
    return Promise.all(
      rows.map(async (row, place) => ({ ...row, [this.#column.name]: await file.read(indices[place]!) })),
    )
  }

  #has(index: number): boolean {
    return (this.#known[index >> 3]! & (1 << (index & 7))) !== 0
  }

  async #open() {
    const source = await this.#column.open()
    try {
      return { source, file: await RowFile.open(this.#column.size) }
    } catch (error) {
      await source.close()
      throw error
    }
  }
}

/** A temporary file of rows of one width. */
class RowFile {
  readonly #folder: string
  readonly #file: FileHandle
  readonly #size: number

  private constructor(folder: string, file: FileHandle, size: number) {
    this.#folder = folder
    this.#file = file
    this.#size = size
  }

  /** @param size float32 numbers of a row */
  static async open(size: number): Promise<RowFile> {
    const folder = await mkdtemp(join(tmpdir(), 'pipilo-rows-'))
    return new RowFile(folder, await open(join(folder, 'rows.f32'), 'w+'), size)
  }

  async write(index: number, numbers: Float32Array): Promise<void> {
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
    await this.#file.write(bytes, 0, bytes.length, index * bytes.length).catch((error: unknown) => {
      throw fileError(error, this.#folder, 'write')
    })
  }

  async read(index: number): Promise<Float32Array> {
    const numbers = new Float32Array(this.#size)
    const bytes = new Uint8Array(numbers.buffer)
    await this.#file.read(bytes, 0, bytes.length, index * bytes.length).catch((error: unknown) => {
      throw fileError(error, this.#folder, 'read')
    })
    return numbers
  }

  async close(): Promise<void> {
    await this.#file.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
