// Notes about models whose sessions are kept in the cache, so that a new process need not read the model, build its graph and
// optimise it again.
import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Model, TowerModality } from '../models/index.ts'
import { fileIdentity, readNote, writeNote } from '../runtime/index.ts'
import type { KnownModel } from './recipe/known.ts'
import { keptDependsOn } from './recipe/options.ts'
import { optionsKey } from './recipe/recipe.ts'
import type { EmbedderOptions } from './types.ts'

interface SessionNote {
  readonly known: KnownModel
  /** Address of the kept session. */
  readonly session: string
  readonly folder: string
  /** The files of the folder as they were. */
  readonly files: string
}

/** A folder of more files is not only a model's. */
const MOST_FILES = 64

/**
 * The facts remembered of a model under these options; undefined when a file of it has changed since.
 *
 * @param tower of a model of two towers, which keeps no session but those of its towers
 */
export async function recall(
  name: string,
  options: EmbedderOptions,
  tower?: TowerModality,
): Promise<{ known: KnownModel; session: string } | undefined> {
  const key = await keyOf(name, options, tower)
  const note = key && ((await readNote(key, options.runtime?.cacheDir)) as SessionNote | undefined)
  if (!note || (await filesOf(note.folder)) !== note.files) return undefined
  return note
}

/**
 * Remembers a model whose files lie on this machine: those of a hub may have changed there.
 *
 * @param since when the model began to be read: a file that has changed later may not be the one that was read, and the next
 *   opening remembers instead
 */
export async function remember(
  name: string,
  options: EmbedderOptions,
  {
    model: { folder },
    known,
    session,
    since,
    tower,
  }: { model: Model; known: KnownModel; session: string; since: number; tower?: TowerModality },
): Promise<void> {
  const key = await keyOf(name, options, tower)
  const files = folder && (await filesOf(folder, since))
  if (!key || !files) return
  const note: SessionNote = { known, session, folder, files }
  await writeNote(key, note, options.runtime?.cacheDir)
}

/**
 * Everything that the graph depends on besides the model's files: Pipilo's build (its version and when it was written), the name,
 * where it is looked up, and the options. Undefined from source, which changes under one's hands, and for
 * pictures that calibrate.
 */
async function keyOf(
  name: string,
  options: EmbedderOptions,
  tower: TowerModality | undefined,
): Promise<string | undefined> {
  if (import.meta.url.endsWith('.ts') || options.runtime?.lower === false || options.calibration)
    return undefined
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }
  const { mtimeMs } = await stat(fileURLToPath(import.meta.url))
  const depending = Object.entries(options.runtime ?? {}).filter(
    ([option]) => keptDependsOn[option as keyof typeof keptDependsOn],
  )
  // A foreign graph is read as the modality that is asked for.
  const asked = [optionsKey(options, 'graph'), options.modality, depending.sort()]
  // Inputs that have a value are the graph's where they are named.
  const fed = Object.keys(options.inputs ?? {}).sort()
  return createHash('sha256')
    .update(JSON.stringify([version, mtimeMs, name, process.cwd(), asked, fed, tower]))
    .digest('hex')
}

/** The identities of a folder's files and those one folder below; undefined where there are too many, or one changed since. */
async function filesOf(folder: string, since = Number.POSITIVE_INFINITY): Promise<string | undefined> {
  try {
    const lines: string[] = []
    const folders = ['']
    for (const inner of folders) {
      for (const entry of await readdir(join(folder, inner), { withFileTypes: true })) {
        const path = join(inner, entry.name)
        if (entry.isDirectory()) {
          if (inner === '') folders.push(path)
          continue
        }
        if (lines.length === MOST_FILES) return undefined
        const file = join(folder, path)
        if ((await stat(file)).ctimeMs >= since) return undefined
        lines.push(await fileIdentity(file))
      }
    }
    return lines.sort().join('\n')
  } catch {
    return undefined
  }
}
