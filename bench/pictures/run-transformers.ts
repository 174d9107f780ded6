// Embeds pictures with transformers.js and prints times, memory and vectors as JSON; the peer in that benchmark.
import { env, pipeline } from '@huggingface/transformers'
import { best, peakMemory, readInput, watchEventLoop } from '../child.ts'

const { folder, files, batches } = await readInput<{ folder: string; files: string[]; batches: number[] }>()
env.allowRemoteModels = false
env.localModelPath = folder
const extract = await pipeline('image-feature-extraction', 'mobilenet', { dtype: 'fp32' })

const embed = async (size: number) => {
  const vectors: number[][] = []
  for (let start = 0; start < files.length; start += size) {
    const { data, dims } = await extract(files.slice(start, start + size))
    const width = dims.at(-1)!
    for (let at = 0; at < data.length; at += width)
      vectors.push(Array.from(data.slice(at, at + width) as Float32Array))
  }
  return vectors
}

await embed(1)
const watch = watchEventLoop()
const vectors = await embed(batches[0]!)
const late = watch.stop()
const milliseconds: Record<number, number> = {}
for (const size of batches) milliseconds[size] = await best(1, () => embed(size))
console.log(JSON.stringify({ milliseconds, late, peak: peakMemory(), vectors }))
