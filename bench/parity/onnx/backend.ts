/**
 * The ONNX project's backend cases: each opened, listed, printed, run, saved, opened again and run again; every inner value tapped.
 *
 *     apt-get install -y libonnx-testdata
 *     npx tsx parity/onnx/backend.ts [FOLDER] [PATTERN] [--taps] [--report FILE]
 *
 * FOLDER holds the cases (default: where Debian puts them), PATTERN is part of their names. Beside each case stands ONNX Runtime's own
 * package on the untouched file: what it cannot run is counted apart, and whatever else differs from it by a single bit is a failure.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as ort from 'onnxruntime-node'
import type { Terminal } from '../../../src/cli/command.ts'
import { inspect } from '../../../src/cli/commands/inspect.ts'
import { type Graph, parseOnnx, type ValueInfo } from '../../../src/graph/index.ts'
import { type Model, open } from '../../../src/models/index.ts'
import { compile } from '../../../src/runtime/index.ts'
import type { Tensor } from '../../../src/tensor/index.ts'

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: { taps: { type: 'boolean', default: false }, report: { type: 'string' } },
})
const [root = '/usr/share/libonnx-testdata/data', pattern = ''] = positionals
const scratch = mkdtempSync(join(tmpdir(), 'pipilo-backend-'))

type Feeds = Record<string, Tensor>
type Results = Readonly<Record<string, Tensor>>

/** A TensorProto, wrapped as the initializer of a model without nodes. */
function readTensor(bytes: Uint8Array): Tensor {
  const field = (number: number, content: Uint8Array) =>
    Buffer.concat([Buffer.from([(number << 3) | 2]), varint(content.length), content])
  const graph = field(7, field(5, bytes))
  const { initializers } = parseOnnx(Buffer.concat([Buffer.from([8, 8]), graph]))
  const [tensor] = initializers.values()
  if (!tensor || 'file' in tensor) throw new Error('no tensor')
  return { dtype: tensor.dtype, shape: tensor.shape, data: tensor.data }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) return Buffer.from(bytes)
  }
}

/** Inputs and expected outputs of a case; undefined for what is no tensor. */
function dataOf(folder: string, kind: 'input' | 'output'): (Tensor | undefined)[] {
  const files = readdirSync(folder).filter((name) => name.startsWith(`${kind}_`))
  return files
    .sort((a, b) => Number(/\d+/.exec(a)![0]) - Number(/\d+/.exec(b)![0]))
    .map((name) => {
      try {
        return readTensor(readFileSync(join(folder, name)))
      } catch {
        return undefined
      }
    })
}

async function direct(path: string, feeds: Feeds, fetched?: readonly string[]): Promise<Results> {
  const session = await ort.InferenceSession.create(path, { logSeverityLevel: 4, enableMemPattern: false })
  try {
    const native = Object.fromEntries(
      Object.entries(feeds).map(([name, { dtype, shape, data }]) => {
        const tensor =
          dtype === 'float16'
            ? Object.assign(new ort.Tensor('uint16', data as Uint16Array, shape), { type: 'float16' })
            : new ort.Tensor(dtype as 'float32', data as Float32Array, shape)
        return [name, tensor as ort.Tensor]
      }),
    )
    const names = fetched ?? session.outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name)
    if (names.length === 0) throw new Error('no output is a tensor')
    const results = await session.run(native, names)
    return Object.fromEntries(
      Object.entries(results).map(([name, { type, dims, data }]) => {
        const { buffer, byteOffset, length } = data as Float32Array
        const bits = type === 'float16' ? new Uint16Array(buffer, byteOffset, length) : data
        return [name, { dtype: type, shape: dims, data: bits } as Tensor]
      }),
    )
  } finally {
    await session.release()
  }
}

/** Largest difference, 0 for the same bits; infinite where dtype, shape or names differ. */
function difference(a: Results, b: Results): number {
  let worst = 0
  if (Object.keys(a).sort().join() !== Object.keys(b).sort().join()) return Number.POSITIVE_INFINITY
  for (const [name, one] of Object.entries(a)) worst = Math.max(worst, apart(one, b[name]!))
  return worst
}

