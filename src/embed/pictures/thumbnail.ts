// Small copies of pictures, for pages.
import type { Input } from '../types.ts'
import { decodeImage, loadSharp } from './image.ts'

/**
 * A copy that fits into a square of so many pixels, as a data: URL (WebP); a smaller picture keeps its hard pixels when it grows.
 *
 * @throws as `decodeImage`
 */
export async function thumbnail(
  input: Input,
  size: number,
  options: { readonly label?: string; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const { width, height, channels, data } = await decodeImage(input, undefined, options)
  const sharp = await loadSharp()
  const isSmall = Math.max(width, height) < size
  const bytes = await sharp(data, { raw: { width, height, channels } })
    .resize({ width: size, height: size, fit: 'inside', kernel: isSmall ? 'nearest' : 'lanczos3' })
    .webp({ quality: 80 })
    .toBuffer()
  return `data:image/webp;base64,${bytes.toString('base64')}`
}
