// Downloads files: resumed, checked, renamed when whole.
import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { fileError } from '../../../base/files/index.ts'
import { PipiloError, retryAfter } from '../../../base/index.ts'
import { isCompressed, mostBytes, tooMuch } from './bounded.ts'
import { isLink } from './insideCache.ts'
import { PassingError, type RequestContext, request, stalling, withRetries } from './request.ts'

/** Address, size and checksum of a file that a server states before it is fetched. */
export interface RemoteFile {
  readonly url: string
  /** Hexadecimal: a SHA-256 (64 digits) or git's SHA-1 of a blob (40 digits). */
  readonly checksum?: string | undefined
  /** The server's validator (its ETag, quoted): it may go on only with the same content. */
  readonly validator?: string | undefined
  /** Bytes, where known. */
  readonly size?: number | undefined
}

export interface DownloadContext extends RequestContext {
  readonly onProgress?: ((event: { loaded: number; total: number | undefined }) => void) | undefined
}

/**
 * Fetches a file to `target`, going on where an earlier attempt left `partial`, and checks it before it gets its name.
 *
 * The check: size and checksum, as far as they are known.
 *
 * @throws PipiloError `CHECKSUM_MISMATCH`, `ABORTED`, `WRITE_FAILED`; what {@link request} throws
 */
export async function download(
  file: RemoteFile,
  partial: string,
  target: string,
  context: DownloadContext,
): Promise<void> {
  const resumed = (await sizeOf(partial)) > 0
  await transferOrRemove(file, partial, context)
  let complaint = await verify(partial, file)
  if (complaint && resumed) {
    // The earlier part may have been of another content: once more from the start.
    await rm(partial, { force: true })
    await transferOrRemove(file, partial, context)
    complaint = await verify(partial, file)
  }
  if (complaint) {
    await rm(partial, { force: true })
    throw new PipiloError(
      'CHECKSUM_MISMATCH',
      `What came from ${file.url} is not what was announced: ${complaint}.`,
      {
        input: file.url,
        hint: 'Nothing was kept. Try again; if it stays so, the server or a proxy in between changes the file.',
      },
    )
  }
  await rename(partial, target).catch((error: unknown) => {
    throw fileError(error, target, 'write')
  })
}

/** Leaves nothing of a file that is longer than it may be. */
async function transferOrRemove(file: RemoteFile, partial: string, context: DownloadContext): Promise<void> {
  try {
    await transfer(file, partial, context)
  } catch (error) {
    if (error instanceof PipiloError && error.code === 'CHECKSUM_MISMATCH') await rm(partial, { force: true })
    throw error
  }
}

async function transfer(file: RemoteFile, partial: string, context: DownloadContext): Promise<void> {
  let furthest = await sizeOf(partial)
  let latest = furthest
  const attempt = () =>
    transferOnce(file, partial, context, (loaded) => {
      latest = loaded
      context.onProgress?.({ loaded, total: file.size })
    })
  await withRetries(context, attempt, () => {
    const progressed = latest > furthest
    furthest = Math.max(furthest, latest)
    return progressed
  })
}

async function transferOnce(
  file: RemoteFile,
  partial: string,
  context: DownloadContext,
  onLoaded: (bytes: number) => void,
): Promise<void> {
  // A link that somebody has put there would have what it leads to overwritten.
  if (await isLink(partial)) await rm(partial)
  const start = await sizeOf(partial)
  if (start > 0 && start === file.size) return
  const { response } = await request(file.url, 'GET', context, {
    ...(start > 0 ? { headers: { range: `bytes=${start}-` } } : {}),
    ...(start > 0 && file.validator ? { ownHeaders: { 'if-range': file.validator } } : {}),
  })
  if (response.status === 416) {
    await response.body?.cancel()
    await rm(partial, { force: true })
    throw new PassingError('the server has no such range')
  }
  await expectSuccess(response, file.url)
  const continues = response.status === 206 && rangeStart(response) === start
  if (response.status === 206 && !continues) throw new PassingError('the server sent another range')
  const cannotWrite = (error: unknown): never => {
    throw fileError(error, partial, 'write')
  }
  const handle = await open(partial, flagsOf(continues), 0o666).catch(cannotWrite)
  const announced = file.size ?? announcedBy(response, continues ? start : 0)
  const most = mostBytes(announced, response)
  let loaded = continues ? start : 0
  try {
    await stalling(context.signal, async (signal, heard) => {
      const reader = response.body?.getReader()
      // The body may have broken off for the same reason already.
      const stop = () => void reader?.cancel(signal.reason).catch(() => undefined)
      signal.addEventListener('abort', stop, { once: true })
      try {
        for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
          heard()
          if (loaded + piece.value.length > most) {
            stop()
            throw tooMuch(file.url, most)
          }
          await handle.writeFile(piece.value).catch(cannotWrite)
          loaded += piece.value.length
          onLoaded(loaded)
        }
        signal.throwIfAborted()
      } finally {
        signal.removeEventListener('abort', stop)
      }
    })
    await handle.sync().catch(cannotWrite)
  } finally {
    await handle.close()
  }
  if (file.size !== undefined && loaded < file.size) {
    throw new PassingError(`the connection was cut after ${loaded} of ${file.size} bytes`)
  }
}

/** Flags that follow no link. */
const flagsOf = (continues: boolean): number => {
  const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_TRUNC, O_WRONLY } = constants
  return O_WRONLY | O_CREAT | O_NOFOLLOW | (continues ? O_APPEND : O_TRUNC)
}

/** The whole file's bytes, as its answer says. */
function announcedBy(response: Response, start: number): number | undefined {
  const length = response.headers.get('content-length')
  return length === null || isCompressed(response) ? undefined : start + Number(length)
}

/** Throws for a status that is no success; busy servers and gateways may do better in a moment. */
async function expectSuccess(response: Response, url: string): Promise<void> {
  if (response.ok) return
  await response.body?.cancel()
  const says = `${new URL(url).host} answered ${response.status} for ${url}`
  if (response.status === 429 || response.status >= 500)
    throw new PassingError(says, retryAfter(response.headers.get('retry-after')))
  throw new PipiloError('NETWORK', `${says}.`, { input: url, hint: 'Try again later.' })
}

function rangeStart(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? -1)
}

/** Fault of the file, or undefined. */
async function verify(path: string, { checksum, size }: RemoteFile): Promise<string | undefined> {
  const actual = await sizeOf(path)
  if (size !== undefined && actual !== size) return `${actual} bytes instead of ${size}`
  if (!checksum) return undefined
  const hash = createHash(checksum.length === 64 ? 'sha256' : 'sha1')
  if (checksum.length === 40) hash.update(`blob ${actual}\0`)
  for await (const piece of createReadStream(path)) hash.update(piece)
  const digest = hash.digest('hex')
  return digest === checksum ? undefined : `its checksum is ${digest}, not ${checksum}`
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}
