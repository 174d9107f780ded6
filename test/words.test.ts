// The README's map of words: its command draws it, and football lies where the README says.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const project = fileURLToPath(new URL('..', import.meta.url))
const [, title, figure] =
  /^pipilo project docs\/words\.csv --title '(.+)' --out (docs\/\S+\.svg)$/m.exec(
    readFileSync(join(project, 'README.md'), 'utf8'),
  ) ?? []

/** Places of the words in a map, by the titles of its dots. */
function placesIn(svg: string): Map<string, readonly [number, number]> {
  const dots = svg.matchAll(/<circle ([^>]*)><title>([^<]*)<\/title>/g)
  return new Map(
    [...dots].map(([, attributes, word]) => {
      const [x, y] = ['cx', 'cy'].map((name) => Number(new RegExp(`${name}="([^"]+)"`).exec(attributes!)![1]))
      return [word!, [x!, y!]]
    }),
  )
}

it('The README’s command draws its map of words, in which football lies beside soccer and away from footwear', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-words-'))
  try {
    const out = join(folder, 'words.svg')
    const words = ['dist/cli/main.js', 'project', 'docs/words.csv', '--title', title!, '--out', out]
    await promisify(execFile)(process.execPath, words, { cwd: project })
    const [drawn, shown] = [out, join(project, figure!)].map((path) => readFileSync(path, 'utf8'))
    // Another processor rounds otherwise and places words otherwise: both maps say the same all the same.
    for (const svg of [drawn!, shown!]) {
      expect(svg).toContain(title)
      const places = placesIn(svg)
      const distance = (a: string, b: string) =>
        Math.hypot(places.get(a)![0] - places.get(b)![0], places.get(a)![1] - places.get(b)![1])
      expect(distance('football', 'soccer')).toBeLessThan(distance('football', 'footwear') / 3)
    }
    expect([...placesIn(drawn!).keys()]).toEqual([...placesIn(shown!).keys()])
    expect(placesIn(shown!).size).toBe(61)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
