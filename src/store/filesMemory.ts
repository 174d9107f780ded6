// The memory of a collection of how files were read into it: the folder that ids are relative to, and options of reading.
import { stat } from 'node:fs/promises'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { canonicalJson, PipiloError } from '../base/index.ts'
import type { Collection, FilesMemory } from './types.ts'

/** Options of reading that later runs follow. */
export type Reading = Omit<FilesMemory, 'root'>

/**
 * The memory that holds for a run: what it says itself, else what the collection remembers, which it then remembers, too. Ids are relative to the folder
 * of the first run, wherever a later one is started: files outside have their whole path.
 *
 * @throws PipiloError `COLLECTION_MISMATCH` where ids are relative to a folder that nobody knows any more
 */
export async function filesMemory(
  collection: Collection,
  { cwd, ...said }: Reading & { readonly cwd: string },
): Promise<FilesMemory> {
  const before = await collection.filesMemory()
  const root = before && (await isFolder(before.root)) ? before.root : await rootOf(collection, cwd, before)
  const reading = { ...before, ...said, root }
  if (before && canonicalJson(before) === canonicalJson(reading)) return before
  // Another run may have been faster: its root holds.
  return collection.rememberFiles((now) =>
    now && now.root !== before?.root ? { ...reading, root: now.root } : reading,
  )
}

/** Files of a collection that are looked for. */
const LOOKED_FOR = 100

/**
 * The folder that ids are relative to where the collection does not say, or says one that is no more: the working folder, if files of it are there.
 */
async function rootOf(collection: Collection, cwd: string, before: FilesMemory | undefined): Promise<string> {
  const paths = new Set<string>()
  for await (const { metadata } of collection.rows()) {
    const { path, sha256 } = metadata
    if (typeof path === 'string' && typeof sha256 === 'string' && !isAbsolute(path)) paths.add(path)
    if (paths.size === LOOKED_FOR) break
  }
  if (paths.size === 0) return cwd
  for (const path of paths) if (await isThere(resolve(cwd, path))) return cwd
  const [some] = paths
  const of = before ? `${before.root}, which is no more` : 'a folder that it does not remember'
  throw new PipiloError(
    'COLLECTION_MISMATCH',
    `The collection "${collection.name}" names files relative to ${of}, and none of them is in ${cwd}: ${some}, for example.`,
    {
      input: cwd,
      hint: 'Run it once in the folder that they are relative to (or give that as cwd); for other files choose another collection.',
    },
  )
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (about) => about.isDirectory(),
    () => false,
  )

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** The text by which a collection remembers; folders are relative to that of the database, so that both can be moved together. */
export function written({ root, ...rest }: FilesMemory, database: string | undefined): string {
  const from = database === undefined ? root : relative(database, root) || '.'
  return JSON.stringify({ root: sep === '/' ? from : from.replaceAll(sep, '/'), ...rest })
}

/** The memory that {@link written} wrote; undefined for what is none of it. */
export function remembered(text: string | undefined, database: string | undefined): FilesMemory | undefined {
  if (text === undefined) return undefined
  try {
    const memory = JSON.parse(text) as FilesMemory
    return { ...memory, root: resolve(database ?? '.', memory.root) }
  } catch {
    return undefined
  }
}
