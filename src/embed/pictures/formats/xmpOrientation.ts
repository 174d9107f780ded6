// Orientation of a picture by its XMP, where there is no EXIF.
import type { Sharp } from 'sharp'

/**
 * EXIF's number (1 to 8) of how a picture is turned, as XMP's `tiff:Orientation` says it; 1 where it says nothing.
 * @see https://developer.adobe.com/xmp/docs/XMPNamespaces/tiff/
 */
export function xmpOrientation(xmp: Uint8Array | undefined): number {
  if (!xmp) return 1
  const text = Buffer.from(xmp).toString('utf8')
  const found = /\btiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])\s*["'<]/.exec(text)
  return found ? Number(found[1]) : 1
}

/** The picture as it is to be seen. sharp mirrors before it turns. */
export function upright(image: Sharp, orientation: number): Sharp {
  const angle = [0, 0, 0, 180, 0, 270, 90, 90, 270][orientation] ?? 0
  const turned = angle === 0 ? image : image.rotate(angle)
  if (orientation === 4) return turned.flip()
  return [2, 5, 7].includes(orientation) ? turned.flop() : turned
}
