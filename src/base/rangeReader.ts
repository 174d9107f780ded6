// The way to bytes that stay in files: `base/files` gives it where there is a file system.
import { PipiloError } from './errors.ts'

/** A stretch of a file. */
export interface FileRange {
  readonly path: string
  /** First byte. */
  readonly offset: number
  /** In bytes. */
  readonly length: number
}

/** Reads ranges of files. */
export interface RangeReader {
  /** Fills `out`, of the range's length, with its bytes; blocks the thread while it reads. */
  readSync(range: FileRange, out: Uint8Array): void
  /** The bytes of a range in pieces; a piece is valid until the next one is asked for. */
  stream(range: FileRange): AsyncIterable<Uint8Array>
}

let given: RangeReader | undefined

/** Says how ranges are read from now on. */
export function giveRangeReader(reader: RangeReader): void {
  given = reader
}

/** @throws `FILE_UNREADABLE` where there are no files */
export function rangeReader(): RangeReader {
  if (given) return given
  throw new PipiloError(
    'FILE_UNREADABLE',
    'These weights lie in a file, and there is no way to files here.',
    {
      hint: 'Read the model from bytes; in Node, import `pipilo/graph` without the condition `browser`.',
    },
  )
}
