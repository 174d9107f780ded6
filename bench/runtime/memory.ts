/**
 * Memory over many runs of random lengths from 8 to 256, 512 tokens a batch, on the default workers.
 *
 *     npx tsx bench/runtime/memory.ts [runs]
 */
import { readFileSync } from 'node:fs'
import { compile } from '../../src/runtime/index.ts'
import { feeds, minilm } from './minilm.ts'

const runs = Number(process.argv[2] ?? 2000)
const session = await compile(await minilm())
let seed = 1
const random = () => {
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed / 2147483648
}
for (let run = 0; run <= runs; run += session.concurrency) {
  const lengths = Array.from({ length: session.concurrency }, () => 8 + Math.floor(random() * 249))
  await Promise.all(
    lengths.map((length) => session.run(feeds(Math.max(1, Math.floor(512 / length)), length))),
  )
  if (run % Math.floor(runs / 10) < session.concurrency) console.log(`after ${run} runs: ${memory()}`)
}
await session.dispose()
console.log(`disposed: ${memory()}`)

/** On Linux also what is not shared with the files that weights are mapped from. */
function memory(): string {
  const rss = `${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MB resident`
  if (process.platform !== 'linux') return rss
  const own = /^Private_Dirty:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]
  return `${rss}, ${(Number(own) / 1024).toFixed(0)} MB of it private`
}
