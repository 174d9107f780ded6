import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeImage } from './image.ts'

/** A PNG whose head claims a size, and whose pixels are a few rows. */
function png(width: number, height: number, { depth = 8, interlaced = 0 } = {}): Uint8Array {
  const chunk = (kind: string, data: Uint8Array) => {
    const out = Buffer.alloc(12 + data.length)
    out.writeUInt32BE(data.length)
    out.write(kind, 4)
    out.set(data, 8)
    out.writeUInt32BE(crc(out.subarray(4, 8 + data.length)), 8 + data.length)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width)
  head.writeUInt32BE(height, 4)
  head.set([depth, 2, 0, 0, interlaced], 8)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const pixels = chunk('IDAT', deflateSync(Buffer.alloc(1000)))
  return new Uint8Array(
    Buffer.concat([signature, chunk('IHDR', head), pixels, chunk('IEND', Buffer.alloc(0))]),
  )
}

function crc(data: Uint8Array): number {
  let value = 0xffff_ffff
  for (const byte of data) {
    value ^= byte
    for (let i = 0; i < 8; i++) value = (value >>> 1) ^ (value & 1 ? 0xedb8_8320 : 0)
  }
  return (value ^ 0xffff_ffff) >>> 0
}

const tooLarge = expect.objectContaining({ code: 'IMAGE_TOO_LARGE' })

describe('pictures that claim much are refused before they are decoded', () => {
  it.each([
    ['rows of 16,000,000 pixels', png(16_000_000, 16)],
    ['columns of 16,000,000 pixels', png(16, 16_000_000)],
    ['interlaced ones of 16 bits', png(16_000, 16_000, { depth: 16, interlaced: 1 })],
    ['60,000 × 60,000', png(60_000, 60_000)],
    [
      'an SVG of 5 MB',
      Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0${' L1 1'.repeat(1e6)}"/></svg>`),
    ],
  ])('%s', async (_, bytes) => {
    await expect(decodeImage(bytes)).rejects.toEqual(tooLarge)
  })
})

it('Pictures of ordinary kinds are decoded as before', async () => {
  const of = sharp({ create: { width: 40, height: 30, channels: 3, background: '#102030' } })
  for (const bytes of [
    await of.clone().png({ progressive: true }).toBuffer(),
    await of.clone().jpeg({ progressive: true }).toBuffer(),
    await of.clone().webp().toBuffer(),
  ]) {
    expect(await decodeImage(bytes)).toMatchObject({ width: 40, height: 30 })
  }
})
