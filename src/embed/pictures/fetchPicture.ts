// Fetches pictures, within limits of size and time.
import { abortError, PipiloError, readUpTo } from '../../base/index.ts'
import type { Allow } from '../types.ts'
import { checkHost } from './allow.ts'

/** Largest picture fetched from the network, in bytes. */
const MOST_BYTES = 256 * 2 ** 20
/** Milliseconds that a server may take for its answer, and later without a byte; and for all of a picture. */
const PATIENCE = 20_000
const LONGEST = 120_000
const MOST_REDIRECTS = 5

/** Limits, smaller in tests. */
export interface FetchLimits {
  readonly bytes?: number
  readonly patience?: number
  readonly longest?: number
}

/**
 * The address of a picture, and its name in errors: without a password and what stands behind it.
 *
 * @throws PipiloError `INPUT_INVALID`
 */
export function pictureUrl(text: string): { readonly url: URL; readonly name: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url)
    throw new PipiloError('INPUT_INVALID', `${withoutUser(text)} is no address.`, {
      input: withoutUser(text),
    })
  if (url.username || url.password) {
    throw new PipiloError('INPUT_INVALID', `${withoutUser(text)} has a user or a password in its address.`, {
      input: withoutUser(text),
      hint: 'Fetch it yourself and give its bytes.',
    })
  }
  return { url, name: text }
}

const withoutUser = (text: string): string => text.replace(/\/\/[^/?#]*@/, '//')

/** The bytes at an address. @throws PipiloError `NETWORK`, `INPUT_DENIED`, `ABORTED` */
export async function fetchPicture(
  text: string,
  allow: Allow | undefined,
  signal: AbortSignal | undefined,
  { bytes: most = MOST_BYTES, patience = PATIENCE, longest = LONGEST }: FetchLimits = {},
): Promise<Uint8Array> {
  const failure = (reason: string, cause?: unknown) =>
    new PipiloError('NETWORK', `Cannot fetch ${text}: ${reason}.`, { input: text, cause })
  const stop = new AbortController()
  const late = (seconds: number) => () => stop.abort(failure(`it took more than ${seconds / 1000} s`))
  const whole = setTimeout(late(longest), longest)
  let waiting = setTimeout(late(patience), patience)
  const forward = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', forward, { once: true })
  if (signal?.aborted) forward()
  try {
    let { url } = pictureUrl(text)
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      checkHost(url, allow)
      const response = await fetch(url.href, { redirect: 'manual', signal: stop.signal })
      const location = response.headers.get('location')
      if (response.status >= 300 && response.status < 400 && location) {
        await response.body?.cancel()
        if (!URL.canParse(location, url.href)) throw failure('it redirects to what is no address')
        const next = new URL(location, url)
        if (!/^https?:$/.test(next.protocol)) throw failure(`it redirects to ${next.protocol}`)
        if (url.protocol === 'https:' && next.protocol === 'http:')
          throw failure('it redirects to an address that is not encrypted')
        url = next
        continue
      }
      if (!response.ok)
        throw failure(`the server answered ${response.status} ${response.statusText}`.trimEnd())
      if (Number(response.headers.get('content-length')) > most) throw failure(tooLarge(most))
      const heard = () => {
        clearTimeout(waiting)
        waiting = setTimeout(late(patience), patience)
      }
      return await readUpTo(response.body ?? [], most, () => failure(tooLarge(most)), heard)
    }
    throw failure(`it redirects more than ${MOST_REDIRECTS} times`)
  } catch (error) {
    if (signal?.aborted) throw abortError(signal)
    if (stop.signal.reason instanceof PipiloError) throw stop.signal.reason
    if (error instanceof PipiloError) throw error
    const { cause, message } = error as Error
    throw failure(cause instanceof Error ? cause.message : message, error)
  } finally {
    clearTimeout(whole)
    clearTimeout(waiting)
    signal?.removeEventListener('abort', forward)
    stop.abort()
  }
}

const tooLarge = (most: number): string => `it is larger than ${most / 2 ** 20} MB`
