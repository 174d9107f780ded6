/**
 * Frames of the atlas in a headless Chromium that draws without a GPU (SwiftShader), while the map is moved and zoomed; beside regl-scatterplot
 * on the same points.
 *
 *     npm run atlas:frames
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { type Browser, chromium } from 'playwright-core'
import type { EmbeddingMap } from '../../src/atlas/index.ts'
import { mapHtml } from '../../src/atlas/index.ts'
import { chromiumArguments, chromiumPath } from '../../src/atlas/testing/chromium.ts'
import { seeded } from '../../src/nn/index.ts'

const GROUPS = 8
const FRAMES = 60
const WARM = 10

/** Points in clouds, as maps have them, without neighbours: drawing does not ask for those. */
function cloudMap(count: number): EmbeddingMap {
  const random = seeded(1, 'frames')
  const points = Float32Array.from({ length: count * 2 }, (_, at) => {
    const angle = (2 * Math.PI * ((at >> 1) % GROUPS)) / GROUPS
    return (
      0.6 * (at & 1 ? Math.sin(angle) : Math.cos(angle)) +
      0.15 * Math.max(-2.6, Math.min(2.6, random.normal()))
    )
  })
  return {
    items: Array.from({ length: count }, (_, i) => ({ id: `point ${i}`, text: `the text of point ${i}` })),
    views: [
      {
        name: 'clouds',
        method: 'umap',
        points,
        neighbours: new Uint32Array(0),
        similarities: new Float32Array(0),
      },
    ],
    groups: {
      kind: 'label',
      names: Array.from({ length: GROUPS }, (_, i) => `group ${i}`),
      of: Uint32Array.from({ length: count }, (_, i) => i % GROUPS),
    },
    near: 0,
    skipped: [],
  }
}

/** A page that draws the same points by regl-scatterplot. */
async function peerPage({ views, groups }: EmbeddingMap): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      resolveDir: fileURLToPath(new URL('..', import.meta.url)),
      contents: `
        import createScatterplot from 'regl-scatterplot'
        const { points, of, size } = JSON.parse(document.getElementById('data').textContent)
        const plot = createScatterplot({ canvas: document.querySelector('canvas'), width: 900, height: 750, pointSize: size,
          opacity: 0.75, colorBy: 'valueA', pointColor: ['#4269d0', '#efb118', '#ff725c', '#3ca951', '#a463f2', '#6cc5b0', '#ff8ab7', '#9c6b4e'] })
        const axis = (at) => Float32Array.from({ length: of.length }, (_, i) => points[2 * i + at])
        window.ready = plot.draw({ x: axis(0), y: axis(1), z: Float32Array.from(of) })
        window.move = (pan, zoom) => {
          const camera = plot.get('camera')
          if (zoom) camera.scale(zoom)
          else camera.translate([pan / 450, 0])
          plot.redraw()
        }`,
    },
    bundle: true,
    write: false,
    format: 'iife',
  })
  const { points } = views[0]!
  const size = groups.of.length > 50_000 ? 2 : 3.5
  const data = JSON.stringify({ points: [...points], of: [...groups.of], size })
  return `<!doctype html><body style="margin:0"><canvas style="width:900px;height:750px"></canvas>
    <script type="application/json" id="data">${data}</script><script>${outputFiles[0]!.text.replaceAll('</script', '<\\/script')}</script>`
}

const OURS = `
  window.ready = Promise.resolve()
  window.move = (pan, zoom) => window.pipiloAtlas.move(zoom ? { zoom } : { pan: [pan, 0] })`

/** Milliseconds between frames: the median and the ninth tenth. */
async function framesOf(browser: Browser, html: string, isOurs: boolean): Promise<readonly [number, number]> {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-frames-'))
  const file = join(folder, 'map.html')
  writeFileSync(file, html)
  const page = await browser.newPage({ viewport: { width: 1200, height: 800 } })
  try {
    await page.goto(pathToFileURL(file).href, { timeout: 120_000 })
    // The page's policy lets no other script in; what the browser's own tools evaluate is none.
    if (isOurs) await page.evaluate(OURS)
    const times = (await page.evaluate(`(async () => {
      await window.ready
      const next = () => new Promise((resolve) => requestAnimationFrame(resolve))
      const times = []
      let last = await next()
      for (let i = 0; i < ${WARM + FRAMES}; i++) {
        if (i % 2) window.move(0, i % 40 < 20 ? 1.03 : 1 / 1.03)
        else window.move(i % 32 < 16 ? 8 : -8, 0)
        const now = await next()
        if (i >= ${WARM}) times.push(now - last)
        last = now
      }
      return times
    })()`)) as number[]
    times.sort((a, b) => a - b)
    return [times[times.length >> 1]!, times[Math.floor(times.length * 0.9)]!]
  } finally {
    await page.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const executablePath = chromiumPath()
if (!executablePath) throw new Error('There is no Chromium here: name it with CHROMIUM_PATH.')
const browser = await chromium.launch({ executablePath, args: chromiumArguments })
console.log(
  `Chromium ${browser.version()}, SwiftShader; map of 900 × 750 pixels; ${FRAMES} frames, moved and zoomed in turn`,
)
try {
  for (const count of [20_000, 200_000]) {
    const map = cloudMap(count)
    for (const [name, html, isOurs] of [
      ['Pipilo', (await mapHtml(map)).html, true],
      ['regl-scatterplot', await peerPage(map), false],
    ] as const) {
      const [median, ninth] = await framesOf(browser, html, isOurs)
      console.log(
        `${String(count).padStart(7)} points  ${name.padEnd(16)}  median ${median.toFixed(1)} ms  90 % within ${ninth.toFixed(1)} ms`,
      )
    }
  }
} finally {
  await browser.close()
}
