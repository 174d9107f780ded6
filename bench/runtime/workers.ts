/**
 * How many workers with how many threads: sentences and GFLOP/s of MiniLM for 512 sentences of 35 tokens on average,
 * the latency of one sentence, and resident memory.
 *
 *     npx tsx bench/runtime/workers.ts
 */
import { compile } from '../../src/runtime/index.ts'
import { feeds, minilm, mixedBatches, operations } from './minilm.ts'

const graph = await minilm()
const batches = mixedBatches()
const work = batches.reduce((sum, [batch, length]) => sum + operations(batch, length), 0)
const texts = batches.reduce((sum, [batch]) => sum + batch, 0)
// The last ones in child processes.
for (const [workers, threads, isolate = false] of [
  [1, 1],
  [1, 2],
  [2, 1],
  [2, 2],
  [1, 2, true],
  [2, 1, true],
] as const) {
  const session = await compile(graph, { workers, threads, isolate })
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    await Promise.all(batches.map(([batch, length]) => session.run(feeds(batch, length))))
    best = Math.min(best, performance.now() - start)
  }
  let single = Number.POSITIVE_INFINITY
  for (let round = 0; round < 40; round++) {
    const start = performance.now()
    await session.run(feeds(1, 32))
    single = Math.min(single, performance.now() - start)
  }
  const rss = (process.memoryUsage().rss / 2 ** 20).toFixed(0)
  console.log(
    `${workers} ${isolate ? 'processes' : 'workers'} × ${threads} threads: ${((texts / best) * 1000).toFixed(0)} sentences/s, ` +
      `${(work / best / 1e6).toFixed(0)} GFLOP/s, one sentence ${single.toFixed(1)} ms, ${rss} MB`,
  )
  await session.dispose()
}
