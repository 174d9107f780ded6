// Fingerprints of models, from samples of their files and the changes of their graphs.
import { concatenate } from '../../base/index.ts'
import type { ModelFiles } from '../files.ts'

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
  files: Pick<ModelFiles, 'open'>,
  paths: readonly string[],
): Promise<string> {
  const utf8 = new TextEncoder()
  const parts: Uint8Array[] = descriptions.map((text) => utf8.encode(`${text.length}:${text}`))
  for (const path of paths) {
    await files.open(path, async ({ size, read }) => {
      parts.push(utf8.encode(`${size};`))
      if (size <= 2 * edge + slices * slice) {
        parts.push(await read(0, size))
        return
      }
      parts.push(await read(0, edge))
      const step = Math.floor((size - 2 * edge) / slices)
      for (let i = 0; i < slices; i++) parts.push(await read(edge + i * step, slice))
      parts.push(await read(size - edge, edge))
    })
  }
  const digest = await crypto.subtle.digest('SHA-256', concatenate(parts))
  const hexadecimal = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0'))
  return hexadecimal.join('').slice(0, 32)
}
