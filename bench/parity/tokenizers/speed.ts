/**
 * Time to open a tokenizer.json and texts a second, of this checkout beside another: turn about, the medians of 7 rounds.
 *
 *     npx tsx bench/parity/tokenizers/speed.ts OTHER_CHECKOUT tokenizer.json…
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

interface Tokenizers {
  parseTokenizer(json: string, name: string): Promise<{ encode(text: string, most?: number): unknown }>
}

const here = resolve(import.meta.dirname, '../../..')
const [other, ...paths] = process.argv.slice(2)
if (other === undefined || paths.length === 0) throw new Error('Give another checkout and tokenizers.')
const load = (root: string) =>
  import(pathToFileURL(resolve(root, 'src/embed/text/tokenizer.ts')).href) as Promise<Tokenizers>
const sides = { own: await load(here), other: await load(other) }

// English, and lines in many scripts; each a little different, so that no text comes twice.
const { lines } = JSON.parse(
  readFileSync(resolve(here, 'src/embed/testdata/vocabularies/lines.json'), 'utf8'),
) as { lines: string[] }
const english = readFileSync(resolve(here, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => line.length > 60)
const texts = [...english, ...lines].flatMap((line, i) => [
  `${line} ${i}`,
  `${i} ${line}`,
  `${line.slice(i % 40)} a`,
])
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!

for (const path of paths) {
  const json = readFileSync(path, 'utf8')
  const times = {
    own: { open: [] as number[], run: [] as number[] },
    other: { open: [] as number[], run: [] as number[] },
  }
  for (let round = 0; round < 7; round++) {
    for (const side of round % 2 ? (['own', 'other'] as const) : (['other', 'own'] as const)) {
      let start = performance.now()
      const tokenizer = await sides[side].parseTokenizer(json, path)
      times[side].open.push(performance.now() - start)
      start = performance.now()
      for (const text of texts) tokenizer.encode(text, 512)
      times[side].run.push(performance.now() - start)
    }
  }
  const [own, old] = [times.own, times.other]
  const rate = (ms: number) => `${Math.round(texts.length / (ms / 1000))}/s`
  console.log(
    `${path}: opens in ${median(own.open).toFixed(0)} ms beside ${median(old.open).toFixed(0)} ms (${(median(old.open) / median(own.open)).toFixed(2)} ×); ` +
      `texts ${rate(median(own.run))} beside ${rate(median(old.run))} (${(median(old.run) / median(own.run)).toFixed(2)} ×)`,
  )
}
