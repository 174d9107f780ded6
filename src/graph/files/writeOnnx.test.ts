import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { encodeOnnx } from '../onnx/encode.ts'
import { loadTensor } from '../onnx/load.ts'
import { anyGraph } from '../testing/arbitrary.ts'
import { reference, relativeError, run, testdata } from '../testing/run.ts'
import type { Graph } from '../types.ts'
import { parseOnnx, readOnnx, writeOnnx } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-write-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** With all weights in memory. */
async function loaded(graph: Graph): Promise<Graph> {
  const initializers = new Map<string, Awaited<ReturnType<typeof loadTensor>>>()
  for (const [name, tensor] of graph.initializers) initializers.set(name, await loadTensor(tensor))
  return { ...graph, initializers }
}

/** A graph whose weights are large enough to leave its file. */
function wide(graph: Graph): Graph {
  const tensors = [...graph.initializers].map(([name], i) => {
    const data = Float32Array.from({ length: 300 + i * 3000 }, (_, n) => n + i)
    return [name, { dtype: 'float32' as const, shape: [data.length], data }] as const
  })
  return { ...graph, initializers: new Map(tensors) }
}

describe('writing', () => {
  it('keeps any graph as it is', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const read = parseOnnx(encodeOnnx(graph))
        // Vitest's comparison says what differs, but is slow.
        if (!isDeepStrictEqual(read, graph)) expect(read).toEqual(graph)
      }),
      { numRuns: 150 },
    )
  })

  it.each(['convolutional', 'control', 'external'])('keeps the numbers of the %s network', async (name) => {
    const original = await readOnnx(testdata(`${name}.onnx`))
    const path = join(folder, `${name}.onnx`)
    await writeOnnx(original, path)
    const written = await readOnnx(path)
    expect(await loaded(written)).toEqual(await loaded(original))
    const { feeds, values } = reference(name)
    for (const [output, tensor] of Object.entries(await run(written, feeds))) {
      expect(relativeError(tensor, values[output]!)).toBeLessThan(1e-5)
    }
  })

  it('puts weights beside the model, aligned, and streams them from there into one file again', async () => {
    const graph = wide(await readOnnx(testdata('convolutional.onnx')))
    const path = join(folder, 'split.onnx')
    await writeOnnx(graph, path, { externalData: true })
    expect(readdirSync(folder).filter((name) => name.includes('split'))).toEqual([
      'split.onnx',
      'split.onnx.data',
    ])
    expect(statSync(path).size).toBeLessThan(4000)
    const split = await readOnnx(path)
    for (const tensor of split.initializers.values()) {
      expect('file' in tensor && tensor.file.offset % 4096).toBe(0)
    }
    expect(isDeepStrictEqual(await loaded(split), graph)).toBe(true)
    // Over the file that the weights are read from.
    await writeOnnx(split, path, { externalData: true })
    const joined = join(folder, 'joined.onnx')
    await writeOnnx(await readOnnx(path), joined)
    expect(readFileSync(joined).equals(encodeOnnx(graph))).toBe(true)
  })

  it('takes a name for the weights, in the same folder only', async () => {
    const graph = wide(await readOnnx(testdata('convolutional.onnx')))
    await writeOnnx(graph, join(folder, 'named.onnx'), { externalData: 'weights.bin' })
    expect(readdirSync(folder)).toContain('weights.bin')
    await expect(
      writeOnnx(graph, join(folder, 'a.onnx'), { externalData: '../weights.bin' }),
    ).rejects.toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  })

  it('writes references to weights that lie elsewhere', async () => {
    const graph = await readOnnx(testdata('external.onnx'))
    const small = encodeOnnx(graph, {
      external: (_, tensor) =>
        'file' in tensor
          ? { location: 'external.onnx.data', offset: tensor.file.offset, length: tensor.file.length }
          : undefined,
    })
    expect(small.length).toBeLessThan(encodeOnnx(graph).length)
    expect(parseOnnx(small, { directory: testdata('.') })).toEqual(graph)
  })

  it('goes to external data by itself above 2 GB, and refuses to do without', async () => {
    const graph = await readOnnx(testdata('external.onnx'))
    const file = { path: testdata('external.onnx.data'), offset: 0, length: 2 ** 31 }
    const huge: Graph = {
      ...graph,
      initializers: new Map([['w1', { dtype: 'uint8', shape: [2 ** 31], file }]]),
    }
    expect(() => encodeOnnx(huge)).toThrow(expect.objectContaining({ code: 'WRITE_FAILED' }))
    const path = join(folder, 'huge.onnx')
    await expect(writeOnnx(huge, path, { externalData: false })).rejects.toThrow(
      expect.objectContaining({ code: 'WRITE_FAILED' }),
    )
    // The weights are not really there: that it looks for all of them shows the way that it takes.
    await expect(writeOnnx(huge, path)).rejects.toThrow(/external\.onnx\.data ends before byte/)
    expect(readdirSync(folder).filter((name) => name.includes('huge'))).toEqual([])
  })

  it('says that it cannot write, and leaves nothing behind', async () => {
    const graph = await readOnnx(testdata('convolutional.onnx'))
    await expect(writeOnnx(graph, join(folder, 'none/a.onnx'))).rejects.toThrow(
      expect.objectContaining({ code: 'WRITE_FAILED' }),
    )
  })
})
