/**
 * A server under load, beside `embed` without one on the same machine: 64 clients with one text of 34 tokens each, then requests at twice
 * the rate that it can do. The client runs beside the server, and its processor time is counted.
 *
 *     npm run load             # in bench/, after npm install and npm run build
 *     npm run load -- 10 3     # seconds of each part, and rounds of them
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure, median } from '../child.ts'
import { closedLoop, openLoop, quantile } from './client.ts'
import { startServer, stopServer } from './start.ts'
import { text } from './text.ts'

const [seconds = 8, rounds = 3] = process.argv.slice(2).map(Number)
const folder = mkdtempSync(join(tmpdir(), 'pipilo-load-'))
/** Tokens that the server lets wait: about two seconds' work. */
const queue = 16_384

/** Seconds of the processors that a process has had, on Linux. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

// As OpenAI's own client asks.
const body = () => JSON.stringify({ model: 'all-MiniLM-L6-v2', input: text, encoding_format: 'base64' })
const shares: number[] = []
for (let round = 0; round < rounds; round++) {
  const before = await measure<{ rate: number; tokens: number; cpu: number }>('serve/offline.ts', [
    `${seconds}`,
    text,
  ])
  const { child, url } = await startServer([
    '--model',
    'all-MiniLM-L6-v2',
    '--warm',
    '--db',
    join(folder, 'db'),
    '--queue',
    `${queue}`,
  ])
  try {
    const embeddings = `${url}/v1/embeddings`
    await closedLoop(embeddings, body, 64, 1)
    const cpu = { server: cpuSeconds(child.pid!), client: process.cpuUsage() }
    const sent = await closedLoop(embeddings, body, 64, seconds)
    const spent = {
      server: cpuSeconds(child.pid!) - cpu.server,
      client: (({ user, system }) => (user + system) / 1e6)(process.cpuUsage(cpu.client)),
    }
    const right = sent.filter(({ status }) => status === 200)
    const rate = right.length / seconds
    const latencies = right.map(({ milliseconds }) => milliseconds)
    // Until the queue has been full for as long as it took to fill it.
    const long = Math.min(60, Math.max(seconds, (3 * queue) / (rate * before.tokens)))
    const began = performance.now()
    const over = await openLoop(embeddings, body, 2 * rate, long)
    const half = over.filter(
      ({ status, ended }) => status === 200 && ended > began + 500 * long && ended < began + 1000 * long,
    )
    const good = over.filter(({ status }) => status === 200)
    const refused = over.filter(({ status }) => status === 429)
    const last = (await (await fetch(`${url}/metrics`)).text()).match(/^pipilo_resident_bytes (\d+)/m)?.[1]
    const after = await measure<{ rate: number; cpu: number }>('serve/offline.ts', [`${seconds}`, text])
    const offline = (before.rate + after.rate) / 2
    shares.push(rate / offline)
    console.log(
      JSON.stringify({
        tokens: before.tokens,
        offline: Math.round(offline),
        server: Math.round(rate),
        share: Number((rate / offline).toFixed(3)),
        others: sent.length - right.length,
        p50: Math.round(quantile(latencies, 0.5)),
        p99: Math.round(quantile(latencies, 0.99)),
        // Milliseconds of the processors a text: they are about the same on a machine that has other things to do.
        cpu: {
          offline: Number(((before.cpu + after.cpu) / 2).toFixed(2)),
          server: Number(((1000 * spent.server) / right.length).toFixed(2)),
          client: Number(((1000 * spent.client) / right.length).toFixed(2)),
        },
        twice: {
          asked: over.length,
          goodput: Number((half.length / (long / 2) / rate).toFixed(3)),
          p99: Math.round(
            quantile(
              good.map(({ milliseconds }) => milliseconds),
              0.99,
            ),
          ),
          bound: Math.round((1000 * queue) / (rate * before.tokens)),
          refused: refused.length,
          refusedP99: Math.round(
            quantile(
              refused.map(({ milliseconds }) => milliseconds),
              0.99,
            ),
          ),
          lost: over.length - good.length - refused.length,
        },
        megabytes: Math.round(Number(last) / 1e6),
      }),
    )
  } finally {
    await stopServer({ child })
  }
}
console.log(`share of the rate without a server: ${median(shares).toFixed(3)}`)
rmSync(folder, { recursive: true, force: true })
