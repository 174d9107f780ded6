// Writes vectors in order as .npy, .jsonl or .parquet, or as JSON lines on standard output.
import type { WriteStream } from 'node:fs'
import { type FileHandle, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { finished } from 'node:stream/promises'
import { fileError, makeFolder, openTemporary, writeFileAtomic } from '../base/files/index.ts'
import { NpyWriter } from '../tensor/files/index.ts'
import type { Matrix } from '../tensor/index.ts'
import { type Terminal, usageError } from './command.ts'

/** Takes vectors one by one, in order. Nothing appears under the final name before `close`. */
export interface VectorOutput {
  write(id: string, vector: Float32Array | Matrix): Promise<void>
  close(): Promise<void>
  /** Removes what was written so far. */
  abort(): Promise<void>
}

const isMatrix = (vector: Float32Array | Matrix): vector is Matrix => !ArrayBuffer.isView(vector)

const oneVector = (vector: Float32Array | Matrix, format: string): Float32Array => {
  if (isMatrix(vector)) {
    throw usageError(`--pool none gives a matrix an input, which ${format} cannot hold.`, 'Write .jsonl.')
  }
  return vector
}

/** Shortest decimal numbers that read back to the same float32. */
const numbers = (vector: Float32Array): string => {
  let text = ''
  for (let i = 0; i < vector.length; i++) text += `${i ? ',' : ''}${shortest(vector[i]!)}`
  return text
}

const shortest = (value: number): string => {
  if (!Number.isFinite(value)) return 'null'
  for (const digits of [7, 8]) {
    const text = value.toPrecision(digits)
    if (Math.fround(Number(text)) === value) return String(Number(text))
  }
  return String(Number(value.toPrecision(9)))
}

/** A line of JSON: `{"id", "vector"}`, or `{"id", "vectors"}` for a matrix. */
export function jsonLine(id: string, vector: Float32Array | Matrix): string {
  if (!isMatrix(vector)) return `{"id":${JSON.stringify(id)},"vector":[${numbers(vector)}]}\n`
  const rows = Array.from({ length: vector.rows }, (_, row) => {
    const start = row * vector.columns
    return `[${numbers(vector.data.subarray(start, start + vector.columns))}]`
  })
  return `{"id":${JSON.stringify(id)},"vectors":[${rows.join(',')}]}\n`
}

/** Text lines into a file that gets its name when it is whole. */
class LineFile {
  readonly path: string
  readonly #temporary: string
  readonly #stream: WriteStream
  readonly #failed: Promise<never>

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.path = path
    this.#temporary = temporary
    this.#stream = file.createWriteStream()
    this.#failed = new Promise((_, reject) => this.#stream.once('error', reject))
    this.#failed.catch(() => {})
  }

  static async create(path: string): Promise<LineFile> {
    try {
      const { temporary, file } = await openTemporary(path)
      return new LineFile(path, temporary, file)
    } catch (error) {
      throw fileError(error, path, 'write')
    }
  }

  async write(line: string): Promise<void> {
    if (this.#stream.errored) throw fileError(this.#stream.errored, this.path, 'write')
    if (this.#stream.write(line)) return
    const drained = new Promise<void>((resolve) => this.#stream.once('drain', resolve))
    await Promise.race([drained, this.#failed]).catch((error) => {
      throw fileError(error, this.path, 'write')
    })
  }

  async close(): Promise<void> {
    try {
      this.#stream.end()
      await finished(this.#stream)
      await rename(this.#temporary, this.path)
    } catch (error) {
      throw fileError(error, this.path, 'write')
    }
  }

  async abort(): Promise<void> {
    this.#stream.destroy()
    await rm(this.#temporary, { force: true })
  }
}

class JsonLinesOutput implements VectorOutput {
  readonly #file: LineFile
  constructor(file: LineFile) {
    this.#file = file
  }
  write(id: string, vector: Float32Array | Matrix) {
    return this.#file.write(jsonLine(id, vector))
  }
  close() {
    return this.#file.close()
  }
  abort() {
    return this.#file.abort()
  }
}

/** `.npy` with one row a vector, and `.ids.jsonl` beside it with the id of each row. */
class NpyOutput implements VectorOutput {
  readonly #path: string
  readonly #ids: LineFile
  #rows: NpyWriter | undefined

  private constructor(path: string, ids: LineFile) {
    this.#path = path
    this.#ids = ids
  }
  static async create(path: string): Promise<NpyOutput> {
    return new NpyOutput(path, await LineFile.create(path.replace(/\.npy$/i, '.ids.jsonl')))
  }
  async write(id: string, vector: Float32Array | Matrix) {
    const row = oneVector(vector, '.npy')
    this.#rows ??= await NpyWriter.create(this.#path, { columns: row.length })
    await this.#rows.append(row)
    await this.#ids.write(`${JSON.stringify(id)}\n`)
  }
  async close() {
    this.#rows ??= await NpyWriter.create(this.#path, { columns: 0 })
    await this.#ids.close()
    await this.#rows.close()
  }
  async abort() {
    await this.#ids.abort()
    await this.#rows?.abort()
  }
}

/** Rows gathered before a row group of Parquet is written: bounds memory, and keeps the footer small. */
const rowsPerGroup = 4096

/** Parquet with the columns `id` (string) and `vector` (list of float). */
class ParquetOutput implements VectorOutput {
  readonly #path: string
  readonly #temporary: string
  #writer: Awaited<ReturnType<typeof parquetWriter>> | undefined
  #ids: string[] = []
  #vectors: number[][] = []

  private constructor(path: string, temporary: string) {
    this.#path = path
    this.#temporary = temporary
  }
  static async create(path: string): Promise<ParquetOutput> {
    try {
      // The library opens it again by its name.
      const { temporary, file } = await openTemporary(path)
      await file.close()
      return new ParquetOutput(path, temporary)
    } catch (error) {
      throw fileError(error, path, 'write')
    }
  }
  async write(id: string, vector: Float32Array | Matrix) {
    this.#ids.push(id)
    this.#vectors.push(Array.from(oneVector(vector, '.parquet')))
    if (this.#ids.length >= rowsPerGroup) await this.#flush()
  }
  async #flush() {
    this.#writer ??= await parquetWriter(this.#temporary)
    if (this.#ids.length) this.#writer.group(this.#ids, this.#vectors)
    this.#ids = []
    this.#vectors = []
  }
  async close() {
    try {
      await this.#flush()
      this.#writer!.finish()
      await rename(this.#temporary, this.#path)
    } catch (error) {
      throw fileError(error, this.#path, 'write')
    }
  }
  async abort() {
    await rm(this.#temporary, { force: true })
  }
}

async function parquetWriter(path: string) {
  const { fileWriter, ParquetWriter } = await import('hyparquet-writer')
  const schema = [
    { name: 'root', num_children: 2 },
    { name: 'id', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    { name: 'vector', converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
  ] as const
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: schema.map((element) => ({ ...element })),
  })
  return {
    group(ids: string[], vectors: number[][]) {
      writer.write({
        columnData: [
          { name: 'id', data: ids },
          { name: 'vector', data: vectors },
        ],
        rowGroupSize: rowsPerGroup,
      })
    },
    finish: () => writer.finish(),
  }
}

/** JSON lines on standard output. */
class StandardOutput implements VectorOutput {
  readonly #terminal: Terminal
  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }
  write(id: string, vector: Float32Array | Matrix) {
    return this.#terminal.out(jsonLine(id, vector))
  }
  async close() {}
  async abort() {}
}

/** @throws a usage error for a plot of another kind than SVG */
export function checkPlot({ plot }: { readonly plot?: string | undefined }): void {
  if (plot !== undefined && !/\.svg$/i.test(plot))
    throw usageError(`--plot writes an .svg file, not ${JSON.stringify(plot)}.`)
}

/** Rows as CSV (RFC 4180). */
export function csv(rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('')
}

/** Writes a text file under its final name once it is whole, making its folder. */
export async function writeText(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path))
  await writeFileAtomic(path, Buffer.from(text))
}

/** The output that a file's ending asks for; JSON lines on standard output without a file. */
export async function vectorOutput(path: string | undefined, terminal: Terminal): Promise<VectorOutput> {
  if (path === undefined) return new StandardOutput(terminal)
  const ending = /\.(npy|jsonl|parquet)$/i.exec(path)?.[1]?.toLowerCase()
  if (!ending) {
    throw usageError(`--out ends in .npy, .jsonl or .parquet; ${JSON.stringify(path)} does not.`)
  }
  await makeFolder(dirname(path))
  if (ending === 'npy') return NpyOutput.create(path)
  if (ending === 'parquet') return ParquetOutput.create(path)
  return new JsonLinesOutput(await LineFile.create(path))
}
