// Servers and caches of people who mean harm, or make mistakes.
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { parseSource, resolveSource } from '../sources.ts'
import { openRepository } from './repository.ts'
import { fetchUrl } from './url.ts'

const commit = 'a'.repeat(40)
let folder: string
let server: Server
let at: string
let answer: (request: IncomingMessage, response: ServerResponse) => void

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-hostile-'))
  server = createServer((request, response) => answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  vi.stubEnv('HF_ENDPOINT', at)
  vi.stubEnv('HF_HOME', folder)
  vi.stubEnv('PIPILO_CACHE', join(folder, 'pipilo'))
  for (const name of ['HF_TOKEN', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'])
    vi.stubEnv(name, undefined)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true })
})

const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )
const info = JSON.stringify({
  _id: 'x',
  id: 'owner/name',
  modelId: 'owner/name',
  sha: commit,
  siblings: [{ rfilename: 'model.bin' }],
  private: false,
  gated: false,
  downloads: 0,
  likes: 0,
  lastModified: '2024-01-01',
})
const cacheOf = (...path: string[]) => join(folder, 'hub', 'models--owner--name', ...path)
const open = (options = {}) => openRepository('owner/name', { backoff: 1, ...options })

/** Zeros without end, or many; how many were taken. */
function pour(response: ServerResponse, most = Number.POSITIVE_INFINITY): { sent: number } {
  const count = { sent: 0 }
  const piece = Buffer.alloc(1 << 16)
  const more = () => {
    while (count.sent < most && !response.destroyed) {
      count.sent += piece.length
      if (!response.write(piece)) return
    }
    response.end()
  }
  response.on('drain', more)
  more()
  return count
}

/** A hub whose one file is announced with 12 kB and sent as `send` does. */
const hub =
  (send: (response: ServerResponse) => void) => (request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.startsWith('/api')) return void response.end(info)
    response.setHeader('etag', `"${'b'.repeat(40)}"`)
    if (request.method === 'HEAD') return void response.writeHead(200, { 'x-linked-size': 12_000 }).end()
    send(response)
  }

it('A body ends where its announced length ends', async () => {
  let count = { sent: 0 }
  answer = hub((response) => {
    count = pour(response)
  })
  const error = await rejection((await open()).get('model.bin'))
  expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH' })
  expect(count.sent).toBeLessThan(64 << 20)
  expect(await readdir(cacheOf('blobs'))).toEqual([])
})

it('A compressed body is as long as what was announced, too', async () => {
  const bomb = gzipSync(Buffer.alloc(50 << 20))
  answer = hub((response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb))
  const error = await rejection((await open()).get('model.bin'))
  expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH' })
  expect(await readdir(cacheOf('blobs'))).toEqual([])
})

it('JSON without end is none', async () => {
  let count = { sent: 0 }
  answer = (_, response) => {
    response.setHeader('content-type', 'application/json')
    count = pour(response)
  }
  expect(await rejection(open())).toMatchObject({ code: expect.stringMatching(/CHECKSUM_MISMATCH|NETWORK/) })
  expect(count.sent).toBeLessThan(256 << 20)
})

it('A server says when to come back', async () => {
  const times: number[] = []
  answer = (request, response) => {
    times.push(performance.now())
    if (times.length === 1) return void response.writeHead(429, { 'retry-after': '1' }).end()
    return hub(() => {})(request, response)
  }
  expect((await open()).commit).toBe(commit)
  expect(times[1]! - times[0]!).toBeGreaterThan(900)
  answer = (_, response) => response.writeHead(503, { 'retry-after': '86400' }).end()
  const error = await rejection(open())
  expect(error).toMatchObject({ code: 'NETWORK', message: expect.stringContaining('86400 s') })
})

it('Without encryption a redirect stays on its host', async () => {
  answer = (_, response) => response.writeHead(302, { location: at.replace('127.0.0.1', 'localhost') }).end()
  expect(await rejection(open())).toMatchObject({
    code: 'NETWORK',
    message: expect.stringContaining('redirects'),
  })
  expect(await rejection(fetchUrl(`${at}/model.onnx`, { backoff: 1 }))).toMatchObject({ code: 'NETWORK' })
})

it('Addresses with escapes that are none, or passwords, are errors that tell no password', async () => {
  expect(() => parseSource('hf:owner/name@%ZZ')).toThrow(/escape/)
  expect(() => parseSource('file:///%ZZ')).toThrow(/names no file/)
  const errors = [
    await rejection(fetchUrl(`${at}/%ZZ`)),
    await rejection(fetchUrl('https://me:swordfish@127.0.0.1/model.onnx')),
  ]
  vi.stubEnv('HF_ENDPOINT', 'https://me:swordfish@127.0.0.1')
  errors.push(await rejection(open()))
  for (const error of errors) {
    expect(error).toMatchObject({ code: expect.stringMatching(/INPUT_INVALID|OPTION_INVALID/) })
    expect(JSON.stringify(error)).not.toContain('swordfish')
  }
})

it.skipIf(process.platform === 'win32')(
  'Links in the cache that lead out of it are not followed',
  async () => {
    const secret = join(folder, 'secret')
    await writeFile(secret, 'swordfish')
    answer = hub((response) => response.end('x'.repeat(12_000)))
    // A file of a snapshot.
    await mkdir(cacheOf('snapshots', commit), { recursive: true })
    await symlink(secret, cacheOf('snapshots', commit, 'model.bin'))
    expect(await rejection((await open()).get('model.bin'))).toMatchObject({ code: 'FILE_UNREADABLE' })
    const offline = await open({ revision: commit, offline: true })
    expect(await rejection(offline.get('model.bin'))).toMatchObject({ code: 'FILE_UNREADABLE' })
    await rm(cacheOf('snapshots', commit, 'model.bin'))
    // A download that is under way.
    await mkdir(cacheOf('blobs'), { recursive: true })
    await symlink(secret, cacheOf('blobs', `${'b'.repeat(40)}.pipilo.incomplete`))
    expect(await rejection((await open()).get('model.bin'))).toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(await readFile(secret, 'utf8')).toBe('swordfish')
    // A whole folder.
    await rm(cacheOf('blobs'), { recursive: true })
    await mkdir(join(folder, 'elsewhere'))
    await symlink(join(folder, 'elsewhere'), cacheOf('blobs'))
    expect(await rejection((await open()).get('model.bin'))).toMatchObject({ code: 'FILE_UNREADABLE' })
    expect(await readdir(join(folder, 'elsewhere'))).toEqual([])
  },
)

it('A revision in the cache names a commit, and no path', async () => {
  await mkdir(cacheOf('refs'), { recursive: true })
  await mkdir(join(folder, 'outside'))
  await writeFile(join(folder, 'outside', 'config.json'), '{}')
  for (const planted of ['../../../outside', '..', '/etc', '.']) {
    await writeFile(cacheOf('refs', 'main'), planted)
    expect(await rejection(open({ offline: true }))).toMatchObject({ code: 'FORMAT_INVALID' })
    const source = parseSource('hf:owner/name')!
    expect(await rejection(resolveSource(source, { offline: true }))).toMatchObject({
      code: 'FORMAT_INVALID',
    })
  }
  expect(existsSync(cacheOf('snapshots'))).toBe(false)
})
