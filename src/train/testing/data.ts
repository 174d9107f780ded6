/** Small data sets for tests of the trainer. */
import { type Dataset, type RawImage, readDataset } from '../../embed/index.ts'
import { seeded } from '../../nn/index.ts'

/** A picture of noise with a bright corner that tells its class. */
export function picture(index: number, { size = 16, channels = 1, classes = 3 } = {}): RawImage {
  const random = seeded(7, `picture ${index}`)
  const data = Uint8Array.from({ length: size * size * channels }, () => Math.floor(120 * random.uniform()))
  const label = index % classes
  const [top, left] = [label & 1 ? size / 2 : 0, label & 2 ? size / 2 : 0]
  for (let y = top; y < top + size / 2; y++)
    for (let x = left; x < left + size / 2; x++)
      for (let c = 0; c < channels; c++) data[(y * size + x) * channels + c]! += 100
  return { width: size, height: size, channels: channels === 1 ? 1 : 3, data }
}

/** So many pictures with labels, in turns of each class. */
export async function pictures(
  count: number,
  shape: { size?: number; channels?: number; classes?: number } = {},
): Promise<Dataset> {
  const rows = Array.from({ length: count }, (_, i) => ({
    image: picture(i, shape),
    label: i % (shape.classes ?? 3),
  }))
  const found = await readDataset(rows)
  if (found.length === undefined) throw new Error('rows in memory are no stream')
  return found
}
