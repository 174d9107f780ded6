/**
 * A small TensorFlow.js model with every kind of layer that `src/models/tfjs` reads, and what TensorFlow.js computes with it:
 *
 *     npx tsx bench/parity/tfjs-layers.ts     # writes src/models/tfjs/testdata/layers/
 */
import { mkdir, writeFile } from 'node:fs/promises'
import * as tf from '@tensorflow/tfjs'
import { seededPicture } from '../../src/models/formats/tfjs/testing/seededPicture.ts'

await tf.setBackend('cpu')
const folder = new URL('../../src/models/formats/tfjs/testdata/layers/', import.meta.url)
const { layers } = tf

// An odd height and an even width, so that SAME padding differs between the axes.
const [height, width] = [9, 8]
const input = tf.input({ shape: [height, width, 3], name: 'picture' })
const outputs: tf.SymbolicTensor[] = []
const to = (layer: tf.layers.Layer, ...from: tf.SymbolicTensor[]) =>
  layer.apply(from.length === 1 ? from[0]! : from) as tf.SymbolicTensor
const out = (layer: tf.layers.Layer, ...from: tf.SymbolicTensor[]) => {
  const value = to(layer, ...from)
  outputs.push(value)
  return value
}

const conv = out(
  layers.conv2d({
    name: 'conv',
    filters: 4,
    kernelSize: 3,
    strides: 2,
    padding: 'same',
    activation: 'tanh',
    biasInitializer: 'randomNormal',
  }),
  input,
)
out(
  layers.conv2d({
    name: 'dilated',
    filters: 2,
    kernelSize: [3, 2],
    dilationRate: 2,
    padding: 'same',
    useBias: false,
  }),
  input,
)
out(
  layers.depthwiseConv2d({
    name: 'depthwise',
    kernelSize: 3,
    depthMultiplier: 2,
    strides: 2,
    padding: 'same',
    biasInitializer: 'randomNormal',
    activation: 'relu6',
  }),
  conv,
)
out(
  layers.separableConv2d({
    name: 'separable',
    filters: 3,
    kernelSize: 2,
    depthMultiplier: 1,
    padding: 'valid',
    biasInitializer: 'randomNormal',
    activation: 'sigmoid',
  }),
  conv,
)
const normalised = out(
  layers.batchNormalization({
    name: 'norm',
    epsilon: 0.01,
    betaInitializer: 'randomNormal',
    gammaInitializer: 'randomNormal',
    movingMeanInitializer: 'randomNormal',
    movingVarianceInitializer: 'randomUniform',
  }),
  conv,
)
const plain = to(
  layers.batchNormalization({
    name: 'norm_plain',
    scale: false,
    center: false,
    movingMeanInitializer: 'randomNormal',
  }),
  conv,
)
out(layers.add({ name: 'add' }), normalised, plain, conv)
out(layers.multiply({ name: 'multiply' }), normalised, plain)
const joined = out(layers.concatenate({ name: 'concatenate' }), normalised, plain)
out(layers.concatenate({ name: 'stacked', axis: 1 }), normalised, plain)
out(layers.reLU({ name: 'relu', maxValue: 0.5 }), normalised)
out(layers.leakyReLU({ name: 'leaky', alpha: 0.1 }), normalised)
out(layers.activation({ name: 'hard', activation: 'hardSigmoid' }), normalised)
out(layers.softmax({ name: 'softmax', axis: -1 }), joined)
out(layers.averagePooling2d({ name: 'average', poolSize: 3, strides: 2, padding: 'same' }), input)
out(layers.maxPooling2d({ name: 'max', poolSize: [2, 3], padding: 'valid' }), input)
out(
  layers.zeroPadding2d({
    name: 'pad',
    padding: [
      [0, 1],
      [2, 1],
    ],
  }),
  conv,
)
out(layers.globalAveragePooling2d({ name: 'global_average' }), conv)
out(layers.globalMaxPooling2d({ name: 'global_max' } as never), conv)
const dropped = to(layers.dropout({ name: 'dropout', rate: 0.5 }), conv)
out(layers.dense({ name: 'dense_on_map', units: 3, activation: 'elu' }), dropped)
const flat = out(layers.flatten({ name: 'flatten' }), dropped)
const shared = layers.dense({ name: 'shared', units: 6, biasInitializer: 'randomNormal' })
const once = to(shared, flat)
out(layers.reshape({ name: 'reshape_map', targetShape: [4, 5, -1] }), flat)
out(layers.reshape({ name: 'reshape_rows', targetShape: [-1, 8] }), conv)
// A model as a layer, and a layer that is used twice.
const inner = tf.sequential({
  name: 'inner',
  layers: [
    layers.dense({ name: 'inner_dense', units: 80, inputShape: [6], activation: 'softsign' }),
    layers.activation({ name: 'inner_activation', activation: 'softplus' }),
  ],
})
out(layers.dense({ name: 'head', units: 2, activation: 'softmax' }), to(shared, to(inner, once)))

const model = tf.model({ name: 'every_layer', inputs: input, outputs })
// Seeded by hand: TensorFlow.js' initialisers draw other numbers in each run.
let seed = 7
model.setWeights(
  model.getWeights().map((weight, i) => {
    const bytes = seededPicture(seed++, 32).subarray(0, weight.size)
    const positive = model.weights[i]!.originalName.includes('variance')
    return tf.tensor(
      Float32Array.from(bytes, (byte) => (positive ? byte / 256 + 0.5 : byte / 128 - 1)),
      weight.shape,
    )
  }),
)
const pixels = seededPicture(1, 9).subarray(0, height * width * 3)
const results = model.predict(
  tf.tensor4d(
    Float32Array.from(pixels, (byte) => byte / 255),
    [1, height, width, 3],
  ),
) as tf.Tensor[]

await mkdir(folder, { recursive: true })
await model.save(
  tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
    const data = tf.io.CompositeArrayBuffer.join(weightData)
    const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }]
    await writeFile(new URL('weights.bin', folder), Buffer.from(data))
    await writeFile(new URL('model.json', folder), JSON.stringify({ modelTopology, weightsManifest }))
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } }
  }),
)
const expected = await Promise.all(
  results.map(async (result, i) => ({
    output: model.outputNames[i]!,
    shape: result.shape,
    values: Array.from(await result.data(), (value) => Number(value.toPrecision(6))),
  })),
)
await writeFile(new URL('expected.json', folder), `${JSON.stringify(expected)}\n`)
