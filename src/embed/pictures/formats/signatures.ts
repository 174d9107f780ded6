// Signatures of pictures that sharp does not read, and that are decoded here.

/** BMP, PPM and its kin, QOI, icons and cursors. */
export const rarerSignatures: readonly RegExp[] = [
  /^BM[\s\S]{4}[\s\S]{4}[\s\S]{2}\0\0/,
  /^P[1-6]\s+(?:#[^\r\n]*[\r\n]\s*)*\d+\s/,
  /^qoif/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: part of the magic number.
  /^\0\0[\x01\x02]\0[\x01-\xff]\0/,
]

/** True for the first bytes of a format that is decoded here; TGA has none of its own. */
export function isRarer(head: Uint8Array): boolean {
  const latin = Buffer.from(head).toString('latin1')
  return rarerSignatures.some((signature) => signature.test(latin))
}
