import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readOnnx } from '../../graph/files/index.ts'
import { compile } from '../../runtime/index.ts'
import { cosineSimilarity, type Tensor, tensor } from '../../tensor/index.ts'
import { open } from '../open.ts'
import type { Model, OpenOptions } from '../types.ts'

let folder: string
const before = process.env['PIPILO_CACHE']

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-precision-'))
  process.env['PIPILO_CACHE'] = folder
})

afterAll(async () => {
  if (before === undefined) delete process.env['PIPILO_CACHE']
  else process.env['PIPILO_CACHE'] = before
  await rm(folder, { recursive: true, force: true })
})

async function vectors(
  graph: ReturnType<Model['embedding']>,
  feeds: Record<string, Tensor>,
): Promise<Float32Array[]> {
  const session = await compile(graph, { workers: 0 })
  const { embedding } = await session.run(structuredClone(feeds))
  await session.dispose()
  const [rows = 0, columns = 0] = embedding!.shape
  const data = embedding!.data as Float32Array
  return Array.from({ length: rows }, (_, i) => data.slice(i * columns, (i + 1) * columns))
}

async function leastCosine(
  name: string,
  dtype: NonNullable<OpenOptions['dtype']>,
  feeds: Record<string, Tensor>,
) {
  const exact = await vectors((await open(name)).embedding(), feeds)
  const rounded = await vectors((await open(name, { dtype })).embedding(), feeds)
  return Math.min(...exact.map((vector, i) => cosineSimilarity(vector, rounded[i]!)))
}

// "A man is playing a guitar.", "A woman is slicing an onion." and "The cat sat.", padded.
const rows = [
  [101, 1037, 2158, 2003, 2652, 1037, 2858, 1012, 102],
  [101, 1037, 2450, 2003, 26514, 2019, 20949, 1012, 102],
  [101, 1996, 4937, 2938, 1012, 102, 0, 0, 0],
]
const integers = (numbers: number[]) => tensor('int64', [3, 9], numbers)
const sentences = {
  input_ids: integers(rows.flat()),
  attention_mask: integers(rows.flat().map((id) => (id === 0 ? 0 : 1))),
  token_type_ids: integers(rows.flat().map(() => 0)),
}

const side = 224
/** Smooth gradients and waves, as no calibration saw them. */
const pictures = {
  pixels: tensor(
    'uint8',
    [2, side, side, 3],
    Uint8Array.from({ length: 2 * side * side * 3 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side) % side]
      return 128 + 90 * Math.sin(x / (9 + (i % 3) * 7)) * Math.cos(y / 23) + (x - y) / 8
    }),
  ),
}

describe('open with a dtype', () => {
  it.each([
    ['fp16', 0.999999],
    ['int8', 0.998],
  ] as const)('MiniLM in %s gives nearly the same vectors', async (dtype, least) => {
    expect(await leastCosine('all-MiniLM-L6-v2', dtype, sentences)).toBeGreaterThan(least)
  })

  it('MobileNetV2 in int8 gives nearly the same vectors, calibrated on pictures of its own making', async () => {
    expect(await leastCosine('mobilenet-v2', 'int8', pictures)).toBeGreaterThan(0.99)
  })

  it('an int8 model is a quarter of the size in a file, and reads back as it was', async () => {
    const model = await open('all-MiniLM-L6-v2', { dtype: 'int8' })
    const path = join(folder, 'small.onnx')
    await model.export(path)
    expect((await stat(path)).size).toBeLessThan(25e6)
    expect(await vectors(await readOnnx(path), sentences)).toEqual(
      await vectors(model.embedding(), sentences),
    )
    expect(model.fingerprint).not.toBe((await open('all-MiniLM-L6-v2')).fingerprint)
  })

  it('refuses what is no precision', async () => {
    await expect(open('all-MiniLM-L6-v2', { dtype: 'int4' as 'int8' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})
