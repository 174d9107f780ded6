// The HTTP application: every request's way from its head to its answer.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import type * as z from 'zod'
import { abortError, orAborted } from '../../base/index.ts'
import type { WorkQueue } from '../queue/workQueue.ts'
import type { Keys } from '../safety/keys.ts'
import { allowsOrigin, isLocalName } from '../safety/origins.ts'
import type { AccessLine } from '../seen/accessLog.ts'
import type { Metrics } from '../seen/metrics.ts'
import type { Tracing } from '../seen/traces.ts'
import { declaredLength, parseBody, readBody } from './body.ts'
import { type Dialect, isAborted, Refusal, refusalBody, refusalOf } from './refusal.ts'
import type { Route } from './route.ts'
import { complaintOf } from './schema.ts'

/** Settings of an application. */
export interface AppOptions {
  readonly keys: Keys
  /** The address is the loopback one: only its own names are answered to. */
  readonly local: boolean
  readonly cors: readonly string[]
  /** Bytes of a body. */
  readonly bytes: number
  /** Milliseconds of a request. */
  readonly patience: number
  readonly queue: WorkQueue
  /** Letters that a body needs for a token at least, where it can hold texts alone. */
  readonly textsOnly: boolean
  readonly metrics: Metrics
  readonly tracing: Tracing
  readonly onAccess: ((line: AccessLine) => void) | undefined
  readonly onError: (error: unknown, request: string) => void
  /** True when the server is being stopped. */
  readonly isClosing: () => boolean
}

type Env = { Bindings: HttpBindings }

/** Bytes of JSON that stand for one token, at most. */
const BYTES = 16

/** Bytes of bodies in memory at a time, over all requests, in largest bodies. */
const BODIES = 16

