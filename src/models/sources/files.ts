// Reads files with errors that name them: bytes, JSON, kinds of paths.
import { type FileHandle, open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileError, fill } from '../../base/files/index.ts'
import { gitLfsPointer, LARGEST_POINTER, PipiloError } from '../../base/index.ts'
import type { OpenFile } from '../files.ts'

/**
 * Runs `use` with the file open, and closes it afterwards.
 *
 * @example
 * ```ts
 * const magic = await withFile('weights.bin', (file) => file.read(0, 4))
 * ```
 *
 * @throws PipiloError `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_EMPTY`, `FILE_UNREADABLE`; `FORMAT_INVALID` for a Git LFS pointer
 */
export async function withFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined
  try {
    const absolute = resolve(path)
    const stats = await stat(absolute)
    if (!stats.isFile()) {
      throw new PipiloError('NOT_A_FILE', `${path} is not a file.`, { input: path })
    }
    if (stats.size === 0) throw new PipiloError('FILE_EMPTY', `${path} is empty.`, { input: path })
    const opened = await open(absolute, 'r')
    handle = opened
    if (stats.size <= LARGEST_POINTER) {
      const start = new Uint8Array(Math.min(stats.size, 64))
      await fill(opened, start, 0)
      const pointer = gitLfsPointer(start, path)
      if (pointer) throw pointer
    }
    return await use({
      name: path,
      path: absolute,
      size: stats.size,
      async read(offset, length) {
        const bytes = new Uint8Array(length)
        if ((await fill(opened, bytes, offset)) === length) return bytes
        throw new PipiloError('FILE_UNREADABLE', `${path} became shorter while it was read.`, { input: path })
      },
    })
  } catch (error) {
    throw isSystemError(error) ? fileError(error, path, 'read') : error
  } finally {
    await handle?.close()
  }
}

/** Kind of a path; undefined for one that is missing or cannot be looked at. */
export async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file'
  } catch {
    return undefined
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}
