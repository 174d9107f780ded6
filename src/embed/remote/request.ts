// Posts JSON to a server, again where it was busy, and reads no more of the answer than there can be.
import { setTimeout as sleep } from 'node:timers/promises'
import { abortError, onAbort, PipiloError, readUpTo, retryAfter } from '../../base/index.ts'

/** Settings of all requests to a server. */
export interface Connection {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly timeout: number
  readonly retries: number
  readonly patience: number
}

/** The server found fault with what was sent: a smaller part may pass, or show which input it was. */
export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Answers that pass by themselves. */
const passing = new Set([408, 429, 500, 502, 503, 504])
/** Answers about what was sent. */
const faults = new Set([400, 413, 422])
/** First pause before a request is sent again, in milliseconds; it doubles each time. */
const PAUSE = 250

/**
 * The answer to a request.
 *
 * @param most bytes that an answer may have
 * @throws {@link Refused}; PipiloError `MODEL_UNKNOWN`, `NETWORK`, `BUSY`, `REMOTE_DENIED`, `ABORTED`, `RESULT_INVALID` for what is no JSON
 */
export async function post(
  connection: Connection,
  body: unknown,
  { most, signal }: { readonly most: number; readonly signal: AbortSignal | undefined },
): Promise<unknown> {
  const text = JSON.stringify(body)
  for (let failures = 0; ; failures++) {
    const answer = await once(connection, text, most, signal)
    if ('json' in answer) return answer.json
    const { error, after } = answer
    if (failures >= connection.retries) throw error
    if (after !== undefined && after > connection.patience) {
      throw new PipiloError(
        'BUSY',
        `${connection.url.origin} asks to come again in ${Math.ceil(after / 1000)} s.`,
        { hint: 'Come again then, or set patience to wait longer.', cause: error },
      )
    }
    // Clients that failed together do not come back together.
    const pause = after ?? PAUSE * 2 ** failures * (0.5 + Math.random())
    await sleep(pause, undefined, signal ? { signal } : {}).catch(() => {
      throw abortError(signal)
    })
  }
}

/** An answer, or a failure that may pass, with the pause that the server asks for in milliseconds. */
type Attempt =
  | { readonly json: unknown }
  | { readonly error: PipiloError; readonly after: number | undefined }

async function once(
  { url, headers, timeout }: Connection,
  body: string,
  most: number,
  signal: AbortSignal | undefined,
): Promise<Attempt> {
  const stop = new AbortController()
  const unfollow = onAbort(signal, () => stop.abort(abortError(signal)))
  const timer = setTimeout(
    () => stop.abort(new PipiloError('NETWORK', `${url.origin} did not answer within ${timeout} ms.`)),
    timeout,
  )
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      // A key goes to the server that it was given for, and to no other.
      redirect: 'manual',
      signal: stop.signal,
    })
    if (response.ok) return { json: parsed(await textOf(response, most), url) }
    return refuse(response, reasonIn(await textOf(response, 2 ** 16)), url)
  } catch (error) {
    if (signal?.aborted) throw abortError(signal)
    if (stop.signal.aborted) return { error: stop.signal.reason as PipiloError, after: undefined }
    if (error instanceof PipiloError || error instanceof Refused) throw error
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause)
    const failure = new PipiloError('NETWORK', `${url.origin} cannot be reached: ${reason}.`, {
      cause: error,
    })
    // A name that does not resolve, or a port where nobody listens, is a wrong address more often than a pause.
    if (
      /ENOTFOUND|ECONNREFUSED|CERT|SSL|INVALID_URL|ERR_TLS/.test(
        `${(cause as { code?: string }).code} ${reason}`,
      )
    )
      throw failure
    return { error: failure, after: undefined }
  } finally {
    clearTimeout(timer)
    unfollow()
  }
}

function refuse(response: Response, { says, code: why }: Reason, url: URL): Attempt {
  const { status } = response
  const answered = `${url.origin} answered ${status}${says && `: ${says}`}`
  if (status >= 300 && status < 400) {
    const to = response.headers.get('location') ?? 'elsewhere'
    throw new PipiloError('NETWORK', `${url.href} redirects to ${to}.`, { hint: 'Give that address as url.' })
  }
  if (status === 401 || status === 403)
    throw new PipiloError('REMOTE_DENIED', `${answered}.`, { hint: 'Check key, and what it is allowed.' })
  if (faults.has(status)) throw new Refused(status, `${answered}.`)
  if (status === 404 && why === 'model_not_found')
    throw new PipiloError('MODEL_UNKNOWN', `${answered}.`, { hint: 'Check model.' })
  if (!passing.has(status)) {
    throw new PipiloError('NETWORK', `${answered}.`, {
      hint:
        status === 404 ? 'Check url and model, and api: openai, cohere or tei.' : 'Check url, model and api.',
    })
  }
  const code = status === 429 || status === 503 ? 'BUSY' : 'NETWORK'
  return {
    error: new PipiloError(code, `${answered}.`),
    after: retryAfter(response.headers.get('retry-after')),
  }
}

async function textOf(response: Response, most: number): Promise<string> {
  const tooLarge = () =>
    new PipiloError('RESULT_INVALID', `The server's answer is larger than ${most} bytes.`, {
      hint: 'Check url and api.',
    })
  return Buffer.from((await readUpTo(response.body ?? [], most, tooLarge)).buffer).toString('utf8')
}

function parsed(text: string, url: URL): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new PipiloError('RESULT_INVALID', `${url.href} answers with something else than JSON.`, {
      hint: 'Check url.',
      cause,
    })
  }
}

/** The reason that a server gives for a refusal, as one line, and its word for programs. */
interface Reason {
  readonly says: string
  readonly code: unknown
}

/** The reason in an error's body: OpenAI's `error.message`, Cohere's `message`, text-embeddings-inference's `error`. */
function reasonIn(text: string): Reason {
  let said: unknown = text
  let code: unknown
  try {
    const { error, message, detail, code: own } = JSON.parse(text)
    said = error?.message ?? message ?? error ?? detail ?? text
    code = error?.code ?? own
  } catch {
    // Not JSON: as it is.
  }
  const line = (typeof said === 'string' ? said : JSON.stringify(said)).replace(/\s+/g, ' ').trim()
  return { says: line.replace(/\.$/, '').slice(0, 300), code }
}
