// Decodes bytes, a file or pixels with sharp, in the process that asks.
import { readFile, stat } from 'node:fs/promises'
import type { Sharp, SharpConstructor } from 'sharp'
import { PipiloError, Turns } from '../../base/index.ts'
import type { ImagePreprocessing } from '../../models/index.ts'
import { nameOfBytes } from '../inputs/fileKinds.ts'
import { contentOfBytes, HEAD } from '../inputs/inputModality.ts'
import type { RawImage } from '../types.ts'
import { background, fitImage, pixels } from './fitImage.ts'
import { isJpeg2000, isRarer } from './formats/signatures.ts'
import { upright, xmpOrientation } from './formats/xmpOrientation.ts'
import { capital, firstBytes, type ImageSource } from './imageSource.ts'
import { svgOf } from './svg.ts'

/** Pictures of much memory, one at a time: several side by side would fill it. */
const decodingLarge = new Turns(1)

/** Bytes of pixels from which a picture is decoded alone, and beyond which one that has to be held whole is refused. */
const LARGE = 2 ** 28
const LARGEST = 2 ** 30
/** Longest side: rows of more pixels are held by the dozen. */
const LONGEST_SIDE = 2 ** 18
let loading: Promise<SharpConstructor> | undefined

/** Loads the decoder. Called at first use; earlier, it overlaps with other work. */
export function loadSharp(): Promise<SharpConstructor> {
  loading ??= import('sharp').then(({ default: sharp }) => {
    // Pictures side by side are faster than threads inside one, and leave the processors to the model.
    sharp.concurrency(1)
    // Nothing is decoded twice: a cache would only hold memory.
    sharp.cache(false)
    return sharp
  })
  return loading
}

/** The pixels of a picture, for a model or as they are; or a small file of it; or a PNG with its transparency. */
export type Making =
  | { readonly kind: 'pixels'; readonly preprocessing?: ImagePreprocessing | undefined }
  | { readonly kind: 'thumbnail'; readonly size: number; readonly format: 'webp' | 'jpeg' }
  | { readonly kind: 'png' }

/** A {@link Making}'s result: pixels, or the bytes of a file. */
export type Made = RawImage | Uint8Array

/** An upright picture, made into something. */
export async function decodeHere(
  source: ImageSource,
  making: Making,
  { maxPixels, signal }: { readonly maxPixels: number; readonly signal?: AbortSignal | undefined },
): Promise<Made> {
  const sharp = await loadSharp()
  const open = (data: ImageSource['data']) => {
    const raw = typeof data === 'string' || data instanceof Uint8Array ? undefined : data
    const form = raw ? { raw: { width: raw.width, height: raw.height, channels: raw.channels } } : {}
    const image = sharp(raw ? raw.data : (data as string | Uint8Array), {
      ...form,
      autoOrient: true,
      failOn: 'error',
      limitInputPixels: maxPixels,
    })
    if (making.kind === 'png') return image
    return image.flatten({
      background: background(making.kind === 'pixels' ? making.preprocessing : undefined),
    })
  }
  try {
    if (source.data instanceof Uint8Array && isJpeg2000(source.data.subarray(0, HEAD))) {
      const { decodeJpeg2000 } = await import('./formats/jpeg2000.ts')
      const { picture, xmp } = await decodeJpeg2000(source.data, { name: source.name, maxPixels })
      const orientation = xmpOrientation(xmp)
      const seen = orientation === 1 ? open(picture) : open(await pixels(upright(open(picture), orientation)))
      return await make(seen, making)
    }
    const { bytes: size, orientation } = await headOf(open(source.data), source)
    const seen = async (image: Sharp) =>
      make(orientation === 1 ? image : open(await pixels(upright(image, orientation))), making)
    try {
      return await (size < LARGE
        ? seen(open(source.data))
        : decodingLarge.run(() => seen(open(source.data)), signal && { line: signal, signal }))
    } catch (error) {
      if (!isOfPicture(error)) throw error
      const pixels = await rarer(source, maxPixels)
      if (pixels) return await make(open(pixels), making)
      // A decoder that could not open the file says the same as of one that is no picture.
      if (
        typeof source.data !== 'string' ||
        !/unsupported image format|unable to open|missing/i.test(error.message)
      )
        throw error
      const head = await firstBytes(source, HEAD).catch(() => undefined)
      if (!head || contentOfBytes(head) !== 'image' || nameOfBytes(head)) throw error
      const bytes = await readFile(source.data)
      // An SVG comes here as bytes: this one's tag stands where it is found in bytes alone.
      if (await svgOf({ ...source, data: bytes })) throw error
      return await seen(open(bytes))
    }
  } catch (error) {
    if (!isOfPicture(error)) throw error
    throw await explain(error as Error, source, maxPixels)
  }
}

