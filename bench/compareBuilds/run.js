// Embeds inputs with a build of Pipilo, in a process of its own: the first one from a cold process, or all of them, warm.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, model, first] = process.argv.slice(2)
const isFirst = first === 'first'
let given = ''
for await (const piece of process.stdin.setEncoding('utf8')) given += piece
const inputs = JSON.parse(given)
const { embedder } = await import(pathToFileURL(join(folder, 'dist/index.js')).href)
const e = await embedder(model)
let start = Number(process.env.SPAWNED)
if (!isFirst) {
  await e.embed(inputs)
  start = performance.timeOrigin + performance.now()
}
const { vectors } = await e.embed(inputs)
const milliseconds = performance.timeOrigin + performance.now() - start
const peak = process.resourceUsage().maxRSS / 1024
console.log(JSON.stringify({ milliseconds, peak, vectors: vectors.map((vector) => Array.from(vector)) }))
await e.dispose()
