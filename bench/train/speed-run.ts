// One work of `speed.ts` in a process of its own: answers each line, a number of steps, with milliseconds and the peak of memory.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { compileStateful } from '../../src/runtime/index.ts'
import { works } from './works.ts'

const [name = '', threads = '2', recompute = ''] = process.argv.slice(2)
const options = recompute ? { recompute: [new RegExp(recompute)] } : {}
const { graph, state, feeds } = works[name]!(options)
const session = await compileStateful(graph, { state, threads: Number(threads), workers: 0 })
const fixed = feeds()
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [start, before] = [performance.now(), process.cpuUsage()]
  let loss = Number.NaN
  for (let i = 0; i < Number(line); i++) {
    const results = await session.step({ feeds: fixed, fetch: ['loss'] })
    loss = Number(results['loss']!.data[0])
  }
  const milliseconds = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  console.log(JSON.stringify({ milliseconds, processor: (user + system) / 1000, loss, memory: peak() }))
}
await session.dispose()

/** Peak resident memory in MB. */
function peak(): number {
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))!
  return Number(kilobytes) / 1024
}
