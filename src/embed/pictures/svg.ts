// Tells SVGs from other pictures, and reads them.
import { readFile, stat } from 'node:fs/promises'
import { PipiloError } from '../../base/index.ts'
import { capital, firstBytes, type ImageSource } from './imageSource.ts'

/** Largest SVG: reading one cannot be stopped. */
const LARGEST_SVG = 2 ** 21

const HEAD = 4096
/** Starts of what librsvg reads, but for compressed ones: a tag behind any number of spaces, also in UTF-16. */
const START = /^(?:(?:\xef\xbb\xbf)?\s*(?:<|$)|\xff\xfe|\xfe\xff|\0<)/
/** The tag that libvips looks for, wherever it stands: in a comment, too. */
const TAG = /<\0?s\0?v\0?g/i

/**
 * The bytes of a source that may be an SVG, also compressed or in UTF-16; undefined for others. They are read here: librsvg, which is told where
 * a file lies, would read what else lies there, and show it.
 *
 * @throws PipiloError `IMAGE_TOO_LARGE` for one of more text than drawings have
 */
export async function svgOf({ name, data }: ImageSource): Promise<Uint8Array | undefined> {
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) return undefined
  // A file that cannot be read shows when it is decoded.
  const head = await firstBytes({ name, data }, HEAD).catch(() => undefined)
  if (!head) return undefined
  const isGzip = head[0] === 0x1f && head[1] === 0x8b
  if (!isGzip && !START.test(latin(head))) return undefined
  const size = typeof data === 'string' ? ((await stat(data).catch(() => undefined))?.size ?? 0) : data.length
  if (size <= LARGEST_SVG) {
    const bytes = typeof data === 'string' ? await readFile(data) : data
    return isGzip || TAG.test(latin(bytes)) ? bytes : undefined
  }
  if (!isGzip && !TAG.test(latin(typeof data === 'string' ? head : data))) return undefined
  throw new PipiloError(
    'IMAGE_TOO_LARGE',
    `${capital(name)} is ${isGzip ? 'compressed, as SVGs may be, and has' : 'an SVG of'} ${size} bytes, more than ${LARGEST_SVG}.`,
    { input: name, hint: 'Convert it to PNG.' },
  )
}

const latin = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
