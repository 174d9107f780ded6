import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { deadAddress, gitBlob, type HubServer, startHub } from '../../testing/hubServer.ts'
import { openRepository } from './repository.ts'

const weights = randomBytes(300_000)
const config = Buffer.from('{"model_type":"bert"}')
const sha256 = createHash('sha256').update(weights).digest('hex')
const commit = createHash('sha1').update('owner/name').digest('hex')

let hub: HubServer
let cache: string
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'pipilo-hub-'))
  hub = await startHub({
    'owner/name': {
      files: { 'config.json': config, 'onnx/model.bin': weights, 'README.md': Buffer.from('# hello') },
      large: ['onnx/model.bin'],
    },
    'owner/private': {
      files: { 'config.json': config, 'model.bin': weights },
      large: ['model.bin'],
      token: 'secret',
    },
    'owner/gated': { files: {}, gated: true },
  })
  vi.stubEnv('HF_ENDPOINT', hub.endpoint)
  vi.stubEnv('HF_HOME', cache)
  for (const name of [
    'HF_TOKEN',
    'HF_HUB_CACHE',
    'HUGGINGFACE_HUB_CACHE',
    'HF_HUB_OFFLINE',
    'TRANSFORMERS_OFFLINE',
  ]) {
    vi.stubEnv(name, undefined)
  }
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await hub.close()
  await rm(cache, { recursive: true })
})

const inCache = (...path: string[]) => join(cache, 'hub', 'models--owner--name', ...path)
const open = (name = 'owner/name', options = {}) => openRepository(name, { backoff: 5, ...options })
const transfers = () => hub.requests.filter(({ method, url }) => method === 'GET' && !url.startsWith('/api'))
const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('the cache', () => {
  it('has the layout of the Python client', async () => {
    const repository = await open()
    expect(repository.commit).toBe(commit)
    expect([...repository.files].sort()).toEqual(['README.md', 'config.json', 'onnx/model.bin'])
    const path = await repository.get('onnx/model.bin')
    await repository.get('config.json')
    expect(path).toBe(inCache('snapshots', commit, 'onnx', 'model.bin'))
    expect(weights.equals(await readFile(path))).toBe(true)
    expect(await readFile(inCache('refs', 'main'), 'utf8')).toBe(commit)
    expect(await readlink(path)).toBe(`../../../blobs/${sha256}`)
    expect((await readdir(inCache('blobs'))).sort()).toEqual([gitBlob(config), sha256].sort())
  })

  it('is asked before the network: a second time nothing is downloaded', async () => {
    await (await open()).get('onnx/model.bin')
    hub.requests.length = 0
    await (await open()).get('onnx/model.bin')
    expect(hub.requests.map(({ method, url }) => `${method} ${url.split('?')[0]}`)).toEqual([
      'GET /api/models/owner/name/revision/main',
    ])
  })

  it('serves what it has when the hub cannot be reached, and all of it offline', async () => {
    await (await open()).get('config.json')
    await hub.close()
    const unreachable = await open()
    expect(await readFile(await unreachable.get('config.json'))).toEqual(config)
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    const offline = await open()
    expect(offline.files).toContain('config.json')
    expect(await readFile(await offline.get('config.json'))).toEqual(config)
    expect(await rejection(offline.get('onnx/model.bin'))).toMatchObject({ code: 'OFFLINE' })
    expect(await rejection(open('owner/other'))).toMatchObject({
      code: 'OFFLINE',
      hint: expect.stringMatching(/file:/),
    })
    hub = await startHub({})
  })

  it('takes files that are there from HF_HUB_CACHE, by commit as well', async () => {
    vi.stubEnv('HF_HUB_CACHE', join(cache, 'elsewhere'))
    await (await open('owner/name', { revision: commit })).get('config.json')
    expect(await readdir(join(cache, 'elsewhere'))).toContain('models--owner--name')
    const again = await open('owner/name', { revision: commit, offline: true })
    expect(await readFile(await again.get('config.json'))).toEqual(config)
  })

  it('links anew where the blob is there and its link is not, or leads nowhere', async () => {
    const path = await (await open()).get('config.json')
    await rm(path)
    hub.requests.length = 0
    await (await open()).get('config.json')
    expect(transfers()).toEqual([])
    await rm(inCache('blobs', gitBlob(config)))
    expect(await readFile(await (await open()).get('config.json'))).toEqual(config)
  })
})

