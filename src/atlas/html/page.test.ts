import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { seeded } from '../../nn/index.ts'
import { embeddingMap, mapHtml } from '../index.ts'
import { pointsWithin } from '../page/index.ts'
import { chromiumArguments, chromiumPath } from '../testing/chromium.ts'
import type { EmbeddingMap } from '../types.ts'

const executablePath = chromiumPath()
const HOSTILE = '</script><img src=x onerror="window.hit=1"><b>bold</b>'
const NAMES = ['towhee', 'owl', HOSTILE]

/** Evaluated in the page, whose types are not known here. */
const atlas = 'window.pipiloAtlas'

let browser: Browser
let page: Page
let folder: string
let map: EmbeddingMap
let requests: string[]
let problems: string[]

// A machine without Chromium tests all but this.
describe.skipIf(executablePath === undefined)(
  'The page of a map, in Chromium (CHROMIUM_PATH says where one is)',
  () => {
    beforeAll(async () => {
      const random = seeded(2, 'page test')
      const cloud = (i: number) =>
        Float32Array.from({ length: 6 }, (_, axis) => (axis === i % 3 ? 3 : 0) + 0.6 * random.normal())
      const [a, b] = [0, 1].map(() => Array.from({ length: 60 }, (_, i) => cloud(i)))
      const picture = await sharp({ create: { width: 64, height: 40, channels: 3, background: '#d02010' } })
        .png()
        .toBuffer()
      const items = Array.from({ length: 60 }, (_, i) => ({
        id: `row ${i}`,
        ...(i % 10 === 9
          ? { picture: new Uint8Array(picture) }
          : { text: i === 4 ? HOSTILE : `sentence ${i}` }),
        label: NAMES[i % 3]!,
      }))
      map = await embeddingMap(
        items,
        [
          { name: 'first', vectors: a! },
          { name: 'second', vectors: b! },
        ],
        { near: 5 },
      )
      folder = mkdtempSync(join(tmpdir(), 'pipilo-atlas-'))
      writeFileSync(join(folder, 'map.html'), (await mapHtml(map, { title: `Birds & ${HOSTILE}` })).html)
      browser = await chromium.launch({ executablePath: executablePath!, args: chromiumArguments })
    })
    afterAll(async () => {
      await browser?.close()
      rmSync(folder, { recursive: true, force: true })
    })
    beforeEach(async () => {
      page = await browser.newPage({ viewport: { width: 1000, height: 700 } })
      ;[requests, problems] = [[], []]
      page.on('request', (request) => requests.push(request.url()))
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
      await page.goto(pathToFileURL(join(folder, 'map.html')).href)
      await frame()
    })
    afterEach(async () => {
      // No address but the file's own and the pictures that it carries was asked for.
      expect(requests.filter((url) => !/^(file:.*map\.html|data:image\/webp)/.test(url))).toEqual([])
      expect(problems).toEqual([])
      expect(await page.evaluate('window.hit')).toBeUndefined()
      await page.close()
    })

    const frame = () =>
      page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))')
    const placeOf = async (index: number): Promise<{ left: number; top: number }> =>
      (await page.evaluate(`${atlas}.placeOf(${index})`)) as { left: number; top: number }
    const listed = () =>
      page
        .locator('.list li')
        .evaluateAll((rows) => rows.map((row) => Number(row.getAttribute('data-index'))))
    const shot = async () => {
      const box = (await page.locator('canvas').boundingBox())!
      const png = await page.screenshot({ clip: box })
      const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true })
      return {
        box,
        at: (left: number, top: number) => {
          const from = (Math.round(top - box.y) * info.width + Math.round(left - box.x)) * 3
          return [...data.subarray(from, from + 3)]
        },
      }
    }
    const isClose = (a: readonly number[], b: readonly number[]) =>
      a.every((value, i) => Math.abs(value - b[i]!) < 40)
    /** Pixels in the colour of a group, in places of points that have no label there. */
    const inks: Readonly<Record<number, readonly number[]>> = {
      0: [66, 105, 208],
      1: [239, 177, 24],
      2: [255, 114, 92],
    }

    it('draws every point in the colour of its group', async () => {
      // Names of groups and thumbnails lie over points.
      await page.evaluate("document.querySelector('.labels').style.display = 'none'")
      const { at } = await shot()
      let same = 0
      for (let i = 0; i < 60; i++) {
        const { left, top } = await placeOf(i)
        const name = map.groups.names[map.groups.of[i]!]!
        const ink = inks[map.groups.names.indexOf(name)]!
        if (isClose(at(left, top), ink)) same++
      }
      // Points that lie on one another hide a few.
      expect(same).toBeGreaterThan(50)
      expect(at(2 + (await page.locator('canvas').boundingBox())!.x, 70)).toEqual([255, 255, 255])
    })

    it('lists the neighbours of the point that is clicked, those of the vectors', async () => {
      const { left, top } = await placeOf(7)
      await page.mouse.click(left, top)
      const chosen = map.views[0]!
      await expect.poll(listed).toEqual([...chosen.neighbours.subarray(35, 40)])
      const cosines = await page.locator('.list li small').allTextContents()
      expect(cosines).toEqual([...chosen.similarities.subarray(35, 40)].map((value) => value.toFixed(3)))
      // Drawn with the next frame.
      await expect.poll(() => page.locator('.drawn circle').count()).toBe(1)
      // In the other view they are others.
      await page.selectOption('select', { label: 'second' })
      await expect.poll(listed).toEqual([...map.views[1]!.neighbours.subarray(35, 40)])
      await page.keyboard.press('Escape')
      await expect.poll(listed).toEqual([])
    })

    it('lights what is searched, and dims the rest', async () => {
      await page.evaluate("document.querySelector('.labels').style.display = 'none'")
      await page.keyboard.press('/')
      await page.keyboard.type('SENTENCE 1')
      const matches = map.items.flatMap(({ text }, i) => (text?.includes('sentence 1') ? [i] : []))
      await expect.poll(listed).toEqual(matches)
      await frame()
      const { at } = await shot()
      const bright = async (i: number) => {
        const { left, top } = await placeOf(i)
        return isClose(at(left, top), inks[map.groups.of[i]!]!)
      }
      const [lit, dim] = [matches, [...map.items.keys()].filter((i) => !matches.includes(i))]
      expect((await Promise.all(lit.map(bright))).filter(Boolean).length).toBeGreaterThan(lit.length * 0.8)
      expect((await Promise.all(dim.map(bright))).filter(Boolean).length).toBeLessThan(dim.length * 0.3)
      await page.keyboard.press('Control+A')
      await page.keyboard.type('nothing of that name')
      await expect.poll(() => page.locator('.list h2').textContent()).toMatch(/^0 matches/)
    })

    it('lists what the lasso holds', async () => {
      const { x, y, width, height } = (await page.locator('canvas').boundingBox())!
      const line: [number, number][] = [
        [x + 3, y + 3],
        [x + width * 0.7, y + 3],
        [x + width * 0.7, y + height - 3],
        [x + 3, y + height - 3],
      ]
      await page.getByRole('button', { name: 'Lasso' }).click()
      await page.mouse.move(...line[0]!)
      await page.mouse.down()
      for (const corner of line.slice(1)) await page.mouse.move(...corner, { steps: 4 })
      await page.mouse.up()
      const places = await Promise.all(map.items.map((_, i) => placeOf(i)))
      const expected = pointsWithin(
        places.flatMap(({ left, top }) => [left, top]),
        line.flat(),
      )
      expect(expected.length).toBeGreaterThan(3)
      await expect.poll(listed).toEqual(expected)
      expect(await page.locator('.list h2').textContent()).toBe(`${expected.length} points within the line`)
      const groups = new Set(expected.map((i) => i % 3)).size
      expect(groups).toBeGreaterThan(1)
      expect(await page.locator('.shares div').count()).toBe(groups)
    })

    it('moves the points to another view, and zooms around the pointer', async () => {
      const before = await placeOf(11)
      await page.selectOption('select', { label: 'second' })
      const under = await placeOf(11)
      await expect
        .poll(async () =>
          Math.hypot((await placeOf(11)).left - before.left, (await placeOf(11)).top - before.top),
        )
        .toBeGreaterThan(5)
      // It sets out where it was.
      expect(Math.hypot(under.left - before.left, under.top - before.top)).toBeLessThan(400)
      await page.waitForTimeout(900)
      const still = await placeOf(11)
      await page.mouse.move(still.left, still.top)
      const other = await placeOf(12)
      await page.mouse.wheel(0, -400)
      await expect.poll(async () => Math.abs((await placeOf(12)).left - other.left)).toBeGreaterThan(5)
      const after = await placeOf(11)
      // The pointer is at whole pixels.
      expect(Math.hypot(after.left - still.left, after.top - still.top)).toBeLessThan(2)
    })

    it('shows hostile titles, labels and texts as the texts that they are', async () => {
      expect(await page.title()).toBe(`Birds & ${HOSTILE}`)
      expect(await page.locator('h1').textContent()).toBe(`Birds & ${HOSTILE}`)
      expect(await page.locator('.legend .name').allTextContents()).toEqual(map.groups.names)
      const { left, top } = await placeOf(4)
      await page.mouse.move(left, top)
      expect(await page.locator('.tip span').textContent()).toContain(HOSTILE)
      expect(await page.locator('b, img[src="x"]').count()).toBe(0)
    })

    it('loads itself again while it follows a run, but not under the hands of its reader', async () => {
      const page = await browser.newPage()
      const file = join(folder, 'followed map.html')
      const write = async (title: string, following: boolean) =>
        writeFileSync(file, (await mapHtml(map, { title, following })).html)
      await write('before', true)
      await page.clock.install()
      await page.goto(pathToFileURL(file).href)
      await write('after', true)
      await page.evaluate(`${atlas}.select(3)`)
      await page.clock.runFor(20_000)
      expect(await page.title()).toBe('before')
      await page.evaluate(`${atlas}.select(undefined)`)
      await Promise.all([page.waitForEvent('load'), page.clock.runFor(6000)])
      expect(await page.title()).toBe('after')
      await write('over', false)
      await Promise.all([page.waitForEvent('load'), page.clock.runFor(6000)])
      await write('never seen', false)
      await page.clock.runFor(20_000)
      expect(await page.title()).toBe('over')
      await page.close()
    })

    it('hides a group that is switched off, and shows thumbnails', async () => {
      expect(await page.locator('.legend').textContent()).toContain('60 points')
      expect(await page.locator('img.label.picture').count()).toBeGreaterThan(0)
      const owl = map.groups.names.indexOf('owl')
      await page.getByLabel('owl').uncheck()
      const { left, top } = await placeOf(1)
      await page.mouse.click(left, top)
      expect(await page.locator('.drawn circle').count()).toBe(0)
      await page.fill('input[type=search]', 'owl')
      await frame()
      await page.evaluate("document.querySelector('.labels').style.display = 'none'")
      const { at } = await shot()
      const places = await Promise.all(
        map.items.flatMap((_, i) => (map.groups.of[i] === owl ? [placeOf(i)] : [])),
      )
      expect(places.filter(({ left, top }) => isClose(at(left, top), inks[owl]!))).toEqual([])
    })
  },
)
