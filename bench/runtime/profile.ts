/**
 * Profile of a run of MiniLM: time by operator and shape of its inputs.
 *
 *     npx tsx bench/runtime/profile.ts [batch] [length]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compile } from '../../src/runtime/index.ts'
import { feeds, minilm } from './minilm.ts'

interface Event {
  cat: string
  name: string
  dur: number
  args?: { op_name?: string; input_type_shape?: Record<string, number[]>[] }
}

const [batch, length] = process.argv.slice(2).map(Number)
const runs = 20
const folder = mkdtempSync(join(tmpdir(), 'pipilo-profile-'))
const session = await compile(await minilm(), { workers: 0, threads: 1, profile: join(folder, 'run') })
for (let i = 0; i < runs; i++) await session.run(feeds(batch || 16, length || 32))
await session.dispose()

const [file = ''] = readdirSync(folder)
const events: Event[] = JSON.parse(readFileSync(join(folder, file), 'utf8'))
rmSync(folder, { recursive: true })
const times = new Map<string, number>()
for (const { cat, name, dur, args } of events) {
  if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue
  const shapes = args?.input_type_shape?.map((shape) => Object.values(shape)[0]?.join('×')).slice(0, 2)
  const key = `${args?.op_name} ${shapes?.join(' ')}`
  times.set(key, (times.get(key) ?? 0) + dur)
}
const total = [...times.values()].reduce((sum, time) => sum + time, 0)
for (const [key, time] of [...times].sort((a, b) => b[1] - a[1]).slice(0, 24))
  console.log(
    `${key.padEnd(50)} ${(time / runs / 1000).toFixed(2).padStart(7)} ms ${((100 * time) / total).toFixed(1).padStart(5)}%`,
  )
console.log(`${'all'.padEnd(50)} ${(total / runs / 1000).toFixed(2).padStart(7)} ms`)
