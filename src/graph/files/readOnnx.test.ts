import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { PipiloError } from '../../base/index.ts'
import { bytesOf, tensor } from '../../tensor/index.ts'
import { encodeOnnx } from '../onnx/encode.ts'
import { loadTensor, loadTensorSync, tensorOf } from '../onnx/load.ts'
import { testdata } from '../testing/run.ts'
import type { Graph } from '../types.ts'
import { parseOnnx, readOnnx } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-onnx-'))
afterAll(() => rmSync(folder, { recursive: true }))

const withCode = (code: string) => expect.objectContaining({ code })

/** A graph of one weight, which is its output. */
function oneWeight(shape: number[]): Graph {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i)
  return {
    ...parseOnnx(readFileSync(testdata('dtypes.onnx'))),
    nodes: [],
    initializers: new Map([['w', tensor('float32', shape, data)]]),
  }
}

describe('reading', () => {
  it('keeps every element type, from typed fields', async () => {
    const graph = await readOnnx(testdata('dtypes.onnx'))
    const expected = JSON.parse(readFileSync(testdata('dtypes.json'), 'utf8')) as Record<string, string>
    for (const [name, hex] of Object.entries(expected)) {
      const { dtype, data } = await tensorOf(graph, name)
      expect({ dtype, hex: Buffer.from(bytesOf(data as Uint8Array)).toString('hex') }).toEqual({
        dtype: name,
        hex,
      })
    }
    expect((await tensorOf(graph, 'string')).data).toEqual(['towhee', Uint8Array.of(0xff, 0xfe)])
    expect(parseOnnx(encodeOnnx(graph))).toEqual(graph)
  })

  it('keeps sub-graphs, functions, references and sequence types', async () => {
    const graph = await readOnnx(testdata('control.onnx'))
    const loop = graph.nodes.find(({ op }) => op === 'Loop')?.attributes['body']
    expect(loop?.type === 'graph' && loop.value.nodes.map(({ op }) => op)).toEqual([
      'Add',
      'Tanh',
      'Identity',
    ])
    expect(graph.values.get('pair')?.type).toEqual({
      kind: 'sequence',
      element: { kind: 'tensor', dtype: 'float32' },
    })
    expect(graph.functions[0]?.nodes[1]?.attributes['value_float']).toEqual({
      type: 'reference',
      value: 'scale',
      of: 'float',
    })
    expect(parseOnnx(encodeOnnx(graph))).toEqual(graph)
  })

  it('leaves large weights and external data in their files', async () => {
    const path = join(folder, 'large.onnx')
    const graph = oneWeight([200, 200])
    writeFileSync(path, encodeOnnx(graph))
    const read = await readOnnx(path)
    const weight = read.initializers.get('w')!
    expect(weight).toMatchObject({ file: { path, length: 160_000 } })
    expect(isDeepStrictEqual(await loadTensor(weight), graph.initializers.get('w'))).toBe(true)
    expect(isDeepStrictEqual(loadTensorSync(weight), graph.initializers.get('w'))).toBe(true)
    expect(Buffer.from(encodeOnnx(read)).equals(encodeOnnx(graph))).toBe(true)

    const external = await readOnnx(testdata('external.onnx'))
    expect(external.initializers.get('w1')).toMatchObject({
      file: { path: testdata('external.onnx.data'), length: 192 },
    })
    truncateSync(path, 1000)
    await expect(loadTensor(weight)).rejects.toThrow(withCode('FORMAT_INVALID'))
  })

  it('names the closest initializers', async () => {
    const graph = await readOnnx(testdata('convolutional.onnx'))
    await expect(tensorOf(graph, 'conv1.wieght')).rejects.toThrow(/conv1\.weight/)
  })
})

