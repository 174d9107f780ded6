// Decodes QOI.
import { blank, type Decoder, need } from './pixels.ts'

/**
 * The Quite OK Image format.
 * @see https://qoiformat.org/qoi-specification.pdf
 */
export const decodeQoi: Decoder = (bytes, limits) => {
  need(bytes, 14)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const channels = bytes[12]
  if (channels !== 3 && channels !== 4) throw new Error(`it has ${channels} channels`)
  const image = blank(view.getUint32(4), view.getUint32(8), channels, limits)
  const { data } = image
  const seen = new Uint8Array(64 * 4)
  let [red, green, blue, alpha] = [0, 0, 0, 255]
  let at = 14
  let run = 0
  for (let out = 0; out < data.length; out += channels) {
    if (run > 0) run--
    else {
      const tag = bytes[at++]
      if (tag === undefined) throw new Error('it ends before its last pixel')
      if (tag >= 0xfe) {
        need(bytes, at + tag - 0xfb)
        red = bytes[at++]!
        green = bytes[at++]!
        blue = bytes[at++]!
        if (tag === 0xff) alpha = bytes[at++]!
      } else if (tag < 0x40) {
        ;[red, green, blue, alpha] = seen.subarray(4 * tag, 4 * tag + 4) as unknown as [
          number,
          number,
          number,
          number,
        ]
      } else if (tag < 0x80) {
        red = (red + ((tag >> 4) & 3) - 2) & 255
        green = (green + ((tag >> 2) & 3) - 2) & 255
        blue = (blue + (tag & 3) - 2) & 255
      } else if (tag < 0xc0) {
        need(bytes, at + 1)
        const by = (tag & 63) - 32
        const more = bytes[at++]!
        red = (red + by - 8 + (more >> 4)) & 255
        green = (green + by) & 255
        blue = (blue + by - 8 + (more & 15)) & 255
      } else run = tag & 63
      seen.set([red, green, blue, alpha], 4 * ((red * 3 + green * 5 + blue * 7 + alpha * 11) & 63))
    }
    data[out] = red
    data[out + 1] = green
    data[out + 2] = blue
    if (channels === 4) data[out + 3] = alpha
  }
  return image
}
