// From a cold process to the first vector with transformers.js, on the same weights.
import { env, pipeline } from '@huggingface/transformers'

env.allowRemoteModels = false
env.localModelPath = process.argv[2]
const extract = await pipeline('feature-extraction', 'minilm', { dtype: 'fp32' })
const output = await extract(['How long until the first vector?'], { pooling: 'mean', normalize: true })
console.log(
  JSON.stringify({
    milliseconds: Date.now() - Number(process.env.SPAWNED),
    peak: process.resourceUsage().maxRSS / 1024,
    vector: Array.from(output.data),
  }),
)
