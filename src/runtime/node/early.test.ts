import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { tensor } from '../../tensor/index.ts'
import { addition, rows } from '../testing/graphs.ts'
import { compile, reopen } from './compile.ts'

const started: Worker[] = []
const note = (worker: Worker) => started.push(worker)
let cacheDir: string
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'pipilo-early-'))
  process.on('worker', note)
})
afterEach(async () => {
  process.off('worker', note)
  started.splice(0)
  await rm(cacheDir, { recursive: true, force: true })
})

/** Two convolutions with BatchNorm and ReLU between them, which optimising fuses and brings into another layout. */
function convolutions(channels: number): Graph {
  const waves = (shape: number[], scale: number) =>
    tensor(
      'float32',
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => scale * Math.sin(i) + 0.01),
    )
  const b = new Builder()
  const weight = (name: string) => b.initializer(name, waves([channels, channels, 3, 3], 0.1))
  const each = (name: string, scale: number) => b.initializer(name, waves([channels], scale))
  const x = b.input('x', 'float32', ['N', channels, 8, 8])
  const first = op.conv(x, weight('conv1.weight'), undefined, { pads: [1, 1, 1, 1] })
  const normal = op.batchNormalization(
    first,
    each('bn.weight', 1),
    each('bn.bias', 1),
    each('bn.running_mean', 1),
    b.initializer('bn.running_var', tensor('float32', [channels], new Float32Array(channels).fill(2))),
  )
  b.output('y', op.conv(op.relu(normal), weight('conv2.weight')))
  return b.build()
}

const picture = (channels: number) =>
  ({
    x: tensor(
      'float32',
      [1, channels, 8, 8],
      Float32Array.from({ length: channels * 64 }, (_, i) => Math.cos(i)),
    ),
  }) as const

describe('a session that is there before it is optimised', () => {
  it.each([
    1, 2,
  ])('gives way to the optimised one, which gives the same numbers, on %i workers', async (workers) => {
    const exact = await compile(convolutions(64), { workers: 0 })
    const expected = (await exact.run(picture(64))).y!.data as Float32Array
    await exact.dispose()
    const session = await compile(convolutions(64), { workers, cacheDir, early: true })
    const first = started[0]!
    const gone = once(first, 'exit')
    const before = (await session.run(picture(64))).y!.data as Float32Array
    await gone
    const after = (await session.run(picture(64))).y!.data as Float32Array
    expect(started).toHaveLength(2)
    for (const numbers of [before, after])
      for (const [i, value] of expected.entries()) expect(numbers[i]).toBeCloseTo(value, 4)
    // Optimised as the exact one is, to the bit.
    expect(after).toEqual(expected)
    await session.dispose()
  })

  it('answers every call that is made meanwhile', async () => {
    const session = await compile(convolutions(256), { workers: 2, cacheDir, early: true })
    const results = await Promise.all(Array.from({ length: 60 }, () => session.run(picture(256))))
    const [first, ...others] = results.map(({ y }) => y!.data as Float32Array)
    for (const numbers of others)
      expect(Math.max(...numbers.map((value, i) => Math.abs(value - first![i]!)))).toBeLessThan(1e-3)
    await session.dispose()
  })

  it('is replaced when its thread ends', async () => {
    const session = await compile(convolutions(256), { workers: 1, cacheDir, early: true })
    await started[0]!.terminate()
    expect((await session.run(picture(256))).y!.shape).toEqual([1, 256, 6, 6])
    await session.dispose()
  })

  it('goes on where the optimised one cannot be written', async () => {
    const session = await compile(convolutions(256), { workers: 1, cacheDir, persist: true, early: true })
    await rm(join(cacheDir, 'sessions'), { recursive: true, force: true })
    for (let call = 0; call < 20; call++)
      expect((await session.run(picture(256))).y!.shape).toEqual([1, 256, 6, 6])
    await session.dispose()
    expect(await reopen(session.kept!, { cacheDir })).toBeUndefined()
  })

  it('is kept for later processes by the time it is disposed', async () => {
    const options = { workers: 1, cacheDir, persist: true, early: true }
    const session = await compile(convolutions(64), options)
    await session.dispose()
    const kept = await readdir(join(cacheDir, 'sessions'))
    expect(kept.map((name) => name.replace(/^.*\./, '')).sort()).toEqual(['bin', 'json', 'json', 'onnx'])
    const again = await (await reopen(session.kept!, { workers: 1, cacheDir }))!.opening
    expect((await again.run(picture(64))).y!.shape).toEqual([1, 64, 6, 6])
    await again.dispose()
  })

  it('is refused at once when the runtime refuses the graph', async () => {
    const graph = addition()
    const wrong = { ...graph, nodes: graph.nodes.map((node) => ({ ...node, op: 'Frobnicate' })) }
    for (const persist of [false, true])
      await expect(compile(wrong, { workers: 1, cacheDir, persist, early: true })).rejects.toMatchObject({
        code: 'OPERATOR_UNSUPPORTED',
      })
    expect(await readdir(join(cacheDir, 'sessions'))).toEqual([])
  })
})

it('Only graphs with much to pack open early unless they are told to.', async () => {
  const session = await compile(addition(), { workers: 1, cacheDir })
  await session.run({ x: rows(1, 2) })
  expect(started.length).toBeLessThanOrEqual(1)
  await session.dispose()
})
