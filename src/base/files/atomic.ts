// Writes files under a temporary name and renames them, and turns errors of the file system into ours.
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type ErrorCode, PipiloError } from '../errors.ts'

/** Reasons by the system's error code: our code, the rest of the sentence, the hint. */
const REASONS: Record<string, readonly [code: ErrorCode, reason: string, hint?: string]> = {
  ENOENT: ['FILE_NOT_FOUND', 'there is no such file or folder', 'Check the path.'],
  ENOTDIR: ['FILE_NOT_FOUND', 'a part of the path is a file, not a folder', 'Check the path.'],
  EISDIR: ['NOT_A_FILE', 'it is a folder, not a file', 'Name a file.'],
  EACCES: ['FILE_UNREADABLE', 'permission is denied', 'Check the permissions of the file and its folder.'],
  EPERM: ['FILE_UNREADABLE', 'permission is denied', 'Check the permissions of the file and its folder.'],
  EMFILE: ['FILE_UNREADABLE', 'too many files are open', 'Raise the limit (`ulimit -n`).'],
  ENOSPC: ['WRITE_FAILED', 'the disk is full', 'Free some space or write elsewhere.'],
  EDQUOT: ['WRITE_FAILED', 'the disk quota is used up', 'Free some space or write elsewhere.'],
  EFBIG: ['WRITE_FAILED', 'the file is larger than the file system allows', 'Write elsewhere.'],
  EEXIST: ['WRITE_FAILED', 'something else is there', 'Write elsewhere.'],
  EROFS: ['WRITE_FAILED', 'the file system is read-only', 'Write elsewhere.'],
  EIO: ['FILE_UNREADABLE', 'the device reported an error'],
  ENOMEM: ['FILE_UNREADABLE', 'there is not enough memory'],
  ENAMETOOLONG: ['FILE_NOT_FOUND', 'its name is too long'],
  ELOOP: ['FILE_UNREADABLE', 'a link in it leads back to itself'],
}

/**
 * A clear error from what a file operation threw; an error that is a {@link PipiloError} already is returned as it is.
 *
 * @example
 * ```ts
 * try { await readFile(path) } catch (error) { throw fileError(error, path, 'read') }
 * // FILE_NOT_FOUND: Cannot read model.onnx: there is no such file or folder. Check the path.
 * ```
 *
 * @param action what was being done; with `write` every cause but a wrong kind of file is `WRITE_FAILED`
 */
export function fileError(
  error: unknown,
  path: string,
  action: 'read' | 'write' | 'open' | 'list',
): PipiloError {
  if (error instanceof PipiloError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const message = error instanceof Error ? error.message : String(error)
  const [reading, reason, hint] = REASONS[code] ?? (['FILE_UNREADABLE', message] as const)
  const stable = action === 'write' && reading !== 'NOT_A_FILE' ? 'WRITE_FAILED' : reading
  return new PipiloError(stable, `Cannot ${action} ${path}: ${reason}.`, {
    input: path,
    cause: error,
    ...(hint ? { hint } : {}),
  })
}

/** A name for a file that is being written, in the folder of the final one, so that renaming it is atomic. Nobody can guess it. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(16).toString('hex')}.tmp`)
}

/**
 * Makes the temporary file of `path`, with the permissions of what it will replace. What is there already, a link above all, is never opened.
 *
 * @param replaced the file that it will replace, where that is another one
 * @throws the system's own error
 */
export async function openTemporary(
  path: string,
  replaced = path,
): Promise<{ readonly temporary: string; readonly file: FileHandle }> {
  const temporary = temporaryName(path)
  const mode = await stat(replaced).then(
    (about) => (about.isFile() ? about.mode & 0o777 : undefined),
    () => undefined,
  )
  // Never readable by more people than before, not even for a moment.
  const file = await open(temporary, 'wx', mode)
  try {
    if (mode !== undefined) await file.chmod(mode)
    return { temporary, file }
  } catch (error) {
    await file.close()
    await rm(temporary, { force: true })
    throw error
  }
}

/**
 * Writes a file so that others see either what was there before or the whole new content.
 *
 * @example
 * ```ts
 * await writeFileAtomic('vectors.jsonl', lines()) // bytes, text, or chunks of them, also asynchronous
 * ```
 *
 * @remarks
 * The content goes to a temporary name in the same folder, is synced to the disk, and renamed. After a failure the
 * temporary file is gone and the old one is untouched.
 *
 * @param replaces the file whose permissions it gets. Default: what is at `path`
 * @throws `WRITE_FAILED`, `NOT_A_FILE`; what `chunks` itself throws passes through
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string | Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  { replaces = path }: { readonly replaces?: string } = {},
): Promise<void> {
  const chunks = typeof content === 'string' || content instanceof Uint8Array ? [content] : content
  const attempt = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw fileError(error, path, 'write')
    })
  const { temporary, file } = await attempt(openTemporary(path, replaces))
  try {
    try {
      for await (const chunk of chunks) await attempt(file.appendFile(chunk))
      await attempt(file.sync())
    } finally {
      await file.close()
    }
    await attempt(rename(temporary, path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
