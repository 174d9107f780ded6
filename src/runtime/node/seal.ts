// Checksums of what the cache holds: damage is noticed before a file is mapped, and the file is made again.
import { open, readFile, utimes } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { fill, writeFileAtomic } from '../../base/files/index.ts'
import { parseJson } from '../../base/index.ts'
import { fileIdentity } from './fileIdentity.ts'

/** Text of plain data with its checksum. */
export function sealedJson(value: unknown): string {
  const text = JSON.stringify(value)
  return `${crc32(text)} ${text}`
}

/** Content that {@link sealedJson} wrote; undefined for anything else. */
export function openSealedJson(sealed: string): unknown {
  const at = sealed.indexOf(' ')
  const text = sealed.slice(at + 1)
  if (at < 0 || sealed.slice(0, at) !== `${crc32(text)}`) return undefined
  return parseJson(text)
}

interface Seal {
  readonly checksum: number
  /** The file as it was when it had this checksum: nobody has touched it since, so that it need not be read. */
  readonly identity: string
}

const sealOf = (path: string): string => `${path}.seal.json`

/** Writes the checksum of a file beside it. A folder that cannot be written keeps none. */
export async function seal(path: string): Promise<void> {
  await write(path, await checksumOf(path))
}

async function write(path: string, checksum: number): Promise<void> {
  const identity = await fileIdentity(path)
  await writeFileAtomic(sealOf(path), sealedJson({ checksum, identity } satisfies Seal)).catch(() => {})
}

/** True if a file is as it was sealed; then notes that it was used. One that was copied since is read once more. */
export async function isSealed(path: string): Promise<boolean> {
  try {
    const found = openSealedJson(await readFile(sealOf(path), 'utf8')) as Seal | undefined
    if (!found) return false
    if (found.identity === (await fileIdentity(path))) {
      // Of the seal alone: the file's own times tell whether it was touched.
      const now = new Date()
      utimes(sealOf(path), now, now).catch(() => {})
      return true
    }
    if (found.checksum !== (await checksumOf(path))) return false
    await write(path, found.checksum)
    return true
  } catch {
    return false
  }
}

const CHUNK = 4 * 2 ** 20

async function checksumOf(path: string): Promise<number> {
  const file = await open(path)
  try {
    const buffer = new Uint8Array(CHUNK)
    let checksum = 0
    for (let at = 0; ; ) {
      const got = await fill(file, buffer, at)
      if (got === 0) return checksum
      checksum = crc32(buffer.subarray(0, got), checksum)
      at += got
    }
  } finally {
    await file.close()
  }
}
