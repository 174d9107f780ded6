// The file that a model's external data names: it has to lie in the model's own folder.
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { fileError } from '../../base/files/index.ts'
import { gitLfsPointer, LARGEST_POINTER, PipiloError } from '../../base/index.ts'

/**
 * The file of a tensor's external data, and how many bytes it has.
 *
 * @param what the tensor, for errors
 * @param model the model's own path, if it came from a file
 * @throws `FORMAT_INVALID` outside of the model's folder, `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_UNREADABLE`
 */
export function externalFile(
  what: string,
  location: string,
  directory: string,
  model: string | undefined,
): { path: string; bytes: number } {
  const invalid = (reason: string) => new PipiloError('FORMAT_INVALID', `${what} ${reason}.`)
  const parts = location.split(/[/\\]/)
  if (isAbsolute(location) || /^[a-zA-Z]:/.test(location) || parts.includes('..')) {
    throw invalid(`points outside of the model's folder: ${location}`)
  }
  const folder = resolve(directory)
  const path = resolve(folder, location)
  if (!existsSync(path)) {
    throw new PipiloError('FILE_NOT_FOUND', `${what} lies in ${path}, which is not there.`, {
      hint: 'Put the file of external data beside the model.',
      input: path,
    })
  }
  // The hub's cache links a snapshot's files to its store of blobs: the folder of the model's own target counts as well.
  const homes = [realpathSync(folder), ...(model ? [dirname(realpathSync(model))] : [])]
  const real = realpathSync(path)
  if (!homes.some((home) => isInside(home, real))) {
    throw invalid(`points outside of the model's folder: ${location} leads to ${real}`)
  }
  const stats = statSyncOrThrow(real)
  if (!stats.isFile())
    throw new PipiloError('NOT_A_FILE', `${what} lies in ${path}, which is not a file.`, { input: path })
  const pointer = stats.size <= LARGEST_POINTER ? gitLfsPointer(startOf(real), path) : undefined
  if (pointer) throw pointer
  return { path, bytes: stats.size }
}

function startOf(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}

function statSyncOrThrow(path: string) {
  try {
    return statSync(path)
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return (
    way !== '' &&
    way !== '..' &&
    !way.startsWith(`..${sep}`) &&
    !isAbsolute(way) &&
    join(folder, way) === path
  )
}
