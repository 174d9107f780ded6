/**
 * Two built checkouts of Pipilo beside each other: rate on texts, rate on pictures, first vector from a cold process (with
 * sessions kept from before), and peak memory. Each number is the median of fresh processes, turn about: old new, new old, …
 *
 *     npx tsx bench/compareBuilds.ts OLD_FOLDER NEW_FOLDER [--repeats 10]      # after npm run build in both
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { measure, median } from './child.ts'
import { photographs } from './photographs.ts'
import { random } from './sentences.ts'

interface Run {
  readonly milliseconds: number
  readonly peak: number
  readonly vectors: readonly (readonly number[])[]
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { repeats: { type: 'string', default: '10' } },
})
const repeats = Number(values.repeats)
if (positionals.length !== 2 || !(repeats >= 1)) {
  console.error('npx tsx bench/compareBuilds.ts OLD_FOLDER NEW_FOLDER [--repeats 10]')
  process.exit(2)
}
const [before, after] = positionals.map((folder) => resolve(folder)) as [string, string]

/** Texts of 3 to 60 words from the repository's sample sentences, always the same. */
function texts(count: number): string[] {
  const words = readFileSync(new URL('../samples/sentences.txt', import.meta.url), 'utf8').split(/\s+/)
  const next = random(11)
  return Array.from({ length: count }, () => {
    const length = 3 + Math.floor(57 * next() ** 2)
    return Array.from({ length }, () => words[Math.floor(next() * words.length)]).join(' ')
  })
}

const files = await photographs(join(tmpdir(), 'pipilo-bench-compare'), 200)
const work = [
  { name: '512 texts, all-MiniLM-L6-v2', model: 'all-MiniLM-L6-v2', inputs: texts(512), isFirst: false },
  { name: '200 JPEG of 1280×960, MobileNetV2', model: 'mobilenet-v2', inputs: files, isFirst: false },
  { name: 'first text of a cold process', model: 'all-MiniLM-L6-v2', inputs: texts(1), isFirst: true },
  {
    name: 'first picture of a cold process',
    model: 'mobilenet-v2',
    inputs: files.slice(0, 1),
    isFirst: true,
  },
]

const caches = mkdtempSync(join(tmpdir(), 'pipilo-bench-caches-'))
const cacheOf = new Map([before, after].map((folder, i) => [folder, join(caches, i === 0 ? 'old' : 'new')]))
const runIn = (folder: string, { model, inputs, isFirst }: (typeof work)[number]): Promise<Run> =>
  measure<Run>('compareBuilds/run.js', [folder, model, isFirst ? 'first' : 'all'], inputs, {
    PIPILO_CACHE: cacheOf.get(folder)!,
  })

/** Largest difference of two sets of vectors, element by element. */
function difference(one: Run, other: Run): number {
  let most = 0
  for (const [i, row] of one.vectors.entries()) {
    for (const [j, x] of row.entries()) most = Math.max(most, Math.abs(x - other.vectors[i]![j]!))
  }
  return most
}

try {
  const table: Record<string, object> = {}
  const runs = work.map((task) => ({ task, old: [] as Run[], new: [] as Run[] }))
  // The first round fills the caches and is not counted.
  for (let round = 0; round <= repeats; round++) {
    for (const { task, ...sides } of runs) {
      const turns = [
        { folder: before, side: sides.old },
        { folder: after, side: sides.new },
      ]
      for (const { folder, side } of round % 2 ? turns : turns.reverse()) {
        const run = await runIn(folder, task)
        if (round > 0) side.push(run)
      }
    }
  }
  for (const { task, ...sides } of runs) {
    const [old, now] = [sides.old, sides.new].map((side) => median(side.map((run) => run.milliseconds)))
    const spread = (side: readonly Run[]) => {
      const times = side.map((run) => run.milliseconds)
      return ((Math.max(...times) / Math.min(...times) - 1) * 100).toFixed(0)
    }
    const show = (ms: number) =>
      task.isFirst ? `${ms.toFixed(0)} ms` : `${((task.inputs.length / ms) * 1000).toFixed(0)} /s`
    const [oldPeak, newPeak] = [sides.old, sides.new].map((side) => median(side.map((run) => run.peak)))
    table[task.name] = {
      old: show(old!),
      new: show(now!),
      'speed new/old': (old! / now!).toFixed(3),
      'spread old, new, %': `${spread(sides.old)}, ${spread(sides.new)}`,
      'peak MB old, new': `${oldPeak!.toFixed(0)}, ${newPeak!.toFixed(0)}`,
      'vectors differ by': difference(sides.old[0]!, sides.new[0]!).toExponential(1),
    }
  }
  console.log(`medians of ${repeats}; a speed above 1: the new build is faster`)
  console.table(table)
} finally {
  rmSync(caches, { recursive: true, force: true })
}
