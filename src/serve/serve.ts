// Starts a server and stops it.

import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { cacheFolder } from '../base/files/index.ts'
import { PipiloError, throwIfAborted } from '../base/index.ts'
import { VectorCache } from './cache/vectorCache.ts'
import { Collections } from './collections/collections.ts'
import { picturesBelow } from './collections/pictureOf.ts'
import { collectionRoutes } from './collections/routes.ts'
import { appOf } from './http/app.ts'
import type { Route } from './http/route.ts'
import { cohereRoutes } from './interfaces/cohere.ts'
import { layersRoute } from './interfaces/layers.ts'
import { mapRoute } from './interfaces/map.ts'
import { openAiRoutes } from './interfaces/openai.ts'
import { pageRoutes } from './interfaces/page.ts'
import { teiRoutes } from './interfaces/tei.ts'
import { upkeepRoutes } from './interfaces/upkeep.ts'
import { Jobs } from './jobs/jobs.ts'
import { jobRoutes } from './jobs/routes.ts'
import { Embedding } from './models/embedding.ts'
import { ModelTable, offeredModels } from './models/modelTable.ts'
import { WorkQueue } from './queue/workQueue.ts'
import { fetcherFrom } from './safety/fetchFrom.ts'
import { Keys } from './safety/keys.ts'
import { isLoopback } from './safety/origins.ts'
import { pictureBytes } from './safety/pictures.ts'
import { Metrics } from './seen/metrics.ts'
import { tracing } from './seen/traces.ts'
import type { Services } from './services.ts'
import { serveSettings } from './settings.ts'
import type { ServeOptions, Server } from './types.ts'
import { version } from './version.ts'

/** Bytes and milliseconds of a picture that is fetched. */
const FETCHED = { bytes: 2 ** 25, patience: 10_000 }

