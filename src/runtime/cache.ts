// Converted weights in a file that every session and every process maps: written once, addressed by what it is made of.
import { createHash } from 'node:crypto'
import { mkdir, open, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  bytesOf,
  type FileTensor,
  fileError,
  PipiloError,
  type TypedArray,
  writeFileAtomic,
} from '../tensor/index.ts'
import { prune } from './cacheFolder.ts'
import { chunks, isFileTensor, type Piece, pieceSize } from './piece.ts'

// Weights start at multiples of a cache line.
const ALIGNMENT = 64
// The file ends with its own address: one that was cut off, or is something else, is noticed and made anew.
const MARK = 32

/**
 * The file that holds these weights, made if it is not there yet.
 *
 * A folder that cannot be written (read-only, full) is passed over for one below the system's temporary folder.
 * `undefined` when no folder serves.
 */
export async function convertedFile(
  pieces: readonly Piece[],
  cacheDir: string,
): Promise<Map<string, FileTensor> | undefined> {
  const mark = await address(pieces)
  const name = `${mark.toString('hex')}.bin`
  const temporary = join(tmpdir(), `pipilo-${process.getuid?.() ?? 'weights'}`)
  for (const folder of [join(cacheDir, 'weights'), temporary]) {
    if (folder === temporary && !(await isOwn(folder))) continue
    const path = join(folder, name)
    const { files, size } = layout(pieces, path)
    if (await isWhole(path, size + MARK, mark)) return files
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error) =>
        Promise.reject(fileError(error, folder, 'write')),
      )
      await writeFileAtomic(path, content(pieces, mark))
    } catch (error) {
      // What cannot be read is an error of the weights; what cannot be written is passed over.
      if (error instanceof PipiloError && ['WRITE_FAILED', 'NOT_A_FILE'].includes(error.code)) continue
      throw error
    }
    await prune(folder, name)
    return files
  }
  return undefined
}

/** Whether nobody else made the folder: everyone may write to the temporary folder, and its files would be trusted. */
async function isOwn(folder: string): Promise<boolean> {
  const status = await stat(folder).catch(() => undefined)
  return !status || !process.getuid || status.uid === process.getuid()
}

async function address(pieces: readonly Piece[]): Promise<Buffer> {
  const hash = createHash('sha256').update('pipilo weights 1\n')
  const files = new Map<string, string>()
  for (const { dtype, shape, source } of pieces) {
    hash.update(`${dtype} ${shape.join('x')} from ${source.dtype} `)
    if (isFileTensor(source)) {
      const { path, offset, length } = source.file
      if (!files.has(path)) {
        const { size, mtimeMs } = await stat(path).catch((error) =>
          Promise.reject(fileError(error, path, 'read')),
        )
        files.set(path, `${path} ${size} ${mtimeMs}`)
      }
      hash.update(`${files.get(path)} ${offset} ${length}\n`)
    } else
      hash.update(
        createHash('sha256')
          .update(bytesOf(source.data as TypedArray))
          .digest(),
      )
  }
  return hash.digest()
}

function layout(pieces: readonly Piece[], path: string): { files: Map<string, FileTensor>; size: number } {
  const files = new Map<string, FileTensor>()
  let size = 0
  for (const piece of pieces) {
    const { name, dtype, shape } = piece
    const length = pieceSize(piece)
    files.set(name, { dtype, shape, file: { path, offset: size, length } })
    size += length + padding(length)
  }
  return { files, size }
}

async function* content(pieces: readonly Piece[], mark: Uint8Array): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    for await (const chunk of chunks(piece)) yield bytesOf(chunk)
    yield new Uint8Array(padding(pieceSize(piece)))
  }
  yield mark
}

function padding(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT
}

/** Whether the file is there with its size and mark; if so, notes that it was used. */
async function isWhole(path: string, size: number, mark: Uint8Array): Promise<boolean> {
  try {
    const file = await open(path)
    try {
      if ((await file.stat()).size !== size) return false
      const { buffer } = await file.read(Buffer.alloc(MARK), 0, MARK, size - MARK)
      if (!buffer.equals(mark)) return false
    } finally {
      await file.close()
    }
  } catch {
    return false
  }
  const now = new Date()
  await utimes(path, now, now).catch(() => {}) // a read-only folder serves as well
  return true
}
