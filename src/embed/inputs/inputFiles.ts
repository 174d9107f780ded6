// Finds the files that a path, folder or glob stands for.
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { fileError } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { filePath } from '../pictures/imageSource.ts'
import { type Special, specialOf } from './spool.ts'

/** A file, or why there is none at this path. */
export interface FoundFile {
  /** Absolute. */
  readonly path: string
  /** In a folder or by a glob, rather than named. */
  readonly found: boolean
  readonly size?: number
  readonly modified?: Date
  /** Set of what is no file. */
  readonly special?: Special
  readonly error?: PipiloError
}

/** A path as ids show it: with `/`, relative to `cwd` unless it lies outside. */
export function displayPath(path: string, cwd: string): string {
  const inside = relative(cwd, path)
  const shown = inside === '..' || inside.startsWith(`..${sep}`) || inside === '' ? path : inside
  return sep === '/' ? shown : shown.replaceAll(sep, '/')
}

/** The files that a path, folder or glob stands for. A path that exists is never taken for a glob. */
export async function* findFiles(spec: string, cwd: string): AsyncGenerator<FoundFile> {
  const path = resolve(cwd, spec)
  try {
    const about = await stat(path)
    if (about.isDirectory()) yield* walk(path, [identity(about)])
    else yield named(path, about)
  } catch (error) {
    const { isDynamicPattern } = await import('tinyglobby')
    if (!isDynamicPattern(spec)) yield { path, found: false, error: fileError(error, spec, 'read') }
    else yield* match(spec, cwd)
  }
}

/** See `rootOf` in onDemand.ts. */
export async function rootOf(spec: string, cwd: string): Promise<string> {
  if (/^file:/i.test(spec)) return filePath(spec)
  const path = resolve(cwd, spec)
  const { isDynamicPattern } = await import('tinyglobby')
  // As in `findFiles`: what exists is no glob.
  if (!isDynamicPattern(spec) || (await isThere(path))) return path
  const parts = spec.split('/')
  const fixed = parts.slice(
    0,
    parts.findIndex((part) => isDynamicPattern(part)),
  )
  return resolve(cwd, fixed.join('/') || (spec.startsWith('/') ? '/' : '.'))
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

async function* match(pattern: string, cwd: string): AsyncGenerator<FoundFile> {
  const { glob } = await import('tinyglobby')
  const paths = await glob(pattern, { cwd, absolute: true, onlyFiles: true, expandDirectories: false })
  if (paths.length === 0) {
    const error = new PipiloError('FILE_NOT_FOUND', `No file matches ${pattern}.`, { input: pattern })
    yield { path: resolve(cwd, pattern), found: false, error }
  }
  for (const path of paths.sort()) {
    try {
      const about = await stat(path)
      yield found(resolve(path), about)
    } catch (error) {
      if (path.includes('\ufffd')) yield unnamed(dirname(path), basename(path))
      else yield { path: resolve(path), found: true, error: fileError(error, path, 'read') }
    }
  }
}

type Stats = Awaited<ReturnType<typeof stat>>

const identity = (about: Stats): string => `${about.dev}:${about.ino}`

/** A file that was named. Pipes and devices tell no size and may hold something all the same. */
function named(path: string, about: Stats): FoundFile {
  const special = specialOf(about)
  const size = special ? Number.POSITIVE_INFINITY : Number(about.size)
  return { path, found: false, size, modified: about.mtime, ...(special && { special }) }
}

/** A file that was found. A pipe is none: who waits for its writer waits for ever. */
function found(path: string, about: Stats): FoundFile {
  const special = specialOf(about)
  if (!special) return { ...named(path, about), found: true }
  const error = new PipiloError('NOT_A_FILE', `${path} is ${special}, not a file.`, {
    input: path,
    hint: 'It is read where it is named itself.',
  })
  return { path, found: true, error }
}

/** A file whose name is not UTF-8: it cannot be asked for by a text. */
function unnamed(folder: string, name: string): FoundFile {
  const path = join(folder, name)
  const error = new PipiloError('FILE_UNREADABLE', `${path} has a name that is not UTF-8.`, {
    input: path,
    hint: 'Rename it.',
  })
  return { path, found: true, error }
}

/** Everything below a folder but hidden files. `above` are the folders it lies in: a link back to one is not followed. */
async function* walk(folder: string, above: readonly string[]): AsyncGenerator<FoundFile> {
  let names: string[]
  try {
    const bytes = await readdir(folder, { encoding: 'buffer' })
    names = bytes.map((name) => name.toString())
    for (const [i, name] of names.entries())
      if (!bytes[i]!.equals(Buffer.from(name))) yield unnamed(folder, name)
    names = names.filter((name, i) => bytes[i]!.equals(Buffer.from(name)))
  } catch (error) {
    yield { path: folder, found: true, error: fileError(error, folder, 'list') }
    return
  }
  for (const name of names.sort()) {
    if (name.startsWith('.')) continue
    const path = join(folder, name)
    try {
      const about = await stat(path)
      if (about.isDirectory()) {
        const id = identity(about)
        if (!above.includes(id)) yield* walk(path, [...above, id])
      } else yield found(path, about)
    } catch (error) {
      yield { path, found: true, error: fileError(error, path, 'read') }
    }
  }
}
