// Pictures that are given as their pixels.
import type { RawImage } from '../types.ts'

export function isRawImage(input: unknown): input is RawImage {
  return (
    typeof input === 'object' && input !== null && 'width' in input && 'height' in input && 'data' in input
  )
}
