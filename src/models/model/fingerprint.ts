// Fingerprints of models, from samples of their files and the changes of their graphs.
import { createHash, type Hash } from 'node:crypto'
import { readAt, withFile } from '../sources/files.ts'

/** Bytes read from a file's start and end, and the number and length of the slices in between. */
const edge = 65_536
const slices = 64
const slice = 256

/**
 * A cheap hash that tells models apart: of descriptions (configuration, graph) in full, and of each weights file its length,
 * its first and last 64 kB and 64 slices of 256 bytes spread evenly in between. A safetensors header lies in the first part;
 * training changes all weights, so slices see it. An edit of a few bytes in the middle of a large file may go unseen.
 *
 * @returns 32 hexadecimal digits, the same wherever the files lie
 */
export async function fingerprint(
  descriptions: readonly string[],
  paths: readonly string[],
): Promise<string> {
  const hash = createHash('sha256')
  for (const text of descriptions) hash.update(`${text.length}:${text}`)
  for (const path of paths) await addFile(hash, path)
  return hash.digest('hex').slice(0, 32)
}

/** The fingerprint of what a model became by a change of its graph. */
export function derivedFingerprint(base: string, change: string): string {
  return createHash('sha256').update(`${base}:${change}`).digest('hex').slice(0, 32)
}

async function addFile(hash: Hash, path: string): Promise<void> {
  await withFile(path, async ({ handle, size }) => {
    hash.update(`${size};`)
    if (size <= 2 * edge + slices * slice) {
      hash.update(await readAt(handle, 0, size))
      return
    }
    hash.update(await readAt(handle, 0, edge))
    const step = Math.floor((size - 2 * edge) / slices)
    for (let i = 0; i < slices; i++) hash.update(await readAt(handle, edge + i * step, slice))
    hash.update(await readAt(handle, size - edge, edge))
  })
}
