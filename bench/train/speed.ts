/**
 * Steps a second of whole training steps beside PyTorch, turn about, each in a process of its own: medians, their ratio, peaks of memory.
 *
 *     PYTHON=venv/bin/python npx tsx bench/train/speed.ts [mlp vit lenet resnet20 minilm minilm-sparse]... [--threads 1] [--rounds 9]
 *         [--recompute '^blocks\.\d+'] [--tfjs] [--alone] [--profile]
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from '../child.ts'
import { printProfile } from './profile.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string' },
    rounds: { type: 'string', default: '9' },
    recompute: { type: 'string', default: '' },
    tfjs: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
})

/** Steps of a turn: a tenth to a half of a second. */
const steps: Readonly<Record<string, number>> = {
  mlp: 50,
  vit: 1,
  lenet: 20,
  resnet20: 2,
  minilm: 1,
  'minilm-sparse': 1,
}
const ROUNDS = Number(options.rounds)
// The default allocator gives pages back and faults them in again, which costs PyTorch up to four times.
const tuned = {
  MALLOC_MMAP_THRESHOLD_: '2000000000',
  MALLOC_TRIM_THRESHOLD_: '4000000000',
  MALLOC_TOP_PAD_: '268435456',
}

interface Answer {
  readonly milliseconds: number
  /** Milliseconds of processor time: steadier beside other programs, with one thread. */
  readonly processor: number
  readonly loss: number
  readonly memory: number
}

interface Peer {
  readonly name: string
  readonly threads: string
  ask(steps: number): Promise<Answer>
  end(): void
}

const names = positionals.length > 0 ? positionals : Object.keys(steps)
if (options.profile) {
  for (const name of names) await printProfile(name, Number(options.threads ?? 1), options.recompute)
} else {
  console.log(
    '| work | who | threads | steps a second | rate against PyTorch | processor ms a step | of PyTorch | peak MB | of PyTorch |',
  )
  console.log('|---|---|---|---|---|---|---|---|---|')
  for (const name of names) await measure(name)
}

async function measure(name: string): Promise<void> {
  const threads = options.threads ? [options.threads] : ['1', '2']
  const peers = [
    await open('Pipilo', threads.at(-1)!, [
      process.execPath,
      '--import',
      import.meta.resolve('tsx'),
      path('speed-run.ts'),
      name,
      threads.at(-1)!,
      options.recompute,
    ]),
  ]
  if (!options.alone) {
    for (const count of threads) {
      const command = [process.env['PYTHON'] ?? 'python3', path('speed.py'), name, count]
      peers.push(await open('PyTorch', count, command, { ...tuned, OMP_NUM_THREADS: count }))
    }
  }
  if (options.tfjs && ['mlp', 'lenet'].includes(name)) {
    const command = [process.execPath, '--import', import.meta.resolve('tsx'), path('speed-tfjs.ts'), name]
    // In WebAssembly it has no gradient of a convolution by its weights.
    const backends = name === 'mlp' ? ['cpu', 'wasm'] : ['cpu']
    for (const backend of backends)
      peers.push(await open(`TensorFlow.js ${backend}`, '1', [...command, backend]))
  }
  const count = steps[name]!
  const answers = peers.map((): Answer[] => [])
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, peer] of peers.entries()) {
      // Seconds a step.
      if (peer.name.startsWith('Tensor') && round > 1) continue
      const answer = await peer.ask(peer.name.startsWith('Tensor') ? 1 : count)
      if (round >= 0) answers[i]!.push(answer)
    }
  }
  for (const peer of peers) peer.end()
  const rows = peers.map(({ name: who, threads }, i) => {
    const each = who.startsWith('Tensor') ? 1 : count
    return {
      who,
      threads,
      rate: (each * 1000) / median(answers[i]!.map(({ milliseconds }) => milliseconds)),
      processor: median(answers[i]!.map(({ processor }) => processor)) / each,
      memory: answers[i]!.at(-1)!.memory,
    }
  })
  const torch = rows.filter(({ who }) => who === 'PyTorch').toSorted((a, b) => b.rate - a.rate)[0]
  for (const { who, threads, rate, processor, memory } of rows) {
    const of = (mine: number, its: number | undefined) => (its ? (mine / its).toFixed(2) : '')
    const cells = [
      [name, who, threads],
      [rate.toFixed(1), of(rate, torch?.rate)],
      [processor.toFixed(1), of(processor, torch?.processor)],
      [memory.toFixed(0), of(memory, torch?.memory)],
    ]
    console.log(`| ${cells.flat().join(' | ')} |`)
  }
}

function path(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}

async function open(
  name: string,
  threads: string,
  [program, ...args]: string[],
  env: Record<string, string> = {},
): Promise<Peer> {
  const child: ChildProcessWithoutNullStreams = spawn(program!, args, { env: { ...process.env, ...env } })
  child.stderr.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return {
    name,
    threads,
    async ask(count) {
      child.stdin.write(`${count}\n`)
      return JSON.parse((await lines.next()).value)
    },
    end: () => child.stdin.end(),
  }
}
