// Decodes TGA.
import { blank, type Decoder, need } from './pixels.ts'

/**
 * Truevision's format: colours by a map, true colours and grey, plain or in run lengths. Of 16 bits of colour the first, where it is set, makes a
 * pixel transparent, as Pillow has it; and what the file's extension calls no alpha is none.
 * @see https://www.dca.fee.unicamp.br/~martino/disciplinas/ia369/trabalhos/t2g3/tga.pdf
 */
export const decodeTga: Decoder = (bytes, limits) => {
  need(bytes, 18)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kind = bytes[2]! & 7
  const packed = (bytes[2]! & 8) !== 0
  const bits = bytes[16]!
  const mapBits = bytes[7]!
  const known =
    kind === 1
      ? bits === 8 && [15, 16, 24, 32].includes(mapBits)
      : kind === 2
        ? [15, 16, 24, 32].includes(bits)
        : kind === 3 && (bits === 8 || bits === 16)
  if (!known || bytes[2]! > 11) throw new Error(`its kind (${bytes[2]}, of ${bits} bits) is not known`)
  const deep = kind === 1 ? mapBits : bits
  const isOpaque = kind !== 1 && saysNoAlpha(bytes, view)
  const hasAlpha = (deep === 32 || deep === 16) && !isOpaque
  const image = blank(
    view.getUint16(12, true),
    view.getUint16(14, true),
    kind === 3 ? (hasAlpha ? 2 : 1) : hasAlpha ? 4 : 3,
    limits,
  )
  const { width, height, channels, data } = image
  const map = 18 + bytes[0]!
  const first = view.getUint16(3, true)
  const mapped = bytes[1] === 1 ? view.getUint16(5, true) : 0
  let at = map + mapped * ((mapBits + 7) >> 3)
  const step = (bits + 7) >> 3
  const place = (i: number) => {
    const [x, y] = [i % width, Math.floor(i / width)]
    const fromRight = (bytes[17]! & 0x10) !== 0
    const fromTop = (bytes[17]! & 0x20) !== 0
    return ((fromTop ? y : height - 1 - y) * width + (fromRight ? width - 1 - x : x)) * channels
  }
  const put = (i: number, from: number) => {
    const to = place(i)
    if (kind === 3) {
      data[to] = bytes[from]!
      if (hasAlpha) data[to + 1] = bytes[from + 1]!
    } else if (kind === 1) {
      const index = bytes[from]! - first
      if (index < 0 || index >= mapped)
        throw new Error(`a pixel has colour ${bytes[from]}, which the map does not have`)
      colour(map + index * ((mapBits + 7) >> 3), to)
    } else colour(from, to)
  }
  const colour = (from: number, to: number) => {
    if (deep <= 16) {
      const value = view.getUint16(from, true)
      for (let c = 0; c < 3; c++) data[to + c] = Math.floor((((value >> (10 - 5 * c)) & 31) * 255) / 31)
      if (hasAlpha) data[to + 3] = value >> 15 ? 0 : 255
    } else {
      for (let c = 0; c < 3; c++) data[to + c] = bytes[from + 2 - c]!
      if (hasAlpha) data[to + 3] = bytes[from + 3]!
    }
  }
  const count = width * height
  if (!packed) {
    need(bytes, at + count * step)
    for (let i = 0; i < count; i++) put(i, at + i * step)
    return image
  }
  for (let i = 0; i < count; ) {
    need(bytes, at + 1)
    const head = bytes[at++]!
    const length = Math.min((head & 127) + 1, count - i)
    const repeated = head >= 128
    need(bytes, at + (repeated ? 1 : length) * step)
    for (let j = 0; j < length; j++) put(i++, at + (repeated ? 0 : j * step))
    at += (repeated ? 1 : length) * step
  }
  return image
}

/** Place of the kind of alpha in the extension of version 2. */
const ATTRIBUTES = 494

/** True where the extension of version 2, which the file's last bytes point to, says that there is no alpha. */
function saysNoAlpha(bytes: Uint8Array, view: DataView): boolean {
  if (bytes.length < 26 || !endsAsTga(bytes)) return false
  const extension = view.getUint32(bytes.length - 26, true)
  return extension > 0 && bytes[extension + ATTRIBUTES] === 0
}

/** True of a file that ends as those of version 2 do. */
export function endsAsTga(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(-18)).toString('latin1') === 'TRUEVISION-XFILE.\0'
}
