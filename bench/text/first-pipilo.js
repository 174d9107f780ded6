// From a cold process to the first vector, as a user's program would.
import { embedder } from 'pipilo'

const e = await embedder('all-MiniLM-L6-v2')
const { vectors } = await e.embed(['How long until the first vector?'])
console.log(
  JSON.stringify({
    milliseconds: Date.now() - Number(process.env.SPAWNED),
    peak: process.resourceUsage().maxRSS / 1024,
    vector: Array.from(vectors[0]),
  }),
)