/** See `serve` in onDemand.ts. */
export async function serve(given?: ServeOptions): Promise<Server> {
  const options = await serveSettings(given)
  const { host, port, keys, cors, signal, idle, memory, limits, db } = options
  throwIfAborted(signal)
  const local = isLoopback(host)
  const traces = await tracing(options.traces)
  const offered = (await offeredModels(options.models)).map((each) => ({
    ...each,
    options: { ...each.options, maxPixels: each.options.maxPixels ?? limits.pixels },
  }))
  const { runtime } = options
  const table = new ModelTable(offered, { idle: idle * 1000, memory, most: limits.open, runtime })
  const metrics = new Metrics()
  const queue = new WorkQueue({ tokens: limits.waitingTokens, pixels: limits.waitingPixels })
  metrics.gauge('pipilo_queue_requests', 'Requests that wait for a model.', () => queue.count)
  metrics.gauge('pipilo_queue_share', 'Share of the queue that is taken, from 0 to 1.', () => queue.share)
  metrics.gauge('pipilo_open_models', 'Embedders that are open.', () => table.count)
  metrics.gauge('pipilo_resident_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss())
  metrics.gauge('pipilo_heap_bytes', 'Objects of JavaScript in it.', () => process.memoryUsage().heapUsed)
  const onError = options.onError ?? ((error, request) => console.error(`pipilo serve: ${request}:`, error))
  const cache =
    options.cache &&
    new VectorCache(options.cache.folder, options.cache.bytes, (error) => onError(error, 'cache'))
  if (cache) {
    metrics.gauge('pipilo_cache_hits_total', 'Vectors that the cache gave.', () => cache.hits, 'counter')
    metrics.gauge('pipilo_cache_misses_total', 'Vectors that it did not have.', () => cache.misses, 'counter')
  }
  const embedding = new Embedding(table, queue, metrics, cache)
  const fetcher = fetcherFrom({ hosts: options.fetchFrom, ...FETCHED })
  const services: Services = {
    embedding,
    table,
    limits,
    tokenIds: options.tokenIds,
    created: Math.floor(Date.now() / 1000),
    version: version(),
    picture: (picture, label, gone) => pictureBytes(picture, label, { fetcher, signal: gone }),
  }
  const collections = new Collections(db, embedding)
  const jobs = new Jobs(limits.jobs, onError)
  metrics.gauge('pipilo_jobs', 'Jobs that run or wait.', () => jobs.count)
  // Beside the collections, as their locks are; object storage keeps none.
  const uploads = /^[a-z][a-z0-9+.-]+:\/\//i.test(db)
    ? join(cacheFolder(), 'uploads')
    : resolve(db, '.uploads')
  const pictureOf = picturesBelow(uploads, options.files)
  const routes: Route[] = []
  routes.push(
    ...upkeepRoutes(services, metrics, keys.length > 0, () => routes),
    ...openAiRoutes(services),
    ...cohereRoutes(services),
    layersRoute(services),
    ...teiRoutes(services),
    ...[
      ...collectionRoutes(services, { collections, jobs, uploads, pictureOf }),
      mapRoute({ collections, maxPixels: limits.pixels, pictureOf }),
    ].map((route) => collections.minding(route)),
    ...jobRoutes(jobs),
    ...(options.page === false ? [] : await pageRoutes(options.page)),
  )
  let closing = false
  const app = appOf(routes, {
    keys: new Keys(keys),
    local,
    cors,
    bytes: limits.body,
    patience: limits.seconds * 1000,
    queue,
    textsOnly: offered.every(({ recipe }) => recipe.modality === 'text'),
    metrics,
    tracing: traces,
    onAccess: options.onAccess,
    onError,
    isClosing: () => closing,
  })
  const http = createAdaptorServer({
    fetch: app.fetch as Parameters<typeof createAdaptorServer>[0]['fetch'],
    overrideGlobalObjects: false,
    serverOptions: {
      // Ours comes first, and says what it is.
      requestTimeout: limits.seconds * 1000 + 15_000,
      headersTimeout: 15_000,
      keepAliveTimeout: 30_000,
      maxHeaderSize: 16_384,
    },
  }) as HttpServer
  // Connections that have asked for nothing: browsers make some ahead, and node does not count them as idle.
  const silent = new Set<Socket>()
  http.on('connection', (socket: Socket) => {
    silent.add(socket)
    socket.once('close', () => silent.delete(socket))
  })
  http.on('request', ({ socket }: IncomingMessage) => silent.delete(socket))
  // A client that reads nothing of an answer for so long has left.
  http.setTimeout(Math.max(60_000, 2 * limits.seconds * 1000))
  try {
    if (options.warm) await Promise.all(offered.map((each) => table.use(each, {}, async () => {})))
    await listen(http, host, port)
  } catch (error) {
    await table.close()
    throw error
  }
  let closed: Promise<void> | undefined
  const close = (seconds = 30): Promise<void> => {
    closed ??= (async () => {
      closing = true
      await jobs.close()
      await drain(http, silent, seconds * 1000)
      await collections.close()
      await table.close()
      await cache?.close()
    })()
    return closed
  }
  signal?.addEventListener('abort', () => void close(), { once: true })
  const at = (http.address() as AddressInfo).port
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' || host === '::1' ? '[::1]' : host
  return { url: `http://${name}:${at}`, port: at, close, [Symbol.asyncDispose]: () => close() }
}

function listen(http: HttpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      const place = `${host}:${port}`
      if (error.code === 'EADDRINUSE') {
        reject(
          new PipiloError('PORT_IN_USE', `Something listens on ${place} already.`, {
            input: port,
            hint: 'Choose another port; 0 takes any that is free.',
            cause: error,
          }),
        )
      } else {
        reject(
          new PipiloError('OPTION_INVALID', `The server cannot listen on ${place}: ${error.message}.`, {
            input: host,
            cause: error,
          }),
        )
      }
    })
    http.listen(port, host, resolve)
  })
}

/** Waits for the answers under way; connections that are left after the time are cut. */
async function drain(http: HttpServer, silent: Iterable<Socket>, milliseconds: number): Promise<void> {
  const ended = new Promise<void>((resolve) => http.close(() => resolve()))
  http.closeIdleConnections()
  for (const socket of silent) socket.destroy()
  const late = setTimeout(() => http.closeAllConnections(), milliseconds)
  await ended
  clearTimeout(late)
}
