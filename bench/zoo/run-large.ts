/** One process of large.ts. */
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { embedder, open } from 'pipilo'
import { loadTokenizer } from 'pipilo/embed'

const [source, cacheDir, save] = process.argv.slice(2) as [string, string, string]
process.env['PIPILO_CACHE'] = cacheDir
const text = 'A towhee scratches among last year’s leaves.'
const bytes = (what: string) =>
  1024 * Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))![1])

let [anonymous, mapped] = [0, 0]
const look = () => {
  anonymous = Math.max(anonymous, bytes('RssAnon'))
  mapped = Math.max(mapped, bytes('RssFile'))
}
const timer = setInterval(look, 20)
const seconds = (since: number) => (performance.now() - since) / 1000

const start = performance.now()
const model = await open(source)
const options = { pool: 'last', normalize: true, runtime: { cacheDir } } as const
const e = await embedder(model, options)
const opened = seconds(start)
const first = performance.now()
const { vectors } = await e.embed([text])
const firstSeconds = seconds(first)
const again = performance.now()
await Promise.all([e.embed([text]), e.embed([text]), e.embed([text])])
const againSeconds = seconds(again)
let saved: number | undefined
if (save) {
  mkdirSync(dirname(save), { recursive: true })
  const begun = performance.now()
  await model.save(save)
  saved = seconds(begun)
}
look()
clearInterval(timer)
const tokenizer = await loadTokenizer(model.tokenizer!)
await e.dispose()
const ids = tokenizer.encode(text).ids
console.log(
  JSON.stringify({
    opened,
    first: firstSeconds,
    again: againSeconds,
    saved,
    anonymous,
    mapped,
    ids,
    vector: Array.from(vectors[0]!),
  }),
)
