// Fetches pictures from hosts that were allowed: never from private addresses, with limits of size and time, each redirect checked again.
import { lookup as systemLookup } from 'node:dns/promises'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { readUpTo } from '../../base/index.ts'
import { Refusal } from '../http/refusal.ts'
import { isPublicAddress } from './addresses.ts'
import type { Fetcher } from './pictures.ts'

/** Settings of a fetcher. */
export interface FetchOptions {
  /** Hosts as `images.example` or `*.example`. */
  readonly hosts: readonly string[]
  /** Bytes of a picture. */
  readonly bytes: number
  /** Milliseconds of a fetch with its redirects. */
  readonly patience: number
  /** Gives all addresses of a host. Default: the system's. */
  readonly lookup?: (host: string) => Promise<{ address: string; family: number }[]>
  /** Tells which addresses may be reached. Default: {@link isPublicAddress}. */
  readonly isAllowed?: (address: string) => boolean
}

/** Redirects that are followed. */
const REDIRECTS = 3

/** Gives the bytes at a URL of an allowed host. */
export function fetcherFrom({
  hosts,
  bytes,
  patience,
  lookup = (host) => systemLookup(host, { all: true, verbatim: true }),
  isAllowed = isPublicAddress,
}: FetchOptions): Fetcher {
  return async (given, signal) => {
    const stop = new AbortController()
    const late = setTimeout(() => stop.abort(), patience)
    const gone = () => stop.abort()
    signal.addEventListener('abort', gone, { once: true })
    try {
      let url = parsed(given)
      for (let hop = 0; hop <= REDIRECTS; hop++) {
        const found = await get(url, await placeOf(url), stop.signal)
        if (found instanceof Uint8Array) return found
        url = parsed(new URL(found, url).href)
      }
      throw refused(`It redirects more than ${REDIRECTS} times.`)
    } catch (error) {
      if (error instanceof Refusal) throw error
      // Nothing of what the network said goes to the client: it may not probe through the server.
      throw refused(
        stop.signal.aborted ? `It did not come within ${patience / 1000} s.` : 'It could not be fetched.',
        error,
      )
    } finally {
      clearTimeout(late)
      signal.removeEventListener('abort', gone)
    }
  }

  /** The address that a host has now; the connection is made to this very one. */
  async function placeOf({
    hostname,
    protocol,
    username,
    password,
  }: URL): Promise<{ address: string; family: number }> {
    if (protocol !== 'http:' && protocol !== 'https:')
      throw refused('It redirects to what is neither http: nor https:.')
    if (username !== '' || password !== '') throw refused('It holds a name and a password.')
    const host = hostname
      .replace(/^\[|\]$/g, '')
      .replace(/\.$/, '')
      .toLowerCase()
    if (!hosts.some((allowed) => isOf(host, allowed.toLowerCase()))) {
      throw refused(
        hosts.length === 0
          ? 'This server fetches nothing: send a data: URL.'
          : `This server fetches from ${hosts.join(', ')} alone.`,
      )
    }
    const family = isIP(host)
    const found = family === 0 ? await lookup(host) : [{ address: host, family }]
    // One private address among public ones is enough of a sign.
    if (found.length === 0 || !found.every(({ address }) => isAllowed(address)))
      throw refused('Its host has an address that is not of the public internet.')
    return found[0]!
  }

  function get(
    url: URL,
    { address, family }: { address: string; family: number },
    signal: AbortSignal,
  ): Promise<Uint8Array | string> {
    return new Promise((resolve, reject) => {
      const request = url.protocol === 'https:' ? requestHttps : requestHttp
      const asked = request(url, {
        signal,
        agent: false,
        headers: { accept: 'image/*', 'user-agent': 'pipilo' },
        // Pinned: a name that has another address a moment later leads nowhere else.
        lookup: (_, options, give) => {
          if (options.all) give(null, [{ address, family }])
          else give(null, address, family)
        },
      })
      asked.on('error', reject)
      asked.on('response', (response: IncomingMessage) => {
        const { statusCode = 0, headers } = response
        const answer = async () => {
          if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) return headers.location
          if (statusCode !== 200) throw refused(`Its host answered ${statusCode}.`)
          if (Number(headers['content-length'] ?? 0) > bytes) throw tooLong()
          return readUpTo(response, bytes, tooLong)
        }
        answer()
          .then(resolve, reject)
          .finally(() => asked.destroy())
      })
      asked.end()
    })
  }

  function tooLong(): Refusal {
    return refused(`It is larger than ${bytes.toLocaleString('en')} bytes.`)
  }
}

function parsed(url: string): URL {
  try {
    return new URL(url)
  } catch {
    throw refused('It is no URL.')
  }
}

/** `*.example` is any name below `example`, not that one itself. */
const isOf = (host: string, allowed: string): boolean =>
  allowed.startsWith('*.')
    ? host.endsWith(allowed.slice(1)) && host.length > allowed.length - 1
    : host === allowed

const refused = (why: string, cause?: unknown) =>
  new Refusal(400, 'url_refused', `A picture's URL was not fetched. ${why}`, { cause })
