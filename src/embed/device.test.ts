import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { open } from '../models/index.ts'
import { withoutWebgpu } from '../runtime/testing/adapter.ts'
import { cosineSimilarity } from '../tensor/index.ts'
import { placementOf } from './device.ts'
import { embedder } from './embedder.ts'

const reason = await withoutWebgpu()
if (reason) console.warn(reason)

let cacheDir: string
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'pipilo-embed-device-'))
})
afterAll(() => rm(cacheDir, { recursive: true, force: true }))
const notes = async () => (await readdir(join(cacheDir, 'sessions')).catch(() => [])).length

describe.skipIf(reason)(`an embedder on WebGPU ${reason ?? ''}`, { timeout: 240_000 }, () => {
  it.each([
    'fp32',
    'fp16',
    'int8',
  ] as const)('gives the vectors of the CPU in %s, once it has proved itself', async (dtype) => {
    const texts = ['football', 'a red bird']
    const runtime = { cacheDir, persist: false }
    const here = await embedder('all-MiniLM-L6-v2', { dtype, runtime })
    const { vectors: expected } = await here.embed(texts)
    await here.dispose()
    const before = await notes()
    const there = await embedder('all-MiniLM-L6-v2', { dtype, device: 'webgpu', runtime })
    // In fp16 without halves it is the graph that has proved itself in fp32.
    if (dtype !== 'fp16') expect(await notes()).toBe(before + 1)
    const { vectors } = await there.embed(texts)
    for (const [i, vector] of vectors.entries())
      expect(cosineSimilarity(vector, expected[i]!)).toBeGreaterThan(dtype === 'fp32' ? 0.99999 : 0.99)
    await there.dispose()
  })

  it('says if it computes in half, and why not', async () => {
    const { half, halfRefused } = await placementOf(await open('all-MiniLM-L6-v2'), {
      device: 'webgpu',
      dtype: 'fp16',
    })
    expect(half === true || /requires f16/.test(halfRefused ?? '')).toBe(true)
  })

  it('says how many operators it leaves to the CPU', async () => {
    const { device, operators, onCpu } = await placementOf(await open('all-MiniLM-L6-v2'), {
      device: 'webgpu',
    })
    expect(device).toBe('webgpu')
    expect(operators).toBeGreaterThan(30)
    const left = Object.values(onCpu).reduce((sum, count) => sum + count, 0)
    expect(left).toBeLessThan(operators / 2)
  })
})

it('On the CPU every operator runs on the CPU.', async () => {
  const { device, operators, onCpu } = await placementOf(await open('all-MiniLM-L6-v2'))
  expect(device).toBe('cpu')
  expect(operators).toBeGreaterThan(30)
  expect(Object.values(onCpu).reduce((sum, count) => sum + count, 0)).toBe(operators)
})