describe('a download', () => {
  it.each(['onnx/model.bin', 'config.json'])('goes on after a cut connection: %s', async (file) => {
    hub.mischief.cut = { after: 10, times: 2 }
    const path = await (await open()).get(file)
    expect((await stat(path)).size).toBe(file === 'config.json' ? config.length : weights.length)
    // A client on a busy machine may see less of a connection than was sent before the cut.
    const last = transfers().at(-1)
    expect(last?.range).toMatch(/^bytes=(10|20)-$/)
    expect(transfers().filter(({ host }) => host === last?.host)).toHaveLength(3)
  })

  it('goes on where an earlier process stopped', async () => {
    hub.mischief.cut = { after: 100_000, times: 1 }
    const controller = new AbortController()
    const first = (
      await open('owner/name', { signal: controller.signal, onProgress: () => controller.abort() })
    ).get('onnx/model.bin')
    expect(await rejection(first)).toMatchObject({ code: 'ABORTED' })
    const left = (await stat(inCache('blobs', `${sha256}.pipilo.incomplete`))).size
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(weights.length)
    hub.mischief.cut = { after: 0, times: 0 }
    expect(weights.equals(await readFile(await (await open()).get('onnx/model.bin')))).toBe(true)
    expect(transfers().at(-1)?.range).toBe(`bytes=${left}-`)
  })

  it('starts over when what was left is of another content', async () => {
    await (await open()).get('config.json')
    await writeFile(inCache('blobs', `${sha256}.pipilo.incomplete`), Buffer.alloc(1000))
    expect(weights.equals(await readFile(await (await open()).get('onnx/model.bin')))).toBe(true)
  })

  it.each(['onnx/model.bin', 'config.json'])('is refused with a wrong checksum: %s', async (file) => {
    hub.mischief.corrupt = true
    const error = await rejection((await open()).get(file))
    expect(error).toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      message: expect.stringMatching(/its checksum is/),
    })
    expect(await readdir(inCache('blobs'))).toEqual([])
    hub.mischief.corrupt = false
    await (await open()).get(file)
  })

  it('waits for a busy server', async () => {
    hub.mischief.busy = 2
    await (await open()).get('config.json')
  })

  it('gives up after some tries, and says what it tried', async () => {
    hub.mischief.busy = 1000
    const error = await rejection(open('owner/name', { backoff: 1 }))
    expect(error).toMatchObject({ code: 'NETWORK', message: expect.stringContaining(hub.endpoint) })
  })

  it('reports its progress', async () => {
    const events: { file: string; loaded: number; total: number | undefined }[] = []
    await (await open('owner/name', { onProgress: (event: (typeof events)[0]) => events.push(event) })).get(
      'onnx/model.bin',
    )
    expect(events.at(-1)).toEqual({ file: 'onnx/model.bin', loaded: weights.length, total: weights.length })
  })

  it('happens once when two processes want the same file', { timeout: 20_000 }, async () => {
    hub.mischief.slow = 30
    const results = await Promise.all([inProcess(), inProcess()])
    expect(results).toEqual([sha256, sha256])
    expect(hub.requests.filter(({ host, method }) => host === 'cdn' && method === 'GET')).toHaveLength(1)
    expect(await readdir(inCache('blobs'))).toEqual([sha256])
  })

  it('takes over the lock of a process that died', async () => {
    const repository = await open()
    const lock = join(cache, 'hub', '.locks', 'models--owner--name', `${gitBlob(config)}.pipilo.lock`)
    await repository.get('README.md')
    const holder = fileURLToPath(new URL('../../../base/files/testdata/lockHolder.ts', import.meta.url))
    const dead = spawn(process.execPath, ['--import', 'tsx', holder, lock], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await new Promise((held) => dead.stdout.once('data', held))
    dead.kill('SIGKILL')
    await new Promise((done) => dead.on('exit', done))
    expect(await readdir(join(lock, '..'))).toEqual([basename(lock)])
    expect(await readFile(await repository.get('config.json'))).toEqual(config)
    expect(await readdir(join(lock, '..'))).toEqual([])
  })
})

