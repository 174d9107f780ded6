// Decodes pictures of formats that sharp does not read: BMP, ICO, PPM and its kin, QOI, TGA.
import type { RawImage } from '../../types.ts'
import { decodeBmp } from './bmp.ts'
import { decodeIco } from './ico.ts'
import type { DecodeLimits } from './pixels.ts'
import { decodePnm } from './pnm.ts'
import { decodeQoi } from './qoi.ts'
import { decodeTga, endsAsTga } from './tga.ts'

/**
 * The pixels of a picture, or the bytes of the PNG that an icon holds; undefined for other formats.
 * @throws Error that says what is wrong with it
 */
export function decodeRarer(
  bytes: Uint8Array,
  { isTga, ...limits }: DecodeLimits & { readonly isTga?: boolean },
): RawImage | Uint8Array | undefined {
  const head = Buffer.from(bytes.subarray(0, 32)).toString('latin1')
  if (/^BM/.test(head)) return decodeBmp(bytes, limits)
  if (/^P[1-6][\s#]/.test(head)) return decodePnm(bytes, limits)
  if (head.startsWith('qoif')) return decodeQoi(bytes, limits)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: part of the magic number.
  if (/^\0\0[\x01\x02]\0[\x01-\xff]\0/.test(head)) return decodeIco(bytes, limits)
  // Without a signature, TGA is known by its end or its name.
  return endsAsTga(bytes) || isTga ? decodeTga(bytes, limits) : undefined
}
