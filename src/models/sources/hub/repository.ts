// Repositories of the hub at one commit, in the cache that Python's client shares.
import { copyFile, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, posix, relative } from 'node:path'
import { fileError, makeFolder, withLock, writeFileAtomic } from '../../../base/files/index.ts'
import { is, type OptionTable, PipiloError, retryAfter } from '../../../base/index.ts'
import { kindOf } from '../files.ts'
import { boundedJson, isCompressed } from './bounded.ts'
import { download, type RemoteFile } from './download.ts'
import { insideCache, isLink } from './insideCache.ts'
import {
  type Answer,
  isNetworkFailure,
  PassingError,
  type RequestContext,
  reasonOf,
  request,
  withRetries,
} from './request.ts'
import { type HubSettings, hubSettings } from './settings.ts'

/** Options of {@link openRepository}. */
export interface RepositoryOptions {
  /** Branch, tag or commit. Default `main`. */
  readonly revision?: string | undefined
  /** Use only what is in the cache. Default: `HF_HUB_OFFLINE`. */
  readonly offline?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?:
    | ((event: { file: string; loaded: number; total: number | undefined }) => void)
    | undefined
  /** First pause before a retry, in milliseconds. Default 500. */
  readonly backoff?: number | undefined
}

/** A model repository of the hub at one commit. */
export interface Repository {
  /** `owner/name`. */
  readonly name: string
  readonly commit: string
  /** Paths of its files; those in the cache when the hub was not asked. */
  readonly files: readonly string[]
  /** Absolute path of a file in the cache, downloaded first if it is not there. */
  get(file: string): Promise<string>
  /** True if it is certain that it lacks a file: the cache alone knows only what somebody has noted in it. */
  lacks(file: string): Promise<boolean>
}

/** Types of {@link RepositoryOptions}. */
export const repositoryOptionTypes: OptionTable<RepositoryOptions> = {
  revision: is.name,
  offline: is.flag,
  signal: is.abortSignal,
  onProgress: is.callback,
  backoff: is.numeric(0),
}

/** See `openRepository` in ../onDemand.ts. */
export async function openRepository(name: string, options: RepositoryOptions = {}): Promise<Repository> {
  const revision = options.revision ?? 'main'
  checkNames(name, revision)
  const settings = await hubSettings()
  const folder = join(settings.cache, `models--${name.replaceAll('/', '--')}`)
  const context: RequestContext = {
    token: settings.token,
    tokenOrigin: new URL(settings.endpoint).origin,
    signal: options.signal,
    backoff: options.backoff,
  }
  if (options.offline ?? settings.offline) {
    const cached = await cachedRepository(folder, name, revision, settings.cache)
    if (cached) return cached
    throw new PipiloError('OFFLINE', `${name} at '${revision}' is not in the cache ${settings.cache}.`, {
      input: name,
      hint: 'Open it once with a network and without HF_HUB_OFFLINE, or use a local model (file:folder, npm:package/path).',
    })
  }
  let info: { commit: string; files: readonly string[] }
  try {
    info = await repositoryInfo(name, revision, settings, context)
  } catch (error) {
    if (!isNetworkFailure(error)) throw error
    const cached = await cachedRepository(folder, name, revision, settings.cache)
    if (cached) return cached
    throw unreachable(settings.endpoint, name, error)
  }
  if (revision !== info.commit) await rememberRevision(join(folder, 'refs', revision), info.commit)
  return {
    name,
    commit: info.commit,
    files: info.files,
    async get(file) {
      const pointer = pointerPath(folder, info.commit, file)
      if ((await kindOf(pointer)) !== 'file') {
        await fetchToCache({ name, commit: info.commit, file, folder, pointer, settings, context, options })
      }
      return insideCache(pointer, settings.cache)
    },
    async lacks(file) {
      if (info.files.includes(file)) return false
      // For times without a network. A cache that cannot be written loses only this note.
      const note = absencePath(folder, info.commit, file)
      await makeFolder(dirname(note)).catch(() => undefined)
      await writeFile(note, '').catch(() => undefined)
      return true
    },
  }
}

/** Path of the note, which Python's client makes too, that a repository lacks a file. */
function absencePath(folder: string, commit: string, file: string): string {
  return join(folder, '.no_exist', commit, file)
}

