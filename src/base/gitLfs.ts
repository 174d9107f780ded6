// Pointers that Git LFS leaves in the place of files that were not fetched.
import { PipiloError } from './errors.ts'

/** A pointer is a text of three short lines. */
export const LARGEST_POINTER = 1024

/**
 * The error of a file that is a Git LFS pointer, or undefined for one that is not.
 *
 * @param start the file's first bytes, or its text
 * @param name what errors call the file
 * @see https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
 */
export function gitLfsPointer(start: Uint8Array | string, name: string): PipiloError | undefined {
  const text = typeof start === 'string' ? start : new TextDecoder().decode(start.subarray(0, 64))
  if (!/^\uFEFF?version https:\/\/(?:git-lfs\.github\.com|hawser\.github\.com)\/spec\//.test(text))
    return undefined
  return new PipiloError('FORMAT_INVALID', `${name} is a Git LFS pointer, not the file itself.`, {
    input: name,
    hint: 'Run `git lfs pull`, or download the file.',
  })
}
