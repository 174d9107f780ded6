/**
 * Growth of memory: 20,000 texts of mixed length through MiniLM: resident memory a quarter of the way and at the end.
 *
 *     npx tsx memory.ts
 */
import { embedder } from 'pipilo'
import { mixedTexts } from './sentences.ts'

const count = Number(process.argv[2] ?? 20_000)
const resident = () => process.memoryUsage.rss() / 2 ** 20
const e = await embedder('all-MiniLM-L6-v2')
const start = performance.now()
let done = 0
let quarter = 0
for await (const _ of e.stream(mixedTexts(count, 3))) {
  if (++done === count / 4) quarter = resident()
  if (done % (count / 10) === 0) {
    const seconds = (performance.now() - start) / 1000
    console.log(`${done} texts, ${resident().toFixed(1)} MB, ${(done / seconds).toFixed(0)} texts/s`)
  }
}
console.log(
  `from a quarter of the way to the end: ${(resident() - quarter).toFixed(1)} MB (goal ≤ 16), ${((performance.now() - start) / 1000).toFixed(0)} s`,
)
await e.dispose()
