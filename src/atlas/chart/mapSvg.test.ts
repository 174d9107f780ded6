import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseHTML } from 'linkedom'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { seeded } from '../../nn/index.ts'
import { embeddingMap, mapPng, mapSvg, writeMap } from '../index.ts'
import type { EmbeddingMap } from '../types.ts'

let map: EmbeddingMap
let folder: string
const HOSTILE = 'a <script>alert(1)</script> & "b" \u0000\ud800'

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-svg-'))
  const random = seeded(5, 'svg test')
  const picture = await sharp({ create: { width: 90, height: 60, channels: 3, background: '#10a040' } })
    .png()
    .toBuffer()
  const items = Array.from({ length: 40 }, (_, i) => ({
    id: `row ${i}`,
    ...(i === 7 ? { picture: new Uint8Array(picture) } : { text: i === 3 ? HOSTILE : `word ${i}` }),
    label: i % 2 ? 'odd' : 'even',
  }))
  const vectors = items.map((_, i) =>
    Float32Array.from({ length: 5 }, (_, axis) => (axis === i % 2 ? 2 : 0) + random.normal()),
  )
  map = await embeddingMap(items, [{ name: 'a', vectors }], { method: 'pca' })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('Every point is a dot, and texts, thumbnails and the legend stand beside', async () => {
  const { svg, withoutThumbnail } = await mapSvg(map, { title: 'Words' })
  const { document } = parseHTML(svg)
  const dots = [...document.querySelectorAll('circle')]
  expect(dots).toHaveLength(40 + 2)
  expect(new Set(dots.map((dot) => dot.getAttribute('fill')))).toEqual(new Set(['#4269d0', '#efb118']))
  expect(document.querySelectorAll('image')).toHaveLength(1)
  expect(withoutThumbnail).toBe(0)
  const texts = [...document.querySelectorAll('text')].map((text) => text.textContent)
  expect(texts).toEqual(expect.arrayContaining(['Words', 'word 1', 'odd · 20', 'even · 20']))
  expect(texts.at(-1)).toMatch(/^40 points by a, placed by PCA/)
})

it('Texts are written as texts, without letters that XML lacks', async () => {
  const { svg } = await mapSvg(map)
  expect(svg).not.toContain('<script')
  expect(svg).not.toMatch(/[\p{Surrogate}]|(?!\n)\p{Cc}/u)
  expect(svg).toContain('&lt;script&gt;')
})

it('A PNG has twice the pixels, and the colours of the points', async () => {
  const { png } = await mapPng(map, { width: 600, height: 450 })
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  expect([info.width, info.height]).toEqual([1200, 900])
  const has = (color: readonly number[]) => {
    for (let at = 0; at < data.length; at += 3)
      if (color.every((value, channel) => Math.abs(data[at + channel]! - value) < 6)) return true
    return false
  }
  // White paper, an orange dot, and the green of the thumbnail.
  expect(
    [
      [255, 255, 255],
      [241, 187, 47],
      [16, 160, 64],
      [200, 0, 200],
    ].map(has),
  ).toEqual([true, true, true, false])
})

it('The ending says what is drawn, and others are refused', async () => {
  for (const ending of ['html', 'svg', 'png']) {
    await writeMap(join(folder, `map.${ending}`), map)
    expect(existsSync(join(folder, `map.${ending}`))).toBe(true)
  }
  expect(readFileSync(join(folder, 'map.html'), 'utf8')).toMatch(/^<!doctype html>/)
  await expect(writeMap(join(folder, 'map.pdf'), map)).rejects.toThrow(/\.html, \.svg or \.png/)
  await expect(mapSvg(map, { view: 'b' })).rejects.toThrow(/no view "b"\. It has a/)
  await expect(mapSvg(map, { width: 10 })).rejects.toThrow(/width is 10/)
})
