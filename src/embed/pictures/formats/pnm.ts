// Decodes PPM, PGM and PBM.
import { blank, type Decoder, need } from './pixels.ts'

const SPACE = new Set([0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d])

/**
 * Netpbm's P1 to P6: bits, grey and colour, as digits or as bytes. Samples are scaled to 255 and rounded as Pillow does.
 * @see https://netpbm.sourceforge.net/doc/ppm.html
 */
export const decodePnm: Decoder = (bytes, limits) => {
  const kind = bytes[1]! - 0x30
  let at = 2
  const next = (): number => {
    for (;;) {
      while (SPACE.has(bytes[at]!)) at++
      if (bytes[at] !== 0x23) break
      while (at < bytes.length && bytes[at] !== 0x0a && bytes[at] !== 0x0d) at++
    }
    const start = at
    let value = 0
    while (bytes[at]! >= 0x30 && bytes[at]! <= 0x39) value = Math.min(value * 10 + bytes[at++]! - 0x30, 1e9)
    if (at === start) throw new Error('a number is missing')
    return value
  }
  const [width, height] = [next(), next()]
  const isBits = kind === 1 || kind === 4
  const most = isBits ? 1 : next()
  if (most < 1 || most > 65535) throw new Error(`its largest sample is ${most}`)
  const image = blank(width, height, kind === 3 || kind === 6 ? 3 : 1, limits)
  const { data } = image
  const scaled = (value: number): number => {
    if (value > most) throw new Error(`a sample is ${value}, and ${most} the largest`)
    return half(value, most)
  }
  if (kind === 1) {
    // Digits may stand without space between them.
    for (let i = 0; i < data.length; i++) {
      while (SPACE.has(bytes[at]!)) at++
      const digit = bytes[at++]
      if (digit !== 0x30 && digit !== 0x31) throw new Error('a bit is missing')
      data[i] = digit === 0x31 ? 0 : 255
    }
  } else if (kind < 4) {
    for (let i = 0; i < data.length; i++) data[i] = scaled(next())
  } else {
    at++ // One space after the head.
    const row = Math.ceil(width / 8)
    const wide = most > 255
    need(bytes, at + (kind === 4 ? row * height : data.length * (wide ? 2 : 1)))
    if (kind === 4) {
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          data[y * width + x] = (bytes[at + y * row + (x >> 3)]! >> (7 - (x & 7))) & 1 ? 0 : 255
    } else {
      for (let i = 0; i < data.length; i++)
        data[i] = scaled(wide ? bytes[at + 2 * i]! * 256 + bytes[at + 2 * i + 1]! : bytes[at + i]!)
    }
  }
  return image
}

/** The value in 255ths, halves to the even one, as Python rounds. */
function half(value: number, most: number): number {
  const exact = (value * 255) / most
  const down = Math.floor(exact)
  return exact - down === 0.5 ? down + (down & 1) : Math.round(exact)
}
