/**
 * nsfwjs' models in TensorFlow.js and here, on the same weights and pictures, layer by layer:
 *
 *     npx tsx bench/parity/tfjs.ts            # a table; about a minute and a half
 *     npx tsx bench/parity/tfjs.ts --write    # and the reference numbers of src/models/tfjs' tests
 *
 * TensorFlow.js runs on its pure JavaScript backend, loaded through nsfwjs itself.
 */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs'
import { load } from 'nsfwjs/core'
import { InceptionV3Model } from 'nsfwjs/models/inception_v3'
import { MobileNetV2Model } from 'nsfwjs/models/mobilenet_v2'
import { layers, resolveLayer, tap } from '../../src/graph/index.ts'
import { readTfjsLayersModel } from '../../src/models/formats/tfjs/index.ts'
import { seededPicture } from '../../src/models/formats/tfjs/testing/seededPicture.ts'
import { compile } from '../../src/runtime/index.ts'

const MODELS = [
  { folder: 'mobilenet_v2', definition: MobileNetV2Model, size: 224, penultimate: 'average_pooling2d_1' },
  { folder: 'inception_v3', definition: InceptionV3Model, size: 299, penultimate: 'average_pooling2d_10' },
] as const
const SEEDS = [1, 2, 3]

await tf.setBackend('cpu')
console.log(
  '| model | picture | class scores differ by | penultimate cosine | layers | largest error in a layer, relative to its range |',
)
console.log('|---|---|---|---|---|---|')
const references = []
for (const { folder, definition, size, penultimate } of MODELS) {
  const theirs = (await load(definition.name, { size, modelDefinitions: [definition] }))
    .model as tf.LayersModel
  const { graph } = await readTfjsLayersModel(
    fileURLToPath(new URL(`../../node_modules/nsfwjs/dist/models/${folder}`, import.meta.url)),
  )
  const names = layers(graph).map(({ name }) => name)
  const tapped = tap(graph, ...names)
  const session = await compile(tapped, { workers: 0 })
  const everything = tf.model({
    inputs: theirs.inputs,
    outputs: names.map((name) => theirs.getLayer(name).output as tf.SymbolicTensor),
  })
  for (const seed of SEEDS) {
    const bytes = seededPicture(seed, size)
    const picture = tf.tensor4d(Float32Array.from(bytes), [1, size, size, 3]).div(tf.scalar(255))
    const expected = everything.predict(picture) as tf.Tensor[]
    const pixels = Float32Array.from(await tf.transpose(picture, [0, 3, 1, 2]).data())
    const given = await session.run({
      pixel_values: { dtype: 'float32', shape: [1, 3, size, size], data: pixels },
    })
    const compared = new Map<string, { values: Float32Array; error: number; range: number; cosine: number }>()
    for (const [i, name] of names.entries()) {
      const value = expected[i]!
      const values = (await (value.rank === 4
        ? tf.transpose(value, [0, 3, 1, 2])
        : value
      ).data()) as Float32Array
      const ours = given[resolveLayer(tapped, name)]!.data as Float32Array
      let [error, range, dot, aa, bb] = [0, 0, 0, 0, 0]
      for (const [j, theirValue] of values.entries()) {
        error = Math.max(error, Math.abs(theirValue - ours[j]!))
        range = Math.max(range, Math.abs(theirValue))
        dot += theirValue * ours[j]!
        aa += theirValue ** 2
        bb += ours[j]! ** 2
      }
      compared.set(name, { values, error, range, cosine: dot / Math.sqrt(aa * bb) })
    }
    tf.dispose([picture, ...expected])
    const scores = compared.get(names.at(-1)!)!
    const features = compared.get(penultimate)!
    const worst = Math.max(...[...compared.values()].map(({ error, range }) => error / range))
    console.log(
      `| ${folder} | ${seed} | ${scores.error.toExponential(1)} | ${features.cosine.toFixed(9)} | ${names.length} | ${worst.toExponential(1)} |`,
    )
    references.push({
      model: folder,
      seed,
      size,
      scores: rounded(scores.values, 7),
      ...(seed === SEEDS[0]
        ? { penultimate: { layer: penultimate, values: rounded(features.values, 5) } }
        : {}),
    })
  }
  await session.dispose()
}
if (process.argv.includes('--write')) {
  const file = new URL('../../src/models/formats/tfjs/testdata/reference.json', import.meta.url)
  await writeFile(file, `${JSON.stringify(references)}\n`)
}

function rounded(values: Float32Array, digits: number): number[] {
  return Array.from(values, (value) => Number(value.toPrecision(digits)))
}