describe('the token', () => {
  it('is sent to the configured host only', async () => {
    vi.stubEnv('HF_TOKEN', 'secret')
    const repository = await open('owner/private')
    await repository.get('model.bin')
    const sent = (wanted: string) =>
      hub.requests.filter(({ host }) => host === wanted).map(({ authorization }) => authorization)
    expect(new Set(sent('hub'))).toEqual(new Set(['Bearer secret']))
    expect(sent('cdn')).toEqual([undefined])
  })

  it('is read from the file that `hf auth login` writes', async () => {
    await writeFile(join(cache, 'token'), 'secret\n')
    await (await open('owner/private')).get('config.json')
  })
})

describe('refusals', () => {
  it.each<[string, string, object, string, RegExp]>([
    ['a private model', 'owner/private', {}, 'HUB_DENIED', /HF_TOKEN/],
    ['a gated model', 'owner/gated', {}, 'HUB_DENIED', /Accept them at .*owner\/gated/],
    ['an unknown model', 'owner/nothing', {}, 'MODEL_UNKNOWN', /spelling/],
    ['an unknown revision', 'owner/name', { revision: 'v9' }, 'MODEL_UNKNOWN', /no revision 'v9'/],
    ['a name that is none', 'owner/../etc', {}, 'INPUT_INVALID', /owner\/name/],
    [
      'a revision that leads elsewhere',
      'owner/name',
      { revision: '../../x' },
      'INPUT_INVALID',
      /not a branch/,
    ],
  ])('of %s', async (_, name, options, code, message) => {
    expect(await rejection(open(name, options))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it('of a file that the repository lacks, or that leads out of it', async () => {
    const repository = await open()
    expect(await rejection(repository.get('none.txt'))).toMatchObject({ code: 'FILE_NOT_FOUND' })
    expect(await rejection(repository.get('../../x'))).toMatchObject({ code: 'INPUT_INVALID' })
  })

  it('of a cache that cannot be written', async () => {
    vi.stubEnv('HF_HOME', '/dev/null/cache')
    expect(await rejection(open())).toMatchObject({ code: 'WRITE_FAILED' })
  })

  it('of a server that is no hub', async () => {
    vi.stubEnv('HF_ENDPOINT', `${hub.endpoint}/owner/name/resolve/main/README.md?`)
    expect(await rejection(open())).toMatchObject({
      code: 'NETWORK',
      message: expect.stringMatching(/like a hub/),
    })
  })

  it('of a hub that is not there says how to work without', async () => {
    const endpoint = await deadAddress()
    vi.stubEnv('HF_ENDPOINT', endpoint)
    const error = await rejection(open())
    expect(error).toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining(endpoint),
      hint: expect.stringMatching(/HF_HUB_OFFLINE.*HF_ENDPOINT/),
    })
  })
})

/** Fetches the large file in a process of its own; gives the SHA-256 of what it then finds. */
function inProcess(): Promise<string> {
  const code = `
    import { createHash } from 'node:crypto'
    import { readFileSync } from 'node:fs'
    const { openRepository } = await import(process.argv[1])
    const path = await (await openRepository('owner/name')).get('onnx/model.bin')
    process.stdout.write(createHash('sha256').update(readFileSync(path)).digest('hex'))`
  const module = new URL('./repository.ts', import.meta.url).href
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code, module], {
    cwd: fileURLToPath(new URL('../../../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  return new Promise((done) => child.on('exit', () => done(output)))
}
