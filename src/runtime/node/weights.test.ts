import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Graph } from '../../graph/index.ts'
import { bytesOf, type FileTensor, float32ToFloat16, type Tensor, tensor } from '../../tensor/index.ts'
import { lower } from '../lower/index.ts'
import { linear } from '../testing/graphs.ts'
import { compile } from './compile.ts'
import { placeWeights } from './weights.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-weights-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const numbers = Float32Array.from({ length: 16 * 24 }, (_, i) => Math.fround(Math.sin(i)))
const halves = float32ToFloat16(numbers)

/** The numbers in a file, 8 bytes from its start. */
function filed(name: string, dtype: 'float32' | 'float16'): FileTensor {
  const bytes = bytesOf(dtype === 'float32' ? numbers : halves)
  const path = join(folder, name)
  writeFileSync(path, Buffer.concat([new Uint8Array(8), bytes]))
  return { dtype, shape: [16, 24], file: { path, offset: 8, length: bytes.length } }
}

async function product(graph: Graph, cacheDir: string): Promise<Tensor> {
  const session = await compile(graph, { workers: 0, cacheDir })
  const x = Float32Array.from({ length: 3 * 24 }, (_, i) => Math.cos(i))
  const { y } = await session.run({ x: tensor('float32', [3, 24], x) })
  await session.dispose()
  return y as Tensor
}

const cacheFiles = (cache: string) =>
  readdirSync(join(cache, 'weights')).filter((name) => !name.endsWith('.seal.json'))

describe('weights', () => {
  it('give the same numbers from a file, from a converted file and from memory', async () => {
    const cache = join(folder, 'cache-equal')
    const inMemory = await product(linear(tensor('float32', [16, 24], numbers)), cache)
    const mapped = await product(linear(filed('equal.bin', 'float32')), cache)
    expect(mapped).toEqual(inMemory)
    expect(() => cacheFiles(cache)).toThrow(/ENOENT/)

    const half = await product(linear(tensor('float16', [16, 24], halves)), cache)
    expect(await product(linear(filed('equal.half', 'float16')), cache)).toEqual(half)
    expect(cacheFiles(cache)).toHaveLength(1)
  })

  it('that lie behind a symbolic link are mapped too', async () => {
    const weight = filed('target.bin', 'float32')
    const path = join(folder, 'link.bin')
    await symlink(weight.file.path, path)
    const linked = { ...weight, file: { ...weight.file, path } }
    expect(await product(linear(linked), folder)).toEqual(await product(linear(weight), folder))
  })

  it('that several links lead to are converted once', async () => {
    const cache = join(folder, 'cache-links')
    const weight = filed('blob.half', 'float16')
    const results: Tensor[] = []
    for (const snapshot of ['one.half', 'two.half']) {
      const path = join(folder, snapshot)
      await symlink(weight.file.path, path)
      results.push(await product(linear({ ...weight, file: { ...weight.file, path } }), cache))
    }
    expect(results[1]).toEqual(results[0])
    expect(cacheFiles(cache)).toHaveLength(1)
  })

  it('that are large and in memory go to a file, so that the protobuf stays small', async () => {
    const cache = join(folder, 'cache-large')
    const weight = tensor('float32', [2048, 2100], new Float32Array(2048 * 2100).fill(0.5))
    const session = await compile(linear(weight), { workers: 0, cacheDir: cache })
    const { y } = await session.run({ x: tensor('float32', [1, 2100], new Float32Array(2100).fill(1)) })
    expect(y?.data[2047]).toBe(1050)
    await session.dispose()
    const [name = ''] = cacheFiles(cache)
    expect(statSync(join(cache, 'weights', name)).size).toBeGreaterThan(2048 * 2100 * 4)
  })
})