async function make(image: Sharp, making: Making): Promise<Made> {
  switch (making.kind) {
    case 'pixels':
      return making.preprocessing ? fitImage(image, making.preprocessing) : pixels(image)
    case 'thumbnail': {
      const { size, format } = making
      const small = image.resize(size, size, { fit: 'inside', withoutEnlargement: true })
      return (
        format === 'webp' ? small.webp({ quality: 70, effort: 2 }) : small.jpeg({ quality: 80 })
      ).toBuffer()
    }
    case 'png':
      return image.png().toBuffer()
  }
}

/** Bytes of the largest JPEG 2000 file: it is read whole. */
const LARGEST_JPEG_2000 = 2 ** 28

/**
 * The bytes of a JPEG 2000 picture, and how many samples its head says that it has; undefined for others. Nothing is decoded.
 * @throws PipiloError for one that is too large, damaged, or not read
 */
export async function planned(
  source: ImageSource,
  maxPixels: number,
): Promise<{ readonly bytes: Uint8Array; readonly samples: number } | undefined> {
  const { name, data } = source
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) return undefined
  // A file that cannot be read shows when it is decoded.
  const head = await firstBytes(source, 16).catch(() => undefined)
  if (!head || !isJpeg2000(head)) return undefined
  const size = typeof data === 'string' ? (await stat(data)).size : data.length
  if (size > LARGEST_JPEG_2000)
    throw new PipiloError(
      'IMAGE_TOO_LARGE',
      `${capital(name)} has ${size} bytes, more than ${LARGEST_JPEG_2000}.`,
      {
        input: name,
        hint: 'Make it smaller.',
      },
    )
  const bytes = typeof data === 'string' ? await readFile(data) : data
  try {
    const { planJpeg2000 } = await import('./formats/jpeg2000.ts')
    return { bytes, samples: planJpeg2000(bytes, { name, maxPixels }).samples }
  } catch (error) {
    if (!isOfPicture(error)) throw error
    throw await explain(error, source, maxPixels)
  }
}

/**
 * Bytes of a picture's pixels, by what its head claims, 0 where that is not known; and how it is turned by XMP alone: sharp itself follows EXIF.
 * @throws PipiloError `IMAGE_TOO_LARGE` for what would have to be held whole, and for rows without end; see {@link checkSamples}
 */
async function headOf(
  image: Sharp,
  { name, data }: ImageSource,
): Promise<{ readonly bytes: number; readonly orientation: number }> {
  const unknown = { bytes: 0, orientation: 1 }
  // Pixels that are there already, or a file that cannot be read: then decoding says why.
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) return unknown
  const found = await image.metadata().catch(() => undefined)
  if (!found?.width || !found.height) return unknown
  const { width, height, channels = 4, depth, isProgressive } = found
  const orientation = found.orientation === undefined ? xmpOrientation(found.xmp) : 1
  const bytes = width * height * channels * (depth === 'uchar' ? 1 : depth === 'ushort' ? 2 : 8)
  // Coefficients of a JPEG have two bytes.
  const whole = isProgressive ? bytes * (found.format === 'jpeg' ? 2 : 1) : 0
  if (whole <= LARGEST && Math.max(width, height) <= LONGEST_SIDE) {
    if (found.format === 'tiff') checkSamples(depth, name)
    return { bytes: Math.max(bytes, whole), orientation }
  }
  throw new PipiloError(
    'IMAGE_TOO_LARGE',
    `${capital(name)} is ${width} × ${height}${whole > LARGEST ? `, interlaced, and takes ${whole} bytes to decode` : ''}.`,
    { input: name, hint: 'Make it smaller, or save it without interlacing.' },
  )
}

/** False for errors of ours and of JavaScript, of which no picture is at fault. */
const isOfPicture = (error: unknown): error is Error =>
  error instanceof Error && Object.getPrototypeOf(error) === Error.prototype

export function empty({ name }: ImageSource): PipiloError {
  return new PipiloError('FILE_EMPTY', `${capital(name)} is empty.`, { input: name })
}

