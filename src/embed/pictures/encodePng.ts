// Writes pixels as PNG files.
import type { RawImage } from '../types.ts'
import { loadSharp } from './image.ts'
import { checkRaw } from './imageSource.ts'

/** See `encodePng` in onDemand.ts. */
export async function encodePng(picture: RawImage): Promise<Uint8Array> {
  const { width, height, channels, data } = checkRaw(picture, 'the picture')
  const sharp = await loadSharp()
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer()
}
