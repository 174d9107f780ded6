import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { PipiloError } from '../../base/index.ts'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { type DType, type Tensor, tensor } from '../../tensor/index.ts'
import { addition, rows, slow } from '../testing/graphs.ts'
import type { CompileOptions, Session } from '../types.ts'
import { compile } from './compile.ts'
import { defaults } from './defaults.ts'

const sessions: Session[] = []
async function open(graph: Graph, options?: CompileOptions): Promise<Session> {
  const session = await compile(graph, options)
  sessions.push(session)
  return session
}
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.dispose()))
})

const error = (code: string, message: RegExp) =>
  expect.toSatisfy((thrown) => {
    expect(thrown).toBeInstanceOf(PipiloError)
    expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) })
    return true
  })

describe.each([
  ['in place', 0],
  ['on workers', 2],
])('a session %s', (_, workers) => {
  it('runs and gives the outputs asked for', async () => {
    const session = await open(addition(), { workers })
    expect(session.concurrency).toBe(Math.max(1, workers))
    const { y } = await session.run({ x: rows(1, 2, 3, 4) }, ['y'])
    expect(y).toEqual({ dtype: 'float32', shape: [2, 2], data: Float32Array.of(2, 4, 4, 6) })
  })

  it('carries every dtype that the runtime takes', async () => {
    const dtypes: DType[] = ['float32', 'float64', 'float16', 'int8', 'uint8', 'int16', 'uint16', 'int32']
    dtypes.push('uint32', 'int64', 'uint64', 'bool', 'string')
    const builder = new Builder()
    for (const dtype of dtypes) builder.output(`${dtype}_out`, op.identity(builder.input(dtype, dtype, [2])))
    const session = await open(builder.build(), { workers })
    const feeds = Object.fromEntries(
      dtypes.map((dtype) => [dtype, tensor(dtype, [2], dtype === 'string' ? ['ä', ''] : [0, 1])]),
    )
    const expected = structuredClone(feeds)
    const results = await session.run(feeds)
    for (const dtype of dtypes) expect(results[`${dtype}_out`], dtype).toEqual(expected[dtype])
  })

  it('takes scalars and tensors without elements', async () => {
    const builder = new Builder()
    builder.output('y', op.identity(builder.input('x', 'float32', [])))
    builder.output('z', op.identity(builder.input('empty', 'float32', ['rows', 3])))
    const session = await open(builder.build(), { workers })
    const feeds = { x: tensor('float32', [], [7]), empty: tensor('float32', [0, 3], []) }
    const { y, z } = await session.run(feeds)
    expect(y).toEqual({ dtype: 'float32', shape: [], data: Float32Array.of(7) })
    expect(z).toEqual({ dtype: 'float32', shape: [0, 3], data: new Float32Array(0) })
  })

  it('says what is wrong with a feed', async () => {
    const session = await open(addition(), { workers })
    await expect(session.run({})).rejects.toEqual(error('INPUT_INVALID', /"x" is missing/))
    await expect(session.run({ x: rows(1, 2), z: rows(1, 2) })).rejects.toEqual(
      error('INPUT_INVALID', /no input "z"/),
    )
    await expect(session.run({ x: tensor('int64', [1, 2], [1, 2]) })).rejects.toEqual(
      error('DTYPE_MISMATCH', /"x" is int64; the graph takes float32/),
    )
    await expect(session.run({ x: tensor('float32', [1, 3], [1, 2, 3]) })).rejects.toEqual(
      error('SHAPE_MISMATCH', /\[1, 3\]; the graph takes \[rows, 2\]/),
    )
    await expect(session.run({ x: rows(1, 2) }, ['q'])).rejects.toEqual(
      error('INPUT_INVALID', /no output "q"/),
    )
  })

  it('names the node that failed', async () => {
    const builder = new Builder()
    const index = builder.input('index', 'int64', [1])
    const table = builder.initializer('table', tensor('float32', [2, 2], [1, 2, 3, 4]))
    builder.output(
      'y',
      builder.scope('encoder.words', () => op.gather(table, index)),
    )
    const session = await open(builder.build(), { workers })
    await expect(session.run({ index: tensor('int64', [1], [9]) })).rejects.toEqual(
      error(
        'RUNTIME',
        /Node "encoder\.words\/Gather" \(Gather\) failed: .*indices element out of data bounds/,
      ),
    )
    const { code, input, hint } = await session.run({ index: tensor('int64', [1], [9]) }).then(
      () => expect.unreachable(),
      (thrown: PipiloError) => thrown,
    )
    expect([code, input]).toEqual(['RUNTIME', 'encoder.words/Gather'])
    expect(hint).toMatch(/shapes and values of the inputs/)
    expect((await session.run({ index: tensor('int64', [1], [1]) })).y?.data).toEqual(Float32Array.of(3, 4))
  })

  it('refuses a graph with an unknown operator or a missing value', async () => {
    const graph = addition()
    const change = (nodes: object) => ({
      ...graph,
      nodes: graph.nodes.map((node) => ({ ...node, ...nodes })),
    })
    await expect(compile(change({ op: 'Frobnicate' }), { workers })).rejects.toEqual(
      error('OPERATOR_UNSUPPORTED', /no operator Frobnicate for node "Add"/),
    )
    await expect(compile(change({ inputs: ['x', 'nowhere'] }), { workers, lower: false })).rejects.toEqual(
      error('GRAPH_INVALID', /nowhere/),
    )
  })

  it('drops an aborted call and goes on', async () => {
    const session = await open(addition(), { workers })
    const before = AbortSignal.abort('enough')
    await expect(session.run({ x: rows(1, 2) }, undefined, { signal: before })).rejects.toEqual(
      error('ABORTED', /aborted/),
    )
    const controller = new AbortController()
    const calls = Array.from({ length: 6 }, () =>
      session.run({ x: rows(1, 2) }, undefined, { signal: controller.signal }),
    )
    controller.abort('enough')
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
    expect((await session.run({ x: rows(1, 2) })).y?.data).toEqual(Float32Array.of(2, 4))
  })

  it('ends the calls under way when it is disposed, and takes no others', async () => {
    const session = await open(addition(), { workers })
    const calls = Array.from({ length: 5 }, (_, i) => session.run({ x: rows(i, i) }))
    const disposed = session.dispose()
    await expect(session.run({ x: rows(1, 2) })).rejects.toEqual(error('DISPOSED', /disposed/))
    await disposed
    for (const [i, call] of calls.entries())
      expect((await call).y?.data).toEqual(Float32Array.of(i + 1, i + 2))
    await session.dispose()
  })
})

