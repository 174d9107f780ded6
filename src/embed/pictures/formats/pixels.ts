// Pieces that the decoders of rarer picture formats share.
import type { RawImage } from '../../types.ts'

/** A decoder gives pixels, and throws an Error that says what is wrong with the bytes. */
export type Decoder = (bytes: Uint8Array, limits: DecodeLimits) => RawImage

export interface DecodeLimits {
  /** Width × height above which nothing is decoded. */
  readonly maxPixels: number
}

/**
 * Room for the pixels of a picture.
 * @throws Error for sizes that are none or too large
 */
export function blank(
  width: number,
  height: number,
  channels: 1 | 2 | 3 | 4,
  { maxPixels }: DecodeLimits,
): RawImage & { readonly data: Uint8Array } {
  if (!(width > 0 && height > 0)) throw new Error(`its size is ${width} × ${height}`)
  if (width * height > maxPixels) throw new Error('pixel limit')
  return { width, height, channels, data: new Uint8Array(width * height * channels) }
}

/** @throws Error if there are fewer bytes */
export function need(bytes: Uint8Array, count: number): void {
  if (bytes.length < count) throw new Error(`it ends after ${bytes.length} of ${count} bytes`)
}
