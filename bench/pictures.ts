/**
 * Pictures to vectors, Pipilo beside transformers.js `image-feature-extraction` on the same ONNX file: 500 JPEG files of
 * 1280×960, made from the repository's sample photographs. Medians of as many processes on either side, turn about; memory
 * and event loop are those of the batch size whose rate stands beside them.
 *
 *     npm run pictures        # in bench/, after npm install
 *     npm run pictures -- 5   # as many rounds (default 3)
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cosineSimilarity, open } from 'pipilo'
import { rename, writeOnnx } from 'pipilo/graph'
import { measure, median } from './child.ts'
import { photographs } from './photographs.ts'

interface Run {
  milliseconds: number
  late: number
  peak: number
  vectors: number[][]
}

const root = join(tmpdir(), 'pipilo-bench-pictures')
const batches = [1, 8, 32]
const rounds = Number(process.argv[2] ?? 3)

const files = await photographs(join(root, 'photographs'), 500)
const model = await open('mobilenet-v2')
const { mean, std, size } = model.card.image!
const folder = join(root, 'models')
const file = join(folder, 'mobilenet/onnx/model.onnx')
mkdirSync(join(folder, 'mobilenet/onnx'), { recursive: true })
await writeOnnx(rename(model.embedding({ preprocess: false }), { embedding: 'last_hidden_state' }), file)
writeFileSync(join(folder, 'mobilenet/config.json'), JSON.stringify({ model_type: 'mobilenet_v2' }))
writeFileSync(
  join(folder, 'mobilenet/preprocessor_config.json'),
  JSON.stringify({
    image_processor_type: 'ViTImageProcessor',
    do_resize: true,
    size: { height: size[0], width: size[1] },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  }),
)
// The file gives vectors: there is nothing left to pool.
const card = { ...model.card, tap: 'last_hidden_state', pool: 'mean' }

const ours: Run[] = []
const peers = new Map<number, Run[]>(batches.map((size) => [size, []]))
for (let round = 0; round < rounds; round++) {
  ours.push(await measure<Run>('pictures/run-pipilo.ts', [], { model: file, card, files }))
  for (const [size, runs] of peers) {
    runs.push(await measure<Run>('pictures/run-transformers.ts', [], { folder, files, size }))
  }
}
const middle = (runs: readonly Run[], what: 'milliseconds' | 'late' | 'peak') =>
  median(runs.map((run) => run[what]))
const milliseconds = middle(ours, 'milliseconds')
const theirs = peers.get(batches[0]!)![0]!
const cosines = ours[0]!.vectors
  .map((vector, i) => cosineSimilarity(Float32Array.from(vector), Float32Array.from(theirs.vectors[i]!)))
  .sort((a, b) => a - b)
console.log(
  `500 JPEG files of 1280×960; cosine between the sides: least ${cosines[0]!.toFixed(4)}, median ${median(cosines).toFixed(4)}; medians of ${rounds}\n`,
)
const measured = (runs: readonly Run[]) => ({
  'pictures/s': ((files.length / middle(runs, 'milliseconds')) * 1000).toFixed(0),
  'Pipilo’s rate over it': (middle(runs, 'milliseconds') / milliseconds).toFixed(2),
  'peak memory, MB': middle(runs, 'peak').toFixed(0),
  'event loop late by at most, ms': middle(runs, 'late').toFixed(0),
})
console.table({
  Pipilo: measured(ours),
  ...Object.fromEntries(
    batches.map((size) => [`transformers.js, batches of ${size}`, measured(peers.get(size)!)]),
  ),
})
const fastest = Math.min(...batches.map((size) => middle(peers.get(size)!, 'milliseconds')))
console.log(`ratio to its best: ${(fastest / milliseconds).toFixed(2)} (goal ≥ 1.5)`)
