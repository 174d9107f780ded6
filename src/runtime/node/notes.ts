// Notes: small JSON files beside the kept sessions in the cache, read before a session is opened.
import { readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder, makeFolder, writeFileAtomic } from '../../base/files/index.ts'
import { openSealedJson, sealedJson } from './seal.ts'

const pathOf = (key: string, cacheDir = cacheFolder()): string =>
  join(cacheDir, 'sessions', `${key}.note.json`)

/**
 * Keeps a note in the cache; it is deleted when nobody reads it for long. A cache that cannot be written keeps none.
 *
 * @example
 * ```ts
 * await writeNote(key, { kept: session.kept })
 * const note = await readNote(key)
 * ```
 *
 * @param key names the file: letters and digits
 */
export async function writeNote(key: string, note: unknown, cacheDir?: string): Promise<void> {
  const path = pathOf(key, cacheDir)
  try {
    await makeFolder(join(path, '..'), { mode: 0o700 })
    await writeFileAtomic(path, sealedJson(note))
  } catch {}
}

/** The note of a key, or undefined. */
export async function readNote(key: string, cacheDir?: string): Promise<unknown> {
  const path = pathOf(key, cacheDir)
  try {
    const note = openSealedJson(await readFile(path, 'utf8'))
    const now = new Date()
    utimes(path, now, now).catch(() => {})
    return note
  } catch {
    return undefined
  }
}
