// Pictures of requests: the bytes that a data URL, a form or an allowed host gives. No string is ever a path.
import { decodeBase64 } from '../../base/index.ts'
import { Refusal } from '../http/refusal.ts'
import type { PictureField } from '../interfaces/fields.ts'

/** Gives the bytes at a URL, or refuses it. */
export type Fetcher = (url: string, signal: AbortSignal) => Promise<Uint8Array>

/**
 * The bytes of a picture.
 *
 * @param label what to call it in errors
 * @throws Refusal 400
 */
export async function pictureBytes(
  given: PictureField,
  label: string,
  { fetcher, signal }: { fetcher: Fetcher; signal: AbortSignal },
): Promise<Uint8Array> {
  if (typeof given !== 'string') return notEmpty(given.bytes, label)
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(given.slice(0, 64))?.[1]?.toLowerCase()
  if (scheme === 'data') return notEmpty(dataUrl(given, label), label)
  if (scheme === 'http' || scheme === 'https') return notEmpty(await fetcher(given, signal), label)
  throw refused(
    `${label} is neither a data: URL nor an http: or https: one. A server reads no paths of its clients.`,
  )
}

function dataUrl(url: string, label: string): Uint8Array {
  const comma = url.indexOf(',')
  if (comma < 0) throw refused(`${label} is a data: URL without a comma.`)
  const content = url.slice(comma + 1)
  if (!/;\s*base64$/i.test(url.slice(0, comma))) {
    try {
      return new TextEncoder().encode(decodeURIComponent(content))
    } catch {
      throw refused(`${label} is a data: URL with a percent sign that stands for nothing.`)
    }
  }
  const bytes = decodeBase64(content.padEnd(Math.ceil(content.length / 4) * 4, '='))
  if (!bytes) throw refused(`${label} is a data: URL whose base64 is not valid.`)
  return bytes
}

function notEmpty(bytes: Uint8Array, label: string): Uint8Array {
  if (bytes.length === 0) throw refused(`${label} is empty.`)
  return bytes
}

const refused = (sentence: string) => new Refusal(400, 'image_invalid', sentence)
