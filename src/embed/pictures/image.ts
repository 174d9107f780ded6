// Decodes pictures: finds their bytes, and has them decoded here or, where they are drawings that may take for ever, in a process of their own.
import { availableParallelism } from 'node:os'
import { is, type OptionTable, Turns, throwIfAborted } from '../../base/index.ts'
import { checkImagePreprocessing, type ImagePreprocessing } from '../../models/index.ts'
import type { Allow, Input, RawImage } from '../types.ts'
import { allowType } from './allow.ts'
import { decodeHere, empty, type Made, type Making, planned } from './decode.ts'
import { jpeg2000Process, svgProcess } from './decodingProcess.ts'
import { type ImageSource, imageSource } from './imageSource.ts'
import { isPlain } from './plainSvg.ts'
import { svgOf } from './svg.ts'

export interface DecodeOptions {
  /** Width × height above which a picture is refused before it is decoded. Default 268,402,689 (16,383²). */
  readonly maxPixels?: number
  /** Name in errors of a picture without a name. Default `the picture`. */
  readonly label?: string
  readonly signal?: AbortSignal
  /** Paths and addresses that may be read: see `EmbedderOptions`. Default: everything. */
  readonly allow?: Allow
}

/** Types of {@link DecodeOptions}. */
export const decodeOptions: OptionTable<DecodeOptions> = {
  maxPixels: is.count(1),
  label: is.text,
  signal: is.abortSignal,
  allow: allowType,
}

const MOST_PIXELS = 16_383 ** 2

/**
 * Pictures decoded at a time, over the whole process: one more than processors hides the reading of files. Each takes
 * one of libuv's threads (4 unless UV_THREADPOOL_SIZE says otherwise), and one is left for files. Pictures of one signal are one
 * caller's: those of another do not wait for all of them.
 */
const decoding = new Turns(
  Math.max(1, Math.min(availableParallelism() + 1, Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) - 1)),
)

/** See `decodeImage` in onDemand.ts. */
export async function decodeImage(
  input: Input,
  preprocessing?: ImagePreprocessing,
  options: DecodeOptions = {},
): Promise<RawImage> {
  throwIfAborted(options.signal)
  if (preprocessing) checkImagePreprocessing(preprocessing)
  return decodeChecked(input, preprocessing, options)
}

/** {@link decodeImage} with a preparation that was checked before. */
export async function decodeChecked(
  input: Input,
  preprocessing: ImagePreprocessing | undefined,
  options: DecodeOptions,
): Promise<RawImage> {
  return (await decodeInput(input, { kind: 'pixels', preprocessing }, options)) as RawImage
}

/** See `thumbnail` in ../onDemand.ts. */
export async function thumbnail(
  input: Input,
  size: number,
  { format = 'webp', ...options }: DecodeOptions & { readonly format?: 'webp' | 'jpeg' } = {},
): Promise<Uint8Array> {
  return (await decodeInput(input, { kind: 'thumbnail', size, format }, options)) as Uint8Array
}

async function decodeInput(input: Input, making: Making, options: DecodeOptions): Promise<Made> {
  const { label = 'the picture', signal, allow } = options
  throwIfAborted(signal)
  return decodeSource(await imageSource(input, label, { signal, allow }), making, options)
}

/** Samples of JPEG 2000 that a slow machine decodes in a second. */
const SLOWEST = 1_000_000

/** An upright picture, made into something; drawings, unless they are plain, and JPEG 2000 in processes of their own. */
export async function decodeSource(
  source: ImageSource,
  making: Making,
  { maxPixels = MOST_PIXELS, signal }: DecodeOptions,
): Promise<Made> {
  if (source.data instanceof Uint8Array && source.data.length === 0) throw empty(source)
  const svg = await svgOf(source)
  if (svg && !isPlain(svg, making)) {
    return svgProcess.decode({ name: source.name, data: svg, making, maxPixels }, signal)
  }
  const jpeg2000 = await planned(source, maxPixels)
  if (jpeg2000) {
    const { bytes, samples } = jpeg2000
    const order = { name: source.name, data: bytes, making, maxPixels }
    return jpeg2000Process.decode(order, signal, Math.round(samples / SLOWEST) * 1000)
  }
  const data = svg ?? source.data
  const decode = () => decodeHere({ ...source, data }, making, { maxPixels, signal })
  return decoding.run(decode, signal && { line: signal, signal })
}
