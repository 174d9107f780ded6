// Embeds the texts twice with transformers.js, in batches of one size, in a process of its own, and measures the second time.
import { env, pipeline } from '@huggingface/transformers'
import { peakMemory, readInput, watchEventLoop } from '../child.ts'

const texts = await readInput<string[]>()
const [folder, size] = [process.argv[2]!, Number(process.argv[3])]
env.allowRemoteModels = false
env.localModelPath = folder
const extract = await pipeline('feature-extraction', 'minilm', { dtype: 'fp32' })
const options = { pooling: 'mean', normalize: true } as const

const embed = async () => {
  const vectors: number[][] = []
  for (let start = 0; start < texts.length; start += size) {
    vectors.push(...(await extract(texts.slice(start, start + size), options)).tolist())
  }
  return vectors
}

await embed()
const watch = watchEventLoop()
const start = performance.now()
const vectors = await embed()
const milliseconds = performance.now() - start
const late = watch.stop()
const peak = peakMemory()
const tokens = texts.map((text) => extract.tokenizer(text).input_ids.size)
console.log(JSON.stringify({ milliseconds, late, peak, vectors, tokens }))
