// Settings of a server: its options, checked before anything is opened, with the defaults filled in.
import { mkdtemp, rmdir, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileError, usualMemory } from '../base/files/index.ts'
import { checkOptions, is, type OptionTable, type OptionType, PipiloError, plainCopy } from '../base/index.ts'
import { embedderOptionTypes } from '../embed/index.ts'
import { compileOptionTypes } from '../runtime/index.ts'
import { connect } from '../store/index.ts'
import { isLoopback } from './safety/origins.ts'
import type { ServedModel, ServeLimits, ServeOptions, ServeSettings } from './types.ts'

/** Bounds where the options give none. */
const usualLimits: Required<ServeLimits> = {
  body: 2 ** 25,
  inputs: 2048,
  pixels: 2 ** 26,
  waitingTokens: 2 ** 15,
  waitingPixels: 256 * 224 * 224,
  seconds: 60,
  hits: 1000,
  open: 8,
  jobs: 16,
}

/** Bytes of the cache. */
const CACHE = 2 ** 28

/** Characters of a key, at the least: shorter ones are guessed. */
const KEY = 16

const { signal: _, onProgress: __, prompt: ___, chunk: ____, ...offered } = embedderOptionTypes

const bound = is.count(1)

const folderOrFalse: OptionType = (value, name, input) =>
  value === false ? undefined : is.name(value, name, input) && 'a folder, or false'

const types: OptionTable<ServeOptions> = {
  models: is.listOf(is.either(is.name, is.parts<ServedModel>({ ...offered, name: is.name, model: is.name }))),
  db: is.name,
  host: is.name,
  port: is.count(0),
  keys: is.listOf(is.text),
  anyone: is.flag,
  cors: is.listOf(is.text),
  tokenIds: is.flag,
  fetchFrom: is.listOf(is.text),
  limits: is.parts<ServeLimits>({
    body: bound,
    inputs: bound,
    pixels: bound,
    waitingTokens: bound,
    waitingPixels: bound,
    seconds: bound,
    hits: bound,
    open: bound,
    jobs: bound,
  }),
  cache: is.parts<NonNullable<ServeOptions['cache']>>({ folder: is.name, bytes: bound }),
  idle: is.numeric(0),
  memory: is.numeric(0),
  warm: is.flag,
  files: is.name,
  page: folderOrFalse,
  onAccess: is.callback,
  onError: is.callback,
  traces: is.flag,
  runtime: is.parts(compileOptionTypes),
  signal: is.abortSignal,
}

/** See `serveSettings` in onDemand.ts. */
export async function serveSettings(given?: ServeOptions): Promise<ServeSettings> {
  checkOptions<ServeOptions>('serve', given, types)
  const { cache, ...options } = plainCopy(given ?? {})
  const {
    host = '127.0.0.1',
    port = 8315,
    keys = [],
    cors = [],
    fetchFrom = [],
    db = './.pipilo',
    files,
  } = options
  if (port > 65_535) throw refused(`port is ${port}; ports end at 65535.`, 'port')
  for (const key of keys) checkKey(key)
  if (!isLoopback(host) && keys.length === 0 && !options.anyone) {
    throw refused(
      `Others reach ${host}, and there is no key.`,
      'keys',
      'Give keys (keys; --key-file or PIPILO_KEYS), or say that anyone may ask (anyone; --anyone).',
    )
  }
  for (const origin of cors) checkOrigin(origin)
  for (const allowed of fetchFrom) checkHost(allowed)
  if (cache && cache.folder === undefined) throw refused('cache has no folder.', 'cache')
  // A database at an address is asked for when it is needed; whoever can be no database is refused by connecting.
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(db)) await (await connect(db)).close()
  else await checkWritable(db, 'db')
  if (cache) await checkWritable(cache.folder, 'cache')
  if (files !== undefined) await checkFolder(files)
  return {
    ...options,
    host,
    port,
    keys,
    anyone: options.anyone === true,
    cors,
    fetchFrom,
    db,
    limits: { ...usualLimits, ...withoutUndefined(options.limits ?? {}) },
    ...(cache && { cache: { folder: cache.folder, bytes: cache.bytes ?? CACHE } }),
    tokenIds: options.tokenIds === true,
    idle: options.idle ?? 900,
    memory: options.memory ?? usualMemory(),
    warm: options.warm === true,
    traces: options.traces === true,
  }
}

const refused = (message: string, input: string, hint?: string): PipiloError =>
  new PipiloError('OPTION_INVALID', message, { input, ...(hint !== undefined && { hint }) })

const withoutUndefined = (limits: ServeLimits): ServeLimits =>
  Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))

/** Errors never show a key. */
function checkKey(key: string): void {
  if (key.trim() === '') throw refused('A key is empty.', 'keys')
  if (/\s/.test(key)) throw refused('A key holds a space, which no request can bear.', 'keys')
  if (key.length >= KEY) return
  throw refused(
    `A key has ${key.length} characters; it needs ${KEY} at the least, as shorter ones can be guessed.`,
    'keys',
    'openssl rand -hex 16 makes one.',
  )
}

/** Browsers send origins in one form alone: another one would never be met. */
function checkOrigin(given: string): void {
  if (given === '*') return
  const url = urlOf(given, 'https')
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:'
  const origin = isWeb ? url.origin : url ? `${url.protocol}//${url.host}` : undefined
  if (origin === given && url?.host) return
  throw refused(
    `cors holds ${JSON.stringify(given)}, which is no origin.`,
    'cors',
    url?.host
      ? `Did you mean ${origin}?`
      : "An origin is a page's scheme, host and port, as https://app.example; * stands for all.",
  )
}

function checkHost(given: string): void {
  const host = given.replace(/^\*\./, '')
  if (isIP(host) || host === '[::1]') return
  const url = urlOf(host, 'http')
  if (url?.hostname === host.toLowerCase() && host !== '' && !host.includes('*')) return
  const isName = url !== undefined && /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(url.hostname)
  throw refused(
    `fetchFrom holds ${JSON.stringify(given)}, which is no host.`,
    'fetchFrom',
    isName
      ? `Did you mean ${url.hostname}?`
      : 'A host is a name without scheme, port and path: images.example, or *.example for all below it.',
  )
}

/** A URL as it was written, or with a scheme before it. */
function urlOf(written: string, scheme: string): URL | undefined {
  try {
    return new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(written) ? written : `${scheme}://${written}`)
  } catch {
    return undefined
  }
}

async function checkFolder(files: string): Promise<void> {
  const found = await stat(files).catch(() => undefined)
  if (found?.isDirectory()) return
  throw refused(
    `files is ${files}, ${found ? 'which is a file' : 'and there is no such folder'}.`,
    'files',
    'Name the folder that the paths of collections are relative to.',
  )
}

/** Proves that a folder, or the nearest above it that is there, can be written to; nothing is left behind. */
async function checkWritable(folder: string, input: 'db' | 'cache'): Promise<void> {
  let place = resolve(folder)
  try {
    while (!(await isThere(place))) place = dirname(place)
    await rmdir(await mkdtemp(join(place, '.pipilo-')))
  } catch (error) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${input} is ${folder}, which cannot be written to: ${fileError(error, place, 'write').message}`,
      { input, cause: error },
    )
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && dirname(path) !== path) return false
      throw error
    },
  )
