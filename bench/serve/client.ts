// A client of HTTP servers for load: many connections that stay, and as little work of its own as can be.
import { Agent, request } from 'node:http'

/** One answer. */
export interface Sent {
  readonly status: number
  readonly milliseconds: number
  readonly retryAfter: number | undefined
  /** When it came, by `performance.now()`. */
  readonly ended: number
}

/** Sends one request, and reads its answer to the end. */
export function send(url: string, body: string, agent: Agent): Promise<Sent> {
  const started = performance.now()
  return new Promise((resolve) => {
    const end = (status: number, retryAfter?: string) =>
      resolve({
        status,
        milliseconds: performance.now() - started,
        retryAfter: retryAfter === undefined ? undefined : Number(retryAfter),
        ended: performance.now(),
      })
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const asked = request(url, { method: 'POST', agent, headers }, (response) => {
      response.on('data', () => {})
      response.on('end', () => end(response.statusCode ?? 0, response.headers['retry-after']))
      response.on('error', () => end(0))
    })
    asked.on('error', () => end(0))
    asked.end(body)
  })
}

/** So many clients, each of whom asks again when it is answered. */
export async function closedLoop(
  url: string,
  body: () => string,
  clients: number,
  seconds: number,
): Promise<Sent[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const sent: Sent[] = []
  const until = performance.now() + seconds * 1000
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < until) sent.push(await send(url, body(), agent))
    }),
  )
  agent.destroy()
  return sent
}

/** So many requests a second, whether the ones before are answered or not. */
export async function openLoop(
  url: string,
  body: () => string,
  rate: number,
  seconds: number,
): Promise<Sent[]> {
  const agent = new Agent({ keepAlive: true })
  const started = performance.now()
  const all: Promise<Sent>[] = []
  while (performance.now() - started < seconds * 1000) {
    const due = ((performance.now() - started) / 1000) * rate
    while (all.length < due) all.push(send(url, body(), agent))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const sent = await Promise.all(all)
  agent.destroy()
  return sent
}

/** A share of sorted numbers, as in `quantile(latencies, 0.99)`. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