/** Commit and files of a repository, asked of the hub through its own client. */
async function repositoryInfo(
  name: string,
  revision: string,
  settings: HubSettings,
  context: RequestContext,
): Promise<{ commit: string; files: readonly string[] }> {
  const { modelInfo } = await import('@huggingface/hub')
  const { sha, filePaths } = await modelInfo({
    name,
    revision,
    hubUrl: settings.endpoint,
    additionalFields: ['sha', 'filePaths'],
    fetch: (input) =>
      withRetries(context, async () => {
        const answer = await request(String(input), 'GET', context)
        await expectHub(answer, name, revision)
        return boundedJson(answer.response, String(input))
      }),
  }).catch((error: unknown) => {
    throw error instanceof SyntaxError ? noHub(settings, name, error) : error
  })
  if (typeof sha !== 'string' || !/^[0-9a-f]{40,64}$/.test(sha)) throw noHub(settings, name)
  return { commit: sha, files: filePaths }
}

function noHub({ endpoint }: HubSettings, name: string, cause?: unknown): PipiloError {
  return new PipiloError('NETWORK', `${endpoint} does not answer like a hub when asked for ${name}.`, {
    input: name,
    hint: 'Check HF_ENDPOINT, and whether a proxy wants you to log in.',
    cause,
  })
}

/** Writes what a revision is; a cache that says so already may be read-only. */
async function rememberRevision(path: string, commit: string): Promise<void> {
  const known = await readFile(path, 'utf8').catch(() => '')
  if (known === commit) return
  await makeFolder(dirname(path))
  await writeFileAtomic(path, commit)
}

async function cachedRepository(
  folder: string,
  name: string,
  revision: string,
  cache: string,
): Promise<Repository | undefined> {
  const note = join(folder, 'refs', revision)
  const known = await readFile(note, 'utf8').catch(() => undefined)
  const commit = known === undefined ? revision : known.trim()
  if (known !== undefined && !/^\w+$/.test(commit)) {
    throw new PipiloError('FORMAT_INVALID', `${note} names no commit.`, {
      input: note,
      hint: 'Delete it, and open the model with a network.',
    })
  }
  const snapshot = join(folder, 'snapshots', commit)
  if ((await kindOf(snapshot)) !== 'folder') return undefined
  await insideCache(snapshot, cache)
  const entries = await readdir(snapshot, { recursive: true })
  return {
    name,
    commit,
    files: entries.map((entry) => entry.replaceAll('\\', '/')),
    async get(file) {
      const pointer = pointerPath(folder, commit, file)
      if ((await kindOf(pointer)) === 'file') return insideCache(pointer, cache)
      throw new PipiloError('OFFLINE', `${file} of ${name} is not in the cache, and the hub was not asked.`, {
        input: file,
        hint: 'Open the model once with a network and without HF_HUB_OFFLINE.',
      })
    },
    lacks: async (file) => (await kindOf(absencePath(folder, commit, file))) === 'file',
  }
}

interface Wanted {
  readonly name: string
  readonly commit: string
  readonly file: string
  readonly folder: string
  readonly pointer: string
  readonly settings: HubSettings
  readonly context: RequestContext
  readonly options: RepositoryOptions
}

async function fetchToCache(wanted: Wanted): Promise<void> {
  const { name, file, folder, pointer, settings, context, options } = wanted
  try {
    const { remote, etag } = await fileInfo(wanted)
    const blob = join(folder, 'blobs', etag)
    await makeFolder(dirname(blob))
    await insideCache(dirname(blob), settings.cache)
    const lock = join(
      settings.cache,
      '.locks',
      `models--${name.replaceAll('/', '--')}`,
      `${etag}.pipilo.lock`,
    )
    await withLock(lock, context.signal, async () => {
      if (await isLink(blob)) await insideCache(blob, settings.cache)
      if ((await kindOf(blob)) === 'file') return
      await download(remote, `${blob}.pipilo.incomplete`, blob, {
        ...context,
        onProgress: (event) => options.onProgress?.({ file, ...event }),
      })
    })
    await makeFolder(dirname(pointer))
    await insideCache(dirname(pointer), settings.cache)
    await linkTo(blob, pointer)
  } catch (error) {
    if (isNetworkFailure(error)) throw unreachable(settings.endpoint, name, error)
    throw error
  }
}

/** Asks for a file's ETag and size, as the hub itself states them, before any redirect to another host. */
async function fileInfo({
  name,
  commit,
  file,
  settings,
  context,
}: Wanted): Promise<{ remote: RemoteFile; etag: string }> {
  const url = `${settings.endpoint}/${name}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`
  const answer = await withRetries(context, async () => {
    const head = await request(url, 'HEAD', context, { follow: 'same-origin' })
    await expectHub(head, name, commit, file)
    return head
  })
  const linked = unquote(answer.headers.get('x-linked-etag'))
  const etag = linked ?? unquote(answer.headers.get('etag'))
  if (!etag || !/^[\w.-]+$/.test(etag)) {
    throw new PipiloError('NETWORK', `${url} has no ETag that a file of the cache could be named after.`, {
      input: url,
      hint: 'Check HF_ENDPOINT.',
    })
  }
  const length =
    answer.headers.get('x-linked-size') ??
    (answer.response.ok && !isCompressed(answer.response) ? answer.headers.get('content-length') : undefined)
  const remote = {
    url,
    // The hub names large files by their SHA-256 and small ones by git's SHA-1; a mirror's other ETags say nothing.
    checksum: /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag) ? etag : undefined,
    validator: linked ? undefined : `"${etag}"`,
    size: length ? Number(length) : undefined,
  }
  return { remote, etag }
}

