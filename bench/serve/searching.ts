/**
 * Searches through a server: while a collection is indexed through it, beside the time of one batch of the model; and among many rows.
 *
 *     npx tsx serve/searching.ts                   # in bench/, after npm install and npm run build
 *     npx tsx serve/searching.ts --rows 100000
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { random } from '../sentences.ts'
import { quantile } from './client.ts'
import { startServer, stopServer } from './start.ts'

const { rows } = parseArgs({ options: { rows: { type: 'string', default: '0' } } }).values
const folder = mkdtempSync(join(tmpdir(), 'pipilo-searching-'))
const server = await startServer(['--model', 'all-MiniLM-L6-v2', '--warm', '--db', join(folder, 'db')])
const model = 'all-MiniLM-L6-v2'

async function post(path: string, body: object): Promise<unknown> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(`${server.url}${path}`, init)
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return response.json()
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

const summary = (times: readonly number[]) => ({
  count: times.length,
  p50: Math.round(quantile(times, 0.5)),
  p99: Math.round(quantile(times, 0.99)),
  most: Math.round(Math.max(...times)),
})

const sentence = (i: number) =>
  `The ${i}th towhee sings in the brush below the old oak while two other birds look for seeds between fallen leaves.`
try {
  await post('/v1/collections/notes/upsert', {
    model,
    rows: Array.from({ length: 200 }, (_, i) => ({ id: `${i}`, text: sentence(i) })),
  })
  const search = () =>
    timed(() => post('/v1/collections/notes/search', { query: { text: `birdsong ${Math.random()}` }, k: 10 }))
  await search()
  const alone: number[] = []
  for (let i = 0; i < 10; i++) alone.push(await search())
  const form = new FormData()
  form.set('by', 'line')
  form.append('files', new Blob([Array.from({ length: 3000 }, (_, i) => sentence(i)).join('\n')]), 'many.txt')
  const job = (await (
    await fetch(`${server.url}/v1/collections/many/files`, { method: 'POST', body: form })
  ).json()) as { id: string }
  const state = async () =>
    (await (await fetch(`${server.url}/v1/jobs/${job.id}`)).json()) as {
      state: string
      progress: { indexed: number }
    }
  const during: number[] = []
  const began = performance.now()
  while ((await state()).progress.indexed === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  while ((await state()).state === 'running') {
    during.push(await search())
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const perLine = (performance.now() - began) / 3000
  // A batch holds 512 tokens, which are 18 of these lines; two run at a time.
  console.log(
    JSON.stringify({
      alone: summary(alone),
      whileIndexing: summary(during),
      batch: Math.round(2 * 18 * perLine),
    }),
  )
  if (Number(rows) > 0) {
    const next = random(1)
    for (let from = 0; from < Number(rows); from += 1000) {
      const some = Array.from({ length: 1000 }, (_, i) => ({
        id: `${from + i}`,
        vector: Array.from({ length: 384 }, () => Number((next() - 0.5).toFixed(4))),
        metadata: { text: sentence(from + i), year: 2000 + (i % 25) },
      }))
      await post('/v1/collections/large/upsert', { rows: some })
    }
    const among = async (query: object) => {
      const times: number[] = []
      for (let i = 0; i < 50; i++)
        times.push(
          await timed(() =>
            post('/v1/collections/large/search', {
              query: { vector: Array.from({ length: 384 }, () => next() - 0.5) },
              ...query,
            }),
          ),
        )
      return summary(times)
    }
    await among({})
    console.log(
      JSON.stringify({
        rows: Number(rows),
        plain: await among({}),
        filtered: await among({ filter: { year: { gte: 2020 } } }),
      }),
    )
  }
} finally {
  await stopServer(server)
  rmSync(folder, { recursive: true, force: true })
}
