/**
 * Nearest neighbours and the linear probe beside scikit-learn on the same vectors, turn about: seconds by the clock and of the processors.
 *
 *     PYTHON=venv/bin/python npx tsx evaluate/speed.ts [neighbors | probe]...        # in bench/
 *
 * Neighbours: 10,000 vectors of 384 numbers, each by the five nearest of the others. Probe: 10,000 vectors of 1,280 numbers in ten classes that
 * overlap, seven strengths on a fifth held out, then all; the peer does the same with its default solver, warm from one strength to the next.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { classificationMeasures, linearProbe, nearestNeighbors } from '../../src/evaluate/index.ts'
import { seeded } from '../../src/nn/index.ts'
import { writeNpy } from '../../src/tensor/files/index.ts'
import type { Matrix } from '../../src/tensor/index.ts'
import { median } from '../child.ts'

const ROWS = 10_000
const labels = Array.from({ length: ROWS }, (_, i) => i % 10)

/** Rows around the centres of their classes, of one length, as embeddings are. */
function drawn(columns: number): Matrix {
  const random = seeded(1, `evaluate speed ${columns}`)
  const centers = Float32Array.from({ length: 10 * columns }, () => random.normal())
  const data = new Float32Array(ROWS * columns)
  for (let i = 0; i < ROWS; i++) {
    const own = data.subarray(i * columns, (i + 1) * columns)
    let sum = 0
    for (let j = 0; j < columns; j++) {
      own[j] = 0.15 * centers[labels[i]! * columns + j]! + random.normal()
      sum += own[j]! ** 2
    }
    for (let j = 0; j < columns; j++) own[j]! /= Math.sqrt(sum)
  }
  return { rows: ROWS, columns, data }
}

const works = {
  neighbors: {
    columns: 384,
    rounds: 5,
    run: async (vectors: Matrix) =>
      (await nearestNeighbors({ vectors, labels }, undefined, { k: 5 })).predictions,
  },
  probe: {
    columns: 1280,
    rounds: 1,
    run: async (vectors: Matrix) => (await linearProbe({ vectors, labels })).predict(vectors),
  },
}

const asked = process.argv.slice(2)
const table: Record<string, object> = {}
for (const [name, { columns, rounds, run }] of Object.entries(works)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const vectors = drawn(columns)
  const file = join(tmpdir(), `pipilo-evaluate-${columns}.npy`)
  await writeNpy(file, { dtype: 'float32', shape: [ROWS, columns], data: vectors.data })
  const script = fileURLToPath(new URL('speed.py', import.meta.url))
  const python = spawn(process.env['PYTHON'] ?? 'python3', [script, name, file])
  python.stderr.pipe(process.stderr)
  const lines = createInterface(python.stdout)[Symbol.asyncIterator]()
  const [ours, theirs]: [Timing[], Timing[]] = [[], []]
  // The first round of each warms up, where there are several.
  for (let round = 0; round < rounds; round++) {
    const own = await timed(() => run(vectors))
    python.stdin.write('go\n')
    const other: Timing = JSON.parse((await lines.next()).value)
    console.log(`${name} ${round}: ${told(own)}, peer ${told(other)}`)
    if (round === 0 && rounds > 1) continue
    ours.push(own)
    theirs.push(other)
  }
  python.stdin.end()
  await once(python, 'exit')
  const of = (all: Timing[], key: keyof Timing) => median(all.map((one) => one[key]))
  table[name] = {
    seconds: of(ours, 'wall').toFixed(2),
    processor: of(ours, 'cpu').toFixed(2),
    accuracy: of(ours, 'accuracy').toFixed(4),
    'peer seconds': of(theirs, 'wall').toFixed(2),
    'peer processor': of(theirs, 'cpu').toFixed(2),
    'peer accuracy': of(theirs, 'accuracy').toFixed(4),
  }
}
console.table(table)

interface Timing {
  readonly wall: number
  readonly cpu: number
  readonly accuracy: number
}

function told({ wall, cpu, accuracy }: Timing): string {
  return `${wall.toFixed(2)} s (processor ${cpu.toFixed(2)}), accuracy ${accuracy.toFixed(4)}`
}

async function timed(run: () => Promise<Uint32Array>): Promise<Timing> {
  const before = process.cpuUsage()
  const start = performance.now()
  const predictions = await run()
  const wall = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  return { wall, cpu: (user + system) / 1e6, accuracy: classificationMeasures(predictions, labels).accuracy }
}
