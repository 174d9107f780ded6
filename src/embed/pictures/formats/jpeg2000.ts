// Decodes JPEG 2000, by OpenJPEG as pdfjs-dist has it.
import { PipiloError } from '../../../base/index.ts'
import type { RawImage } from '../../types.ts'
import { capital } from '../imageSource.ts'
import { type Jpeg2000Head, jpeg2000Head } from './jpeg2000Head.ts'
import { openjpeg } from './openjpeg.ts'
import { profiledTiff } from './profiledTiff.ts'

/** Samples that are held at a time, each as four bytes. */
const MOST_SAMPLES = 2 ** 28

/** How a picture is decoded, by its head. */
export interface Jpeg2000Plan {
  readonly head: Jpeg2000Head
  /** Samples of all its components. */
  readonly samples: number
  readonly channels: 1 | 2 | 3 | 4
  /** Luma and chroma, which become colours as they are decoded. */
  readonly isLuma: boolean
  readonly profile: Uint8Array | undefined
}

/**
 * Reads a picture's head, and decodes nothing.
 *
 * @param name what to call it in errors
 * @throws PipiloError `FORMAT_UNSUPPORTED` for colours and samples that are not read, `IMAGE_TOO_LARGE`; Error that says what is damaged
 */
export function planJpeg2000(
  bytes: Uint8Array,
  { name, maxPixels }: { readonly name: string; readonly maxPixels: number },
): Jpeg2000Plan {
  const head = jpeg2000Head(bytes)
  const { width, height, components, palette, kinds } = head
  if (width * height > maxPixels) throw new Error('pixel limit')
  const subject = capital(name)
  const refuse = (what: string): never => {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${subject} is a JPEG 2000 picture ${what}.`, {
      input: name,
      hint: 'Convert it to sRGB of 8 or 16 bits, or to PNG.',
    })
  }
  const count = palette ? head.mapped : components.length
  if (palette && count === 0) throw new Error('its palette is mapped to no channel')
  if (count > 4 || components.length > 4)
    refuse(`of ${Math.max(count, components.length)} components, of which no one knows what they show`)
  const samples = width * height * Math.max(count, components.length)
  if (samples > MOST_SAMPLES)
    throw new PipiloError(
      'IMAGE_TOO_LARGE',
      `${subject} is ${width} × ${height} of ${count} components, and takes ${samples * 4} bytes to decode.`,
      { input: name, hint: 'Make it smaller.' },
    )
  for (const { depth } of [...components, ...(palette ?? [])])
    if (depth > 16) refuse(`of ${depth} bits a sample, which do not say what is black and what white`)
  if (palette?.some(({ signed }) => signed)) refuse('whose palette has signed colours')
  const { isLuma, profile } = colours(head, count, refuse)
  const opacity = [...kinds].filter(([, kind]) => kind === 1 || kind === 2)
  if (opacity.some(([, kind]) => kind === 2)) refuse('whose colours are multiplied by their opacity')
  if (
    opacity.some(([channel]) => channel !== count - 1) ||
    opacity.length > 1 ||
    (opacity.length && count % 2)
  )
    refuse('whose opacity is not its last channel of two or four')
  // Whatever is no opacity, of what is said, is nothing to be seen. Where nothing is said, it is opacity, as Pillow has it.
  const channels = (count % 2 === 0 && kinds.size > 0 && !opacity.length ? count - 1 : count) as 1 | 2 | 3 | 4
  return { head, samples, channels, isLuma, profile }
}

/** Colours by their number in the standard that are not read. */
const others: Readonly<Record<number, string>> = {
  0: 'in two levels',
  1: 'in YCbCr colours of television',
  3: 'in YCbCr colours of television',
  4: 'in YCbCr colours of television',
  9: 'in PhotoYCC colours',
  11: 'in CMY colours',
  12: 'in CMYK colours',
  13: 'in YCCK colours',
  14: 'in CIELab colours',
  15: 'in two levels',
  19: 'in CIEJab colours',
  20: 'in e-sRGB colours',
  21: 'in ROMM-RGB colours',
  24: 'in e-sYCC colours',
}

const SRGB = 16
const GREY = 17
const SYCC = 18

/** Colours that can be shown, as far as a head says which they are. */
function colours(
  { colours, components, palette, origin }: Jpeg2000Head,
  count: number,
  refuse: (what: string) => never,
): { isLuma: boolean; profile: Uint8Array | undefined } {
  let profile: Uint8Array | undefined
  if (colours instanceof Uint8Array) {
    const space = Buffer.from(colours.subarray(16, 20)).toString('latin1')
    if (space !== (count > 2 ? 'RGB ' : 'GRAY'))
      refuse(`of ${count} components and a profile of ${JSON.stringify(space.trim())} colours`)
    profile = colours
  } else if (colours !== undefined && ![SRGB, GREY, SYCC].includes(colours))
    refuse(others[colours] ?? `in colours of number ${colours}`)
  else if (colours !== undefined && (colours === GREY) !== count < 3)
    refuse(`of ${count} components in ${colours === GREY ? 'grey' : 'colours'}`)
  const [first, ...rest] = components.map(({ step }) => step.join())
  const isSmaller = rest.some((step) => step !== '1,1')
  const isLuma = colours === SYCC || (colours === undefined && isSmaller && count === 3)
  if (first !== '1,1' || (isSmaller && !isLuma) || (palette && isSmaller))
    refuse('whose components are of different sizes')
  if (!isLuma) return { isLuma, profile }
  if (count !== 3 || palette) refuse('in sYCC colours with opacity or a palette')
  if (rest[0] !== rest[1] || !['1,1', '2,1', '2,2'].includes(rest[0]!))
    refuse(`whose chroma is smaller by ${rest.map((step) => step.replace(',', ' × ')).join(' and ')}`)
  if (isSmaller && origin.some((place) => place % 2))
    refuse('whose chroma is smaller, and which begins between its samples')
  if (new Set(components.map(({ depth }) => depth)).size > 1)
    refuse('in sYCC colours whose components have different bits')
  return { isLuma, profile }
}

/**
 * The pixels of a picture, of 8 bits, or a TIFF of them where it has an ICC profile.
 * @throws PipiloError as `planJpeg2000`, or without the library; Error that says what is damaged
 */
export async function decodeJpeg2000(
  bytes: Uint8Array,
  options: { readonly name: string; readonly maxPixels: number },
): Promise<{ picture: RawImage | Uint8Array; xmp: Uint8Array | undefined }> {
  const { head, channels, isLuma, profile } = planJpeg2000(bytes, options)
  const { width, height, xmp } = head
  // Two channels it gives as four, and luma and chroma as colours with opacity.
  const given = isLuma || channels === 2 ? 4 : channels
  const decoded = await openjpeg(unsigned(bytes, head), given === channels ? channels : 0, channels === 2)
  if (decoded.length !== width * height * given) throw new Error(`${decoded.length} samples came out of it`)
  const data = given === channels ? decoded : without(decoded, channels)
  const image = { width, height, channels, data }
  return { picture: profile ? profiledTiff(image, profile) : image, xmp }
}

/**
 * Samples with a sign taken for ones without: decoding adds half their range to those, so that the least becomes 0. The library itself cuts
 * all below 0.
 */
function unsigned(bytes: Uint8Array, { components, depths }: Jpeg2000Head): Uint8Array {
  if (!components.some(({ signed }) => signed)) return bytes
  const copy = new Uint8Array(bytes)
  for (let i = 0; i < components.length; i++) copy[depths + 3 * i]! &= 127
  return copy
}

/** Of four channels the three colours, or the first and opacity. */
function without(data: Uint8Array, channels: number): Uint8Array {
  const out = new Uint8Array((data.length / 4) * channels)
  for (let from = 0, to = 0; from < data.length; from += 4) {
    out[to++] = data[from]!
    if (channels === 2) out[to++] = data[from + 3]!
    else {
      out[to++] = data[from + 1]!
      out[to++] = data[from + 2]!
    }
  }
  return out
}
