// HTTP requests with redirects, retries and time limits.
import { setTimeout as sleep } from 'node:timers/promises'
import { abortError, PipiloError } from '../../../base/index.ts'

/** Settings of every request of a download. */
export interface RequestContext {
  /** Sent as a bearer token, to `tokenOrigin` only: never to the CDN that a download is redirected to. */
  readonly token?: string | undefined
  readonly tokenOrigin?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** First pause before a retry, in milliseconds; doubles with each. Default 500. */
  readonly backoff?: number | undefined
}

/** A response, and the headers of the hops on the way to it (of equal names the first: the hub's, not the CDN's). */
export interface Answer {
  readonly response: Response
  readonly url: string
  readonly headers: ReadonlyMap<string, string>
}

/** Milliseconds without a byte after which a connection counts as cut. */
const patience = 10_000
const maxRetries = 5
const maxRedirects = 10
/** Milliseconds that a server may ask to wait for. */
const MOST_WAITING = 120_000
/** Sentence of the error of an aborted download. */
export const ABORTED = 'The download was aborted.'

/**
 * One HTTP request, redirects followed by hand so that each host sees only the headers meant for it.
 *
 * @param headers for every hop
 * @param ownHeaders only for hops on the first URL's origin
 * @param follow `same-origin` returns the redirect itself where it leads to another host
 * @throws what `fetch` throws; PipiloError `ABORTED`, `NETWORK` for a loop of redirects
 */
export async function request(
  url: string,
  method: 'GET' | 'HEAD',
  context: RequestContext,
  options: {
    headers?: Readonly<Record<string, string>>
    ownHeaders?: Readonly<Record<string, string>>
    follow?: 'all' | 'same-origin'
  } = {},
): Promise<Answer> {
  const first = new URL(url).origin
  const headers = new Map<string, string>()
  let current = url
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const { origin } = new URL(current)
    const response = await stalling(context.signal, (signal) =>
      fetch(current, {
        method,
        redirect: 'manual',
        signal,
        headers: {
          // Lengths and ranges are those of the file, so it must come as it is.
          'accept-encoding': 'identity',
          'user-agent': 'pipilo',
          ...options.headers,
          ...(origin === first ? options.ownHeaders : {}),
          ...(context.token && origin === context.tokenOrigin
            ? { authorization: `Bearer ${context.token}` }
            : {}),
        },
      }),
    )
    for (const [name, value] of response.headers) if (!headers.has(name)) headers.set(name, value)
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || !location)
      return { response, url: current, headers }
    const next = new URL(location, current)
    if (options.follow === 'same-origin' && next.origin !== origin) return { response, url: current, headers }
    if (new URL(current).protocol === 'https:' && next.protocol !== 'https:') {
      throw new PipiloError('NETWORK', `${current} redirects to ${next.href}, which is not encrypted.`)
    }
    if (new URL(current).protocol === 'http:' && next.protocol === 'http:' && !isSameHost(current, next)) {
      throw new PipiloError(
        'NETWORK',
        `${current} redirects to ${next.href}: without encryption nobody can tell who said so.`,
        { input: url, hint: 'Use https:.' },
      )
    }
    await response.body?.cancel()
    current = next.href
  }
  throw new PipiloError('NETWORK', `${url} redirects more than ${maxRedirects} times.`)
}

const isSameHost = (url: string, { hostname }: URL): boolean => new URL(url).hostname === hostname

/**
 * Repeats an attempt that failed for a passing reason: a cut connection, a timeout, a busy server. The pause doubles each
 * time. An attempt that got further than the one before starts the count anew.
 *
 * @param progressed whether anything was gained since it was last asked
 */
export async function withRetries<T>(
  context: RequestContext,
  attempt: () => Promise<T>,
  progressed: () => boolean = () => false,
): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await attempt()
    } catch (error) {
      if (context.signal?.aborted) throw abortError(context.signal, ABORTED)
      failures = progressed() ? 1 : failures + 1
      if (!isPassing(error) || failures > maxRetries) throw error
      const after = error instanceof PassingError ? (error.after ?? 0) : 0
      if (after > MOST_WAITING) {
        throw new PipiloError(
          'NETWORK',
          `${(error as Error).message}, and asks to come back in ${Math.ceil(after / 1000)} s.`,
          {
            cause: error,
            hint: 'Try again then.',
          },
        )
      }
      await sleep(Math.max(after, (context.backoff ?? 500) * 2 ** (failures - 1)), undefined, {
        ...(context.signal ? { signal: context.signal } : {}),
      }).catch(() => {
        throw abortError(context.signal, ABORTED)
      })
    }
  }
}

/** A failure that may pass when tried again. */
export class PassingError extends Error {
  /** Milliseconds after which the server wants to be asked again. */
  readonly after: number | undefined

  constructor(message: string, after?: number) {
    super(message)
    this.after = after
  }
}

/** Runs `work` with a signal that aborts when nothing was heard for a while; `work` may call `heard`. */
export async function stalling<T>(
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal, heard: () => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const stalled = new PassingError(`nothing came for ${patience / 1000} s`)
  const timer = setTimeout(() => controller.abort(stalled), patience)
  try {
    const signal = outer ? AbortSignal.any([outer, controller.signal]) : controller.signal
    return await work(signal, () => timer.refresh())
  } catch (error) {
    if (outer?.aborted) throw abortError(outer, ABORTED)
    throw controller.signal.aborted ? stalled : error
  } finally {
    clearTimeout(timer)
  }
}

/** True if an error says that the network, not the server, failed. */
export function isNetworkFailure(error: unknown): boolean {
  return error instanceof PassingError || (error instanceof TypeError && error.cause !== undefined)
}

/** The reason behind `fetch failed`, such as `getaddrinfo ENOTFOUND huggingface.co`. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message
  return cause instanceof Error ? cause.message : String(cause)
}

/**
 * Failures of a connection that was there. A name that does not resolve, a port that nobody listens on, a certificate that is
 * wrong will not get better within seconds.
 */
const cutCodes = [
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]

function isPassing(error: unknown): boolean {
  if (error instanceof PassingError) return true
  // A body that breaks off is a TypeError('terminated'), whose cause tells more, as does that of 'fetch failed'.
  const cause = error instanceof TypeError ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cutCodes.includes(String(cause.code))
}
