// Gets the bytes of a picture from a path, an address, a data URL or memory.
import { fileURLToPath } from 'node:url'
import { fileError, readHead } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import type { Allow, Input, RawImage } from '../types.ts'
import { allowedPath } from './allow.ts'
import { fetchPicture, pictureUrl } from './fetchPicture.ts'
import { isRawImage } from './rawImage.ts'

/** Source of a picture's bytes, and its name in errors. */
export interface ImageSource {
  readonly name: string
  /** A path, the bytes of a file, or pixels. */
  readonly data: string | Uint8Array | RawImage
}

/**
 * Finds the bytes of a picture. Paths stay paths: the decoder reads them itself.
 * @param label what to call an input without a name of its own
 * @throws `INPUT_INVALID`, `INPUT_DENIED`, `IMAGE_INVALID` (pixels that do not fill the picture), `NETWORK`, `ABORTED`
 */
export async function imageSource(
  input: Input,
  label: string,
  { signal, allow }: { readonly signal?: AbortSignal | undefined; readonly allow?: Allow | undefined } = {},
): Promise<ImageSource> {
  if (input instanceof Uint8Array) return { name: label, data: input }
  if (input instanceof Blob) return { name: label, data: new Uint8Array(await input.arrayBuffer()) }
  if (isRawImage(input)) return { name: label, data: checkRaw(input, label) }
  if (typeof input !== 'string' && !(input instanceof URL)) {
    throw new PipiloError('INPUT_INVALID', `${capital(label)} is ${kindOf(input)}, not a picture.`, {
      hint: 'Give a path, a URL, a Uint8Array, a Blob, or { width, height, channels, data }.',
      input: label,
    })
  }
  const text = String(input)
  const scheme = /^(https?|file|data|[a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase()
  switch (scheme) {
    case 'http':
    case 'https':
      return { name: pictureUrl(text).name, data: await fetchPicture(text, allow, signal) }
    case 'data':
      return { name: label, data: await dataUrl(text, label) }
    case 'file':
      return { name: text, data: await allowedPath(filePath(text), allow) }
    default:
      if (input instanceof URL) {
        throw new PipiloError('INPUT_INVALID', `${text} has a scheme that is not read.`, {
          hint: 'Use file:, http:, https: or data:.',
          input: text,
        })
      }
      return { name: text, data: await allowedPath(text, allow) }
  }
}

/** The first bytes of a source, for telling what it is. */
export async function firstBytes(source: ImageSource, count: number): Promise<Uint8Array> {
  if (source.data instanceof Uint8Array) return source.data.subarray(0, count)
  if (typeof source.data !== 'string') return source.data.data.subarray(0, count)
  const path = source.data
  try {
    return await readHead(path, count)
  } catch (error) {
    throw fileError(error, path, 'read')
  }
}

/** The picture, if its data is as long as its size says. @throws PipiloError `IMAGE_INVALID` */
export function checkRaw(image: RawImage, label: string): RawImage {
  const { width, height, channels, data } = image
  const right = [width, height, channels].every((size) => Number.isInteger(size) && size > 0) && channels <= 4
  const bytes = data instanceof Uint8Array || (data as unknown) instanceof Uint8ClampedArray
  if (!right || !bytes || data.length !== width * height * channels) {
    throw new PipiloError(
      'IMAGE_INVALID',
      `${capital(label)} says width ${width}, height ${height}, channels ${channels}, and has ${data?.length ?? 'no'} bytes.`,
      { hint: 'data is a Uint8Array of width × height × channels bytes, channels 1 to 4.', input: label },
    )
  }
  return image
}

/**
 * The path of a `file:` URL.
 * @throws `INPUT_INVALID` for one that names another machine
 */
export function filePath(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new PipiloError('INPUT_INVALID', `${url} names no file on this machine.`, { input: url, cause })
  }
}

async function dataUrl(url: string, label: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await (await fetch(url)).arrayBuffer())
  } catch (cause) {
    throw new PipiloError('IMAGE_INVALID', `${capital(label)} is not a data: URL that can be read.`, {
      input: label,
      cause,
    })
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value)
    ? 'an array'
    : typeof value === 'object'
      ? 'an object'
      : `a value of type ${typeof value}`
}

/** With a capital first letter, for the head of a sentence; a path or an address stays as it is. */
export function capital(text: string): string {
  return /[/\\.:]/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)
}
