// Embeds the pictures twice with transformers.js, in batches of one size, in a process of its own, and measures the second time.
import { env, pipeline } from '@huggingface/transformers'
import { peakMemory, readInput, watchEventLoop } from '../child.ts'

const { folder, files, size } = await readInput<{ folder: string; files: string[]; size: number }>()
env.allowRemoteModels = false
env.localModelPath = folder
const extract = await pipeline('image-feature-extraction', 'mobilenet', { dtype: 'fp32' })

const embed = async () => {
  const vectors: number[][] = []
  for (let start = 0; start < files.length; start += size) {
    const { data, dims } = await extract(files.slice(start, start + size))
    const width = dims.at(-1)!
    for (let at = 0; at < data.length; at += width)
      vectors.push(Array.from(data.slice(at, at + width) as Float32Array))
  }
  return vectors
}

await embed()
const watch = watchEventLoop()
const start = performance.now()
const vectors = await embed()
const milliseconds = performance.now() - start
const late = watch.stop()
console.log(JSON.stringify({ milliseconds, late, peak: peakMemory(), vectors }))
