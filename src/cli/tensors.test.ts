import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, op } from '../graph/index.ts'
import { readNpy, writeNpy } from '../tensor/files/index.ts'
import { tensor } from '../tensor/index.ts'
import { ran } from './testing/ran.ts'

const home = process.cwd()
let world: string

/** Sound of any length, times a gain, to three features a frame of four samples. */
beforeAll(async () => {
  world = await mkdtemp(join(tmpdir(), 'pipilo-cli-tensors-'))
  process.chdir(world)
  const b = new Builder()
  const x = b.input('audio', 'float32', ['batch', 'samples'])
  const gain = b.input('gain', 'float32', [])
  const frames = b.scope('frames', () => op.reshape(op.mul(x, gain), [0, -1, 4]))
  const weight = b.initializer(
    'w',
    tensor(
      'float32',
      [4, 3],
      Array.from({ length: 12 }, (_, i) => Math.sin(i)),
    ),
  )
  b.output(
    'features',
    b.scope('encoder', () => op.matMul(frames, weight)),
  )
  await writeOnnx(b.build(), 'speech.onnx')
  for (const [i, name] of ['low', 'high', 'mixed'].entries()) {
    const samples = Float32Array.from({ length: 8 + 4 * i }, (_, at) => Math.sin((at + 1) * (i + 1)))
    await writeNpy(`${name}.npy`, tensor('float32', [samples.length], samples))
  }
})
afterAll(async () => {
  process.chdir(home)
  await rm(world, { recursive: true, force: true })
})

const model = ['--model', 'speech.onnx', '--pool', 'mean', '--input', 'gain=2']

it('embeds .npy files, and says what a graph takes and gives', async () => {
  const lines = (await ran('embed', ['low.npy', 'high.npy', ...model])).trim().split('\n')
  const [low, high] = lines.map((line) => JSON.parse(line))
  expect(low).toMatchObject({ id: 'low.npy', vector: expect.any(Array) })
  expect(high.vector).toHaveLength(3)
  await ran('embed', ['.', ...model, '--on-error', 'skip', '--out', 'vectors.npy'])
  const { shape, data } = await readNpy('vectors.npy')
  expect(shape).toEqual([3, 3])
  for (const [i, value] of low.vector.entries()) expect(data[3 + i]).toBeCloseTo(value, 5)
  await rm('vectors.npy')
  const shown = await ran('inspect', ['speech.onnx'])
  expect(shown).toMatch(/tensors from features/)
  expect(shown).toMatch(/input {3}audio: float32 \[batch, samples\]/)
  expect(shown).toMatch(/encoder/)
})

it('indexes .npy files, and searches with one', async () => {
  expect(await ran('index', ['low.npy', 'high.npy', 'mixed.npy', ...model])).toMatch(/^tensors: 3 indexed/)
  const found = JSON.parse(await ran('search', ['high.npy', '--collection', 'tensors', '--json', '-k', '1']))
  expect([found].flat()[0]).toMatchObject({ id: 'high.npy' })
})

it('refuses arrays without a model, and words and pictures for one of tensors', async () => {
  await expect(ran('embed', ['low.npy'])).rejects.toMatchObject({ code: 'USAGE' })
  await expect(ran('embed', ['--text', 'owl', ...model])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  await expect(ran('embed', ['low.npy', '--model', 'all-MiniLM-L6-v2'])).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: expect.stringContaining('an array of numbers'),
  })
})
