/**
 * Minutes of mixed load on one server: texts, pictures, rows, searches, jobs, requests that are wrong and clients that leave. Prints the resident memory.
 *
 *     npx tsx serve/soak.ts 30          # minutes; in bench/, after npm install and npm run build
 *     npx tsx serve/soak.ts 5 FOLDER    # with another model of texts
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { random } from '../sentences.ts'
import { startServer, stopServer } from './start.ts'

const [minutes = '30', model = 'all-MiniLM-L6-v2'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'pipilo-soak-'))
const args = [
  '--model',
  `texts=${model}`,
  '--model',
  'mobilenet-v2',
  '--db',
  join(folder, 'db'),
  '--cache',
  join(folder, 'cache'),
  '--cache-size',
  '8',
]
const server = await startServer([...args, '--log', join(folder, 'log.jsonl'), '--idle', '60'])
const picture = `data:image/jpeg;base64,${readFileSync(new URL('../../samples/pictures/bricks.jpg', import.meta.url)).toString('base64')}`
const next = random(1)
const words = () =>
  Array.from(
    { length: 1 + Math.floor(next() * 8) },
    () => ['towhee', 'owl', 'oak', 'market', 'train', 'song'][Math.floor(next() * 6)],
  ).join(' ')
const counts = new Map<string, number>()

async function post(path: string, body: unknown, signal?: AbortSignal): Promise<void> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  }
  const response = await fetch(`${server.url}${path}`, init)
  await response.arrayBuffer()
  const key = `${path.replace(/\d+/g, 'N')} ${response.status}`
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

const kinds: (() => Promise<void>)[] = [
  () =>
    post('/v1/embeddings', {
      model: 'texts',
      input: Array.from({ length: 1 + Math.floor(next() * 20) }, words),
      truncate: 'end',
    }),
  () =>
    post('/v1/embeddings', { model: 'texts', input: words(), encoding_format: 'base64', truncate: 'end' }),
  () => post('/v1/embeddings', { model: 'mobilenet-v2', input: [{ image: picture }] }),
  () => post('/embed_all', { inputs: words(), truncate: true }),
  () =>
    post('/v1/collections/notes/upsert', {
      model: 'texts',
      rows: [{ id: `${Math.floor(next() * 500)}`, text: words() }],
    }),
  () => post('/v1/collections/notes/search', { query: { text: words() }, hybrid: next() < 0.5 }),
  () => post('/v1/embeddings', '{"model":'),
  () => post('/v1/embeddings', { model: words(), input: words() }),
  () => post('/v1/embeddings', { model: 'mobilenet-v2', input: [{ image: 'http://127.0.0.1/a.png' }] }),
  async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 20 * next())
    await post(
      '/v1/embeddings',
      { model: 'texts', input: Array.from({ length: 200 }, words), truncate: 'end' },
      controller.signal,
    ).catch(() => {})
  },
  async () => {
    const form = new FormData()
    for (let i = 0; i < 5; i++)
      form.append('files', new Blob([`${words()}\n\n${words()}`]), `${Math.floor(next() * 50)}.txt`)
    const response = await fetch(`${server.url}/v1/collections/notes/files`, { method: 'POST', body: form })
    const { id } = (await response.json()) as { id?: string }
    if (id !== undefined) await (await fetch(`${server.url}/v1/jobs/${id}/events`)).text()
  },
]

const megabytes = async () => {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  const [resident, heap] = ['resident', 'heap'].map((kind) =>
    Math.round(Number(new RegExp(`^pipilo_${kind}_bytes (\\d+)`, 'm').exec(text)![1]) / 1e6),
  )
  console.log(`${resident} MB, ${heap} of them JavaScript's`)
  return resident!
}

const until = performance.now() + Number(minutes) * 60_000
await kinds[4]!()
const seen: number[] = []
const watching = setInterval(() => void megabytes().then((size) => seen.push(size)), 20_000)
await Promise.all(
  Array.from({ length: 6 }, async () => {
    while (performance.now() < until) await kinds[Math.floor(next() * kinds.length)]!()
  }),
)
clearInterval(watching)
console.log(Object.fromEntries([...counts].sort()))
console.log(
  JSON.stringify({
    minutes: Number(minutes),
    firstThird: seen[Math.floor(seen.length / 3)],
    last: seen.at(-1),
    most: Math.max(...seen),
  }),
)
await stopServer(server)
rmSync(folder, { recursive: true, force: true })
