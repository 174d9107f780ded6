// Embeds the pictures twice in a process of its own, and measures the second time.
import { embedder } from 'pipilo'
import { peakMemory, readInput, watchEventLoop } from '../child.ts'

const { model, card, files } = await readInput<{ model: string; card: object; files: string[] }>()
const e = await embedder(model, { card })
await e.embed(files)
const watch = watchEventLoop()
const start = performance.now()
const { vectors } = await e.embed(files)
const milliseconds = performance.now() - start
const late = watch.stop()
console.log(
  JSON.stringify({ milliseconds, late, peak: peakMemory(), vectors: vectors.map((v) => Array.from(v)) }),
)
await e.dispose()
