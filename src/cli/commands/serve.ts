// Command `serve`: serves models and collections over HTTP until it is stopped.
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { fileError } from '../../base/files/index.ts'
import { resolveRecipe } from '../../embed/index.ts'
import {
  type ServedModel,
  type ServeLimits,
  type ServeOptions,
  type ServeSettings,
  serve,
  serveSettings,
} from '../../serve/index.ts'
import { aborted, command, numberOption, usageError } from '../command.ts'
import { database, deviceArgs, embedderOptions, openArgs } from '../modelOptions.ts'
import { table } from '../table.ts'

/** Variable of the environment that holds keys, separated by commas. */
const KEYS = 'PIPILO_KEYS'

export const serveCommand = command({
  name: 'serve',
  description: 'Serve models and collections over HTTP, as OpenAI, Cohere and text-embeddings-inference do',
  examples: [
    'pipilo serve',
    'pipilo serve --model all-MiniLM-L6-v2 --model mobilenet-v2 --db .pipilo',
    'pipilo serve --model text-embedding-3-small=all-MiniLM-L6-v2 --host 0.0.0.0 --key-file keys.txt',
    'curl localhost:8315/v1/embeddings -H \'content-type: application/json\' -d \'{"model":"all-MiniLM-L6-v2","input":"owls"}\'',
  ],
  repeats: ['--model', '--cors', '--fetch-from'],
  args: {
    model: {
      type: 'string',
      description:
        'Model to serve, or NAME=MODEL for another name; may be given several times (default: the three that work offline)',
      valueHint: 'model',
    },
    dtype: openArgs.dtype,
    ...deviceArgs,
    threads: { type: 'string', description: 'Processor threads of each model', valueHint: 'n' },
    db: database,
    files: {
      type: 'string',
      description: 'Folder whose pictures have thumbnails on the page (default: uploaded pictures alone)',
      valueHint: 'folder',
    },
    host: {
      type: 'string',
      description: 'Address to listen on; 0.0.0.0 for all',
      valueHint: 'address',
      default: '127.0.0.1',
    },
    port: { type: 'string', description: 'Port; 0 for any that is free', valueHint: 'n', default: '8315' },
    'key-file': {
      type: 'string',
      description: `File of keys of 16 characters and more, one a line, of which requests must bear one (also: ${KEYS})`,
      valueHint: 'file',
    },
    anyone: {
      type: 'boolean',
      description: 'Let others in without a key, where --host lets them reach the server',
    },
    cors: {
      type: 'string',
      description: 'Origin of pages that may call the server, or *; may be given several times',
      valueHint: 'origin',
    },
    'fetch-from': {
      type: 'string',
      description:
        'Host from which pictures are fetched by URL, or *.host; may be given several times (default: none)',
      valueHint: 'host',
    },
    'token-ids': { type: 'boolean', description: 'Take arrays of numbers for the model’s own token ids' },
    queue: {
      type: 'string',
      description: 'Tokens that may wait for a model; past it, requests get 429 (default: 32768)',
      valueHint: 'tokens',
    },
    timeout: { type: 'string', description: 'Seconds for a request (default: 60)', valueHint: 's' },
    idle: {
      type: 'string',
      description: 'Seconds after which a model that is not used is closed (default: 900)',
      valueHint: 's',
    },
    memory: {
      type: 'string',
      description:
        'Megabytes of memory past which models that are not used are closed (default: three quarters of the machine’s)',
      valueHint: 'MB',
    },
    cache: {
      type: 'string',
      description: 'Folder that keeps vectors for inputs that come again',
      valueHint: 'folder',
    },
    'cache-size': { type: 'string', description: 'Megabytes of the cache (default: 256)', valueHint: 'MB' },
    warm: { type: 'boolean', description: 'Open all models before the first request' },
    page: { type: 'boolean', description: 'Serve the search page at /', default: true },
    log: {
      type: 'string',
      description: 'File for a line of JSON a request; - for standard output',
      valueHint: 'file',
    },
    traces: {
      type: 'boolean',
      description: 'Trace requests by OpenTelemetry, which NODE_OPTIONS=--import … sets up',
    },
    check: { type: 'boolean', description: 'Say what would be served, and end' },
    json: {
      type: 'boolean',
      description: 'Print { "url", "models" }, or with --check all settings, as JSON',
    },
  },
  list: {
    title:
      'LIMITS (--check shows them; --queue sets waitingTokens, --timeout seconds, the library all: serve({ limits }))',
    rows: () => limitsInWords.map(([name, meaning]) => [name, meaning]),
  },
  async run(args, terminal) {
    const options = await optionsOf(args)
    const models = await Promise.all(
      (options.models ?? []).map(async (given) => {
        const { name, model, ...rest } = given as ServedModel
        const { modality, dimensions, dtype } = await resolveRecipe(model, rest)
        return { name: name ?? model, model, modality, dimensions, dtype }
      }),
    )
    // Also without --check: what is refused is refused before the log is opened.
    const settings = await serveSettings(options)
    if (args.check) {
      const { keys, cache = null, files = null, page = true, ...rest } = settings
      const plain = { ...rest, keys: keys.length, cache, files, page, models, log: args.log ?? null }
      return terminal.out(
        args.json
          ? `${JSON.stringify(plain, null, 2)}\n`
          : `${table([{ heading: 'setting' }, { heading: 'value', limit: 200 }], legible(settings, models, args.log))}\n`,
      )
    }
    const log = args.log === undefined ? undefined : await logTo(args.log)
    const server = await serve({
      ...options,
      ...(log && { onAccess: (line) => void log.write(`${JSON.stringify(line)}\n`) }),
      onError: (error, request) =>
        terminal.err(
          `pipilo serve: ${request}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
        ),
    })
    const names = models.map(({ name }) => name)
    // A server that was stopped while it started is at no address.
    if (!terminal.signal.aborted)
      await terminal.out(
        args.json
          ? `${JSON.stringify({ url: server.url, models })}\n`
          : `Serving ${names.join(', ')} at ${server.url}\n`,
      )
    await aborted(terminal.signal)
    if (terminal.interactive) terminal.err('stopping; once more to stop at once\n')
    await server.close()
    if (log && log !== process.stdout) await new Promise<void>((resolve) => log.end(resolve))
  },
})

/** Limits, what they bound, and in which unit. */
const limitsInWords = [
  ['body', 'bytes of a request’s body', 'bytes'],
  ['inputs', 'texts and pictures in a request, and rows', ''],
  ['pixels', 'width × height above which a picture is refused', 'pixels'],
  ['hits', 'hits of a search', ''],
  ['waitingTokens', 'tokens that may wait for a model', 'tokens'],
  ['waitingPixels', 'pixels that may wait for a model', 'pixels'],
  ['seconds', 'from a request’s head to its answer', 's'],
  ['open', 'models, and layers of them, that are open at a time', ''],
  ['jobs', 'jobs of indexing that run or wait', ''],
] as const satisfies readonly (readonly [keyof ServeLimits, string, string])[]

/** Rows of a table that --check prints. */
function legible(
  { limits, cache, ...settings }: ServeSettings,
  models: readonly { name: string; model: string; modality: string; dimensions: number; dtype?: unknown }[],
  log: string | undefined,
): [name: string, value: string][] {
  const number = (value: number, unit = '') => `${value.toLocaleString('en')} ${unit}`.trimEnd()
  const list = (values: readonly string[], none: string) => values.join(', ') || none
  const yes = (value: boolean) => (value ? 'yes' : 'no')
  const megabytes = (bytes: number) => number(Math.round(bytes / 1e6), 'MB')
  const { keys, anyone } = settings
  return [
    ...models.map(({ name, model, modality, dimensions, dtype }): [string, string] => [
      'model',
      `${name === model ? name : `${name} = ${model}`} (${[modality, `${dimensions} dimensions`, dtype].filter(Boolean).join(', ')})`,
    ]),
    ['host', settings.host],
    ['port', settings.port === 0 ? 'any that is free' : `${settings.port}`],
    [
      'keys',
      keys.length > 0 ? number(keys.length) : anyone ? 'none: anyone may ask' : 'none: this machine alone',
    ],
    ['db', settings.db],
    ['files', settings.files ?? 'none: uploaded pictures alone have thumbnails'],
    ['cors', list(settings.cors, 'none: its own page alone')],
    ['fetch-from', list(settings.fetchFrom, 'none: no picture is fetched')],
    ['cache', cache ? `${cache.folder}, ${megabytes(cache.bytes)}` : 'none'],
    ['idle', number(settings.idle, 's')],
    ['memory', megabytes(settings.memory)],
    ...(settings.runtime ? [['runtime', JSON.stringify(settings.runtime)] as [string, string]] : []),
    ['warm', yes(settings.warm)],
    ['page', yes(settings.page !== false)],
    ['token-ids', yes(settings.tokenIds)],
    ['traces', yes(settings.traces)],
    ['log', log ?? 'none'],
    ...limitsInWords.map(([name, , unit]): [string, string] => [
      `limits.${name}`,
      number(limits[name], unit),
    ]),
  ]
}

/** Values as written. */
interface Values {
  readonly [option: string]: unknown
}

async function optionsOf(args: Values): Promise<ServeOptions> {
  const text = (name: string) => args[name] as string | undefined
  const list = (name: string) =>
    text(name)
      ?.split(',')
      .map((entry) => entry.trim())
  const { dtype, device, runtime } = embedderOptions({
    dtype: text('dtype'),
    device: text('device'),
    threads: text('threads'),
  })
  const { defaultImageModel, defaultTextImageModel, defaultTextModel } = await import('../../models/index.ts')
  const models = (list('model') ?? [defaultTextModel, defaultImageModel, defaultTextImageModel]).map(
    (written): ServedModel => {
      const [, name, model] = /^([^=]+)=(.+)$/.exec(written) ?? [undefined, undefined, written]
      return {
        ...(name !== undefined && { name }),
        model: model!,
        ...(dtype && { dtype }),
        ...(device && { device }),
      }
    },
  )
  const keys = [
    ...keysIn(process.env[KEYS]?.replaceAll(',', '\n') ?? ''),
    ...(await keysOf(text('key-file'))),
  ]
  const [cors, fetchFrom] = [list('cors'), list('fetch-from')]
  const queue = numberOption(text('queue'), 'queue')
  const seconds = numberOption(text('timeout'), 'timeout')
  const idle = numberOption(text('idle'), 'idle')
  const memory = numberOption(text('memory'), 'memory')
  const size = numberOption(text('cache-size'), 'cache-size')
  const cache = text('cache')
  if (size !== undefined && cache === undefined)
    throw usageError('--cache-size is the size of a cache, and there is no --cache.')
  return {
    models,
    db: text('db')!,
    host: text('host')!,
    port: numberOption(text('port'), 'port', 0)!,
    keys,
    ...(args['anyone'] === true && { anyone: true }),
    ...(cors && { cors }),
    ...(fetchFrom && { fetchFrom }),
    ...(args['token-ids'] === true && { tokenIds: true }),
    ...((queue !== undefined || seconds !== undefined) && {
      limits: {
        ...(queue !== undefined && { waitingTokens: queue }),
        ...(seconds !== undefined && { seconds }),
      },
    }),
    ...(idle !== undefined && { idle }),
    ...(memory !== undefined && { memory: memory * 1e6 }),
    ...(cache !== undefined && {
      cache: { folder: cache, ...(size !== undefined && { bytes: size * 1e6 }) },
    }),
    ...(args['warm'] === true && { warm: true }),
    ...(text('files') !== undefined && { files: text('files')! }),
    ...(args['page'] === false && { page: false as const }),
    ...(args['traces'] === true && { traces: true }),
    ...(runtime && { runtime }),
  }
}

const keysIn = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))

async function keysOf(path: string | undefined): Promise<string[]> {
  if (path === undefined) return []
  const text = await readFile(path, 'utf8').catch((error) => Promise.reject(fileError(error, path, 'read')))
  const keys = keysIn(text)
  if (keys.length === 0) throw usageError(`--key-file ${path} holds no key.`, 'Write one a line.')
  return keys
}

async function logTo(path: string): Promise<Writable> {
  if (path === '-') return process.stdout
  const stream = createWriteStream(path, { flags: 'a' })
  return new Promise((resolve, reject) => {
    stream.once('open', () => resolve(stream))
    stream.once('error', (error) => reject(fileError(error, path, 'write')))
  })
}
