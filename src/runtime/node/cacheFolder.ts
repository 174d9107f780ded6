// The cache's folder, and the deletion of files that have not been used for long.
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

// An entry is deleted when it has not been used for this long, or as the least recently used when all are larger than this.
const MAXIMUM_AGE = 60 * 86_400_000
const MAXIMUM_BYTES = 10 * 2 ** 30
// An entry that was used this recently may be about to be mapped by another process.
const IN_USE = 3_600_000

/** Deletes unused entries. A failure does no harm: the deletion is tried again when the next file is made. */
export async function prune(folder: string, keep: string): Promise<void> {
  // Files of one name belong together: the use of one of them is the use of all.
  const entries = new Map<string, { paths: string[]; size: number; age: number }>()
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.startsWith(keep) || !/\.(bin|onnx|json|tmp)$/.test(name)) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (!found) continue
    const group = name.endsWith('.tmp') ? name : name.replace(/\..*$/s, '')
    const { paths, size, age } = entries.get(group) ?? { paths: [], size: 0, age: Number.POSITIVE_INFINITY }
    entries.set(group, {
      paths: [...paths, path],
      size: size + found.size,
      age: Math.min(age, Date.now() - found.mtimeMs),
    })
  }
  let bytes = 0
  for (const { paths, size, age } of [...entries.values()].sort((a, b) => a.age - b.age)) {
    bytes += size
    const abandoned = paths[0]!.endsWith('.tmp') || age > MAXIMUM_AGE || bytes > MAXIMUM_BYTES
    if (!abandoned || age <= IN_USE) continue
    for (const path of paths) await rm(path, { force: true, recursive: true }).catch(() => {})
  }
}
