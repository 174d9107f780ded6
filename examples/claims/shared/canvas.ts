/** Pictures of several emoji on a canvas, to be counted. */
import type { RawImage } from '../../../src/index.ts'
import { type Random, seeded } from '../../../src/nn/index.ts'
import { ARTISTS } from '../emoji/pictures.ts'
import { drawings, isQuick } from '../emoji/rows.ts'
import type { ClaimRun } from './claim.ts'
import { UNSEEN } from './encoders.ts'

/** Height and width of a canvas. */
export const SIDE = 96
/** Emoji on a canvas, at most. */
export const MOST = 8
/** Heights and widths of the emoji, so that the covered area does not tell their number. */
const SIZES = [12, 17, 24]

export interface Canvases {
  readonly images: readonly RawImage[]
  /** How many emoji there are on each, less one. */
  readonly labels: readonly number[]
}

/**
 * So many canvases of 1 to {@link MOST} emoji that do not touch each other, equally many of each number. Emoji on canvases that are held out
 * never occur on others. `quick`: of few emoji by two artists.
 */
export async function canvases(
  count: number,
  part: 'known' | 'held',
  { seed, quick }: Pick<ClaimRun, 'seed' | 'quick'>,
): Promise<Canvases> {
  const artists = ARTISTS.filter((artist) => artist !== UNSEEN)
  const isWanted = (index: number) => (index % 5 === 0) === (part === 'held') && (!quick || isQuick(index))
  const stocks: RawImage[][] = []
  for (const size of SIZES) {
    const all = await drawings(quick ? artists.slice(0, 2) : artists, size, isWanted)
    stocks.push(all.map(({ image }) => image))
  }
  const random = seeded(seed, `canvases ${part}`)
  const labels = Array.from({ length: count }, (_, i) => i % MOST)
  return { labels, images: labels.map((label) => canvas(label + 1, stocks, random)) }
}

interface Box {
  readonly x: number
  readonly y: number
  readonly size: number
}

function canvas(count: number, stocks: readonly (readonly RawImage[])[], random: Random): RawImage {
  const data = new Uint8Array(SIDE * SIDE * 3).fill(255)
  const below = (end: number) => Math.floor(random.uniform() * end)
  const boxes: Box[] = []
  while (boxes.length < count) {
    const kind = below(SIZES.length)
    const size = SIZES[kind]!
    const box = { x: below(SIDE - size), y: below(SIDE - size), size }
    const isFree = boxes.every(
      (other) =>
        box.x + size < other.x ||
        other.x + other.size < box.x ||
        box.y + size < other.y ||
        other.y + other.size < box.y,
    )
    if (!isFree) continue
    boxes.push(box)
    const stock = stocks[kind]!
    paste(data, stock[below(stock.length)]!, box)
  }
  return { width: SIDE, height: SIDE, channels: 3, data }
}

function paste(canvas: Uint8Array, { data }: RawImage, { x, y, size }: Box): void {
  for (let row = 0; row < size; row++) {
    const line = data.subarray(row * size * 3, (row + 1) * size * 3)
    canvas.set(line as Uint8Array, ((y + row) * SIDE + x) * 3)
  }
}
