// Servers for tests: on a free port, on few threads, with nothing on standard error unless it is looked at.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AccessLine } from '../seen/accessLog.ts'
import { serve } from '../serve.ts'
import type { ServeOptions, Server } from '../types.ts'

/** A server, and what it said. */
export interface TestServer extends Server {
  readonly lines: AccessLine[]
  /** Errors inside. */
  readonly errors: unknown[]
  readonly folder: string
  get(path: string, headers?: Record<string, string>): Promise<Answer>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
}

/** An answer with its body as JSON, or as text where it is none. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a body is of many forms
  readonly body: any
}

export async function testServer(options: ServeOptions = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-serve-'))
  const lines: AccessLine[] = []
  const errors: unknown[] = []
  const server = await serve({
    port: 0,
    db: join(folder, 'db'),
    runtime: { workers: 1, threads: 1 },
    onAccess: (line) => lines.push(line),
    onError: (error) => errors.push(error),
    ...options,
  })
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const { status, headers, ...response } = await fetch(`${server.url}${path}`, init).then(
      async (found) => ({
        status: found.status,
        headers: found.headers,
        text: await found.text(),
      }),
    )
    return { status, headers, body: parsed(response.text) }
  }
  return {
    ...server,
    lines,
    errors,
    folder,
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, body, headers = {}) =>
      ask(path, {
        method: 'POST',
        headers: body instanceof FormData ? headers : { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof FormData ? body : JSON.stringify(body),
      }),
    async close(seconds) {
      await server.close(seconds)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
