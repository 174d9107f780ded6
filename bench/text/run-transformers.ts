// Embeds texts with transformers.js and prints times, memory and vectors as JSON; the peer of the benchmark of texts.
import { env, pipeline } from '@huggingface/transformers'
import { best, peakMemory, readInput, watchEventLoop } from '../child.ts'

const texts = await readInput<string[]>()
env.allowRemoteModels = false
env.localModelPath = process.argv[2]!
const batches = process.argv.slice(3).map(Number)
const extract = await pipeline('feature-extraction', 'minilm', { dtype: 'fp32' })
const options = { pooling: 'mean', normalize: true } as const

const embed = async (size: number) => {
  const vectors: number[][] = []
  for (let start = 0; start < texts.length; start += size) {
    vectors.push(...(await extract(texts.slice(start, start + size), options)).tolist())
  }
  return vectors
}

await embed(32)
const watch = watchEventLoop()
const vectors = await embed(32)
const late = watch.stop()
const milliseconds: Record<number, number> = {}
for (const size of batches)
  milliseconds[size] = await best(size === 1 || size === 32 ? 2 : 1, () => embed(size))
const tokens = texts.map((text) => extract.tokenizer(text).input_ids.size)
console.log(JSON.stringify({ milliseconds, late, peak: peakMemory(), vectors, tokens }))
