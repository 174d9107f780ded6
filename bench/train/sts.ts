/**
 * Fine-tunes all-MiniLM-L6-v2 on STS-B's training pairs from the command line, wholly and by LoRA, and measures Spearman's correlation on
 * the dev set before and after.
 *
 *     npx tsx train/sts.ts [--seeds 3] [--epochs N] [--lora 8]      # in bench/; needs ../../shared for its pairs
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { embedder } from 'pipilo'
import { stsCorrelation, stsPairs, stsTexts } from '../../examples/claims/shared/stsb.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string' },
    lora: { type: 'string' },
    lr: { type: 'string' },
  },
})
const project = fileURLToPath(new URL('../..', import.meta.url))
const dev = stsPairs('dev')
async function score(model: string): Promise<number> {
  const e = await embedder(model)
  const { vectors } = await e.embed(stsTexts(dev))
  await e.dispose()
  return stsCorrelation(dev, vectors)
}

const folder = mkdtempSync(join(tmpdir(), 'pipilo-sts-'))
const train = stsPairs('train')
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
    '--score-scale',
    '5',
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
