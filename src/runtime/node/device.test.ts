import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { float32ToFloat16, tensor } from '../../tensor/index.ts'
import { withoutWebgpu } from '../testing/adapter.ts'
import { addition, linear, rows } from '../testing/graphs.ts'
import type { CompileOptions, Device, Session } from '../types.ts'
import { compile } from './compile.ts'
import { boundOf, compareAll } from './prove.ts'
import { compileStateful } from './stateful.ts'

const reason = await withoutWebgpu()
if (reason) console.warn(reason)

let cacheDir: string
const sessions: Session[] = []
async function open(graph: Graph, options: CompileOptions = {}): Promise<Session> {
  const session = await compile(graph, { cacheDir, ...options })
  sessions.push(session)
  return session
}
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'pipilo-device-'))
})
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.dispose()))
  await rm(cacheDir, { recursive: true, force: true })
})

const known = (createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node'))
  .listSupportedBackends()
  .map(({ name }) => name)

describe('a device that is not there', () => {
  it('is refused by name', async () => {
    await expect(compile(addition(), { device: 'gpu' as Device })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('cpu, webgpu, cuda, coreml, directml'),
    })
  })

  it.each([
    0, 1,
  ])('is said to lack in this build, with what it has instead, on %i workers', async (workers) => {
    const missing = (['coreml', 'directml'] as const).find(
      (device) => !known.includes(device === 'directml' ? 'dml' : device),
    )!
    await expect(compile(addition(), { device: missing, workers })).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
      input: missing,
      message: expect.stringContaining(
        `for ${process.platform} ${process.arch} has no ${missing}; it has ${known.join(', ')}`,
      ),
    })
  })

  it.runIf(known.includes('cuda') && process.env['CUDA_PATH'] === undefined)(
    'is said to lack on this machine where the build would have it',
    async () => {
      const opening = compile(addition(), { device: 'cuda' })
      const error = await opening.then(
        async (session) => {
          await session.dispose()
          return undefined
        },
        (thrown) => thrown,
      )
      // A machine with CUDA has nothing to say.
      if (error) expect(error).toMatchObject({ code: 'DEVICE_UNAVAILABLE', message: /CUDA 12/ })
    },
  )
})

describe('the comparison of a device with the CPU', () => {
  const [exact, coarse] = [boundOf(addition()), boundOf(linear(half()))]
  const row = (...values: number[]) => ({ y: tensor('float32', [1, values.length], values) })

  function half() {
    return tensor('float16', [64, 64], float32ToFloat16(new Float32Array(4096).fill(0.5)))
  }

  it('is stricter for graphs in float32', () => {
    expect(exact).toEqual({ cosine: 0.9999, difference: 0.01 })
    expect(coarse).toEqual({ cosine: 0.99, difference: 0.1 })
    const [a, b] = [row(1, 2, 3), row(1.05, 2, 3)]
    expect(compareAll(a, b, exact).wrong?.why).toMatch(/differ by 0\.0167 of the largest/)
    expect(compareAll(a, b, coarse).wrong).toBeUndefined()
  })

  it('sees one wrong row among many, numbers that are none, and other integers', () => {
    const many = (last: number) =>
      tensor(
        'float32',
        [100, 2],
        Array.from({ length: 200 }, (_, i) => (i < 198 ? 100 : i === 198 ? 0.2 : last)),
      )
    expect(compareAll({ y: many(0.2) }, { y: many(-0.2) }, exact).wrong?.why).toMatch(/cosine of row 99/)
    expect(compareAll(row(1, 2), row(1, Number.NaN), exact).wrong?.why).toMatch(/element 1 is NaN/)
    expect(compareAll(row(1, Number.POSITIVE_INFINITY), row(1, 2), exact).wrong?.why).toMatch(/not Infinity/)
    const index = (value: number) => ({ y: tensor('int64', [2], [1, value]) })
    expect(compareAll(index(2), index(3), coarse).wrong?.why).toMatch(/element 1 is 3, not 2/)
    expect(compareAll(index(2), index(2), exact).wrong).toBeUndefined()
    expect(compareAll(row(0, 0), row(0, 0), exact)).toEqual({ cosine: 1, difference: 0 })
    expect(compareAll(row(0, 0), row(0, 1), exact).wrong).toBeDefined()
    expect(compareAll(row(1, 2), row(1, 2, 3), exact).wrong?.why).toMatch(/\[1,3\], not float32 of \[1,2\]/)
  })
})

/** A network that wants both of a device's paths: matrix products, and an operator that WebGPU does not have. */
function network(): Graph {
  const builder = new Builder({ name: 'network' })
  const wave = (shape: number[], phase: number) =>
    tensor(
      'float32',
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + phase)),
    )
  const x = builder.input('x', 'float32', ['rows', 32])
  const hidden = op.relu(op.matMul(x, op.transpose(builder.initializer('a', wave([48, 32], 1)), [1, 0])))
  builder.output('y', op.softmax(op.matMul(hidden, builder.initializer('b', wave([48, 8], 2)))))
  return builder.build()
}
const input = (count = 3) => ({
  x: tensor(
    'float32',
    [count, 32],
    Float32Array.from({ length: 32 * count }, (_, i) => Math.cos(i)),
  ),
})

