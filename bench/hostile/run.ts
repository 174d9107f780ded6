/**
 * Damages files of every format that is read, and counts what comes of it: nothing may end but in a result or in a clear error, soon, and in
 * bounded memory.
 *
 *     npx tsx bench/hostile/run.ts [--seed 1] [--cases 5000] [--from 0] [--only png,onnx] [--isolate] [--whole] [--made] [--json]     # at the repository's root
 *
 * `--made` takes files made by hand that claim much and hold little. `--whole` damages nothing: all should be `ok`. Cases of ONNX that end the process are run again with `isolate: true`, where their end has to be an error.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Case, Outcome } from './child.ts'
import { formats } from './formats.ts'
import { made } from './made.ts'

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : (process.argv[at + 1] ?? '')
}
const seed = Number(option('seed') ?? 1)
const cases = Number(option('cases') ?? 5000)
const first = Number(option('from') ?? 0)
const only = option('only')?.split(',')
const isolate = process.argv.includes('--isolate')
const whole = process.argv.includes('--whole')
const json = process.argv.includes('--json')

const LIMIT = 10_000
const MEMORY = 2 * 2 ** 30
const A_CHILD = 50

const folder = mkdtempSync(join(tmpdir(), 'pipilo-hostile-'))
const seeds = join(folder, 'seeds')
const isMade = process.argv.includes('--made')
const chosen = isMade
  ? [{ name: 'made', make: async () => {} }]
  : formats.filter(({ name }) => !only || only.includes(name))

interface Child {
  readonly process: ChildProcess
  readonly work: string
  left: number
}

let child: Child | undefined
let started = 0

async function startChild(): Promise<Child> {
  const work = join(folder, `work-${started++}`)
  mkdirSync(work)
  const loader = import.meta.resolve('tsx')
  const path = fileURLToPath(new URL('child.ts', import.meta.url))
  const made = spawn(
    process.execPath,
    ['--expose-gc', '--max-old-space-size=1800', '--import', loader, path, seeds, work],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, PIPILO_CACHE: join(work, 'cache'), HF_HUB_OFFLINE: '1', HOME: work },
    },
  )
  await new Promise((resolve, reject) => {
    made.once('message', resolve)
    made.once('exit', () => reject(new Error('The child did not start.')))
  })
  return { process: made, work, left: A_CHILD }
}

interface Counted extends Partial<Outcome> {
  readonly format: string
  readonly number: number
  readonly end: 'ok' | 'error' | 'raw' | 'wrong' | 'hang' | 'crash' | 'memory' | 'runtime'
}

async function run(one: Case): Promise<Counted> {
  if (!child || child.left-- <= 0) {
    child?.process.kill('SIGKILL')
    if (child) rmSync(child.work, { recursive: true, force: true })
    child = await startChild()
  }
  const { process: running, work } = child
  const told = () => {
    try {
      return JSON.parse(readFileSync(join(work, 'now.json'), 'utf8')) as { file: string; how: string }
    } catch {
      return {}
    }
  }
  const { format, number } = one
  return new Promise((resolve) => {
    let ended: Counted['end'] | undefined
    const finish = (counted: Partial<Outcome> & { end: Counted['end'] }) => {
      clearTimeout(timer)
      clearInterval(watch)
      running.removeAllListeners()
      if (counted.end === 'crash' || counted.end === 'hang' || counted.end === 'memory') child = undefined
      resolve({ ...counted, format, number })
    }
    // Making a file is not counted.
    let began = false
    let ticks = 0
    let timer = setTimeout(() => running.kill('SIGKILL'), 20 * LIMIT)
    const watch = setInterval(() => {
      if (!began || memoryOf(running.pid!) < MEMORY) return
      ended = 'memory'
      running.kill('SIGKILL')
    }, 50)
    running.on('message', (outcome: Outcome | 'began') => {
      if (outcome === 'began') {
        began = true
        clearTimeout(timer)
        const start = cpuOf(running.pid!)
        // By the processor's time, as the machine may have other work; what only waits is given longer.
        timer = setInterval(() => {
          if (cpuOf(running.pid!) - start < LIMIT && ++ticks < 1200) return
          ended = 'hang'
          running.kill('SIGKILL')
        }, 100)
        return
      }
      finish({ ...outcome, end: outcome.memory > MEMORY ? 'memory' : outcome.outcome })
    })
    running.once('exit', (code, signal) =>
      finish({ ...told(), end: ended ?? 'crash', message: `${signal ?? code}` }),
    )
    running.send(one)
  })
}

/** Milliseconds of the processor's time that a process has taken. */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return 10 * (Number(fields[11]) + Number(fields[12]))
  } catch {
    return 0
  }
}

function memoryOf(pid: number): number {
  try {
    return 4096 * Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  } catch {
    return 0
  }
}

const ends = ['ok', 'error', 'raw', 'wrong', 'hang', 'crash', 'memory', 'runtime'] as const
const counts = new Map(
  chosen.map(({ name }) => [
    name,
    Object.fromEntries(ends.map((end) => [end, 0])) as Record<Counted['end'], number>,
  ]),
)
const faults: Counted[] = []
let done = 0
let largest = 0
let longest = 0

try {
  for (const { name, make } of chosen) {
    mkdirSync(join(seeds, name), { recursive: true })
    await make(join(seeds, name))
  }
  for (
    let number = first;
    number < (isMade ? Math.min(made.length, first + cases) : first + cases);
    number++
  ) {
    if (isMade && only && !only.some((word) => made[number]!.name.includes(word))) continue
    const format = chosen[number % chosen.length]!.name
    let result = await run({ format, number, seed, isolate, whole })
    if (result.end === 'crash' && !isolate && /onnx|tfjs/.test(format)) {
      const again = await run({ format, number, seed, isolate: true, whole })
      if (again.end === 'error') result = { ...again, end: 'runtime' }
    }
    counts.get(format)![result.end] += 1
    done += 1
    if (done % 100 === 0) console.error(`${done} cases, ${faults.length} faults`)
    largest = Math.max(largest, result.memory ?? 0)
    longest = Math.max(longest, result.milliseconds ?? 0)
    if (!(whole ? ['ok'] : ['ok', 'error']).includes(result.end)) {
      faults.push(result)
      if (!json)
        console.log(`${result.end} ${format} #${number} ${result.file}: ${result.how}\n    ${result.message}`)
    }
  }
} finally {
  child?.process.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}

const total = Object.fromEntries(
  ends.map((end) => [end, [...counts.values()].reduce((sum, each) => sum + each[end], 0)]),
)
if (json)
  console.log(
    JSON.stringify({ seed, cases, total, formats: Object.fromEntries(counts), largest, longest, faults }),
  )
else {
  const line = (name: string, each: Record<string, number>) =>
    `${name.padEnd(22)}${ends.map((end) => String(each[end]).padStart(9)).join('')}`
  console.log(
    [
      ' '.repeat(22) + ends.map((end) => end.padStart(9)).join(''),
      ...[...counts].map(([name, each]) => line(name, each)),
      line('all', total),
    ].join('\n'),
  )
  console.log(`most memory ${Math.round(largest / 2 ** 20)} MB, longest ${Math.round(longest)} ms`)
}
