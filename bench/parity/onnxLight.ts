/**
 * Networks read and written by Pipilo against the runtime on the untouched file, and every inner value of ResNet-50, cut out
 * one by one, against ONNX's reference implementation.
 *
 *     python parity/onnx_light.py ../../shared/data/onnx-light /tmp/onnx-light
 *     npx tsx parity/onnxLight.ts /tmp/onnx-light
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { cut, readOnnx, writeOnnx } from 'pipilo/graph'
import { compile } from 'pipilo/runtime'

const folder = process.argv[2] ?? '/tmp/onnx-light'
const json = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))
const floats = (file: string) => new Float32Array(new Uint8Array(readFileSync(join(folder, file))).buffer)

/** Largest difference over the largest magnitude of the expected values. */
function relativeError(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let difference = 0
  let magnitude = 0
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!))
    magnitude = Math.max(magnitude, Math.abs(expected[i]!))
  }
  return difference / magnitude
}

const quiet = { logSeverityLevel: 3 } as const
let failed = false

for (const name of ['resnet50', 'squeezenet', 'densenet121']) {
  const { input, shape } = json(`${name}.json`)
  const x = floats(`${name}.input.bin`)
  const file = join(folder, `${name}.onnx`)
  const again = join(folder, `${name}.again.onnx`)
  await writeOnnx(await readOnnx(file), again)
  const outputs: Float32Array[] = []
  for (const path of [file, again]) {
    const session = await ort.InferenceSession.create(path, quiet)
    const results = await session.run({ [input]: new ort.Tensor('float32', x, shape) })
    outputs.push(results[session.outputNames[0]!]!.data as Float32Array)
    await session.release()
  }
  const error = relativeError(outputs[1]!, outputs[0]!)
  failed ||= error !== 0
  console.log(`${name}: read and written, error against the untouched file ${error} (goal 0)`)
}

const { input, shape } = json('resnet50.json')
const x = floats('resnet50.input.bin')
const graph = await readOnnx(join(folder, 'resnet50.onnx'))
const index: Record<string, { file: string }> = json('index.json')
let worst = { error: 0, value: '' }
for (const [value, { file }] of Object.entries(index)) {
  const part = cut(graph, [value])
  const session = await compile(part, { workers: 0 })
  const result = Object.values(await session.run({ [input]: { dtype: 'float32', shape, data: x } }))[0]!
  await session.dispose()
  const error = relativeError(result.data as Float32Array, floats(file))
  if (error > worst.error) worst = { error, value }
}
failed ||= worst.error > 1e-5
console.log(
  `resnet50: ${Object.keys(index).length} inner values cut one by one, worst relative error ${worst.error.toExponential(2)} at ${worst.value} (goal 1e-5)`,
)
process.exit(failed ? 1 : 0)
