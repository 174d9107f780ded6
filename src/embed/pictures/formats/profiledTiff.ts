// Lays pixels into a TIFF with their ICC profile, for sharp to follow it.
import type { RawImage } from '../../types.ts'

/**
 * A TIFF of pixels as they are.
 * @see https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
 */
export function profiledTiff({ width, height, channels, data }: RawImage, profile: Uint8Array): Uint8Array {
  const colours = channels > 2 ? 3 : 1
  const [long, short, undefinedBytes] = [4, 3, 7]
  const bits = Buffer.alloc(2 * channels)
  for (let i = 0; i < channels; i++) bits.writeUInt16LE(8, 2 * i)
  const word = (value: number) => {
    const out = Buffer.alloc(4)
    out.writeUInt32LE(value)
    return out
  }
  const fields: [tag: number, type: number, count: number, value: Uint8Array][] = [
    [256, long, 1, word(width)],
    [257, long, 1, word(height)],
    [258, short, channels, bits],
    [259, short, 1, word(1)],
    [262, short, 1, word(colours === 3 ? 2 : 1)],
    [273, long, 1, word(0)],
    [277, short, 1, word(channels)],
    [278, long, 1, word(height)],
    [279, long, 1, word(data.length)],
    // One sample more, which is opacity that is not multiplied.
    ...(channels > colours ? [[338, short, 1, word(2)] as [number, number, number, Uint8Array]] : []),
    [34675, undefinedBytes, profile.length, profile],
  ]
  const after: Uint8Array[] = []
  let end = 8 + 2 + 12 * fields.length + 4
  const place = (value: Uint8Array) => {
    after.push(value, Buffer.alloc(value.length % 2))
    end += value.length + (value.length % 2)
    return word(end - value.length - (value.length % 2))
  }
  const directory = fields.map(([tag, type, count, value]) => {
    const out = Buffer.alloc(12)
    out.writeUInt16LE(tag)
    out.writeUInt16LE(type, 2)
    out.writeUInt32LE(count, 4)
    out.set(tag === 273 ? place(data) : value.length > 4 ? place(value) : value, 8)
    return out
  })
  const count = Buffer.alloc(2)
  count.writeUInt16LE(fields.length)
  return Buffer.concat([Buffer.from('II\x2a\0'), word(8), count, ...directory, word(0), ...after])
}
