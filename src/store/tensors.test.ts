import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { embedder, openRecipe } from '../embed/index.ts'
import { writeOnnx } from '../graph/files/index.ts'
import { Builder, op } from '../graph/index.ts'
import { writeNpy } from '../tensor/files/index.ts'
import { tensor } from '../tensor/index.ts'
import { connect, indexFiles } from './index.ts'

const folder = await mkdtemp(join(tmpdir(), 'pipilo-stored-tensors-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

it('A collection keeps the vectors of tensors, and its recipe opens the embedder again', async () => {
  const b = new Builder()
  const x = b.input('x', 'float32', ['batch', 'time', 2])
  b.output('y', op.mul(op.reduceMean(x, [1]), b.input('gain', 'float32', [])))
  const path = join(folder, 'model.onnx')
  await writeOnnx(b.build(), path)
  for (const [i, name] of ['east', 'north', 'west'].entries()) {
    const [cos, sin] = [Math.cos((i * Math.PI) / 2), Math.sin((i * Math.PI) / 2)]
    await writeNpy(join(folder, `${name}.npy`), tensor('float32', [2, 2], [cos, sin, cos, sin]))
  }
  const e = await embedder(path, { inputs: { gain: 3 }, runtime: { workers: 0 } })
  const store = await connect(join(folder, 'db'))
  const collection = await store.collection('winds', { embedder: e })
  const { indexed } = await indexFiles([join(folder, '*.npy')], { embedder: e, collection, cwd: folder })
  expect(indexed).toBe(3)
  const again = await openRecipe(collection.recipe!, { runtime: { workers: 0 } })
  const { vectors } = await again.embed([{ shape: [1, 2], data: Float32Array.of(0.1, 2) }])
  const found = await collection.search(vectors[0] as Float32Array, { k: 1 })
  expect(found[0]).toMatchObject({ id: 'north.npy' })
  const other = await embedder(path, { inputs: { gain: 4 }, runtime: { workers: 0 } })
  await expect(store.collection('winds', { embedder: other })).rejects.toThrow(/inputs/)
  const c = new Builder()
  c.output('y', op.neg(c.input('x', 'float32', ['batch', 'n'])))
  await writeOnnx(c.build(), join(folder, 'any.onnx'))
  const any = await embedder(join(folder, 'any.onnx'), { runtime: { workers: 0 } })
  await expect(store.collection('any', { embedder: any })).rejects.toThrow(/embed one input first/)
  expect((await store.collection('said', { embedder: any, dimensions: 2 })).dimensions).toBe(2)
  await any.embed([Float32Array.of(1, 2, 3)])
  expect((await store.collection('any', { embedder: any })).dimensions).toBe(3)
  await any.dispose()
  await store.close()
  await Promise.all([e, again, other].map((one) => one.dispose()))
})
