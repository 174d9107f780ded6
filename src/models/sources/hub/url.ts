// Fetches single files of the web into Pipilo's cache.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { cacheFolder, makeFolder, withLock, writeFileAtomic } from '../../../base/files/index.ts'
import { PipiloError, retryAfter } from '../../../base/index.ts'
import { isObject } from '../../files.ts'
import { kindOf } from '../files.ts'
import { unescaped } from '../unescaped.ts'
import { isCompressed } from './bounded.ts'
import { download } from './download.ts'
import type { RepositoryOptions } from './repository.ts'
import { isNetworkFailure, PassingError, reasonOf, request, withRetries } from './request.ts'
import { hubSettings } from './settings.ts'

/**
 * The local path of one file of the web, kept in Pipilo's cache (`$PIPILO_CACHE`, else `$XDG_CACHE_HOME/pipilo`).
 *
 * The server is asked each time whether the file changed (its ETag, or date and size); if it cannot be reached, or
 * `offline` is set, the file of last time is used. `http:` is for the loopback address only: what comes without
 * encryption may have been changed on the way.
 *
 * @throws PipiloError `NETWORK`, `OFFLINE`, `FILE_NOT_FOUND`, `INPUT_INVALID`, `WRITE_FAILED`, `ABORTED`
 */
export async function fetchUrl(url: string, options: RepositoryOptions = {}): Promise<string> {
  const { protocol, hostname, pathname, username, password } = parse(url)
  if (username || password) {
    const without = url.replace(/\/\/[^/?#]*@/, '//')
    throw new PipiloError('INPUT_INVALID', `${without} has a user or a password in its address.`, {
      input: without,
      hint: 'Fetch it yourself, and open the file.',
    })
  }
  if (protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) {
    throw new PipiloError('INPUT_INVALID', `${url} is not encrypted.`, { input: url, hint: 'Use https:.' })
  }
  const folder = join(cacheFolder(), 'downloads', createHash('sha256').update(url).digest('hex').slice(0, 32))
  const target = join(folder, unescaped(basename(pathname), url).replace(/[^\w.-]/g, '_') || 'file')
  const record = join(folder, 'source.json')
  const cached = (await kindOf(target)) === 'file'
  if (options.offline ?? (await hubSettings()).offline) {
    if (cached) return target
    throw new PipiloError('OFFLINE', `${url} is not in the cache ${folder}.`, {
      input: url,
      hint: 'Open it once with a network, or use a local file.',
    })
  }
  const context = { signal: options.signal, backoff: options.backoff }
  try {
    const state = await stateOf(url, context)
    if (cached && state.version === (await storedVersion(record))) return target
    await makeFolder(folder)
    await withLock(`${target}.lock`, options.signal, async () => {
      if ((await kindOf(target)) === 'file' && state.version === (await storedVersion(record))) return
      const partial = `${target}.${createHash('sha256').update(state.version).digest('hex').slice(0, 16)}.incomplete`
      const file = { url, validator: state.etag, size: state.size }
      await download(file, partial, target, {
        ...context,
        onProgress: (event) => options.onProgress?.({ file: basename(target), ...event }),
      })
      await writeFileAtomic(record, JSON.stringify({ url, version: state.version }))
    })
    return target
  } catch (error) {
    if (!isNetworkFailure(error)) throw error
    if (cached) return target
    throw new PipiloError('NETWORK', `${url} could not be fetched: ${reasonOf(error)}.`, {
      input: url,
      hint: 'Without a network, use a local file or the built-in models.',
      cause: error,
    })
  }
}

async function stateOf(
  url: string,
  context: { signal: AbortSignal | undefined; backoff: number | undefined },
): Promise<{ version: string; etag: string | undefined; size: number | undefined }> {
  const response = await withRetries(context, async () => {
    const { response } = await request(url, 'HEAD', context)
    const { status } = response
    if (status === 429 || status === 503)
      throw new PassingError(
        `${new URL(url).host} answered ${status}`,
        retryAfter(response.headers.get('retry-after')),
      )
    return response
  })
  const { status, headers } = response
  if (status === 404 || status === 410) {
    throw new PipiloError('FILE_NOT_FOUND', `${url} does not exist (${status}).`, { input: url })
  }
  if (status === 401 || status === 403) {
    throw new PipiloError('HUB_DENIED', `${url} was refused (${status}).`, { input: url })
  }
  // Some servers do not know HEAD: the download itself then shows what is there.
  if (!response.ok) return { version: '', etag: undefined, size: undefined }
  const etag = headers.get('etag') ?? undefined
  const length = headers.get('content-length')
  return {
    version: etag ?? `${headers.get('last-modified') ?? ''} ${length ?? ''}`,
    etag: etag?.startsWith('"') ? etag : undefined,
    size: length && !isCompressed(response) ? Number(length) : undefined,
  }
}

async function storedVersion(record: string): Promise<string | undefined> {
  const value: unknown = await readFile(record, 'utf8')
    .then(JSON.parse, () => undefined)
    .catch(() => undefined)
  return isObject(value) && typeof value['version'] === 'string' ? value['version'] : undefined
}

function parse(url: string): URL {
  try {
    return new URL(url)
  } catch (cause) {
    throw new PipiloError('INPUT_INVALID', `'${url}' is not a URL.`, { input: url, cause })
  }
}
