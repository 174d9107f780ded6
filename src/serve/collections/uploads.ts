// Files that clients have uploaded, below a folder of the server's own and under names that lead nowhere else.
import { realpath, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { fileError, makeFolder, temporaryName } from '../../base/files/index.ts'
import { Refusal } from '../http/refusal.ts'

/** Codes of the system for a folder where a file should be, and the other way round. */
const clashes = ['ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY']

/** A file of a form. */
export interface Uploaded {
  readonly name: string
  readonly bytes: Uint8Array
}

/**
 * A relative path that is safe to join to a folder: no part leads upwards, is hidden, or means something to a shell, a glob or another system.
 *
 * @example
 * ```ts
 * safePath('../../etc/pass*wd')   // 'etc/pass_wd'
 * ```
 *
 * @throws Refusal 400 where nothing is left
 */
export function safePath(name: string): string {
  const parts = name
    .normalize('NFC')
    .split(/[/\\]+/)
    .map((part) =>
      part
        .replaceAll(/[\p{Cc}\p{Cf}*?[\]{}!()<>:|"'`$]/gu, '_')
        .replace(/^[.\-\s]+/, '')
        .replace(/(?<![.\s])[.\s]+$/, ''),
    )
    .filter((part) => part !== '')
    .map((part) => (/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(part) ? `_${part}` : part))
  const path = parts.join('/')
  if (
    path === '' ||
    parts.length > 32 ||
    path.length > 512 ||
    parts.some((part) => Buffer.byteLength(part) > 200)
  ) {
    throw new Refusal(
      400,
      'name_invalid',
      `A file's name is empty or too long: ${JSON.stringify(name.slice(0, 80))}.`,
      { field: 'files' },
    )
  }
  return path
}

/**
 * Writes files, each under a temporary name first.
 *
 * @returns their paths, absolute
 * @throws Refusal 409 where a name is that of a folder, or below that of a file
 */
export async function keepFiles(folder: string, files: readonly Uploaded[]): Promise<string[]> {
  const paths: string[] = []
  for (const { name, bytes } of files) {
    const path = join(folder, safePath(name))
    const temporary = temporaryName(path)
    try {
      await makeFolder(dirname(path))
      await writeFile(temporary, bytes, { flag: 'wx' })
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {})
      const { code, cause } = error as NodeJS.ErrnoException
      if (clashes.includes(code ?? '') || clashes.includes((cause as NodeJS.ErrnoException)?.code ?? ''))
        throw new Refusal(
          409,
          'name_invalid',
          `A file cannot be called ${JSON.stringify(name.slice(0, 80))}: a folder has this name, or a file that of its folder.`,
          { field: 'files' },
        )
      throw fileError(error, path, 'write')
    }
    paths.push(path)
  }
  return paths
}

/**
 * A file below one of some folders, links followed, that a stored path names; undefined where there is none.
 *
 * @param base folder that stored paths are relative to, beside those folders themselves
 */
export async function fileBelow(
  folders: readonly string[],
  path: string,
  base?: string,
): Promise<string | undefined> {
  for (const folder of folders) {
    const root = await realpath(folder).catch(() => undefined)
    if (root === undefined) continue
    for (const place of [join(root, path), ...(base === undefined ? [] : [resolve(base, path)])]) {
      const found = await realpath(place).catch(() => undefined)
      if (found?.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)) return found
    }
  }
  return undefined
}
