// Bounds on what servers send.
import { PipiloError } from '../../../base/index.ts'

/** Bytes of an answer in JSON, decompressed. */
const MOST_JSON = 64 << 20
/** Bytes of a file of which no size was announced, and of one that comes compressed. */
const MOST_UNKNOWN = 64 * 2 ** 30
const MOST_COMPRESSED = 2 ** 30

/** An answer whose body ends in an error where it is longer than an answer in JSON may be. */
export function boundedJson(response: Response, url: string): Response {
  if (!response.body) return response
  let size = 0
  const bounded = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.length
        if (size > MOST_JSON) controller.error(tooMuch(url, MOST_JSON))
        else controller.enqueue(chunk)
      },
    }),
  )
  const { status, statusText, headers } = response
  return new Response(bounded, { status, statusText, headers })
}

/** True of an answer that is compressed although nobody asked for that: its length is not the file's. */
export const isCompressed = ({ headers }: Response): boolean =>
  !/^(?:identity)?$/i.test((headers.get('content-encoding') ?? '').trim())

/** Bytes that may come, of a file whose size is announced or not. */
export function mostBytes(announced: number | undefined, response: Response): number {
  return announced ?? (isCompressed(response) ? MOST_COMPRESSED : MOST_UNKNOWN)
}

export const tooMuch = (url: string, most: number): PipiloError =>
  new PipiloError('CHECKSUM_MISMATCH', `${url} sends more than the ${most} bytes that it may.`, {
    input: url,
    hint: 'Nothing was kept. The server or a proxy in between does not send the file that was announced.',
  })
