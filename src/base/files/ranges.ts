// A range of a file's bytes, read at once, in pieces, or into what is there already.
import { closeSync, openSync, readSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { PipiloError } from '../errors.ts'
import { type FileRange, giveRangeReader } from '../rangeReader.ts'
import { fileError } from './atomic.ts'

giveRangeReader({ readSync: readRangeSync, stream: streamRange })

const CHUNK = 4 << 20

/** Bytes of one call: Node refuses 2 GB and more. */
const LARGEST = 1 << 30

/** Reads an open file from `offset` until `out` is full or the file ends; gives how many bytes there were. */
export async function fill(file: FileHandle, out: Uint8Array, offset: number): Promise<number> {
  let filled = 0
  while (filled < out.length) {
    const wanted = Math.min(out.length - filled, LARGEST)
    const { bytesRead } = await file.read(out, filled, wanted, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

/** The first `count` bytes of a file, or all of a shorter one. Throws the system's own error. */
export async function readHead(path: string, count: number): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const head = new Uint8Array(count)
    return head.subarray(0, await fill(file, head, 0))
  } finally {
    await file.close()
  }
}

/** {@link fill} without waiting. */
export function fillSync(file: number, out: Uint8Array, offset: number): number {
  let filled = 0
  while (filled < out.length) {
    const got = readSync(file, out, filled, Math.min(out.length - filled, LARGEST), offset + filled)
    if (got === 0) break
    filled += got
  }
  return filled
}

/**
 * Fills `out`, of the range's length, with its bytes; blocks the thread while it reads.
 * @throws `FILE_NOT_FOUND`, `FILE_UNREADABLE`; `FORMAT_INVALID` if the file has become shorter
 */
export function readRangeSync(range: FileRange, out: Uint8Array): void {
  let file: number | undefined
  try {
    file = openSync(range.path, 'r')
    if (fillSync(file, out, range.offset) < range.length) throw tooShort(range)
  } catch (error) {
    throw fileError(error, range.path, 'read')
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/**
 * The bytes of a range in pieces; a piece is valid until the next one is asked for.
 *
 * @param most bytes in a piece; all but the last have as many. Default 4 MB.
 * @throws as {@link readRangeSync}
 */
export async function* streamRange(range: FileRange, most: number = CHUNK): AsyncGenerator<Uint8Array> {
  const { path, offset, length } = range
  const file = await open(path).catch((error: unknown) => {
    throw fileError(error, path, 'read')
  })
  try {
    const buffer = new Uint8Array(Math.min(most, length))
    for (let done = 0; done < length; done += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, length - done))
      const got = await fill(file, piece, offset + done).catch((error: unknown) => {
        throw fileError(error, path, 'read')
      })
      if (got < piece.length) throw tooShort(range)
      yield piece
    }
  } finally {
    await file.close()
  }
}

function tooShort({ path, offset, length }: FileRange): PipiloError {
  return new PipiloError('FORMAT_INVALID', `${path} ends before byte ${offset + length}.`, {
    hint: 'It was changed after it was read: read the model again.',
    input: path,
  })
}