/** The application of some routes. */
export function appOf(routes: readonly Route[], options: AppOptions): Hono<Env> {
  const app = new Hono<Env>()
  const held = { bytes: 0 }
  for (const route of routes) {
    app.on(route.method.toUpperCase(), route.path, (context) => answer(context, route, options, held))
  }
  app.options('*', (context) => preflight(context, options))
  const beside = (context: Context<Env>, refusal: Refusal, dialect: Dialect) => {
    const response = refuse(refusal, dialect, idOf(context.env.incoming))
    for (const [name, value] of corsHeaders(context.env.incoming, options)) response.headers.set(name, value)
    return response
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const known = routes.filter((route) => route.path === path)
    const methods = known.map(({ method }) => method.toUpperCase())
    const allowed = (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ')
    app.all(path, (context) => {
      const sentence = `${context.req.path.slice(0, 200)} is asked by ${allowed}, not by ${context.req.method}.`
      const wrong = new Refusal(405, 'method_not_allowed', sentence)
      const response = beside(context, wrong, known[0]!.dialect)
      response.headers.set('allow', allowed)
      return response
    })
  }
  app.notFound((context) => {
    const path = context.req.path
    const missing = new Refusal(
      404,
      'not_found',
      `There is nothing at ${context.req.method} ${path.slice(0, 200)}; /openapi.json lists what there is.`,
    )
    return beside(context, missing, dialectOf(path))
  })
  app.onError((error, context) => {
    options.onError(error, 'outside of routes')
    return beside(context, refusalOf(error), 'pipilo')
  })
  return app
}

/** Paths of Cohere's first interface, which are not served. */
const cohereOnly = /^\/(?:v2\/|v1\/(?:embed|rerank|embed-jobs|tokenize|detokenize|classify|chat)$)/

/** The form of errors that who asks for such a path understands. */
const dialectOf = (path: string): Dialect =>
  cohereOnly.test(path) ? 'cohere' : path.startsWith('/v1/') ? 'openai' : 'pipilo'

/** The client's own name of a request, if it can stand in a log and a header; else a new one. */
function idOf({ headers: { 'x-request-id': given } }: IncomingMessage): string {
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
}

function refuse(refusal: Refusal, dialect: Dialect, id: string): Response {
  const headers = new Headers({ 'content-type': 'application/json', 'x-request-id': id })
  if (refusal.retryAfter !== undefined) headers.set('retry-after', String(refusal.retryAfter))
  if (refusal.status === 401) headers.set('www-authenticate', 'Bearer')
  if (refusal.closes) headers.set('connection', 'close')
  // As text-embeddings-inference has it: what is too long for the model is too large.
  const status = dialect === 'tei' && refusal.code === 'input_too_long' ? 413 : refusal.status
  return new Response(JSON.stringify(refusalBody(refusal, dialect)), { status, headers })
}

async function answer(
  context: Context<Env>,
  route: Route,
  options: AppOptions,
  held: { bytes: number },
): Promise<Response> {
  const started = performance.now()
  const { incoming, outgoing } = context.env
  const id = idOf(incoming)
  const facts: Record<string, string | number> = {}
  const stop = new AbortController()
  const late = setTimeout(() => {
    stop.abort(new Refusal(504, 'too_late', `The request was not done within ${options.patience / 1000} s.`))
  }, options.patience)
  const gone = () => {
    if (!outgoing.writableFinished) stop.abort(abortError(undefined, 'The client has gone.'))
    clearTimeout(late)
  }
  outgoing.once('close', gone)
  const who = { key: undefined as number | undefined }
  const cors = corsHeaders(incoming, options)
  const run = async (): Promise<Response> => {
    who.key = admit(incoming, route, options)
    const result = await options.tracing.span(
      `${route.method.toUpperCase()} ${route.path}`,
      incoming,
      async () => {
        const client = clientOf(incoming, who.key)
        const query = checked(route.query, context.req.query(), 'query')
        const bytes = route.bytes ?? options.bytes
        const body =
          route.body &&
          checked(
            route.body,
            await bodyOf(
              incoming,
              {
                bytes,
                patience: options.patience / 2,
                most: BODIES * options.bytes,
                vectors: route.vectors ?? false,
              },
              held,
            ),
            'body',
          )
        options.metrics.stage('read', performance.now() - started)
        const params = context.req.param() as Record<string, string>
        const note = (more: Record<string, string | number>) => Object.assign(facts, more)
        return route.run({ body, query, params, client, signal: stop.signal, incoming, note })
      },
    )
    if (result instanceof Response) {
      // Of a stream the end of the client's patience is no end.
      clearTimeout(late)
      return result
    }
    const writing = performance.now()
    const text = JSON.stringify(result)
    options.metrics.stage('write', performance.now() - writing)
    return new Response(text, { headers: { 'content-type': 'application/json', 'x-request-id': id } })
  }
  let response: Response
  let code: string | undefined
  try {
    // Also what does not heed the signal, as the opening of a model, keeps nobody waiting.
    response = await orAborted(stop.signal, run())
  } catch (error) {
    const refusal = stop.signal.aborted && isAborted(error) ? stopped(stop.signal) : refusalOf(error)
    code = refusal.code
    if (refusal.status === 500) options.onError(error, `${id} ${route.method.toUpperCase()} ${route.path}`)
    response = refuse(refusal, route.dialect, id)
  } finally {
    clearTimeout(late)
  }
  for (const [name, value] of cors) response.headers.set(name, value)
  response.headers.set('x-request-id', id)
  if (options.isClosing()) response.headers.set('connection', 'close')
  const milliseconds = performance.now() - started
  options.metrics.answered(route.path, response.status, milliseconds)
  options.onAccess?.({
    time: new Date(Date.now() - milliseconds).toISOString(),
    id,
    method: incoming.method ?? '',
    path: context.req.path,
    status: response.status,
    milliseconds: Math.round(milliseconds * 10) / 10,
    from: incoming.socket.remoteAddress ?? '',
    ...(who.key !== undefined && { key: who.key + 1 }),
    ...(code !== undefined && { code }),
    ...facts,
  })
  return response
}

/** The refusal of work that was stopped: its time was over, or the client has gone and nobody reads it. */
function stopped({ reason }: AbortSignal): Refusal {
  return reason instanceof Refusal
    ? reason
    : new Refusal(499, 'client_gone', 'The client has gone.', { closes: true })
}

/** Place of the key that a request bears. @throws Refusal for what may not ask, or not now */
function admit(incoming: IncomingMessage, route: Route, options: AppOptions): number | undefined {
  const { host, origin, authorization } = incoming.headers
  if (options.local && options.keys.size === 0 && !isLocalName(host)) {
    throw new Refusal(403, 'host_refused', 'This server answers to its own machine alone, as localhost.', {
      closes: true,
    })
  }
  if (origin !== undefined && !allowsOrigin(origin, host, options.cors)) {
    throw new Refusal(403, 'origin_refused', `Pages of ${origin.slice(0, 200)} may not call this server.`, {
      closes: true,
    })
  }
  const key = options.keys.size > 0 ? options.keys.find(authorization) : undefined
  if (options.keys.size > 0 && key === undefined && !route.open) {
    const sentence =
      authorization === undefined
        ? 'A key is needed: Authorization: Bearer KEY.'
        : 'The key is not right. It goes as Authorization: Bearer KEY.'
    throw new Refusal(401, 'invalid_api_key', sentence, { closes: true })
  }
  if (options.isClosing())
    throw new Refusal(503, 'closing', 'The server is being stopped.', { retryAfter: 5, closes: true })
  if (route.works) {
    const tokens = options.textsOnly ? declaredLength(incoming) / BYTES : 0
    options.queue.check(
      { tokens: Math.max(1, tokens), pixels: 0 },
      clientOf(incoming, key),
      declaredLength(incoming) > 2 ** 16,
    )
  }
  return key
}

/** Stands for a client: its key, and where it asks from. */
const clientOf = ({ socket }: IncomingMessage, key: number | undefined): string =>
  `${key ?? ''} ${socket.remoteAddress ?? ''}`

async function bodyOf(
  incoming: IncomingMessage,
  { most, vectors, ...limits }: { bytes: number; patience: number; most: number; vectors: boolean },
  held: { bytes: number },
): Promise<unknown> {
  let own = 0
  // Each part counts when it comes: a body may not say how long it is, and one that only says it keeps nobody else out.
  const hold = (bytes: number) => {
    if (held.bytes > own && held.bytes + bytes - own > most) {
      throw new Refusal(429, 'rate_limit_exceeded', 'Too many bodies are being read.', {
        retryAfter: 1,
        closes: true,
      })
    }
    held.bytes += bytes - own
    own = bytes
  }
  try {
    return await parseBody(await readBody(incoming, { ...limits, hold }), incoming.headers, vectors)
  } finally {
    held.bytes -= own
  }
}

/** Data that fits its schema. @throws Refusal 400 that names the field */
function checked(schema: z.ZodType | undefined, data: unknown, what: string): unknown {
  if (!schema) return undefined
  const { success, data: found, error } = schema.safeParse(data)
  if (success) return found
  const { field, message } = complaintOf(error)
  throw new Refusal(400, 'invalid_request', `${field === '' ? `The ${what}` : field}: ${message}`, {
    ...(field !== '' && { field }),
  })
}

function corsHeaders(
  { headers: { origin, host } }: IncomingMessage,
  { cors }: AppOptions,
): [string, string][] {
  if (origin === undefined || cors.length === 0 || !allowsOrigin(origin, host, cors)) return []
  return [
    ['access-control-allow-origin', cors.includes('*') ? '*' : origin],
    ['access-control-expose-headers', 'retry-after, x-request-id, x-scores'],
    ['vary', 'origin'],
  ]
}

function preflight(context: Context<Env>, options: AppOptions): Response {
  const allowed = corsHeaders(context.env.incoming, options)
  if (allowed.length === 0)
    return refuse(
      new Refusal(403, 'origin_refused', 'Pages of this origin may not call this server.'),
      'pipilo',
      idOf(context.env.incoming),
    )
  const headers = new Headers(allowed)
  headers.set('x-request-id', idOf(context.env.incoming))
  headers.set('access-control-allow-methods', 'GET, POST, PUT, DELETE')
  headers.set(
    'access-control-allow-headers',
    context.req.header('access-control-request-headers') ?? 'authorization, content-type',
  )
  headers.set('access-control-max-age', '600')
  return new Response(null, { status: 204, headers })
}
