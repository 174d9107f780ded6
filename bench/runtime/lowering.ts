/**
 * Gain of lowering MiniLM: time to compile (the second time, with converted weights cached), processor time of a run,
 * GFLOP/s on one thread.
 *
 *     npx tsx bench/runtime/lowering.ts
 */
import { compile } from '../../src/runtime/index.ts'
import { feeds, minilm, operations } from './minilm.ts'

const graph = await minilm()
await (await compile(graph, { workers: 0, threads: 1 })).dispose()
for (const lower of [true, false]) {
  const before = performance.now()
  const session = await compile(graph, { workers: 0, threads: 1, lower })
  console.log(`lower: ${lower}, compiled in ${(performance.now() - before).toFixed(0)} ms`)
  for (const [batch, length] of [
    [1, 8],
    [1, 32],
    [16, 32],
    [64, 8],
    [4, 128],
    [2, 256],
  ] as const) {
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 30; round++) {
      const start = process.cpuUsage()
      await session.run(feeds(batch, length))
      const { user, system } = process.cpuUsage(start)
      best = Math.min(best, (user + system) / 1000)
    }
    const rate = operations(batch, length) / best / 1e6
    console.log(`  ${batch} × ${length}: ${best.toFixed(1)} ms, ${rate.toFixed(0)} GFLOP/s`)
  }
  await session.dispose()
}
