// A work's step by operator, from ONNX Runtime's profile.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileStateful } from '../../src/runtime/index.ts'
import { works } from './works.ts'

interface Event {
  readonly cat: string
  readonly name: string
  readonly dur: number
  readonly args?: { readonly op_name?: string; readonly input_type_shape?: Record<string, number[]>[] }
}

const STEPS = 15

/** Prints the kernels' times in a step, each node's shortest: of each operator, and of the operators with their shapes. */
export async function printProfile(name: string, threads: number, recompute: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-profile-'))
  const { graph, state, feeds } = works[name]!(recompute ? { recompute: [new RegExp(recompute)] } : {})
  const session = await compileStateful(graph, {
    state,
    threads,
    workers: 0,
    profile: join(folder, 'run'),
  })
  const fixed = feeds()
  const start = performance.now()
  for (let i = 0; i < STEPS; i++) await session.step({ feeds: fixed, fetch: ['loss'] })
  const wall = (performance.now() - start) / STEPS
  await session.dispose()
  const [file = ''] = readdirSync(folder)
  const events: Event[] = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  rmSync(folder, { recursive: true })
  const kernels = fastest(events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time')))
  const shapesOf = ({ args }: Event) =>
    args?.input_type_shape?.map((shape) => Object.values(shape)[0]?.join('×')).slice(0, 2)
  print(name, 16, kernels, ({ args }) => args?.op_name ?? '')
  print(name, 40, kernels, (event) => `${event.args?.op_name} ${shapesOf(event)?.join(' ')}`)
  console.log(`${name}: ${wall.toFixed(1)} ms a step with the profile's own cost`)
}

/** The run of each node that other programs disturbed least. */
function fastest(events: readonly Event[]): Event[] {
  const found = new Map<string, Event>()
  for (const event of events) {
    const known = found.get(event.name)
    if (!known || event.dur < known.dur) found.set(event.name, event)
  }
  return [...found.values()]
}

function print(name: string, most: number, events: readonly Event[], key: (event: Event) => string): void {
  const found = new Map<string, { time: number; count: number }>()
  for (const event of events) {
    const { time, count } = found.get(key(event)) ?? { time: 0, count: 0 }
    found.set(key(event), { time: time + event.dur, count: count + 1 })
  }
  const total = [...found.values()].reduce((sum, { time }) => sum + time, 0)
  console.log(`${name}: ${(total / 1000).toFixed(2)} ms a step in kernels`)
  for (const [label, { time, count }] of [...found].sort((a, b) => b[1].time - a[1].time).slice(0, most)) {
    const milliseconds = (time / 1000).toFixed(2).padStart(8)
    console.log(
      `${milliseconds} ms ${((100 * time) / total).toFixed(1).padStart(5)}% ${String(count).padStart(5)} × ${label}`,
    )
  }
}
