import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Builder, op } from '../graph/index.ts'
import { writeOnnx } from '../graph/public.ts'
import { sentenceTransformers, testdata, useFolder } from '../models/testing/fixtures.ts'
import { embedder } from './index.ts'

const folder = useFolder()
const runtime = { workers: 0, threads: 1 }

/** A copy of a model one of whose weights is not a number. */
async function broken(source: string): Promise<string> {
  const bytes = await readFile(join(source, 'model.safetensors'))
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  // All of them: which weights a tap reads is not the point.
  for (let at = start; at + 4 <= bytes.length; at += 4) bytes.writeFloatLE(Number.NaN, at)
  return folder.variant({ 'model.safetensors': new Uint8Array(bytes) }, source)
}

describe('numbers of a model that are not finite', () => {
  it.each([
    'cls',
    'mean',
    'max',
    'last',
    'none',
  ] as const)('are an error that names the input and the layer, for texts and pool %s', async (pool) => {
    const e = await embedder(`file:${await broken(sentenceTransformers)}`, { pool, runtime })
    await expect(e.embed(['a bird', 'an owl'])).rejects.toMatchObject({
      code: 'RESULT_INVALID',
      input: expect.any(Number),
      message: expect.stringMatching(/^The layer .+ gave numbers that are not finite .* for input \d/),
    })
    const { vectors, errors } = await e.embed(['a bird', 'an owl'], { onError: 'skip' })
    expect(errors.map(({ index, error }) => [index, error.code])).toEqual([
      [0, 'RESULT_INVALID'],
      [1, 'RESULT_INVALID'],
    ])
    expect(vectors).toHaveLength(2)
    await e.dispose()
  })

  it('are one for taps, chunks and pictures', async () => {
    const texts = await broken(sentenceTransformers)
    for (const options of [{ tap: 'embeddings' }, { chunk: { tokens: 8, overlap: 2 } }]) {
      const e = await embedder(`file:${texts}`, { ...options, runtime })
      await expect(e.embed(['a bird '.repeat(20)])).rejects.toMatchObject({ code: 'RESULT_INVALID' })
      await e.dispose()
    }
    const e = await embedder(`file:${await broken(testdata('vision/vit'))}`, { runtime })
    const picture = { width: 8, height: 8, channels: 3 as const, data: new Uint8Array(192) }
    await expect(e.embed([picture])).rejects.toMatchObject({ code: 'RESULT_INVALID', input: 0 })
    await e.dispose()
  })

  it('are those of one input alone: the others are as ever', async () => {
    const b = new Builder()
    b.output('y', op.log(b.input('x', 'float32', ['batch', 2])))
    const path = join(folder.path, 'log.onnx')
    await writeOnnx(b.build(), path)
    const e = await embedder(`file:${path}`, { modality: 'tensor', normalize: false, runtime })
    const of = (...numbers: number[]) => ({ shape: [1, 2], data: Float32Array.from(numbers) })
    const { vectors, errors } = await e.embed([of(1, 1), of(-1, 1), of(0, 1)], { onError: 'skip' })
    expect(errors.map(({ index }) => index)).toEqual([1, 2])
    expect([...vectors[0]!]).toEqual([0, 0])
    await e.dispose()
  })
})