describe('a session on workers', () => {
  it('moves feeds and results, and copies only parts of larger buffers', async () => {
    const session = await open(addition(), { workers: 1 })
    const whole = rows(1, 2)
    const buffer = new Float32Array(8).fill(1)
    await session.run({ x: whole })
    expect((whole.data as Float32Array).length).toBe(0)
    await expect(session.run({ x: whole })).rejects.toEqual(error('INPUT_INVALID', /has been moved/))
    await session.run({ x: { dtype: 'float32', shape: [1, 2], data: buffer.subarray(2, 4) } })
    expect(buffer.length).toBe(8)
  })

  it('keeps the event loop free', async () => {
    const session = await open(slow(60), { workers: 1 })
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await session.run({ x: tensor('float32', [512, 512], new Float32Array(512 * 512)) })
    clearInterval(timer)
    expect(turns).toBeGreaterThan(3)
  })

  it('replaces a worker that ends', async () => {
    const started: Worker[] = []
    const note = (worker: Worker) => started.push(worker)
    process.on('worker', note)
    try {
      const session = await open(addition(), { workers: 1 })
      started.at(-1)?.postMessage({ kind: 'nonsense' })
      const [lost, served] = [session.run({ x: rows(1, 2) }), session.run({ x: rows(3, 4) })]
      await expect(lost).rejects.toEqual(error('WORKER_CRASHED', /worker that ran the model ended/))
      expect((await served).y?.data).toEqual(Float32Array.of(4, 6))
      await started.at(-1)?.terminate()
      expect((await session.run({ x: rows(5, 6) })).y?.data).toEqual(Float32Array.of(6, 8))
      expect(started.length).toBe(3)
    } finally {
      process.off('worker', note)
    }
  })

  it('gives each of many calls at once its own result', async () => {
    const session = await open(addition(), { workers: 3 })
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) => session.run({ x: rows(i, -i) }).then(({ y }) => y as Tensor)),
    )
    for (const [i, { data }] of results.entries()) expect(data).toEqual(Float32Array.of(i + 1, 2 - i))
  })
})

it('takes sensible numbers of workers and threads only', async () => {
  const { workers, threads } = defaults()
  expect(workers * threads).toBeGreaterThanOrEqual(1)
  await expect(compile(addition(), { workers: -1 })).rejects.toEqual(error('OPTION_INVALID', /workers is -1/))
  await expect(compile(addition(), { threads: 0 })).rejects.toEqual(error('OPTION_INVALID', /threads is 0/))
  const many = Math.max(64, 4 * availableParallelism()) + 1
  for (const name of ['workers', 'threads']) {
    await expect(compile(addition(), { [name]: many })).rejects.toEqual(
      error('OPTION_INVALID', new RegExp(`${name} is ${many}; .* to ${many - 1}`)),
    )
  }
})
