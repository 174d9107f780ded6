// Decodes BMP, and the bitmaps inside icons.
import type { RawImage } from '../../types.ts'
import { blank, type DecodeLimits, type Decoder, need } from './pixels.ts'

const UNCOMPRESSED = 0
const RLE8 = 1
const RLE4 = 2
const BITFIELDS = 3
const ALPHA_BITFIELDS = 6

/**
 * Windows' and OS/2's bitmaps of 1, 4, 8, 16, 24 and 32 bits, with palettes, run lengths and bit fields.
 * @see https://learn.microsoft.com/windows/win32/gdi/bitmap-storage
 */
export const decodeBmp: Decoder = (bytes, limits) => {
  need(bytes, 18)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return decodeBitmap(bytes.subarray(14), limits, { pixels: view.getUint32(10, true) - 14 })
}

/**
 * A bitmap from its own head on.
 *
 * @param pixels place of the pixels; behind palette and masks where it is not said
 * @param icon the height is that of picture and mask together, and the fourth byte of 32 bits is opacity
 */
export function decodeBitmap(
  bytes: Uint8Array,
  limits: DecodeLimits,
  { pixels, icon = false }: { pixels?: number; icon?: boolean } = {},
): RawImage & { readonly data: Uint8Array } {
  need(bytes, 12)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = view.getUint32(0, true)
  const old = size === 12
  if (!old && (size < 16 || size > 1024)) throw new Error(`its head has ${size} bytes`)
  need(bytes, size)
  const width = old ? view.getUint16(4, true) : view.getInt32(4, true)
  const signed = old ? view.getInt16(6, true) : view.getInt32(8, true)
  const height = Math.abs(signed) / (icon ? 2 : 1)
  const bits = view.getUint16(old ? 10 : 14, true)
  const packing = old || size < 20 ? UNCOMPRESSED : view.getUint32(16, true)
  const masks = packing === BITFIELDS || packing === ALPHA_BITFIELDS
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`it has ${bits} bits a pixel`)
  const runs = (packing === RLE8 && bits === 8) || (packing === RLE4 && bits === 4)
  if (packing !== UNCOMPRESSED && !runs && !(masks && (bits === 16 || bits === 32)))
    throw new Error(`its compression (${packing}, of ${bits} bits) is not known`)
  let after = size
  const maskBytes = !masks || size >= 56 ? 0 : packing === ALPHA_BITFIELDS ? 16 : 12
  if (size < 52) after += maskBytes
  const entry = old ? 3 : 4
  const colours =
    bits > 8 ? 0 : Math.min(1 << bits, (!old && size >= 36 && view.getUint32(32, true)) || 1 << bits)
  const palette = bytes.subarray(after, after + colours * entry)
  const start = pixels ?? after + colours * entry
  const read = masks ? fields(view, size, packing, bits) : icon && bits === 32 ? opaque : usual(bits)
  const channels = read.alpha ? 4 : 3
  const image = blank(width, height, channels, limits)
  const { data } = image
  const put = (x: number, y: number, index: number) => {
    const to = ((signed < 0 ? y : height - 1 - y) * width + x) * channels
    for (let c = 0; c < 3; c++) data[to + c] = palette[index * entry + 2 - c] ?? 0
  }
  if (runs) {
    data.fill(0)
    unpackRuns(bytes.subarray(start), bits, width, height, put)
    return image
  }
  const row = Math.ceil((width * bits) / 32) * 4
  need(bytes, start + row * height - (row - Math.ceil((width * bits) / 8)))
  for (let y = 0; y < height; y++) {
    const line = start + y * row
    for (let x = 0; x < width; x++) {
      if (bits <= 8) {
        const bit = x * bits
        put(x, y, (bytes[line + (bit >> 3)]! >> (8 - bits - (bit & 7))) & ((1 << bits) - 1))
        continue
      }
      const to = ((signed < 0 ? y : height - 1 - y) * width + x) * channels
      if (bits === 24) {
        for (let c = 0; c < 3; c++) data[to + c] = bytes[line + 3 * x + 2 - c]!
        continue
      }
      const value = bits === 16 ? view.getUint16(line + 2 * x, true) : view.getUint32(line + 4 * x, true)
      for (let c = 0; c < channels; c++) data[to + c] = read.channels[c]!(value)
    }
  }
  return image
}

interface Reading {
  readonly channels: readonly ((value: number) => number)[]
  readonly alpha: boolean
}

/** The bits of a mask, scaled to 255. */
function channel(mask: number): (value: number) => number {
  if (mask === 0) return () => 0
  const shift = 31 - Math.clz32(mask & -mask)
  const most = mask >>> shift
  return (value) => Math.floor((((value & mask) >>> shift) * 255) / most)
}

const masked = (masks: readonly number[]): Reading => ({
  channels: masks.map(channel),
  alpha: masks.length === 4,
})

const usual = (bits: number): Reading =>
  masked(bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff])

const opaque = masked([0xff0000, 0xff00, 0xff, 0xff000000])

function fields(view: DataView, size: number, packing: number, bits: number): Reading {
  need(
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
    40 + (packing === ALPHA_BITFIELDS ? 16 : 12),
  )
  const count = size >= 56 || packing === ALPHA_BITFIELDS ? 4 : 3
  const masks = Array.from({ length: count }, (_, i) => view.getUint32(40 + 4 * i, true))
  if (masks.slice(0, 3).some((mask) => mask === 0 || (bits === 16 && mask > 0xffff)))
    throw new Error('its bit fields are empty')
  return masked(masks[3] ? masks : masks.slice(0, 3))
}

/** Pixels of run lengths; what they leave out is of the first colour. */
function unpackRuns(
  bytes: Uint8Array,
  bits: number,
  width: number,
  height: number,
  put: (x: number, y: number, index: number) => void,
): void {
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) put(x, y, 0)
  let [x, y, at] = [0, 0, 0]
  const index = (byte: number, i: number) => (bits === 8 ? byte : i & 1 ? byte & 15 : byte >> 4)
  while (y < height) {
    need(bytes, at + 2)
    const count = bytes[at++]!
    const value = bytes[at++]!
    if (count > 0) {
      for (let i = 0; i < count; i++, x++) if (x < width) put(x, y, index(value, i))
    } else if (value === 0) {
      x = 0
      y++
    } else if (value === 1) return
    else if (value === 2) {
      need(bytes, at + 2)
      x += bytes[at++]!
      y += bytes[at++]!
    } else {
      const length = bits === 8 ? value : (value + 1) >> 1
      need(bytes, at + length)
      for (let i = 0; i < value; i++, x++)
        if (x < width) put(x, y, index(bytes[at + (bits === 8 ? i : i >> 1)]!, i))
      // Stretches end on even bytes.
      at += length + (length & 1)
    }
  }
}
