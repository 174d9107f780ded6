// Embeds texts with Pipilo and prints times, memory and vectors as JSON; one side of the benchmark of texts.
import { embedder } from 'pipilo'
import { best, peakMemory, readInput, watchEventLoop } from '../child.ts'

const texts = await readInput<string[]>()
const e = await embedder('all-MiniLM-L6-v2')
await e.embed(texts.slice(0, 8))
const watch = watchEventLoop()
const { vectors } = await e.embed(texts)
const late = watch.stop()
const milliseconds = await best(4, () => e.embed(texts))
console.log(
  JSON.stringify({ milliseconds, late, peak: peakMemory(), vectors: vectors.map((v) => Array.from(v)) }),
)
await e.dispose()