describe.skipIf(reason)(`a session on WebGPU ${reason ?? ''}`, { timeout: 120_000 }, () => {
  it.each([0, 1, 4])('gives the numbers of the CPU, on %i workers', async (workers) => {
    const [there, here] = [
      await open(network(), { device: 'webgpu', workers }),
      await open(network(), { workers: 0 }),
    ]
    expect([there.device, here.device]).toEqual(['webgpu', 'cpu'])
    expect(there.concurrency).toBe(1)
    const [got, expected] = [(await there.run(input())).y!, (await here.run(input())).y!]
    expect(got.shape).toEqual(expected.shape)
    for (const [i, value] of expected.data.entries()) expect(got.data[i]).toBeCloseTo(Number(value), 5)
  })

  it('takes its turn beside others of the process', async () => {
    const opened = await Promise.all(
      [1, 0, 1, 1].map((workers) => open(network(), { device: 'webgpu', workers })),
    )
    const calls = opened.flatMap((session) => [1, 2, 3, 1, 2].map((count) => session.run(input(count))))
    const shapes = (await Promise.all(calls)).map(({ y }) => y!.shape[0])
    expect(shapes).toEqual(opened.flatMap(() => [1, 2, 3, 1, 2]))
  })

  it('holds state', async () => {
    const builder = new Builder()
    const count = builder.input('count', 'float32', [4])
    builder.output('next', op.add(count, builder.input('by', 'float32', [4])))
    const session = await compileStateful(builder.build(), { device: 'webgpu', state: { count: 'next' } })
    await session.write({ count: tensor('float32', [4], [1, 2, 3, 4]) })
    for (let i = 0; i < 10; i++) await session.step({ feeds: { by: tensor('float32', [4], [1, 1, 1, 1]) } })
    expect(await session.read()).toEqual({ count: tensor('float32', [4], [11, 12, 13, 14]) })
    await session.dispose()
  })

  it('names the graph, not the device, where the graph is to blame', async () => {
    const graph = addition()
    const nodes = graph.nodes.map((node) => ({ ...node, op: 'Frobnicate' }))
    for (const workers of [0, 1])
      await expect(open({ ...graph, nodes }, { device: 'webgpu', workers })).rejects.toMatchObject({
        code: 'OPERATOR_UNSUPPORTED',
      })
  })

  it('is refused where its numbers are not the CPU’s, each time anew', async () => {
    const builder = new Builder()
    const x = builder.input('x', 'float32', ['rows', 32])
    // Noise is the one operator that gives other numbers on every run of a sound device; those of first runs are the same.
    builder.output('y', op.add(x, builder.node('RandomNormalLike', [x])[0]!))
    const session = await open(builder.build(), { device: 'webgpu' })
    await session.run(input())
    for (let time = 0; time < 2; time++)
      await expect(session.prove(input())).rejects.toMatchObject({
        code: 'DEVICE_WRONG',
        input: 'webgpu',
        message: expect.stringMatching(/On webgpu the output "y" is not the CPU's: /),
      })
    expect(await readdir(join(cacheDir, 'sessions')).catch(() => [])).toEqual([])
  })

  it('computes in half where the device does, and says why where it does not', async () => {
    const there = await open(network(), { device: 'webgpu', half: true })
    const here = await open(network(), { workers: 0, half: true })
    expect(here.half ?? here.halfRefused).toBeUndefined()
    // SwiftShader has no halves, most GPUs have them.
    if (there.half) expect(there.halfRefused).toBeUndefined()
    else expect(there.halfRefused).toMatch(/requires f16 but the device does not support it/)
    const [got, expected] = [(await there.run(input())).y!, (await here.run(input())).y!]
    for (const [i, value] of expected.data.entries())
      expect(got.data[i]).toBeCloseTo(Number(value), there.half ? 2 : 5)
    await there.prove(input())
    const again = await open(network(), { device: 'webgpu', half: true, workers: 0 })
    expect([again.half, again.halfRefused]).toEqual([there.half, there.halfRefused])
  })

  it('proves itself once for a graph and its weights, and again when asked', async () => {
    const notes = async () => (await readdir(join(cacheDir, 'sessions')).catch(() => [])).length
    const session = await open(network(), { device: 'webgpu' })
    const feeds = input()
    await session.prove(feeds)
    expect(feeds.x.data).toHaveLength(96)
    expect(await notes()).toBe(1)
    // Known to be right: these feeds, which the graph does not take, are not even looked at.
    await session.prove({ x: rows(1, 2) })
    await expect(session.prove({ x: rows(1, 2) }, { recheck: true })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    })
    const again = await open(network(), { device: 'webgpu' })
    await again.prove({ x: rows(1, 2) })
    const other = network()
    const initializers = new Map(other.initializers).set(
      'a',
      tensor('float32', [48, 32], new Float32Array(1536)),
    )
    const changed = await open({ ...other, initializers }, { device: 'webgpu' })
    await expect(changed.prove({ x: rows(1, 2) })).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' })
    await changed.prove(input())
    expect(await notes()).toBe(2)
  })
})

it('On the CPU there is nothing to prove.', async () => {
  const session = await open(addition(), { workers: 0 })
  await session.prove({})
  expect(session.device).toBe('cpu')
})
