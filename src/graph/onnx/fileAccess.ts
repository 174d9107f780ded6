// The way to weights that lie in files, which `graph/files` gives where there is a file system.
import { PipiloError } from '../../base/index.ts'
import type { FileRange } from './wire.ts'

/** What the graph needs of a file system. */
export interface FileAccess {
  /** Fills `out`, of the range's length, with its bytes. */
  readSync(range: FileRange, out: Uint8Array): void
  /** The bytes of a range in pieces; a piece is valid until the next one is asked for. */
  stream(range: FileRange): AsyncIterable<Uint8Array>
  /** The file that external data of a model in `directory` name, and its length in bytes. */
  locate(
    what: string,
    location: string,
    directory: string,
    model: string | undefined,
  ): { readonly path: string; readonly bytes: number }
}

let given: FileAccess | undefined

/** Says how files are read from now on. */
export function giveFileAccess(access: FileAccess): void {
  given = access
}

/** @throws `FILE_UNREADABLE` where nobody has said how files are read */
export function fileAccess(): FileAccess {
  if (given) return given
  throw new PipiloError(
    'FILE_UNREADABLE',
    'These weights lie in a file, and there is no way to files here.',
    {
      hint: 'Read the model from bytes; in Node, import `pipilo/graph` without the condition `browser`.',
    },
  )
}