/** The error for a failure of sharp, whose message often says no more than that it failed. */
async function explain(error: Error, source: ImageSource, maxPixels: number): Promise<PipiloError> {
  const { name } = source
  const options = { input: name, cause: error }
  if (/pixel limit|too large|dimensions exceed/i.test(error.message)) {
    const limit = maxPixels.toLocaleString('en')
    return new PipiloError('IMAGE_TOO_LARGE', `${capital(name)} has more than ${limit} pixels.`, {
      ...options,
      hint: 'Make it smaller, or raise maxPixels.',
    })
  }
  if (/out of memory|unable to allocate|cannot allocate/i.test(error.message)) {
    return new PipiloError('RUNTIME', `There was not enough memory to decode ${name}.`, {
      ...options,
      hint: 'Decode fewer pictures at a time, or make it smaller.',
    })
  }
  let head: Uint8Array
  try {
    head = await firstBytes(source, 512)
  } catch (failure) {
    const { code, message, hint } = failure as PipiloError
    if (code !== 'FILE_NOT_FOUND' || !/\s/.test(name) || /\.\w{2,4}$/.test(name))
      return failure as PipiloError
    return new PipiloError(code, message.replace(` ${hint}`, ''), {
      ...options,
      hint: 'An image model takes a string as the path or URL of a picture; for words choose a text model.',
    })
  }
  if (head.length === 0) return empty(source)
  const other = nameOfBytes(head)
  if (other) {
    return new PipiloError('FORMAT_UNSUPPORTED', `${capital(name)} is ${other}, which is not read.`, {
      ...options,
      hint: 'Convert it to JPEG, PNG, WebP, AVIF, GIF, SVG, TIFF or BMP.',
    })
  }
  const isOfKind = TIFF.test(Buffer.from(head.subarray(0, 4)).toString('latin1'))
  // libvips says the same of every strip.
  const said = [...new Set(error.message.trim().split('\n'))].join('; ')
  if (isOfKind && /bad labq|not (?:supported|configured|implemented|a whole number)/i.test(said)) {
    const kind = /labq/.test(said) ? 'in Lab colours' : `of a kind that is not read (${said})`
    return new PipiloError('FORMAT_UNSUPPORTED', `${capital(name)} is a TIFF picture ${kind}.`, {
      ...options,
      hint: 'Convert it to RGB, or to PNG.',
    })
  }
  if (/unsupported image format/i.test(error.message)) {
    const isText = contentOfBytes(head) === 'text'
    const fault = isText ? 'is not a picture: it holds text' : 'is of no kind of picture that is known'
    // No word of what is in it: who may name a file may not read it by that.
    return new PipiloError('IMAGE_INVALID', `${capital(name)} ${fault}.`, options)
  }
  return new PipiloError('IMAGE_INVALID', `${capital(name)} is damaged or cut off: ${said}.`, options)
}

/** The magic numbers of TIFF and BigTIFF. */
const TIFF = /^(?:II[\x2a\x2b]\0|MM\0[\x2a\x2b])/

const samples: Readonly<Record<string, string>> = {
  char: 'signed',
  short: 'signed 16-bit',
  uint: '32-bit',
  int: 'signed 32-bit',
  float: 'floating-point',
  double: 'floating-point',
  complex: 'complex',
  dpcomplex: 'complex',
}

/** @throws PipiloError `FORMAT_UNSUPPORTED` for samples of a TIFF of which no one knows what is black and what is white */
function checkSamples(depth: string | undefined, name: string): void {
  if (depth === undefined || depth === 'uchar' || depth === 'ushort') return
  throw new PipiloError(
    'FORMAT_UNSUPPORTED',
    `${capital(name)} is a TIFF picture of ${samples[depth] ?? depth} samples, which do not say what is black and what white.`,
    { input: name, hint: 'Convert it to 8 or 16 bits without sign.' },
  )
}

/** The pixels of a format that sharp does not read, where it is one. */
async function rarer({ name, data }: ImageSource, maxPixels: number) {
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) return undefined
  const head = await firstBytes({ name, data }, 64).catch(() => new Uint8Array())
  const isTga = /\.tga$/i.test(name)
  if (!isTga && !isRarer(head) && typeof data === 'string') return undefined
  const { decodeRarer } = await import('./formats/rarer.ts')
  return decodeRarer(typeof data === 'string' ? await readFile(data) : data, { maxPixels, isTga })
}
