/**
 * Optimisers' steps on the weights of MiniLM (22.6 million), and on its word table's touched rows; beside torch.optim, turn about.
 *
 *     PYTHON=venv/bin/python npx tsx bench/grad/optimizers.ts [adamw | 'adamw clip' | …]...
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type OptimizeOptions, optimize } from '../../src/grad/index.ts'
import { Builder, type Graph, updatesOf } from '../../src/graph/index.ts'
import { compileStateful } from '../../src/runtime/index.ts'
import { elementCount, type Tensor, tensor } from '../../src/tensor/index.ts'

const ROUNDS = 7
const TOKENS = 1024
const WORDS = [30522, 384]
const THREADS = Number(process.env['THREADS'] ?? 2)

const adamw: OptimizeOptions = { optimizer: { kind: 'adamw' } }
const works: Readonly<Record<string, OptimizeOptions>> = {
  sgd: { optimizer: { kind: 'sgd', lr: 1e-3, momentum: 0.9 } },
  adamw,
  'adamw clip': { ...adamw, clip: 1 },
  'adamw average': { ...adamw, average: { decay: 0.999 } },
  'adamw accumulate': { ...adamw, accumulate: 1000 },
  'sparse table': {
    optimizer: { kind: 'adam' },
    sparse: { 'word_embeddings.weight': { indices: 'rows', gradient: 'vectors' } },
  },
}

const python = spawn(process.env['PYTHON'] ?? 'python3', [
  fileURLToPath(new URL('optimizers.py', import.meta.url)),
  String(THREADS),
])
python.stderr.pipe(process.stderr)
const lines = createInterface(python.stdout)[Symbol.asyncIterator]()

const asked = process.argv.slice(2)
for (const [name, options] of Object.entries(works)) {
  if (asked.length === 0 || asked.includes(name)) await measure(name, options)
}
python.stdin.end()
await once(python, 'exit')

async function measure(name: string, options: OptimizeOptions): Promise<void> {
  const sparse = name === 'sparse table'
  const graph = optimize(sparse ? table() : network(), options)
  const state = Object.fromEntries(updatesOf(graph))
  const session = await compileStateful(graph, { state, workers: 0, threads: THREADS })
  const feeds = sparse ? rowFeeds() : gradientFeeds()
  const mine: Time[] = []
  const peers: Record<string, Time>[] = []
  for (let round = 0; round < ROUNDS + 2; round++) {
    const [start, before] = [performance.now(), process.cpuUsage()]
    await session.step({ feeds, fetch: [] })
    const { user, system } = process.cpuUsage(before)
    mine.push({ wall: performance.now() - start, processor: (user + system) / 1000 })
    python.stdin.write(`${name}\n`)
    peers.push(JSON.parse((await lines.next()).value))
  }
  await session.dispose()
  report(name, 'Pipilo', mine)
  for (const peer of Object.keys(peers[0]!))
    report(
      name,
      peer,
      peers.map((each) => each[peer]!),
    )
}

interface Time {
  readonly wall: number
  readonly processor: number
}

/** Medians behind two steps of warming up, in milliseconds. */
function report(work: string, who: string, times: readonly Time[]): void {
  const median = (of: keyof Time) =>
    times
      .slice(2)
      .map((time) => time[of])
      .sort((a, z) => a - z)
      [ROUNDS >> 1]!.toFixed(1)
  console.log(`${work}: ${who} ${median('wall')} ms, ${median('processor')} ms of processor`)
}

function shapes(): Map<string, number[]> {
  const all = new Map([
    ['word_embeddings.weight', WORDS],
    ['position_embeddings.weight', [512, 384]],
    ['token_type_embeddings.weight', [2, 384]],
    ['norm.weight', [384]],
    ['norm.bias', [384]],
  ])
  for (let layer = 0; layer < 6; layer++) {
    for (const [name, out, into] of [
      ['query', 384, 384],
      ['key', 384, 384],
      ['value', 384, 384],
      ['attention', 384, 384],
      ['intermediate', 1536, 384],
      ['output', 384, 1536],
    ] as const) {
      all.set(`layer.${layer}.${name}.weight`, [out, into])
      all.set(`layer.${layer}.${name}.bias`, [out])
    }
    for (const norm of ['norm1', 'norm2']) {
      all.set(`layer.${layer}.${norm}.weight`, [384])
      all.set(`layer.${layer}.${norm}.bias`, [384])
    }
  }
  return all
}

/** Weights with gradients that are fed. */
function network(): Graph {
  const b = new Builder()
  for (const [name, shape] of shapes()) b.output(`${name}.grad`, b.input(`given.${name}`, 'float32', shape))
  // Put in behind the builder, which leaves out what nothing reads yet.
  return {
    ...b.build(),
    initializers: new Map([...shapes()].map(([name, shape]) => [name, filled(shape, 0.02)])),
  }
}

function table(): Graph {
  const b = new Builder()
  b.input('rows', 'int64', [TOKENS])
  b.input('vectors', 'float32', [TOKENS, WORDS[1]!])
  return { ...b.build(), initializers: new Map([['word_embeddings.weight', filled(WORDS, 0.02)]]) }
}

function gradientFeeds(): Record<string, Tensor> {
  return Object.fromEntries([...shapes()].map(([name, shape]) => [`given.${name}`, filled(shape, 1e-3)]))
}

function rowFeeds(): Record<string, Tensor> {
  const rows = Array.from({ length: TOKENS }, (_, i) => (i * i * 31) % WORDS[0]!)
  return { rows: tensor('int64', [TOKENS], rows), vectors: filled([TOKENS, WORDS[1]!], 1e-3) }
}

function filled(shape: number[], scale: number): Tensor {
  const data = Float32Array.from(
    { length: elementCount(shape) },
    (_, i) => (((i * 7919) % 1000) / 500 - 1) * scale,
  )
  return { dtype: 'float32', shape, data }
}
