import { createHash } from 'node:crypto'
import sharp from 'sharp'
import { expect, it } from 'vitest'
import type { PageData } from '../page/index.ts'
import type { EmbeddingMap, MapItem } from '../types.ts'
import { mapHtml } from './mapHtml.ts'

const HOSTILE = '</script><script>alert(1)</script><!-- "'

const mapOf = (items: readonly MapItem[]): EmbeddingMap => ({
  items,
  views: [
    {
      name: HOSTILE,
      method: 'pca',
      points: new Float32Array(items.length * 2),
      neighbours: new Uint32Array(0),
      similarities: new Float32Array(0),
    },
  ],
  groups: { kind: 'label', names: [HOSTILE], of: new Uint32Array(items.length) },
  near: 0,
  skipped: [{ id: 'gone' }],
})

const dataIn = (html: string): PageData =>
  JSON.parse(/<script type="application\/json" id="atlas-data">(.*?)<\/script>/s.exec(html)![1]!) as PageData

it('Nothing that a map holds leaves its script, and no other script may run', async () => {
  const { html } = await mapHtml(mapOf([{ id: HOSTILE, text: HOSTILE, label: HOSTILE }]), { title: HOSTILE })
  expect(dataIn(html)).toMatchObject({ title: HOSTILE, ids: [HOSTILE], texts: [HOSTILE] })
  expect(html).not.toContain('<script>alert')
  expect(html).not.toContain('<!--')
  const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script]) => script!)
  expect(scripts).toHaveLength(1)
  const hash = createHash('sha256').update(scripts[0]!).digest('base64')
  expect(html).toContain(`script-src 'sha256-${hash}'`)
  expect(html).toContain("default-src 'none'")
  expect(dataIn(html).notes[0]).toBe('Left out: 1, which have no vector.')
})

it('Thumbnails keep within their bytes, spread over the collection; those without are counted', async () => {
  const bytes = await sharp({ create: { width: 50, height: 50, channels: 3, background: '#204080' } })
    .png()
    .toBuffer()
  const picture = new Uint8Array(bytes)
  const items = Array.from({ length: 40 }, (_, i) => ({
    id: `${i}.png`,
    picture: i === 3 ? new Uint8Array([1, 2, 3]) : picture,
  }))
  const all = await mapHtml(mapOf(items))
  // One is no picture any more.
  expect(all.withoutThumbnail).toBe(1)
  const thumbnails = dataIn(all.html).thumbnails!
  expect(thumbnails.flatMap((url, i) => (url === null ? [i] : []))).toEqual([3])
  const few = await mapHtml(mapOf(items), { thumbnailBytes: 10 * thumbnails[0]!.length })
  const kept = dataIn(few.html).thumbnails!.flatMap((url, i) => (url === null ? [] : [i]))
  expect(kept).toHaveLength(10)
  expect(few.withoutThumbnail).toBe(30)
  expect(Math.max(...kept) - Math.min(...kept)).toBeGreaterThan(25)
  expect(dataIn(few.html).notes).toContain('Without a thumbnail: 30, for lack of room or of the file.')
})
