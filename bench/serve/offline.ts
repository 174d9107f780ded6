// One process that embeds texts without a server: the rate that a server's is compared with.
import { embedder } from 'pipilo'

const [seconds = '5', text = ''] = process.argv.slice(2)
const texts = Array<string>(512).fill(text)
const e = await embedder('all-MiniLM-L6-v2')
const { tokens } = await e.embed(texts)
const started = performance.now()
let count = 0
while (performance.now() - started < Number(seconds) * 1000) {
  await e.embed(texts)
  count += texts.length
}
console.log(JSON.stringify({ rate: count / ((performance.now() - started) / 1000), tokens: tokens[0] }))
await e.dispose()
