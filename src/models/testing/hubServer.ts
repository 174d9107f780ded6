// Small hub on the loopback address, for tests of downloads.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that a {@link HubServer} saw. */
export interface SeenRequest {
  readonly host: 'hub' | 'cdn'
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly authorization: string | undefined
  readonly range: string | undefined
}

/** A repository of a {@link HubServer}: its files, those named in `large` behind a redirect to the CDN. */
export interface ServedRepository {
  readonly files: Readonly<Record<string, Uint8Array>>
  readonly large?: readonly string[]
  /** Token that its readers need. */
  readonly token?: string
  readonly gated?: boolean
  /** Default: of the name. 40 hexadecimal digits. */
  readonly commit?: string
}

/** How a {@link HubServer} misbehaves; may be changed between requests. */
export interface Mischief {
  /** Content is cut after so many bytes of a response, this many times. */
  cut?: { after: number; times: number }
  /** The content has a wrong byte in it. */
  corrupt?: boolean
  /** Requests to the hub are answered with 503, this many times. */
  busy?: number
  /** Milliseconds before each piece of content. */
  slow?: number
}

/** A small hub on the loopback address: the endpoints that downloads need, and a CDN on a port of its own. */
export interface HubServer {
  readonly endpoint: string
  readonly cdn: string
  readonly requests: SeenRequest[]
  readonly mischief: Mischief
  close(): Promise<void>
}

/**
 * Starts a hub.
 *
 * @example
 * ```ts
 * const hub = await startHub({ 'owner/name': { files: { 'config.json': bytes } } })
 * process.env.HF_ENDPOINT = hub.endpoint
 * ```
 *
 * @remarks
 * It speaks as huggingface.co does: `GET /api/models/{name}/revision/{revision}`, `HEAD` and `GET
 * /{name}/resolve/{revision}/{path}` with `ETag`, `X-Repo-Commit`, `X-Linked-ETag` and `X-Linked-Size`, ranges, `If-Range`,
 * error codes in `X-Error-Code`. The only revisions are `main` and the commit.
 */
export async function startHub(repositories: Readonly<Record<string, ServedRepository>>): Promise<HubServer> {
  const requests: SeenRequest[] = []
  const mischief: Mischief = {}
  const blobs = new Map<string, Uint8Array>()
  const see = (host: 'hub' | 'cdn', { method = '', url = '', headers }: IncomingMessage) =>
    requests.push({ host, method, url, authorization: headers.authorization, range: headers.range })

  const cdn = await listen((request, response) => {
    see('cdn', request)
    const bytes = blobs.get(request.url ?? '')
    // A CDN has ETags of its own.
    if (bytes) send(request, response, bytes, '"cdn"', mischief)
    else response.writeHead(404).end()
  })
  const hub = await listen((request, response) => {
    see('hub', request)
    if (mischief.busy) {
      mischief.busy--
      response.writeHead(503).end()
      return
    }
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://hub').pathname)
    const [, apiName, apiRevision] = /^\/api\/models\/(.+)\/revision\/([^/]+)$/.exec(path) ?? []
    const [, name, revision, file] = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? []
    const wanted = apiName ?? name ?? ''
    const repository = repositories[wanted]
    const refuse = (status: number, code: string, message: string) =>
      response.writeHead(status, { 'x-error-code': code, 'x-error-message': message }).end()
    if (!repository) return refuse(401, 'RepoNotFound', 'Repository not found')
    if (repository.gated) return refuse(403, 'GatedRepo', 'Access to this model is restricted')
    if (repository.token && request.headers.authorization !== `Bearer ${repository.token}`) {
      return refuse(403, '', 'Forbidden')
    }
    const commit = repository.commit ?? createHash('sha1').update(wanted).digest('hex')
    const asked = apiRevision ?? revision
    if (asked !== 'main' && asked !== commit) return refuse(404, 'RevisionNotFound', 'Invalid rev id')
    if (apiName) {
      const siblings = Object.keys(repository.files).map((rfilename) => ({ rfilename }))
      const body = { _id: '1', id: wanted, sha: commit, siblings, private: false, gated: false }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      return
    }
    const bytes = repository.files[file ?? '']
    if (!bytes) return refuse(404, 'EntryNotFound', 'Entry not found')
    response.setHeader('x-repo-commit', commit)
    if (!repository.large?.includes(file ?? ''))
      return send(request, response, bytes, `"${gitBlob(bytes)}"`, mischief)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const place = `/blob/${sha256}?signature=1`
    blobs.set(place, bytes)
    response
      .writeHead(302, {
        location: cdn.origin + place,
        'x-linked-etag': `"${sha256}"`,
        'x-linked-size': String(bytes.length),
      })
      .end()
  })
  return {
    endpoint: hub.origin,
    cdn: cdn.origin,
    requests,
    mischief,
    async close() {
      for (const { server } of [hub, cdn]) {
        server.closeAllConnections()
        await new Promise((done) => server.close(done))
      }
    },
  }
}

async function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<{ server: Server; origin: string }> {
  const server = createServer(handle)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  etag: string,
  mischief: Mischief,
): void {
  const condition = request.headers['if-range']
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const start = condition === undefined || condition === etag ? from : 0
  if (start >= bytes.length && start > 0) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
    return
  }
  const body = Buffer.from(bytes.subarray(start))
  if (mischief.corrupt && body.length > 0) body[body.length - 1]! ^= 1
  response.writeHead(start > 0 ? 206 : 200, {
    etag,
    'content-length': body.length,
    'accept-ranges': 'bytes',
    ...(start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
  })
  if (request.method === 'HEAD') {
    response.end()
  } else if (mischief.cut && mischief.cut.times > 0) {
    mischief.cut.times--
    response.write(body.subarray(0, mischief.cut.after), () => setTimeout(() => response.destroy(), 100))
  } else if (mischief.slow) {
    void trickle(response, body, mischief.slow)
  } else {
    response.end(body)
  }
}

async function trickle(response: ServerResponse, body: Buffer, pause: number): Promise<void> {
  const piece = Math.ceil(body.length / 10)
  for (let i = 0; i < body.length && !response.destroyed; i += piece) {
    await new Promise((done) => setTimeout(done, pause))
    response.write(body.subarray(i, i + piece))
  }
  response.end()
}

/** An address of this machine where nobody listens. */
export async function deadAddress(): Promise<string> {
  const { server, origin } = await listen(() => undefined)
  await new Promise((done) => server.close(done))
  return origin
}

/** The name that git gives to a file's content. */
export function gitBlob(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}
