/**
 * Four networks on each device that is there, beside the CPU and PyTorch: one command, below five minutes, in a folder that
 * holds nothing but Node, ONNX Runtime's library and this (see pack.ts). Weights are drawn at random.
 *
 *     node measure.js                          # cpu, and every other device that ONNX Runtime finds here
 *     node measure.js --device cuda,webgpu     # these only; also --seconds 240, --models minilm,resnet50, --json
 *
 * A device first proves itself on the batch: a difference from the CPU is reported, not timed. PYTHON names a Python with torch, if
 * `python3` is none: torch runs the same networks on cuda or mps where it has them, else on its CPU.
 */
import { execFile } from 'node:child_process'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { PipiloError } from '../../src/base/index.ts'
import type { Graph } from '../../src/graph/index.ts'
import { architecture, buildBert, seeded } from '../../src/nn/index.ts'
import { compile, type Device, devices, placement } from '../../src/runtime/index.ts'
import { type Tensor, tensor } from '../../src/tensor/index.ts'

const { values } = parseArgs({
  options: {
    device: { type: 'string' },
    seconds: { type: 'string', default: '240' },
    models: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const started = performance.now()
const left = () => Number(values.seconds) - (performance.now() - started) / 1000
const cacheDir = join(tmpdir(), 'pipilo-devices')
const say = (line: string) => (values.json ? process.stderr : process.stdout).write(`${line}\n`)

interface Network {
  readonly name: string
  readonly what: string
  readonly batch: number
  readonly build: () => Graph
  readonly feeds: () => Record<string, Tensor>
}

const bert = (hidden_size: number, num_hidden_layers: number) => () =>
  buildBert({
    vocab_size: 30522,
    hidden_size,
    num_hidden_layers,
    num_attention_heads: 12,
    intermediate_size: 4 * hidden_size,
    max_position_embeddings: 512,
    type_vocab_size: 2,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-12,
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
    initializer_range: 0.02,
  }).graph

function tokens(batch: number, length: number): Record<string, Tensor> {
  const random = seeded(1)
  const of = (value: () => number) =>
    tensor(
      'int64',
      [batch, length],
      BigInt64Array.from({ length: batch * length }, () => BigInt(value())),
    )
  return {
    input_ids: of(() => Math.floor(random.uniform() * 30000)),
    attention_mask: of(() => 1),
    token_type_ids: of(() => 0),
  }
}

function pixels(batch: number): Record<string, Tensor> {
  const random = seeded(1)
  const data = Float32Array.from({ length: batch * 3 * 224 * 224 }, () => random.uniform() * 4 - 2)
  return { pixel_values: tensor('float32', [batch, 3, 224, 224], data) }
}

const networks: readonly Network[] = [
  {
    name: 'minilm',
    what: 'texts of 128 tokens',
    batch: 8,
    build: bert(384, 6),
    feeds: () => tokens(8, 128),
  },
  {
    name: 'resnet50',
    what: 'pictures',
    batch: 4,
    build: () => architecture('resnet50').build({}).graph,
    feeds: () => pixels(4),
  },
  {
    name: 'vit-s/16',
    what: 'pictures',
    batch: 4,
    build: () => architecture('vit_small_patch16_224').build({}).graph,
    feeds: () => pixels(4),
  },
  // The slowest last: what does not end in its time takes the device from those behind it.
  {
    name: 'bert-base',
    what: 'texts of 128 tokens',
    batch: 2,
    build: bert(768, 12),
    feeds: () => tokens(2, 128),
  },
]
const wanted = values.models?.split(',')
const chosen = networks.filter(({ name }) => !wanted || wanted.includes(name))

interface Row {
  network: string
  device: string
  /** Per second. */
  rate?: number
  /** Milliseconds of the first batch: opening, and compiling shaders. */
  first?: number
  onCpu?: number
  operators?: number
  note?: string
}
const rows: Row[] = []

/** A batch that did not end in its time. */
class Late extends Error {}

async function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  const late = Symbol('late')
  work.catch(() => {})
  const winner = await Promise.race([work, setTimeout(Math.max(0, seconds) * 1000, late, { ref: false })])
  if (winner === late) throw new Late(`stopped after ${seconds.toFixed(0)} s`)
  return winner as T
}

/** Runs batches for some seconds, and gives the median's rate. */
async function measure(network: Network, graph: Graph, device: Device, seconds: number): Promise<Row> {
  const row: Row = { network: network.name, device }
  const begun = performance.now()
  const session = await compile(graph, { device, cacheDir, workers: 1 })
  const outputs = [session.outputs[0]!.name]
  await session.run(network.feeds(), outputs)
  row.first = performance.now() - begun
  if (device !== 'cpu') await session.prove(network.feeds(), { recheck: true })
  const times: number[] = []
  const end = performance.now() + seconds * 1000
  while (times.length < 3 || (performance.now() < end && times.length < 200)) {
    const feeds = network.feeds()
    const start = performance.now()
    await session.run(feeds, outputs)
    times.push(performance.now() - start)
  }
  row.rate = (network.batch * 1000) / times.sort((a, b) => a - b)[times.length >> 1]!
  await session.dispose()
  if (device !== 'cpu') {
    const placed = await placement(graph, network.feeds(), { device, cacheDir })
    row.onCpu = Object.values(placed.onCpu).reduce((sum, count) => sum + count, 0)
    row.operators = placed.operators
  }
  return row
}

async function torch(seconds: number): Promise<Row[]> {
  const script = fileURLToPath(new URL('peer.py', import.meta.url))
  const names = chosen.map(({ name }) => name).join(',')
  const { PYTHON = 'python3' } = process.env
  return new Promise((resolve) => {
    execFile(
      PYTHON,
      [script, names, String(seconds)],
      { timeout: Math.round(seconds * 1000) },
      (error, stdout) => {
        const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
        const found = lines.map((line) => JSON.parse(line) as Row)
        if (found.length === 0)
          say(`PyTorch: not measured (${error ? 'not installed, or no time' : 'it said nothing'})`)
        resolve(found)
      },
    )
  })
}

const asked = (values.device?.split(',') ?? devices) as readonly Device[]
say(
  `${cpus()[0]?.model}, ${cpus().length} processors, ${process.platform} ${process.arch}, Node ${process.version}`,
)
const gone = new Set<Device>()
const plan = new Set<Device>(['cpu', ...asked])
for (const network of chosen) {
  if (left() < 10) {
    rows.push({ network: network.name, device: 'all', note: 'skipped: no time left' })
    continue
  }
  const graph = network.build()
  for (const device of plan) {
    if (gone.has(device)) continue
    // A third of the time is PyTorch's, and each network has its part of the rest.
    const share = Math.max(
      5,
      (left() * 0.67) / (chosen.length - chosen.indexOf(network)) / (plan.size - gone.size),
    )
    try {
      rows.push(await within(share, measure(network, graph, device, Math.min(5, share / 4))))
    } catch (error) {
      const missing = error instanceof PipiloError && error.code === 'DEVICE_UNAVAILABLE'
      // A batch that does not end cannot be stopped: nothing more is asked of that device.
      if (missing || error instanceof Late) gone.add(device)
      const note = (error as Error).message
      if (missing) say(`${device}: ${note}`)
      else rows.push({ network: network.name, device, note })
    }
  }
  for (const row of rows.filter((each) => each.network === network.name)) say(text(row, network))
}
for (const row of left() > 15 ? await torch(left() - 5) : []) {
  rows.push(row)
  say(text(row, chosen.find(({ name }) => name === row.network)!))
}
if (values.json) process.stdout.write(`${JSON.stringify({ processor: cpus()[0]?.model, rows }, null, 2)}\n`)
say(`${((performance.now() - started) / 1000).toFixed(0)} s`)
process.exit()

function text(
  { network, device, rate, first, onCpu, operators, note }: Row,
  { what, batch }: Network,
): string {
  const head = `${network.padEnd(10)} ${device.padEnd(12)}`
  if (rate === undefined) return `${head} ${note}`
  const base = rows.find((row) => row.network === network && row.device === 'cpu')?.rate
  const times = base && device !== 'cpu' ? `, ${(rate / base).toFixed(2)} × the CPU` : ''
  const placed = operators === undefined ? '' : `, ${onCpu} of ${operators} operators on the CPU`
  const opening = first === undefined ? '' : `, first batch after ${(first / 1000).toFixed(1)} s`
  return `${head} ${rate.toFixed(1)} ${what} a second (batches of ${batch}${times}${placed}${opening})`
}
