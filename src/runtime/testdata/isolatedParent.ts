// A process with an isolated session that runs for ever, to be killed by a test. It prints the number of its child.
import { readdirSync, readFileSync } from 'node:fs'
import { compile } from '../index.ts'
import { endlessFeeds, endlessGraph } from '../testing/hostile.ts'

/** Numbers of a process's children, on Linux. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[1]) === parent
      } catch {
        return false
      }
    })
}

if (process.argv.includes('--run')) {
  const session = await compile(endlessGraph(), { isolate: true, workers: 1, threads: 1 })
  await session.run(endlessFeeds({ rounds: 1 }))
  void session.run(endlessFeeds())
  setTimeout(() => process.stdout.write(`${childrenOf(process.pid).join(' ')}\n`), 200)
}
