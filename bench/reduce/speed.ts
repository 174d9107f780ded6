/**
 * Reducers on 10,000 vectors of 384 numbers, beside scikit-learn and umap-learn on the same ones, turn about: seconds by the clock and of the processors, and
 * how trustworthy the maps are. umap-learn compiles at its first fit, which is left out.
 *
 *     PYTHON=venv/bin/python npx tsx bench/reduce/speed.ts [pca | lda | 'kernel pca' | tsne | umap]...
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { kernelPca, lda, pca, trustworthiness, tsne, umap } from '../../src/reduce/index.ts'
import { type Matrix, row } from '../../src/tensor/index.ts'
import { median, watchEventLoop } from '../child.ts'
import { sentenceVectors, vectorsFile } from './vectors.ts'

const vectors = await sentenceVectors()
const { rows, columns } = vectors
/** Every fourth row, as its matrix of kernels takes the square. */
const some = matrixOf(Array.from({ length: rows / 4 }, (_, i) => 4 * i))
const labels = Array.from({ length: rows }, (_, i) => i % 10)

interface Work {
  readonly rounds: number
  readonly run: () => Promise<Matrix | undefined>
}

const none = async (work: Promise<unknown>) => void (await work)
const works: Readonly<Record<string, Work>> = {
  pca: { rounds: 5, run: () => none(pca.fit(vectors, { components: 64 })) as Promise<undefined> },
  'pca all': { rounds: 3, run: () => none(pca.fit(vectors)) as Promise<undefined> },
  lda: { rounds: 3, run: () => none(lda.fit(vectors, labels)) as Promise<undefined> },
  'kernel pca': {
    rounds: 2,
    run: () => none(kernelPca.fit(some, { gamma: 1, components: 16 })) as Promise<undefined>,
  },
  umap: { rounds: 2, run: async () => (await umap.fit(vectors)).embedding },
  tsne: { rounds: 0, run: async () => (await tsne.fit(vectors)).embedding },
}

const python = spawn(process.env['PYTHON'] ?? 'python3', [
  fileURLToPath(new URL('speed.py', import.meta.url)),
  vectorsFile,
])
python.stderr.pipe(process.stderr)
const lines = createInterface(python.stdout)[Symbol.asyncIterator]()

const asked = process.argv.slice(2)
const table: Record<string, object> = {}
console.log(`${rows} × ${columns}`)
for (const [name, work] of Object.entries(works)) {
  if (asked.length === 0 || asked.includes(name)) table[name] = await compared(name, work)
}
python.stdin.end()
await once(python, 'exit')
console.table(table)

interface Timing {
  readonly wall: number
  readonly cpu: number
  readonly trust?: number
}

async function compared(name: string, { rounds, run }: Work): Promise<object> {
  const [ours, theirs]: [Timing[], Timing[]] = [[], []]
  let late = 0
  // The first round of each warms up, but for a work so long that it makes no difference.
  for (let round = 0; round <= rounds; round++) {
    const own = await timed(run)
    late = Math.max(late, own.late)
    python.stdin.write(`${name}\n`)
    const other: Timing = JSON.parse((await lines.next()).value)
    console.log(
      `${name} ${round}: ${own.wall.toFixed(2)} s (${own.cpu.toFixed(2)}), peer ${other.wall.toFixed(2)} s (${other.cpu.toFixed(2)})`,
    )
    if (round === 0 && rounds > 0) continue
    ours.push(own)
    theirs.push(other)
  }
  const of = (all: Timing[], key: 'wall' | 'cpu') => median(all.map((one) => one[key]))
  return {
    seconds: of(ours, 'wall').toFixed(2),
    processor: of(ours, 'cpu').toFixed(2),
    'peer seconds': of(theirs, 'wall').toFixed(2),
    'peer processor': of(theirs, 'cpu').toFixed(2),
    ratio: (of(ours, 'wall') / of(theirs, 'wall')).toFixed(2),
    trust: ours[0]!.trust?.toFixed(4),
    'peer trust': theirs[0]!.trust?.toFixed(4),
    'event loop late, ms': late.toFixed(0),
  }
}

async function timed(run: Work['run']): Promise<Timing & { late: number }> {
  const loop = watchEventLoop()
  const before = process.cpuUsage()
  const start = performance.now()
  const map = await run()
  const wall = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  const late = loop.stop()
  const cpu = (user + system) / 1e6
  return { wall, cpu, late, ...(map && { trust: await trustOf(map) }) }
}

/** Of every fifth row: it compares all with all. */
async function trustOf(map: Matrix): Promise<number> {
  const every = Array.from({ length: rows / 5 }, (_, i) => 5 * i)
  return trustworthiness(matrixOf(every), matrixOf(every, map), { k: 10 })
}

function matrixOf(places: readonly number[], of: Matrix = vectors): Matrix {
  const data = new Float32Array(places.length * of.columns)
  for (const [to, from] of places.entries()) data.set(row(of, from), to * of.columns)
  return { rows: places.length, columns: of.columns, data }
}
