// Small pictures for a page.
import { availableParallelism } from 'node:os'
import { encodeBase64, PipiloError, throwIfAborted } from '../../base/index.ts'
import { thumbnail } from '../../embed/index.ts'
import type { DrawOptions, MapItem } from '../types.ts'

/** Bytes of all thumbnails together. */
const BYTES = 16 * 2 ** 20

/** Sizes in pixels by the number of pictures. */
const sizeFor = (count: number): number =>
  count <= 500 ? 128 : count <= 3000 ? 96 : count <= 10_000 ? 64 : 40

/** Options of {@link thumbnailsOf}. */
export interface ThumbnailOptions extends Pick<DrawOptions, 'thumbnailBytes' | 'signal'> {
  /** Width × height above which a picture has none. Default 268,402,689. */
  readonly maxPixels?: number
}

/** Thumbnails as data URLs. */
export interface Thumbnails {
  /** Undefined where no item has a picture. */
  readonly thumbnails?: readonly (string | null)[]
  /** Pictures without one. */
  readonly without: number
}

/** See `thumbnailsOf` in ../onDemand.ts. */
export async function thumbnailsOf(
  items: readonly MapItem[],
  { thumbnailBytes = BYTES, signal, ...reading }: ThumbnailOptions = {},
): Promise<Thumbnails> {
  const pictures = items.flatMap(({ picture }, i) => (picture === undefined ? [] : [i]))
  if (pictures.length === 0) return { without: 0 }
  const thumbnails = new Array<string | null>(items.length).fill(null)
  const size = sizeFor(pictures.length)
  let left = thumbnailBytes
  let made = 0
  const order = spread(pictures)
  const width = availableParallelism()
  for (let start = 0; start < order.length && left > 0; start += width) {
    throwIfAborted(signal)
    const batch = order.slice(start, start + width)
    const found = await Promise.all(
      batch.map((i) =>
        thumbnail(items[i]!.picture!, size, {
          label: items[i]!.id,
          ...reading,
          ...(signal && { signal }),
        }).catch((error: unknown) => {
          if (error instanceof PipiloError && error.code !== 'ABORTED') return undefined
          throw error
        }),
      ),
    )
    for (const [at, bytes] of found.entries()) {
      if (!bytes) continue
      const url = `data:image/webp;base64,${encodeBase64(bytes)}`
      left -= url.length
      if (left < 0) break
      thumbnails[batch[at]!] = url
      made++
    }
  }
  return { thumbnails, without: pictures.length - made }
}

/** A list in an order in which every beginning is spread over it: by golden steps. */
function spread(list: readonly number[]): number[] {
  const keys = list.map((_, i) => (i * 0.618_033_988_749_895) % 1)
  return list
    .map((_, i) => i)
    .sort((a, b) => keys[a]! - keys[b]!)
    .map((i) => list[i]!)
}
