// Writes pixels as PNG files.
import type { RawImage } from '../types.ts'
import { loadSharp } from './decode.ts'
import { checkRaw } from './imageSource.ts'

/** See `encodePng` in onDemand.ts. */
export async function encodePng(picture: RawImage): Promise<Uint8Array> {
  const { width, height, channels, data } = checkRaw(picture, 'the picture')
  const sharp = await loadSharp()
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer()
}

/** See `renderSvg` in onDemand.ts. */
export async function renderSvg(svg: string, scale: number): Promise<Uint8Array> {
  const sharp = await loadSharp()
  return sharp(Buffer.from(svg), { density: 72 * scale, unlimited: true })
    .png()
    .toBuffer()
}
