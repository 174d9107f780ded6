// Two works of `speed.ts` in TensorFlow.js: answers each line, a number of steps, with milliseconds and the peak of memory.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs'

const [name = '', backend = 'cpu'] = process.argv.slice(2)
if (backend === 'wasm') {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm')
  setWasmPaths(fileURLToPath(new URL('.', import.meta.resolve('@tensorflow/tfjs-backend-wasm'))))
}
await tf.setBackend(backend)
await tf.ready()

function mlp() {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [784], units: 128 }),
      tf.layers.dense({ units: 784, activation: 'sigmoid' }),
    ],
  })
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'meanSquaredError' })
  const x = tf.randomUniform([128, 784])
  return { model, x, y: x }
}

function lenet() {
  const pool = () => tf.layers.maxPooling2d({ poolSize: 2, strides: 2 })
  const relu = { activation: 'relu' } as const
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [28, 28, 1], filters: 6, kernelSize: 5, padding: 'same', ...relu }),
      pool(),
      tf.layers.conv2d({ filters: 16, kernelSize: 5, ...relu }),
      pool(),
      tf.layers.flatten(),
      tf.layers.dense({ units: 120, ...relu }),
      tf.layers.dense({ units: 84, ...relu }),
      tf.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  })
  model.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss: 'categoricalCrossentropy' })
  const labels = tf.tensor1d(
    Array.from({ length: 128 }, (_, i) => i % 10),
    'int32',
  )
  return { model, x: tf.randomUniform([128, 28, 28, 1]), y: tf.oneHot(labels, 10) }
}

const { model, x, y } = name === 'mlp' ? mlp() : lenet()
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [start, before] = [performance.now(), process.cpuUsage()]
  let loss = Number.NaN
  for (let i = 0; i < Number(line); i++) loss = Number(await model.trainOnBatch(x, y))
  const milliseconds = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))!
  const memory = Number(kilobytes) / 1024
  console.log(JSON.stringify({ milliseconds, processor: (user + system) / 1000, loss, memory }))
}