function apart(a: Tensor, b: Tensor): number {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join() || a.data.length !== b.data.length)
    return Number.POSITIVE_INFINITY
  let worst = 0
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [a.data[i]!, b.data[i]!]
    if (Object.is(x, y) || String(x) === String(y)) continue
    const far = Math.abs(Number(x) - Number(y)) / Math.max(1, Math.abs(Number(y)))
    worst = Math.max(worst, Number.isNaN(far) ? Number.POSITIVE_INFINITY : far)
  }
  return worst
}

const silent: Terminal = {
  out: async () => {},
  err: () => {},
  interactive: false,
  width: 80,
  signal: new AbortController().signal,
}

const counts = {
  cases: 0,
  opened: 0,
  listed: 0,
  runtime: 0,
  asExpected: 0,
  same: 0,
  saved: 0,
  taps: 0,
  tapped: 0,
}
const failures: string[] = []
const unexpected: string[] = []
const notRun: string[] = []
const random = /random|bernoulli|multinomial|dropout/i

async function oneCase(group: string, name: string): Promise<void> {
  const folder = join(root, group, name)
  const path = join(folder, 'model.onnx')
  const label = `${group}/${name}`
  counts.cases++
  const sets = readdirSync(folder).filter((set) => set.startsWith('test_data_set_'))
  const note = (what: string, error: unknown) => {
    const text = error instanceof Error ? `${error.constructor.name}: ${error.message}` : String(error)
    failures.push(`${label}\t${what}\t${text.split('\n')[0]!.slice(0, 240)}`)
  }
  let model: Model
  try {
    model = await open(`file:${path}`)
    counts.opened++
  } catch (error) {
    return note('open', error)
  }
  try {
    try {
      model.layers()
      for (const args of [{ model: path }, { model: path, graph: true }, { model: path, json: true }])
        await inspect.run({ _: [], ...args } as never, silent)
      counts.listed++
    } catch (error) {
      note('inspect', error)
    }
    const saved = join(scratch, 'saved.onnx')
    try {
      await model.save(saved)
    } catch (error) {
      return note('save', error)
    }
    const again = await open(`file:${saved}`).catch((error) => note('open again', error))
    if (!again) return
    try {
      if (sets.length === 0) return void notRun.push(`${label}\tno data`)
      for (const set of sets) {
        const inputs = dataOf(join(folder, set), 'input')
        const { graph } = model
        // The cases leave out optional inputs by their order: those with a value of their own come last.
        const feeds: Feeds = {}
        const named = graph.inputs.filter(
          ({ name }) => !graph.initializers.has(name) || inputs.length === graph.inputs.length,
        )
        if (inputs.some((one) => !one)) return void notRun.push(`${label}\tinput that is no tensor`)
        for (const [i, one] of inputs.entries()) feeds[named[i]!.name] = one!
        let reference: Results
        try {
          reference = await direct(path, feeds)
        } catch (error) {
          return void notRun.push(`${label}\t${(error as Error).message.split('\n')[0]!.slice(0, 200)}`)
        }
        if (set === sets[0]) counts.runtime++
        const expected = dataOf(join(folder, set), 'output')
        const outputs = Object.values(reference)
        const far = Math.max(0, ...outputs.map((one, i) => (expected[i] ? apart(one, expected[i]!) : 0)))
        const isRandom = random.test(name)
        if (far < 1e-3 || isRandom) {
          if (set === sets[0]) counts.asExpected++
        } else unexpected.push(`${label}\t${far}`)
        const differs = (results: Results, most = 0) =>
          isRandom
            ? Object.keys(results).length !== Object.keys(reference).length
            : difference(results, reference) > most
        try {
          const results = await direct(saved, feeds)
          if (differs(results)) note('saved', `differs by ${difference(results, reference)}`)
          else if (set === sets[0]) counts.saved++
        } catch (error) {
          note('run saved', error)
        }
        try {
          // A session on a thread of its own takes long to make: of most cases the graph is run on this one.
          const results = counts.cases % 20 === 0 ? await again.run(feeds) : await compute(again.graph, feeds)
          if (differs(results, 1e-6)) note('run', `differs by ${difference(results, reference)}`)
          else if (set === sets[0]) counts.same++
        } catch (error) {
          note('run', error)
        }
        if (flags.taps && set === sets[0]) await taps(model, label, feeds, reference)
      }
    } finally {
      await again.dispose()
    }
  } finally {
    await model.dispose()
  }
}

