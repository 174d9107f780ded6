// Makes folders.
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileError } from './atomic.ts'

/**
 * Makes a folder and those above it; one that is there is left as it is.
 *
 * @example
 * ```ts
 * await makeFolder('runs/mine/checkpoints')
 * ```
 *
 * @remarks In place of `mkdir` with `recursive`, which in Node 20 to 24 never ends where the system says that a folder's parent is
 * missing although it is there, as below `/proc`.
 *
 * @param mode permissions of the folders that are made
 * @throws `WRITE_FAILED`, also where a part of the path is a file
 */
export async function makeFolder(path: string, { mode }: { readonly mode?: number } = {}): Promise<void> {
  try {
    await make(resolve(path), mode)
  } catch (error) {
    throw fileError(error, path, 'write')
  }
}

async function make(path: string, mode: number | undefined): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (await isFolder(path)) return
    const above = dirname(path)
    if (!isMissing(error) || above === path) throw error
    await make(above, mode)
    await mkdir(path, { mode }).catch(async (again: unknown) => {
      if (!(await isFolder(path))) throw again // Another process may have made it.
    })
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

const isMissing = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT'