describe('external data', () => {
  const path = join(folder, 'model.onnx')
  const weight = (location: string, offset: number | string = 0, length: number | string = 64) => {
    const bytes = encodeOnnx(oneWeight([4, 4]), {
      external: () => ({ location, offset: offset as number, length: length as number }),
    })
    writeFileSync(path, bytes)
    return readOnnx(path)
  }
  writeFileSync(join(folder, 'weights.bin'), new Uint8Array(100))
  mkdirSync(join(folder, 'inner'))
  writeFileSync(join(folder, 'inner/weights.bin'), new Uint8Array(100))
  const outside = mkdtempSync(join(tmpdir(), 'pipilo-outside-'))
  afterAll(() => rmSync(outside, { recursive: true }))
  writeFileSync(join(outside, 'secret.bin'), new Uint8Array(100))
  symlinkSync(join(outside, 'secret.bin'), join(folder, 'link.bin'))

  it('is found beside the model and below', async () => {
    expect((await weight('weights.bin', 36)).initializers.get('w')).toMatchObject({
      file: { path: join(folder, 'weights.bin'), offset: 36, length: 64 },
    })
    await weight('inner/weights.bin')
  })

  it.each([
    ['../pipilo-outside/secret.bin', 0, 64, 'FORMAT_INVALID'],
    ['inner/../../x.bin', 0, 64, 'FORMAT_INVALID'],
    ['/etc/passwd', 0, 64, 'FORMAT_INVALID'],
    ['C:\\secret.bin', 0, 64, 'FORMAT_INVALID'],
    ['link.bin', 0, 64, 'FORMAT_INVALID'],
    ['inner', 0, 64, 'NOT_A_FILE'],
    ['none.bin', 0, 64, 'FILE_NOT_FOUND'],
    ['weights.bin', 37, 64, 'FORMAT_INVALID'],
    ['weights.bin', '-1', 64, 'FORMAT_INVALID'],
    ['weights.bin', '1e99', 64, 'FORMAT_INVALID'],
    ['weights.bin', 0, 60, 'FORMAT_INVALID'],
  ])('is refused at %s, %s, %s with %s', async (location, offset, length, code) => {
    await expect(weight(location, offset, length)).rejects.toThrow(withCode(code))
  })

  it('is found through links of the hub’s cache, whose files all lie in one folder of blobs', async () => {
    const cache = join(folder, 'cache')
    mkdirSync(join(cache, 'blobs'), { recursive: true })
    mkdirSync(join(cache, 'snapshots/main'), { recursive: true })
    await weight('model.onnx_data')
      .catch(() => undefined)
      .then(() => writeFileSync(join(cache, 'blobs/1'), readFileSync(path)))
    writeFileSync(join(cache, 'blobs/2'), new Uint8Array(64))
    symlinkSync('../../blobs/1', join(cache, 'snapshots/main/model.onnx'))
    symlinkSync('../../blobs/2', join(cache, 'snapshots/main/model.onnx_data'))
    const graph = await readOnnx(join(cache, 'snapshots/main/model.onnx'))
    expect((await tensorOf(graph, 'w')).shape).toEqual([4, 4])
  })

  it('needs a folder when the model is in memory', () => {
    const bytes = readFileSync(testdata('external.onnx'))
    expect(() => parseOnnx(bytes)).toThrow(withCode('FILE_NOT_FOUND'))
    expect(parseOnnx(bytes, { directory: testdata('.') }).initializers.size).toBe(3)
  })
})

describe('bad files', () => {
  const file = (content: string | Uint8Array) => {
    const path = join(folder, 'bad.onnx')
    writeFileSync(path, content)
    return path
  }

  it.each([
    ['an empty file', '', 'FILE_EMPTY', /empty/],
    ['text', 'hello, this is no model\n', 'FORMAT_INVALID', /it is text/],
    ['a web page', '<!DOCTYPE html><html></html>', 'FORMAT_INVALID', /web page/],
    [
      'a Git LFS pointer',
      'version https://git-lfs.github.com/spec/v1\noid sha256:0\n',
      'FORMAT_INVALID',
      /git lfs pull/,
    ],
    ['a zip archive', 'PK\x03\x04\x00\x00', 'FORMAT_INVALID', /zip/],
    ['another protobuf', Uint8Array.of(8, 8), 'FORMAT_INVALID', /no graph/],
  ])('says that %s is none', async (_, content, code, message) => {
    const path = file(content)
    await expect(readOnnx(path)).rejects.toThrow(expect.objectContaining({ code, input: path }))
    await expect(readOnnx(path)).rejects.toThrow(message)
  })

  it('says what is wrong with a path', async () => {
    await expect(readOnnx(join(folder, 'none.onnx'))).rejects.toThrow(withCode('FILE_NOT_FOUND'))
    await expect(readOnnx(folder)).rejects.toThrow(withCode('NOT_A_FILE'))
  })

  it('refuses graphs that nest without end', () => {
    let message = Buffer.alloc(0)
    const wrap = (field: number, inner: Buffer) => {
      const length: number[] = []
      for (let n = inner.length; ; n >>>= 7) {
        length.push(n > 127 ? (n & 127) | 128 : n)
        if (n <= 127) break
      }
      return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), inner])
    }
    // graph > node > attribute > graph > …
    for (let i = 0; i < 3000; i++) message = wrap(i % 3 === 0 ? 6 : i % 3 === 1 ? 5 : 1, message)
    expect(() => parseOnnx(Buffer.concat([Buffer.from([8, 8]), wrap(7, message)]))).toThrow(
      withCode('FORMAT_INVALID'),
    )
  })

  it('never throws anything but a PipiloError, however the bytes are damaged or cut off', async () => {
    for (const name of ['control', 'dtypes']) {
      const bytes = readFileSync(testdata(`${name}.onnx`))
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 }),
          fc.nat(bytes.length),
          (changes, length) => {
            const damaged = Uint8Array.from(bytes.subarray(0, changes.length > 0 ? bytes.length : length))
            for (const [at, value] of changes) damaged[at] = value
            try {
              parseOnnx(damaged)
            } catch (error) {
              expect(error).toBeInstanceOf(PipiloError)
              expect((error as PipiloError).code).toMatch(/FORMAT_|FILE_EMPTY|FILE_NOT_FOUND|NOT_A_FILE/)
            }
          },
        ),
        { numRuns: 500 },
      )
    }
  })
})
