/**
 * Semantic search in a hono app: `POST /notes` adds a note, `{ "id": …, "text": … }`, and `GET /search?q=…` answers with those that
 * mean the same. There is nothing to find before something was added:
 *
 *     npx tsx honoSearch.ts      # in examples/, after npm ci; then, elsewhere:
 *     curl localhost:8787/notes -d '{ "id": "a", "text": "apples and pears" }'
 *     curl 'localhost:8787/search?q=fruit'
 */
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'
import { Hono } from 'hono'
import { connect, embedder, PipiloError } from 'pipilo'

export async function searchApp(db = '.pipilo') {
  const e = await embedder('all-MiniLM-L6-v2')
  const store = await connect(db)
  const notes = await store.collection('notes', { embedder: e })
  const app = new Hono()

  app.get('/search', async (c) => {
    const text = c.req.query('q')?.trim()
    if (!text) return c.json({ error: 'Say what to look for: /search?q=…' }, 400)
    const k = Math.min(50, Number(c.req.query('k') ?? 5) || 5)
    // The request's signal: a client who leaves gives up its place.
    const hits = await notes.search({ text }, { k, signal: c.req.raw.signal })
    return c.json(hits.map(({ id, score, metadata }) => ({ id, score, text: metadata.text })))
  })

  app.post('/notes', async (c) => {
    const { id, text } = (await c.req.json<{ id?: unknown; text?: unknown } | null>().catch(() => null)) ?? {}
    if (typeof id !== 'string' || typeof text !== 'string')
      return c.json({ error: 'Send JSON: { "id": "a", "text": "apples and pears" }' }, 400)
    const { vectors, truncated } = await e.embed([text])
    await notes.upsert([{ id, vector: vectors[0]!, metadata: { text } }])
    return c.json({ id, truncated: truncated.length > 0 }, 201)
  })

  app.onError((error, c) =>
    // A queue that is full is no fault of the server's: the client may come again.
    error instanceof PipiloError && error.code === 'BUSY'
      ? c.json({ error: error.message }, 429, { 'retry-after': '1' })
      : c.json({ error: 'That did not work.' }, 500),
  )
  async function close() {
    await store.close()
    await e.dispose()
  }
  return { app, close }
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const { app } = await searchApp()
  createServer(async (request, response) => {
    const body = request.method === 'POST' ? Buffer.concat(await request.toArray()) : null
    const answer = await app.request(request.url!, { method: request.method!, body })
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  }).listen(8787, '127.0.0.1', () =>
    console.log(`Add a note, then search:
  curl localhost:8787/notes -d '{ "id": "a", "text": "apples and pears" }'
  curl 'localhost:8787/search?q=fruit'`),
  )
}
