// Runs cases, one after the other, as run.ts asks: copies a format's folder, damages one file of it, and uses it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PipiloError } from '../../src/base/index.ts'
import { seeded } from '../../src/nn/index.ts'
import { filesIn, formats, WrongNumbers } from './formats.ts'
import { made, useMade } from './made.ts'
import { mutate } from './mutate.ts'

export interface Case {
  readonly format: string
  readonly number: number
  readonly seed: number
  readonly isolate: boolean
  /** Nothing is damaged. */
  readonly whole: boolean
}

export interface Outcome {
  readonly outcome: 'ok' | 'error' | 'raw' | 'wrong'
  readonly file: string
  readonly how: string
  readonly message?: string
  readonly code?: string
  /** Most resident memory of the case, in bytes, and of the process before it. */
  readonly memory: number
  readonly milliseconds: number
}

const [seeds = '', work = ''] = process.argv.slice(2)
let stray: unknown
process.on('unhandledRejection', (error) => {
  stray ??= error
})
process.on('uncaughtException', (error) => {
  stray ??= error
})

process.on('message', async (one: Case) => {
  process.send!(await run(one))
})
process.on('disconnect', () => process.exit())

async function run({ format: name, number, seed, isolate, whole }: Case): Promise<Outcome> {
  if (name === 'made') return runMade(made[number]!, isolate)
  const format = formats.find((each) => each.name === name)!
  const random = seeded(seed, `case ${number}`)
  const from = join(seeds, name)
  const folder = join(work, `case-${number}`)
  const files = (await filesIn(from)).filter((file) => format.damaged?.test(file) ?? true)
  const file = files[Math.floor(random.uniform() * files.length)]!
  await cp(from, folder, { recursive: true })
  const good = new Uint8Array(await readFile(join(from, file)))
  const { bytes, how } = whole ? { bytes: good, how: 'whole' } : mutate(good, file, () => random.uniform())
  await writeFile(join(folder, file), bytes)
  const told = { file, how }
  return watched(folder, told, () => format.use(folder, { file, cache: join(work, 'cache'), isolate }))
}

async function runMade(one: (typeof made)[number], isolate: boolean): Promise<Outcome> {
  const folder = join(work, 'made')
  mkdirSync(folder, { recursive: true })
  const told = { file: one.name, how: 'made' }
  // Made in a moment, and not counted: it holds far more than the file.
  await one.make(folder)
  globalThis.gc?.()
  return watched(folder, told, () => useMade(one, folder, { cache: join(work, 'cache'), isolate }))
}

async function watched(
  folder: string,
  told: { file: string; how: string },
  use: () => Promise<unknown>,
): Promise<Outcome> {
  // Written down first: the process may die.
  writeFileSync(join(work, 'now.json'), JSON.stringify(told))
  process.send!('began')
  forgetPeak()
  const start = performance.now()
  stray = undefined
  let result: Pick<Outcome, 'outcome' | 'message' | 'code'>
  try {
    await use()
    result = { outcome: 'ok' }
  } catch (error) {
    result = outcomeOf(error)
  }
  const milliseconds = performance.now() - start
  await new Promise((resolve) => setImmediate(resolve))
  if (stray !== undefined) result = { ...outcomeOf(stray), outcome: 'raw' }
  const memory = peak()
  await rm(folder, { recursive: true, force: true })
  return { ...result, ...told, memory, milliseconds }
}

function outcomeOf(error: unknown): Pick<Outcome, 'outcome' | 'message' | 'code'> {
  if (error instanceof PipiloError)
    return { outcome: 'error', code: error.code, message: error.message.slice(0, 300) }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { outcome: error instanceof WrongNumbers ? 'wrong' : 'raw', message: message.slice(0, 1500) }
}

function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {}
}

function peak(): number {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
  } catch {
    return process.memoryUsage().rss
  }
}

mkdirSync(work, { recursive: true })
process.send!('ready')