describe('the file of converted weights', () => {
  it('is made once, also by several sessions at the same time', async () => {
    const cache = join(folder, 'cache-once')
    const graph = linear(filed('once.half', 'float16'))
    const results = await Promise.all([1, 2, 3, 4].map(() => product(graph, cache)))
    for (const result of results) expect(result).toEqual(results[0])
    const [name = '', ...others] = cacheFiles(cache)
    expect(others).toEqual([])
    const { ino } = statSync(join(cache, 'weights', name))
    await product(graph, cache)
    expect(statSync(join(cache, 'weights', name)).ino).toBe(ino)
  })

  it('is made anew when it was cut off or overwritten, and when its source has changed', async () => {
    const cache = join(folder, 'cache-broken')
    const weight = filed('broken.half', 'float16')
    const expected = await product(linear(weight), cache)
    const path = join(cache, 'weights', cacheFiles(cache)[0] as string)
    const { size } = statSync(path)
    truncateSync(path, size - 40)
    expect(await product(linear(weight), cache)).toEqual(expected)
    writeFileSync(path, new Uint8Array(size))
    expect(await product(linear(weight), cache)).toEqual(expected)
    const bytes = readFileSync(path)
    bytes[5]! ^= 1
    writeFileSync(path, bytes)
    expect(await product(linear(weight), cache)).toEqual(expected)
    // One that was copied is as good as before.
    writeFileSync(`${path}.copy`, readFileSync(path))
    renameSync(`${path}.copy`, path)
    const { ino } = statSync(path)
    expect(await product(linear(weight), cache)).toEqual(expected)
    expect(statSync(path).ino).toBe(ino)
    utimesSync(weight.file.path, 1, 1)
    expect(await product(linear(weight), cache)).toEqual(expected)
    expect(cacheFiles(cache)).toHaveLength(2)
  })

  it('goes elsewhere when the cache cannot be written', async () => {
    const temporary = join(folder, 'temporary')
    vi.stubEnv('TMPDIR', temporary)
    const blocked = join(folder, 'blocked')
    writeFileSync(blocked, 'a file where the folder should be')
    const graph = linear(filed('blocked.half', 'float16'))
    const expected = await product(graph, join(folder, 'cache-free'))
    expect(await product(graph, blocked)).toEqual(expected)
    expect(readdirSync(temporary)).toHaveLength(1)

    rmSync(temporary, { recursive: true })
    writeFileSync(temporary, 'no folder either')
    expect(await product(graph, blocked)).toEqual(expected)
    vi.unstubAllEnvs()
  })

  it('is deleted when nobody has used it for long', async () => {
    const cache = join(folder, 'cache-old')
    await product(linear(filed('old.half', 'float16')), cache)
    const [old = ''] = cacheFiles(cache)
    for (const name of [old, `${old}.seal.json`]) utimesSync(join(cache, 'weights', name), 1, 1)
    await product(linear(filed('new.half', 'float16')), cache)
    expect(cacheFiles(cache)).toHaveLength(1)
    expect(cacheFiles(cache)).not.toContain(old)
  })

  it('says so when its source is gone or cut off', async () => {
    const weight = filed('gone.half', 'float16')
    truncateSync(weight.file.path, 100)
    const cache = join(folder, 'cache-gone')
    await expect(product(linear(weight), cache)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
    rmSync(weight.file.path)
    await expect(product(linear(weight), cache)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  })
})

it('A weight cut off in its own file is an error, not a crash.', async () => {
  const weight = filed('cut.bin', 'float32')
  truncateSync(weight.file.path, 100)
  await expect(product(linear(weight), folder)).rejects.toMatchObject({ name: 'PipiloError' })
})

it('Folding leaves small weights and all shapes in the graph.', async () => {
  const { graph, folder: none } = await placeWeights(
    lower(linear(tensor('float16', [2, 2], [0, 0, 0, 0]))),
    folder,
  )
  expect(none).toBeUndefined()
  expect([...graph.initializers.values()]).toEqual([
    { dtype: 'float32', shape: [2, 2], data: new Float32Array(4) },
  ])
})
