/**
 * The gradient of single layers, forward and backward together, beside PyTorch on the same shapes: milliseconds a run, medians of rounds
 * turn about, and their ratio.
 *
 *     PYTHON=venv/bin/python npx tsx grad/rules.ts [--rounds 15] [--threads 2] [--only conv]
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { grad } from '../../src/grad/index.ts'
import { type Attribute, Builder, type Graph, op, type Value } from '../../src/graph/index.ts'
import { compile } from '../../src/runtime/index.ts'
import { elementCount, type Tensor } from '../../src/tensor/index.ts'
import { median } from '../child.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string', default: '' },
  },
})

interface Work {
  readonly shapes: readonly (readonly number[])[]
  readonly layer: (...inputs: Value[]) => Value
}

const int = (value: number): Attribute => ({ type: 'int', value })
const same = { pads: [1, 1, 1, 1] }
const conv = (
  x: readonly number[],
  w: readonly number[],
  given: Parameters<typeof op.conv>[3] = {},
): Work => ({ shapes: [x, w], layer: (x, w) => op.conv(x!, w!, undefined, given) })
const recurrent = (kind: string, gates: number, attributes: Record<string, Attribute> = {}): Work => ({
  shapes: [
    [32, 32, 64],
    [1, gates * 128, 64],
    [1, gates * 128, 128],
    [1, gates * 256],
  ],
  layer: (...inputs) => inputs[0]!.builder.node(kind, inputs, { hidden_size: int(128), ...attributes })[0]!,
})

/** The names are those of rules.py. */
const works: Readonly<Record<string, Work>> = {
  'conv LeNet 1': conv([128, 1, 28, 28], [6, 1, 5, 5], { pads: [2, 2, 2, 2] }),
  'conv LeNet 2': conv([128, 6, 14, 14], [16, 6, 5, 5]),
  'conv ResNet-20 16': conv([64, 16, 32, 32], [16, 16, 3, 3], same),
  'conv ResNet-20 16 to 32': conv([64, 16, 32, 32], [32, 16, 3, 3], { ...same, strides: [2, 2] }),
  'conv ResNet-20 32': conv([64, 32, 16, 16], [32, 32, 3, 3], same),
  'conv ResNet-20 64': conv([64, 64, 8, 8], [64, 64, 3, 3], same),
  'conv 1x1': conv([8, 256, 28, 28], [64, 256, 1, 1]),
  'conv patches': conv([32, 3, 96, 96], [192, 3, 16, 16], { strides: [16, 16] }),
  'conv depthwise': conv([32, 96, 28, 28], [96, 1, 3, 3], { ...same, group: 96 }),
  'conv transposed': {
    shapes: [
      [16, 32, 16, 16],
      [32, 16, 4, 4],
    ],
    layer: (x, w) => op.convTranspose(x!, w!, undefined, { strides: [2, 2], ...same }),
  },
  'max pool 3, 2': {
    shapes: [[64, 64, 32, 32]],
    layer: (x) => op.maxPool(x!, [3, 3], { strides: [2, 2], ...same }),
  },
  'max pool 2, 2': {
    shapes: [[64, 64, 32, 32]],
    layer: (x) => op.maxPool(x!, [2, 2], { strides: [2, 2] }),
  },
  'average pool 2, 2': {
    shapes: [[64, 64, 32, 32]],
    layer: (x) => op.averagePool(x!, [2, 2], { strides: [2, 2] }),
  },
  'batch norm': {
    shapes: [[64, 64, 16, 16], [64], [64]],
    layer: (x, w, b) => op.batchNormalizationTraining(x!, w!, b!)[0],
  },
  'layer norm': {
    shapes: [[4096, 192], [192], [192]],
    layer: (x, w, b) => op.layerNormalization(x!, w!, b!),
  },
  bilinear: {
    shapes: [[16, 32, 28, 28]],
    layer: (x) => op.resize(x!, { sizes: [16, 32, 56, 56] }),
  },
  lstm: recurrent('LSTM', 4),
  gru: recurrent('GRU', 3, { linear_before_reset: int(1) }),
}

const rounds = Number(options.rounds)
const python = spawn(process.env.PYTHON ?? 'python3', [
  fileURLToPath(new URL('rules.py', import.meta.url)),
  options.threads,
])
python.stderr.pipe(process.stderr)
const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]()

console.log('| layer | Pipilo ms | PyTorch ms | rate against PyTorch |\n|---|---|---|---|')
for (const [name, work] of Object.entries(works)) {
  if (!name.includes(options.only)) continue
  const session = await compile(graphOf(work), { workers: 0, threads: Number(options.threads) })
  const feeds = feedsOf(work)
  const [own, peer]: [number[], number[]] = [[], []]
  for (let round = -3; round < rounds; round++) {
    const start = performance.now()
    await session.run(feeds)
    const milliseconds = performance.now() - start
    const other = await ask(python, name)
    if (round < 0) continue
    own.push(milliseconds)
    peer.push(other)
  }
  await session.dispose()
  const [a, b] = [median(own), median(peer)]
  console.log(`| ${name} | ${a.toFixed(1)} | ${b.toFixed(1)} | ${(b / a).toFixed(2)} |`)
}
python.stdin.end()

/** Forward and the gradients of Σ y · y by everything. */
function graphOf({ shapes, layer }: Work): Graph {
  const b = new Builder()
  const inputs = shapes.map((shape, i) => b.input(`x${i}`, 'float32', shape))
  const y = layer(...inputs)
  b.output('loss', op.reduceSum(op.mul(y, y)))
  return grad(b.build(), { of: 'loss', by: inputs.map(({ name }) => name) })
}

function feedsOf({ shapes }: Work): Record<string, Tensor> {
  return Object.fromEntries(
    shapes.map((shape, seed) => {
      const data = Float32Array.from(
        { length: elementCount(shape) },
        (_, i) => 0.1 * Math.sin(1.3 * i + seed),
      )
      return [`x${seed}`, { dtype: 'float32', shape, data }]
    }),
  )
}

/** Milliseconds of one run in PyTorch's process. */
async function ask(peer: ChildProcessWithoutNullStreams, name: string): Promise<number> {
  peer.stdin.write(`${name}\n`)
  const { value } = await answers.next()
  return Number(value)
}
