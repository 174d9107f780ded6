// One process that embeds texts without a server: the rate that a server's is compared with.
import { embedder } from 'pipilo'

const [seconds = '5', text = ''] = process.argv.slice(2)
const texts = Array<string>(128).fill(text)
const e = await embedder('all-MiniLM-L6-v2')
const { tokens } = await e.embed(texts)
const started = performance.now()
const before = process.cpuUsage()
let count = 0
while (performance.now() - started < Number(seconds) * 1000) {
  await e.embed(texts)
  count += texts.length
}
const { user, system } = process.cpuUsage(before)
const rate = count / ((performance.now() - started) / 1000)
console.log(JSON.stringify({ rate, tokens: tokens[0], cpu: (user + system) / 1000 / count }))
await e.dispose()
