import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ImagePreprocessing } from '../../models/index.ts'
import { geometry } from './geometry.ts'

interface Reference {
  readonly of: string
  readonly image: Pick<ImagePreprocessing, 'size' | 'crop' | 'cropRatio' | 'resize'>
  readonly rows: readonly (readonly number[])[]
}
// Made by testdata/pillow.py.
const references: readonly Reference[] = JSON.parse(
  readFileSync(new URL('../testdata/geometry.json', import.meta.url), 'utf8'),
)
const rest = { interpolation: 'bilinear', mean: [0, 0, 0], std: [1, 1, 1] } as const

describe('to what a picture is resized, and where its crop begins', () => {
  it.each(
    references.map((each) => [each.of, JSON.stringify(each.image), each] as const),
  )('is to the pixel what %s does for %s', (_, __, { image, rows }) => {
    expect(rows.length).toBeGreaterThan(50)
    for (const row of rows) {
      const [width, height] = row as [number, number]
      const { horizontal, vertical } = geometry(width, height, { ...image, ...rest })
      const found = [horizontal.to, vertical.to, horizontal.start, vertical.start]
      expect([width, height, ...found]).toEqual(row)
      expect([vertical.length, horizontal.length]).toEqual(image.size)
    }
  })
})
