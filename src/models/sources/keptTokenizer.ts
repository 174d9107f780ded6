// Tokenizers that were made of other files, kept in the cache.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder, makeFolder, writeFileAtomic } from '../../base/files/index.ts'

/** Writes the text of a `tokenizer.json` into the cache, under its hash: readers want a file. */
export async function keepTokenizer(text: string): Promise<string> {
  const folder = join(cacheFolder(), 'tokenizers')
  const path = join(folder, `${createHash('sha256').update(text).digest('hex').slice(0, 32)}.json`)
  // One that was cut or changed since is written again.
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return path
  await makeFolder(folder)
  await writeFileAtomic(path, text)
  return path
}
