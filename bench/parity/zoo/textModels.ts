/** The other half of textModels.py: reads requests from standard input, a JSON object a line, and answers each with one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Initializer, resolveLayer, tap } from '../../../src/graph/index.ts'
import { textArchitecture, textPresets } from '../../../src/nn/index.ts'
import { checkpoint } from '../../../src/nn/testing/safetensors.ts'
import { evaluate } from '../../../src/runtime/index.ts'
import { type FileTensor, type Tensor, tensor } from '../../../src/tensor/index.ts'

const UNUSED = 'cls.predictions.decoder.bias'

interface Comparison {
  readonly cosine: number
  readonly error: number
}

function compare(actual: Float32Array, expected: Float32Array): Comparison {
  if (actual.length !== expected.length) return { cosine: 0, error: Number.POSITIVE_INFINITY }
  let [product, left, right, difference, largest] = [0, 0, 0, 0, 0]
  for (const [i, want] of expected.entries()) {
    const got = actual[i]!
    product += got * want
    left += got * got
    right += want * want
    difference = Math.max(difference, Number.isFinite(got) ? Math.abs(got - want) : Number.POSITIVE_INFINITY)
    largest = Math.max(largest, Math.abs(want))
  }
  return { cosine: product / Math.sqrt(left * right), error: difference / largest }
}

function read({ dtype, shape, file }: FileTensor): Tensor {
  const bytes = readFileSync(file.path).subarray(file.offset, file.offset + file.length)
  const { buffer } = new Uint8Array(bytes)
  return dtype === 'int64'
    ? { dtype, shape, data: new BigInt64Array(buffer) }
    : tensor('float32', shape, new Float32Array(buffer))
}

async function runCase(folder: string) {
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  const built = textArchitecture(config.model_type)(config, checkpoint(join(folder, 'model.safetensors')))
  const [hidden, attentions] = [built.hiddenStates!, built.attentions!]
  const given = checkpoint(join(folder, 'case.safetensors'))
  const graph = tap(built.graph, ...hidden, ...attentions)
  const feeds = Object.fromEntries(graph.inputs.map(({ name }) => [name, read(given.get(name)!)]))
  const outputs = await evaluate(graph, feeds)
  const wanted = [...given.keys()].filter((name) => name.startsWith('expected.'))
  let [cosine, error, worst] = [1, 0, '']
  for (const name of wanted) {
    const [what, index] = name.slice('expected.'.length).split('.') as [string, string?]
    const list = what === 'hidden_states' ? hidden : attentions
    const key = index === undefined ? what : resolveLayer(graph, list[Number(index)]!)
    const found = compare(outputs[key]!.data as Float32Array, read(given.get(name)!).data as Float32Array)
    if (!(found.error <= error)) [error, worst] = [found.error, name]
    cosine = Math.min(cosine, found.cosine)
  }
  const count = (what: string) => wanted.filter((name) => name.startsWith(`expected.${what}.`)).length
  const all = count('hidden_states') === hidden.length && count('attentions') === attentions.length
  const unused = built.unused.filter((name) => name !== UNUSED)
  const agrees = all && cosine >= 0.9999 && error <= 1e-4 && unused.length === 0 && built.unused.length === 1
  return {
    agrees,
    cosine,
    error,
    worst,
    outputs: wanted.length,
    ...(all ? {} : { listed: [hidden, attentions] }),
    ...(unused.length && { unused }),
  }
}

function runPreset(name: keyof typeof textPresets, shapes: Readonly<Record<string, number[]>>) {
  const preset = textPresets[name]
  const tensors = new Map<string, Initializer>()
  for (const [key, shape] of Object.entries(shapes)) {
    const length = 4 * shape.reduce((a, b) => a * b, 1)
    tensors.set(key, { dtype: 'float32', shape, file: { path: '/dev/null', offset: 0, length } })
  }
  const { unused } = textArchitecture(preset.model_type)(preset, tensors)
  return { agrees: unused.length === 0, ...(unused.length && { unused }) }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  let answer: unknown
  try {
    if (request.presets) answer = textPresets
    else answer = request.preset ? runPreset(request.preset, request.shapes) : await runCase(request.folder)
  } catch (error) {
    answer = { agrees: false, exception: String(error) }
  }
  console.log(JSON.stringify(answer))
}
