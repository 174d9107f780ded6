// Reads files with errors that name them: bytes, JSON, kinds of paths.
import { type FileHandle, open, readFile, realpath, stat } from 'node:fs/promises'
import { fileError } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'

/** A file that is open for reading. */
export interface OpenFile {
  readonly handle: FileHandle
  /** Absolute, symbolic links resolved: ONNX Runtime refuses external data behind a link. */
  readonly path: string
  /** Length in bytes, at least 1. */
  readonly size: number
}

/**
 * Runs `use` with the file open, and closes it afterwards.
 *
 * ```ts
 * const magic = await withFile('weights.bin', ({ handle }) => readAt(handle, 0, 4))
 * ```
 *
 * @throws PipiloError `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_EMPTY`, `FILE_UNREADABLE`
 */
export async function withFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined
  try {
    const resolved = await realpath(path)
    const stats = await stat(resolved)
    if (!stats.isFile()) {
      throw new PipiloError('NOT_A_FILE', `${path} is not a file.`, { input: path })
    }
    if (stats.size === 0) throw new PipiloError('FILE_EMPTY', `${path} is empty.`, { input: path })
    handle = await open(resolved, 'r')
    return await use({ handle, path: resolved, size: stats.size })
  } catch (error) {
    throw isSystemError(error) ? fileError(error, path, 'read') : error
  } finally {
    await handle?.close()
  }
}

/** Reads exactly `length` bytes from `offset`; the caller has checked that the file holds them. */
export async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw new PipiloError('FILE_UNREADABLE', 'A file became shorter while it was read.')
    done += bytesRead
  }
  return bytes
}

/** Any JSON read from a file. Throws as {@link withFile}, and `FORMAT_INVALID` where it is no JSON in UTF-8. */
export async function readJson(path: string): Promise<unknown> {
  const bytes = await withFile(path, ({ handle }) => readFile(handle))
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : String(cause)
    throw new PipiloError('FORMAT_INVALID', `${path} is not valid JSON: ${reason}.`, { input: path, cause })
  }
}

/** As {@link readJson}, for a file that has to hold an object. */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const value = await readJson(path)
  if (isObject(value)) return value
  throw new PipiloError('FORMAT_INVALID', `${path} does not hold a JSON object.`, { input: path })
}

/** A plain JSON object, not an array nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
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
