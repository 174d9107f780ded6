// Takes the largest picture out of an icon.
import type { RawImage } from '../../types.ts'
import { decodeBitmap } from './bmp.ts'
import { type DecodeLimits, need } from './pixels.ts'

/**
 * The largest picture of an icon or cursor, of the most bits: pixels, or the bytes of the PNG that it is.
 * @see https://learn.microsoft.com/previous-versions/ms997538(v=msdn.10)
 */
export function decodeIco(bytes: Uint8Array, limits: DecodeLimits): RawImage | Uint8Array {
  need(bytes, 6)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = view.getUint16(4, true)
  need(bytes, 6 + 16 * count)
  const entries = Array.from({ length: count }, (_, i) => {
    const at = 6 + 16 * i
    const [width, height] = [bytes[at]! || 256, bytes[at + 1]! || 256]
    const [length, start] = [view.getUint32(at + 8, true), view.getUint32(at + 12, true)]
    return { area: width * height, bits: view.getUint16(at + 6, true), length, start }
  }).sort((a, b) => b.area - a.area || b.bits - a.bits)
  const [best] = entries
  if (!best) throw new Error('it holds no picture')
  need(bytes, best.start + best.length)
  const held = bytes.subarray(best.start, best.start + best.length)
  if (held[0] === 0x89 && held[1] === 0x50) return held
  const image = decodeBitmap(held, limits, { icon: true })
  return withMask(image, held)
}

/** Opacity by the mask of one bit a pixel behind the picture, where its own bits say nothing. */
function withMask(
  { width, height, channels, data }: RawImage & { readonly data: Uint8Array },
  held: Uint8Array,
): RawImage {
  const own = channels === 4 && data.some((value, i) => i % 4 === 3 && value > 0)
  const row = Math.ceil(width / 32) * 4
  const start = held.length - row * height
  if (own) return { width, height, channels, data }
  const out = new Uint8Array(width * height * 4)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x
      const from = channels * at
      out.set(data.subarray(from, from + 3), 4 * at)
      const masked = start >= 0 && (held[start + (height - 1 - y) * row + (x >> 3)]! >> (7 - (x & 7))) & 1
      out[4 * at + 3] = masked ? 0 : 255
    }
  }
  return { width, height, channels: 4, data: out }
}
