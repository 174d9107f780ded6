// Embeds the texts twice in a process of its own, and measures the second time.
import { embedder } from 'pipilo'
import { peakMemory, readInput, watchEventLoop } from '../child.ts'

const texts = await readInput<string[]>()
const e = await embedder('all-MiniLM-L6-v2')
await e.embed(texts)
const watch = watchEventLoop()
const start = performance.now()
const { vectors } = await e.embed(texts)
const milliseconds = performance.now() - start
const late = watch.stop()
console.log(
  JSON.stringify({ milliseconds, late, peak: peakMemory(), vectors: vectors.map((v) => Array.from(v)) }),
)
await e.dispose()
