// Refuses links in the hub's cache that lead out of it.
import { lstat, realpath } from 'node:fs/promises'
import { sep } from 'node:path'
import { PipiloError } from '../../../base/index.ts'

/**
 * The path, if it does not lead out of the cache: whoever may write there could let one read, or overwrite, what is elsewhere. The cache itself may be
 * a link.
 *
 * @throws PipiloError `FILE_UNREADABLE`
 */
export async function insideCache(path: string, cache: string): Promise<string> {
  const [real, root] = await Promise.all([realpath(path), realpath(cache)])
  if (real === root || real.startsWith(root + sep)) return path
  throw new PipiloError('FILE_UNREADABLE', `${path} is a link that leads out of the cache ${cache}.`, {
    input: path,
    hint: 'Delete it; to have the cache elsewhere, set HF_HUB_CACHE.',
  })
}

/** True for a link, wherever it leads. */
export const isLink = (path: string): Promise<boolean> =>
  lstat(path).then(
    (about) => about.isSymbolicLink(),
    () => false,
  )
