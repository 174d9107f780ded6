import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDataset } from '../../embed/index.ts'
import { suspectsPage } from '../index.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-pages-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const suspect = (index: number, row: string) => ({
  row,
  index,
  label: '<b>owl</b>',
  likelier: 'towhee',
  confidence: 0.93,
  margin: -0.9,
})

describe('suspectsPage', () => {
  it('shows texts escaped, whatever is in them', async () => {
    const data = await readDataset([{ text: '<script>alert("x")</script> & more', label: 'owl' }])
    const page = await suspectsPage([suspect(0, 'row "0"')], data)
    expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; more')
    expect(page).toContain('&lt;b&gt;owl&lt;/b&gt;')
    expect(page).not.toMatch(/<script|<b>|src="http/)
    expect(page).toContain('0.930')
  })

  it('shows pictures as thumbnails inside the page, pixels as they are, and says what cannot be read', async () => {
    const file = join(folder, 'red.png')
    await sharp({ create: { width: 300, height: 150, channels: 3, background: '#c02010' } }).toFile(file)
    writeFileSync(join(folder, 'broken.png'), 'no picture')
    const digit = { width: 8, height: 8, channels: 1, data: new Uint8Array(64).fill(200) } as const
    const data = await readDataset([
      { image: file, label: 'a' },
      { image: join(folder, 'broken.png'), label: 'b' },
      { image: digit, label: 'b' },
    ])
    const page = await suspectsPage(
      [0, 1, 2].map((index) => suspect(index, `${index}`)),
      data,
    )
    const sources = [...page.matchAll(/src="data:image\/webp;base64,([^"]+)"/g)].map(([, code]) =>
      sharp(Buffer.from(code!, 'base64')).metadata(),
    )
    const sizes = (await Promise.all(sources)).map(({ width, height }) => [width, height])
    expect(sizes).toEqual([
      [112, 56],
      [8, 8],
    ])
    expect(page).toMatch(/broken\.png/)
    expect(await suspectsPage([suspect(0, '0'), suspect(1, '1')], data, { most: 1 })).toContain(
      'first 1 are here',
    )
  })
})
