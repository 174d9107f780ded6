/** Runs in processes that are killed, and on a disk that is full. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seeded } from '../nn/index.ts'

const script = fileURLToPath(new URL('testdata/runTraining.ts', import.meta.url))
const command = [process.execPath, '--import', 'tsx', script] as const

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-kill-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the script; kills it after so many lines, if so many come, and a moment. */
function run(
  args: readonly string[],
  { killAfter = Number.POSITIVE_INFINITY, delay = 0, prefix = [] as string[] } = {},
) {
  return new Promise<{ out: string; err: string; signal: string | null }>((resolve) => {
    const [program = '', ...rest] = [...prefix, ...command, ...args]
    const child = spawn(program, rest)
    const printed = { out: '', err: '' }
    child.stdout.on('data', (text) => {
      printed.out += text
      if (printed.out.split('\n').length > killAfter) setTimeout(() => child.kill('SIGKILL'), delay)
    })
    child.stderr.on('data', (text) => {
      printed.err += text
    })
    child.on('close', (_, signal) => resolve({ ...printed, signal }))
  })
}

const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
const told = (out: string) =>
  readFileSync(join(out, 'log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const {
        samplesPerSecond: _,
        secondsLeft: __,
        waiting: ___,
        ...rest
      } = JSON.parse(line) as Record<string, unknown>
      return rest
    })

describe('a run whose process is killed', () => {
  it('ends in the same model and log as one left alone, however often', { timeout: 120_000 }, async () => {
    const whole = join(folder, 'whole')
    expect((await run([whole, 'dropout'])).out).toMatch(/done\n$/)
    const out = join(folder, 'killed')
    const random = seeded(Date.now(), 'kills')
    let kills = 0
    for (let last = ''; !last.endsWith('done\n'); ) {
      const killAfter = kills < 5 ? 1 + Math.floor(10 * random.uniform()) : Number.POSITIVE_INFINITY
      const ended = await run([out, 'dropout', '3'], { killAfter, delay: Math.floor(12 * random.uniform()) })
      last = ended.out
      expect(ended.err).toBe('')
      if (ended.signal === 'SIGKILL') kills++
    }
    expect(kills).toBe(5)
    expect(hash(join(out, 'model.safetensors'))).toBe(hash(join(whole, 'model.safetensors')))
    expect(told(out)).toEqual(told(whole))
    // What a killed writer has left is gone.
    expect(readdirSync(join(out, 'checkpoints'))).toEqual(['step-000000039.safetensors'])
  })
})

describe.skipIf(process.platform === 'win32')('a disk that is full', () => {
  it('stops the run and leaves the last checkpoint, from which it goes on', { timeout: 60_000 }, async () => {
    const out = join(folder, 'full')
    await run([out, 'autoencoder'], { killAfter: 8 })
    const [before] = readdirSync(join(out, 'checkpoints'))
    // No file may be longer than 40 kB, and a checkpoint is.
    const limit = ['bash', '-c', 'ulimit -f 40; exec "$@"', 'limited']
    const full = await run([out, 'autoencoder'], { prefix: limit })
    expect(full.err).toMatch(/WRITE_FAILED/)
    expect(full.err).toMatch(/step-\d+\.safetensors/)
    expect(readdirSync(join(out, 'checkpoints'))).toEqual([before])
    expect((await run([out, 'autoencoder'])).out).toMatch(/^resumed \d+\n[\s\S]*done\n$/)
    const whole = join(folder, 'not full')
    await run([whole, 'autoencoder'])
    expect(hash(join(out, 'model.safetensors'))).toBe(hash(join(whole, 'model.safetensors')))
  })
})
