// Signatures of pictures that sharp does not read, and that are decoded here.

// biome-ignore lint/suspicious/noControlCharactersInRegex: part of the magic number.
const jpeg2000 = /^(?:\0\0\0\x0cjP {2}\r\n\x87\n|\xff\x4f\xff\x51)/

/** BMP, PPM and its kin, QOI, icons and cursors, JPEG 2000. */
export const rarerSignatures: readonly RegExp[] = [
  /^BM[\s\S]{4}[\s\S]{4}[\s\S]{2}\0\0/,
  /^P[1-6]\s+(?:#[^\r\n]*[\r\n]\s*)*\d+\s/,
  /^qoif/,
  jpeg2000,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: part of the magic number.
  /^\0\0[\x01\x02]\0[\x01-\xff]\0/,
]

/** True for the first bytes of a JPEG 2000 file or codestream. */
export const isJpeg2000 = (head: Uint8Array): boolean => jpeg2000.test(Buffer.from(head).toString('latin1'))

/** True for the first bytes of a format that is decoded here; TGA has none of its own. */
export function isRarer(head: Uint8Array): boolean {
  const latin = Buffer.from(head).toString('latin1')
  return rarerSignatures.some((signature) => signature.test(latin))
}
