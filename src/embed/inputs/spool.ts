// Pipes and devices that were named, read once into a file.
import { constants, createReadStream, createWriteStream, mkdtempSync, openSync, rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileError } from '../../base/files/index.ts'
import { abortError, PipiloError } from '../../base/index.ts'

/** Things with a path that are neither files nor folders. */
export type Special = 'a pipe' | 'a socket' | 'a device'

type Stats = Awaited<ReturnType<typeof stat>>

/** The kind of what is no file; undefined for files and folders. */
export function specialOf(about: Stats): Special | undefined {
  if (about.isFIFO()) return 'a pipe'
  if (about.isSocket()) return 'a socket'
  return about.isCharacterDevice() || about.isBlockDevice() ? 'a device' : undefined
}

/** Bytes that are taken of one; a device may have no end. */
const MOST = 2 ** 31

/** Read, but not yet by the reader that they are for. */
const waiting = new Map<string, Promise<string>>()

/**
 * The path of a file that holds what a pipe (also one of a shell's `<(…)`) or a device gives. It is gone when the process ends.
 *
 * @param keep for a reader that comes later: what has been read is not there again
 * @throws PipiloError `ABORTED`, `FILE_UNREADABLE`, `FORMAT_UNSUPPORTED` for what has no end
 */
export async function spooled(
  path: string,
  { keep, signal }: { readonly keep: boolean; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const file = waiting.get(path) ?? spool(path, signal)
  waiting.set(path, file)
  try {
    return await file
  } catch (error) {
    waiting.delete(path)
    throw error
  } finally {
    if (!keep) waiting.delete(path)
  }
}

async function spool(path: string, signal: AbortSignal | undefined): Promise<string> {
  const source = await open(path)
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-pipe-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'content')
  let size = 0
  try {
    const bounded = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        size += chunk.length
        if (size > MOST)
          throw new PipiloError('FORMAT_UNSUPPORTED', `${path} gives more than ${MOST / 2 ** 30} GB.`, {
            input: path,
          })
        yield chunk
      }
    }
    await pipeline(
      source,
      bounded,
      createWriteStream(file, { flags: 'wx', mode: 0o600 }),
      signal ? { signal } : {},
    )
    return file
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    if (signal?.aborted) throw abortError(signal)
    throw fileError(error, path, 'read')
  } finally {
    source.destroy()
  }
}

/** A pipe is waited for by the event loop: a thread that opens one waits for its writer, and nothing ends that. */
async function open(path: string): Promise<Readable> {
  try {
    if ((await stat(path)).isFIFO()) {
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      return new Socket({ fd, readable: true, writable: false })
    }
    return createReadStream(path)
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}