/** Turns a refusal of the hub into an error that says what to do. */
async function expectHub(
  { response, headers, url }: Answer,
  name: string,
  revision: string,
  file?: string,
): Promise<void> {
  // A redirect to another host is where the content lies: the hub has agreed.
  if (response.status < 400) return
  await response.body?.cancel()
  const code = headers.get('x-error-code')
  const message = headers.get('x-error-message') ?? ''
  const { status } = response
  if (status === 429 || status >= 500)
    throw new PassingError(
      `${new URL(url).host} answered ${status}`,
      retryAfter(response.headers.get('retry-after')),
    )
  if (code === 'GatedRepo') {
    throw new PipiloError('HUB_DENIED', `${name} is gated: its owner wants its terms to be accepted.`, {
      input: name,
      hint: `Accept them at ${new URL(url).origin}/${name} and set HF_TOKEN to a token of that account.`,
    })
  }
  const hidden = code === 'RepoNotFound' || (status === 401 && message === 'Invalid username or password.')
  if (!hidden && (status === 401 || status === 403)) {
    throw new PipiloError(
      'HUB_DENIED',
      `The hub refused ${name} (${status}${message ? `: ${message}` : ''}).`,
      {
        input: name,
        hint: 'Set HF_TOKEN to a token that may read it.',
      },
    )
  }
  if (code === 'EntryNotFound' || (file && status === 404 && !code)) {
    throw new PipiloError('FILE_NOT_FOUND', `${name} has no file ${file ?? url} at '${revision}'.`, {
      input: file ?? url,
    })
  }
  const what =
    code === 'RevisionNotFound' ? `${name} has no revision '${revision}'` : `The hub has no model ${name}`
  throw new PipiloError('MODEL_UNKNOWN', `${what} (${status}).`, {
    input: name,
    hint: 'Check the spelling; a private model needs HF_TOKEN.',
  })
}

function unreachable(endpoint: string, name: string, error: unknown): PipiloError {
  return new PipiloError('NETWORK', `${name} could not be fetched from ${endpoint}: ${reasonOf(error)}.`, {
    input: name,
    hint:
      'Without a network, use the built-in models (npm:…), a local folder (file:…), or HF_HUB_OFFLINE=1 for what is in the cache; ' +
      'HF_ENDPOINT names another hub.',
    cause: error,
  })
}

/** A link as Python's client makes it, relative; a copy where links are not allowed. */
async function linkTo(blob: string, pointer: string): Promise<void> {
  if ((await kindOf(pointer)) === undefined) await rm(pointer, { force: true }) // A link to a blob that was deleted.
  try {
    await symlink(relative(dirname(pointer), blob), pointer)
  } catch (error) {
    if ((await kindOf(pointer)) === 'file') return // Another process was faster.
    if (error instanceof Error && 'code' in error && (error.code === 'EPERM' || error.code === 'ENOSYS')) {
      return copyFile(blob, pointer).catch((failure: unknown) => {
        throw fileError(failure, pointer, 'write')
      })
    }
    throw fileError(error, pointer, 'write')
  }
}

/** A path of a snapshot; the names come from the repository, so they must not lead out of it. */
function pointerPath(folder: string, commit: string, file: string): string {
  const path = posix.normalize(file)
  if (file.includes('\\') || posix.isAbsolute(path) || path.split('/').includes('..')) {
    throw new PipiloError('INPUT_INVALID', `'${file}' is not a path inside a repository.`, { input: file })
  }
  return join(folder, 'snapshots', commit, path)
}

function checkNames(name: string, revision: string): void {
  const part = '\\w(?:[\\w.-]{0,94}\\w)?'
  if (!new RegExp(`^${part}(?:/${part})?$`).test(name) || /--|\.\./.test(name)) {
    throw new PipiloError('INPUT_INVALID', `'${name}' is not the name of a model on the hub.`, {
      input: name,
      hint: 'It looks like owner/name: letters, digits, single - and . in between.',
    })
  }
  if (!/^[\w][\w./-]*$/.test(revision) || revision.includes('..')) {
    throw new PipiloError('INPUT_INVALID', `'${revision}' is not a branch, tag or commit.`, {
      input: revision,
    })
  }
}

function unquote(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, '').replace(/^"|"$/g, '') || undefined
}
