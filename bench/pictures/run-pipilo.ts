// Embeds pictures with Pipilo and prints times, memory and vectors as JSON; one side of the benchmark of pictures.
import { embedder } from 'pipilo'
import { best, peakMemory, readInput, watchEventLoop } from '../child.ts'

const { model, card, files } = await readInput<{ model: string; card: object; files: string[] }>()
const e = await embedder(model, { card })
await e.embed(files.slice(0, 4))
const watch = watchEventLoop()
const { vectors } = await e.embed(files)
const late = watch.stop()
const milliseconds = await best(2, () => e.embed(files))
console.log(
  JSON.stringify({ milliseconds, late, peak: peakMemory(), vectors: vectors.map((v) => Array.from(v)) }),
)
await e.dispose()