const isTensor = ({ type }: ValueInfo) => type === undefined || type.kind === 'tensor'

/** A graph's outputs that are tensors, computed on this thread. */
async function compute(graph: Graph, feeds: Feeds): Promise<Results> {
  const session = await compile(graph, { workers: 0 })
  try {
    const wanted = graph.inputs.flatMap(({ name }) => (feeds[name] ? [[name, feeds[name]] as const] : []))
    const outputs = graph.outputs.filter(isTensor).map(({ name }) => name)
    return outputs.length === 0 ? {} : await session.run(Object.fromEntries(wanted), outputs)
  } finally {
    await session.dispose()
  }
}

/** Every layer tapped, all at once, and cut, one by one; the outputs stay as they are, and both give the same numbers. */
async function taps(model: Model, label: string, feeds: Feeds, reference: Results): Promise<void> {
  // Those inside branches and loops are listed, and nothing outside can read them.
  const found = model.layers().filter(({ value }) => value !== '')
  const note = (name: string, error: unknown) =>
    failures.push(
      `${label}\ttap ${name}\t${(error as Error).constructor.name}: ${(error as Error).message.split('\n')[0]!.slice(0, 200)}`,
    )
  let all: Results = {}
  try {
    all = await compute(model.tap(...found.map(({ name }) => name)).graph, feeds)
    for (const [output, one] of Object.entries(reference)) {
      const far = all[output] ? apart(all[output], one) : Number.POSITIVE_INFINITY
      if (!random.test(label) && far > 1e-5) throw new Error(`${output} differs by ${far}`)
    }
  } catch (error) {
    note('all', error)
  }
  for (const { name } of found) {
    counts.taps++
    try {
      const cut = await compute(model.cut(name).graph, feeds)
      const [one] = Object.values(cut)
      const tapped = all[model.resolve(name)]
      if (!one !== !tapped) throw new Error(`${tapped ? 'tapped' : 'cut'} alone`)
      if (one && !random.test(label) && apart(tapped!, one) > 1e-5) throw new Error('tap and cut differ')
      counts.tapped++
    } catch (error) {
      note(name, error)
    }
  }
}

let told = 0
for (const group of readdirSync(root).sort()) {
  for (const name of readdirSync(join(root, group)).sort()) {
    if (!`${group}/${name}`.includes(pattern)) continue
    if (!readdirSync(join(root, group, name)).includes('model.onnx')) continue
    await oneCase(group, name).catch((error) => failures.push(`${group}/${name}\tcrash\t${error}`))
    for (; told < failures.length; told++) console.error(failures[told])
    if (counts.cases % 100 === 0) console.error(`${counts.cases} cases, ${failures.length} failures`)
  }
}
rmSync(scratch, { recursive: true })
if (flags.report)
  writeFileSync(flags.report, `${JSON.stringify({ counts, failures, unexpected, notRun }, null, 1)}\n`)
console.log(`cases                                   ${counts.cases}`)
console.log(`opened                                  ${counts.opened}`)
console.log(`listed and printed (inspect)            ${counts.listed}`)
console.log(`run by ONNX Runtime's package itself    ${counts.runtime}`)
console.log(`  with the numbers that the case says   ${counts.asExpected}`)
console.log(`  the same bits from the saved file     ${counts.saved}`)
console.log(`  the same numbers from open and run     ${counts.same}`)
if (flags.taps) console.log(`layers tapped and cut                   ${counts.tapped} of ${counts.taps}`)
process.exitCode = failures.length > 0 ? 1 : 0
