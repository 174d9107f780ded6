/**
 * Fine-tunes all-MiniLM-L6-v2 on STS-B's training pairs from the command line, wholly and by LoRA, and measures Spearman's correlation on
 * the dev set before and after.
 *
 *     npx tsx train/sts.ts [--seeds 3] [--epochs N] [--lora 8]      # in bench/; needs ../../shared for its pairs
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cosineSimilarity, embedder } from 'pipilo'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string' },
    lora: { type: 'string' },
    lr: { type: 'string' },
  },
})
const project = fileURLToPath(new URL('../..', import.meta.url))
const pairs = (part: string) =>
  readFileSync(new URL(`../../../shared/data/stsb/sts-${part}.csv`, import.meta.url), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const fields = line.trimEnd().split('\t')
      const [, , , , score, sentence1, sentence2] = fields
      return sentence2 === undefined ? [] : [{ sentence1: sentence1!, sentence2, score: Number(score) }]
    })

/** Ranks, equal values sharing theirs. */
function ranks(numbers: readonly number[]): number[] {
  const order = numbers.map((_, i) => i).sort((a, b) => numbers[a]! - numbers[b]!)
  const found = new Array<number>(numbers.length)
  for (let i = 0; i < order.length; ) {
    let j = i
    while (j + 1 < order.length && numbers[order[j + 1]!] === numbers[order[i]!]) j++
    for (let k = i; k <= j; k++) found[order[k]!] = (i + j) / 2
    i = j + 1
  }
  return found
}

function spearman(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranks(a), ranks(b)]
  const mean = (x.length - 1) / 2
  const sum = (p: readonly number[], q: readonly number[]) =>
    p.reduce((s, v, i) => s + (v - mean) * (q[i]! - mean), 0)
  return sum(x, y) / Math.sqrt(sum(x, x) * sum(y, y))
}

const dev = pairs('dev')
async function score(model: string): Promise<number> {
  const e = await embedder(model)
  const { vectors } = await e.embed(dev.flatMap(({ sentence1, sentence2 }) => [sentence1, sentence2]))
  await e.dispose()
  const cosines = dev.map((_, i) =>
    cosineSimilarity(vectors[2 * i]! as Float32Array, vectors[2 * i + 1]! as Float32Array),
  )
  return (
    100 *
    spearman(
      cosines,
      dev.map((pair) => pair.score),
    )
  )
}

const folder = mkdtempSync(join(tmpdir(), 'pipilo-sts-'))
const train = pairs('train')
writeFileSync(join(folder, 'train.jsonl'), train.map((pair) => `${JSON.stringify(pair)}\n`).join(''))
const before = await score('all-MiniLM-L6-v2')
console.log(`${train.length} pairs; before: ${before.toFixed(2)}`)
const after: number[] = []
for (let seed = 0; seed < Number(values.seeds); seed++) {
  const out = join(folder, `run-${seed}`)
  const start = performance.now()
  const more = [
    ...(values.epochs ? ['--epochs', values.epochs] : []),
    ...(values.lora ? ['--lora', values.lora] : []),
    ...(values.lr ? ['--lr', values.lr] : []),
  ]
  const command = [
    'dist/cli/main.js',
    'train',
    'sentences',
    '--data',
    join(folder, 'train.jsonl'),
    '--out',
    out,
    '--seed',
    String(seed),
  ]
  execFileSync(process.execPath, [...command, ...more], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const seconds = (performance.now() - start) / 1000
  after.push(await score(out))
  console.log(`seed ${seed}: ${after.at(-1)!.toFixed(2)} after ${seconds.toFixed(0)} s`)
}
const mean = after.reduce((sum, value) => sum + value, 0) / after.length
console.log(`mean: ${mean.toFixed(2)}, ${(mean - before).toFixed(2)} points better`)
rmSync(folder, { recursive: true, force: true })
