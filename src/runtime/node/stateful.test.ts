import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { Builder, type Graph, op } from '../../graph/index.ts'
import { type DType, tensor } from '../../tensor/index.ts'
import type { StatefulOptions, StatefulSession } from '../types.ts'
import { compileStateful } from './stateful.ts'

const sessions: StatefulSession[] = []
async function open(graph: Graph, options: StatefulOptions): Promise<StatefulSession> {
  const session = await compileStateful(graph, options)
  sessions.push(session)
  return session
}
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.dispose()))
})

/** `count.next = count + by`, and twice as much as `double`. */
function counter(dtype: DType = 'float32'): Graph {
  const builder = new Builder({ name: 'counter' })
  const count = builder.input('count', dtype, [1])
  const next = op.add(count, builder.input('by', dtype, [1]))
  builder.output('count.next', next)
  builder.output('double', op.add(next, next))
  return builder.build()
}
const one = (value: number, dtype: DType = 'float32') => tensor(dtype, [1], [value])
const counting = { state: { count: 'count.next' } }

const [INPUTS, OUTPUTS, ROWS, RATE] = [5, 3, 8, 0.05]

/** One step of gradient descent, by hand, of `y = x · weight + bias` under the mean square error. */
function descent(): Graph {
  const builder = new Builder({ name: 'descent' })
  const x = builder.input('x', 'float32', [ROWS, INPUTS])
  const target = builder.input('target', 'float32', [ROWS, OUTPUTS])
  const weight = builder.initializer(
    'weight',
    tensor(
      'float32',
      [INPUTS, OUTPUTS],
      Float32Array.from({ length: INPUTS * OUTPUTS }, (_, i) => Math.sin(i)),
    ),
  )
  const bias = builder.initializer('bias', tensor('float32', [OUTPUTS], new Float32Array(OUTPUTS)))
  const wrong = op.sub(op.add(op.matMul(x, weight), bias), target)
  const rate = builder.initializer('rate', tensor('float32', [], [(RATE * 2) / (ROWS * OUTPUTS)]))
  builder.output('loss', op.reduceMean(op.mul(wrong, wrong), [0, 1], { keepDims: false }))
  builder.output('weight.next', op.sub(weight, op.mul(op.matMul(op.transpose(x, [1, 0]), wrong), rate)))
  builder.output('bias.next', op.sub(bias, op.mul(op.reduceSum(wrong, [0], { keepDims: false }), rate)))
  return builder.build()
}
const descending = { state: { weight: 'weight.next', bias: 'bias.next' } }

const wave = (step: number, length: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(step * 1.7 + i * 0.9))
const batch = (step: number) => ({
  x: tensor('float32', [ROWS, INPUTS], wave(step, ROWS * INPUTS)),
  target: tensor('float32', [ROWS, OUTPUTS], wave(step + 0.5, ROWS * OUTPUTS)),
})

/** The same steps in plain TypeScript, in double precision. */
function descendByHand(steps: number): { weight: number[]; bias: number[]; losses: number[] } {
  const weight = Array.from(Float32Array.from({ length: INPUTS * OUTPUTS }, (_, i) => Math.sin(i)))
  const bias = new Array<number>(OUTPUTS).fill(0)
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    const [x, target] = [wave(step, ROWS * INPUTS), wave(step + 0.5, ROWS * OUTPUTS)]
    const wrong = Array.from(target, (wanted, i) => {
      const [row, column] = [Math.floor(i / OUTPUTS), i % OUTPUTS]
      let sum = bias[column]!
      for (let k = 0; k < INPUTS; k++) sum += x[row * INPUTS + k]! * weight[k * OUTPUTS + column]!
      return sum - wanted
    })
    losses.push(wrong.reduce((sum, value) => sum + value * value, 0) / wrong.length)
    const rate = (RATE * 2) / wrong.length
    for (const [i, value] of wrong.entries()) {
      const [row, column] = [Math.floor(i / OUTPUTS), i % OUTPUTS]
      bias[column]! -= rate * value
      for (let k = 0; k < INPUTS; k++) weight[k * OUTPUTS + column]! -= rate * x[row * INPUTS + k]! * value
    }
  }
  return { weight, bias, losses }
}

describe.each([0, 1] as const)('a session that holds state, on %i workers', (workers) => {
  it.each(['float32', 'float64', 'int32', 'int64'] as const)('counts in %s', async (dtype) => {
    const session = await open(counter(dtype), { ...counting, workers })
    expect(session.inputs.map(({ name }) => name)).toEqual(['by'])
    expect(session.state.map(({ name }) => name)).toEqual(['count'])
    await session.write({ count: one(5, dtype) })
    for (let i = 1; i <= 100; i++)
      expect(await session.step({ feeds: { by: one(2, dtype) } })).toEqual({ double: one(10 + 4 * i, dtype) })
    expect(await session.read()).toEqual({ count: one(205, dtype) })
  })

  it('carries half precision and strings', async () => {
    const builder = new Builder()
    const half = builder.input('half', 'float16', [2])
    const word = builder.input('word', 'string', [1])
    builder.output('half.next', op.neg(half))
    builder.output('word.next', op.identity(word))
    const session = await open(builder.build(), { workers, state: { half: 'half.next', word: 'word.next' } })
    await session.write({
      half: tensor('float16', [2], [0x3c00, 0xc000]),
      word: tensor('string', [1], ['a']),
    })
    for (let i = 0; i < 3; i++) await session.step()
    expect(await session.read()).toEqual({
      half: tensor('float16', [2], [0xbc00, 0x4000]),
      word: tensor('string', [1], ['a']),
    })
  })

  it('takes 1,000 steps of gradient descent to the numbers that a plain loop gives', async () => {
    const session = await open(descent(), { ...descending, workers })
    const { weight, bias, losses } = descendByHand(1000)
    const got: number[] = []
    for (let step = 0; step < 1000; step++) {
      const { loss } = await session.step({ feeds: batch(step), fetch: ['loss'] })
      got.push(Number(loss!.data[0]))
    }
    for (const [i, loss] of losses.entries()) expect(got[i]).toBeCloseTo(loss, 5)
    const trained = await session.read()
    for (const [i, value] of weight.entries()) expect(trained.weight!.data[i]).toBeCloseTo(value, 5)
    for (const [i, value] of bias.entries()) expect(trained.bias!.data[i]).toBeCloseTo(value, 5)
    expect(weight.some((value, i) => Math.abs(value - Math.sin(i)) > 0.1)).toBe(true)
  })

  it('keeps what it is told to keep; what is fetched and kept is a copy', async () => {
    const session = await open(counter(), { ...counting, workers })
    await session.write({ count: one(1) })
    const feeds = () => ({ by: one(1) })
    expect(await session.step({ feeds: feeds(), keep: [], fetch: ['count.next', 'double'] })).toEqual({
      'count.next': one(2),
      double: one(4),
    })
    expect(await session.read()).toEqual({ count: one(1) })
    const first = await session.step({ feeds: feeds(), fetch: ['count.next'] })
    ;(first['count.next']!.data as Float32Array)[0] = 99
    const { count } = await session.read(['count'])
    ;(count!.data as Float32Array)[0] = 99
    const written = one(7)
    expect(await session.step({ feeds: feeds() })).toEqual({ double: one(6) })
    await session.write({ count: written })
    ;(written.data as Float32Array)[0] = 99
    expect(await session.step({ feeds: feeds() })).toEqual({ double: one(16) })
  })

  it('takes its last step back, once', async () => {
    const session = await open(counter(), { ...counting, workers })
    await session.write({ count: one(1) })
    const step = () => session.step({ feeds: { by: one(2) } })
    await expect(session.undo()).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    for (let i = 0; i < 3; i++) {
      await step()
      await step()
      await session.undo()
      expect(await session.read()).toEqual({ count: one(3 + 2 * i) })
      await expect(session.undo()).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    }
    await step()
    await session.write({ count: one(1) })
    await expect(session.undo()).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  it('holds the right numbers whatever is kept, written and taken back', async () => {
    const builder = new Builder()
    const by = builder.input('by', 'float32', [2])
    for (const name of ['a', 'b', 'c'])
      builder.output(`${name}.next`, op.add(builder.input(name, 'float32', [2]), by))
    const session = await open(builder.build(), { workers, state: { a: 'a.next', b: 'b.next', c: 'c.next' } })
    const two = (value: number) => tensor('float32', [2], [value, value])
    let [held, before]: [Record<string, number>, Record<string, number> | undefined] = [
      { a: 0, b: 0, c: 0 },
      undefined,
    ]
    await session.write({ a: two(0), b: two(0), c: two(0) })
    for (let i = 0; i < 80; i++) {
      const keep = [['a', 'b', 'c'], ['a', 'b', 'c'], ['b'], ['a', 'c'], []][(i * i + (i >> 3)) % 5]!
      if (i % 7 === 3 && before) {
        await session.undo()
        ;[held, before] = [before, undefined]
      } else if (i % 11 === 5) {
        await session.write({ b: two(i) })
        ;[held, before] = [{ ...held, b: i }, undefined]
      } else {
        const results = await session.step({ feeds: { by: two(i) }, keep, fetch: ['a.next'] })
        expect(results['a.next']).toEqual(two(held['a']! + i))
        before = held
        held = { ...held, ...Object.fromEntries(keep.map((name) => [name, held[name]! + i])) }
      }
      expect(await session.read()).toEqual({ a: two(held['a']!), b: two(held['b']!), c: two(held['c']!) })
    }
  })

  it('takes inner values whose sizes change between steps of the same shapes', async () => {
    const builder = new Builder()
    const [x, sum] = [builder.input('x', 'float32', [64]), builder.input('sum', 'float32', [1])]
    const places = op.reshape(op.nonZero(x), [-1])
    const found = op.gather(x, places)
    const pairs = op.mul(op.unsqueeze(found, [0]), op.unsqueeze(found, [1]))
    builder.output('sum.next', op.add(sum, op.reshape(op.reduceSum(pairs), [1])))
    const session = await open(builder.build(), { workers, state: { sum: 'sum.next' } })
    await session.write({ sum: one(0) })
    let expected = 0
    for (const count of [3, 40, 1, 64, 0, 64, 7]) {
      await session.step({
        feeds: {
          x: tensor(
            'float32',
            [64],
            Float32Array.from({ length: 64 }, (_, i) => Number(i < count)),
          ),
        },
      })
      expected += count * count
      expect(await session.read()).toEqual({ sum: one(expected) })
    }
  })

  it('lets state grow where the graph names its size, and only there', async () => {
    const builder = new Builder()
    const seen = builder.input('seen', 'float32', ['n', 2])
    builder.output('seen.next', op.concat([seen, builder.input('row', 'float32', ['rows', 2])], 0))
    const session = await open(builder.build(), { workers, state: { seen: 'seen.next' } })
    await session.write({ seen: tensor('float32', [0, 2], []) })
    for (let i = 0; i < 3; i++) await session.step({ feeds: { row: tensor('float32', [1, 2], [i, -i]) } })
    expect(await session.read()).toEqual({ seen: tensor('float32', [3, 2], [0, -0, 1, -1, 2, -2]) })
  })

  it('is as it was before a step that fails, and goes on', async () => {
    const builder = new Builder()
    const [count, sum] = [builder.input('count', 'float32', [1]), builder.input('sum', 'float32', [2])]
    builder.output('count.next', op.add(count, builder.initializer('one', one(1))))
    const table = builder.initializer('table', tensor('float32', [2, 2], [1, 2, 3, 4]))
    const row = op.gather(table, builder.input('index', 'int64', [1]))
    builder.output('sum.next', op.add(sum, op.reshape(row, [2])))
    const session = await open(builder.build(), { workers, state: { count: 'count.next', sum: 'sum.next' } })
    await session.write({ count: one(0), sum: tensor('float32', [2], [0, 0]) })
    const step = (index: number) => session.step({ feeds: { index: tensor('int64', [1], [index]) } })
    for (let round = 1; round <= 5; round++) {
      await step(1)
      // The counter's new value is there before the table finds no such row.
      await expect(step(9)).rejects.toMatchObject({
        name: 'PipiloError',
        code: 'RUNTIME',
        input: 'Gather',
        hint: expect.stringContaining('shapes and values'),
      })
      expect(await session.read()).toEqual({
        count: one(round),
        sum: tensor('float32', [2], [3 * round, 4 * round]),
      })
    }
  })

  it('refuses a next value of another shape, and keeps the last good one', async () => {
    const builder = new Builder()
    const state = builder.input('state', 'float32', [2])
    const size = builder.input('size', 'int64', [1])
    builder.output('next', op.slice(op.concat([state, state], 0), [0], size, { axes: [0] }))
    const rows = builder.input('rows', 'float32', ['n', 2])
    builder.output('rows.next', op.slice(rows, [0], size, { axes: [1] }))
    const session = await open(builder.build(), { workers, state: { state: 'next', rows: 'rows.next' } })
    const first = { state: tensor('float32', [2], [1, 2]), rows: tensor('float32', [1, 2], [3, 4]) }
    await session.write(first)
    const feeds = (n: number) => ({ size: tensor('int64', [1], [n]) })
    await session.step({ feeds: feeds(2) })
    await expect(session.step({ feeds: feeds(3), keep: ['state'] })).rejects.toMatchObject({
      code: 'RUNTIME',
    })
    await expect(session.step({ feeds: feeds(1), keep: ['rows'] })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      input: 'rows',
      hint: 'The state is as it was before the step.',
    })
    expect(await session.read()).toEqual(first)
  })

  it('takes calls in the order in which they are made', async () => {
    const session = await open(counter(), { ...counting, workers })
    const written = session.write({ count: one(0) })
    const steps = Array.from({ length: 20 }, () => session.step({ feeds: { by: one(1) } }))
    const read = session.read()
    const again = session.write({ count: one(100) })
    const last = session.step({ feeds: { by: one(1) } })
    const disposed = session.dispose()
    await expect(session.read()).rejects.toMatchObject({ code: 'DISPOSED' })
    expect((await Promise.all(steps)).map(({ double }) => double!.data[0])).toEqual(
      Array.from({ length: 20 }, (_, i) => 2 * (i + 1)),
    )
    expect(await read).toEqual({ count: one(20) })
    expect(await last).toEqual({ double: one(202) })
    await Promise.all([written, again, disposed])
  })

  it('leaves out a waiting step that is aborted; one that has begun counts', async () => {
    const session = await open(counter(), { ...counting, workers })
    await session.write({ count: one(0) })
    const controller = new AbortController()
    const step = (signal?: AbortSignal) => session.step({ feeds: { by: one(1) }, ...(signal && { signal }) })
    const steps = [step(), step(controller.signal), step()]
    controller.abort('enough')
    await expect(steps[1]).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
    await expect(step(controller.signal)).rejects.toMatchObject({ code: 'ABORTED' })
    await Promise.all([steps[0], steps[2]])
    expect(await session.read()).toEqual({ count: one(2) })
  })

  it('says what is wrong with a call', async () => {
    const session = await open(counter(), { ...counting, workers })
    const wrong = (call: Promise<unknown>, code: string, message: RegExp) =>
      expect(call).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    const feeds = { by: one(1) }
    await wrong(session.step({ feeds }), 'INPUT_INVALID', /state "count" has no value yet/)
    await wrong(session.read(), 'INPUT_INVALID', /no value yet/)
    await wrong(session.write({ by: one(1) }), 'INPUT_INVALID', /keeps no "by"/)
    await wrong(session.write({ count: one(1, 'int32') }), 'DTYPE_MISMATCH', /int32/)
    await wrong(session.write({ count: tensor('float32', [2], [1, 2]) }), 'SHAPE_MISMATCH', /\[2\]/)
    await session.write({ count: one(1) })
    await wrong(session.step(), 'INPUT_INVALID', /"by" is missing/)
    await wrong(session.step({ feeds: { ...feeds, count: one(1) } }), 'INPUT_INVALID', /no input "count"/)
    await wrong(session.step({ feeds, keep: ['by'] }), 'INPUT_INVALID', /keeps no "by"/)
    await wrong(session.step({ feeds, fetch: ['count'] }), 'INPUT_INVALID', /no output "count"/)
    await wrong(session.read(['x']), 'INPUT_INVALID', /keeps no "x"/)
    expect(await session.read()).toEqual({ count: one(1) })
  })
})

it('A thread and the calling one give the same numbers to the bit, and writing what was read goes on from there.', async () => {
  const [here, there] = [
    await open(descent(), { ...descending, workers: 0, threads: 1 }),
    await open(descent(), { ...descending, workers: 1, threads: 1 }),
  ]
  for (let step = 0; step < 1000; step++) {
    const [a, b] = await Promise.all([here.step({ feeds: batch(step) }), there.step({ feeds: batch(step) })])
    expect(a).toEqual(b)
    if (step !== 500) continue
    const state = await there.read()
    await there.write({ weight: tensor('float32', [INPUTS, OUTPUTS], new Float32Array(INPUTS * OUTPUTS)) })
    await there.write(state)
  }
  expect(await there.read()).toEqual(await here.read())
})

it('When its thread ends, this call and all later ones say that the state is lost; no other thread takes over.', async () => {
  const started: Worker[] = []
  const note = (worker: Worker) => started.push(worker)
  process.on('worker', note)
  try {
    const session = await open(counter(), counting)
    await session.write({ count: one(41) })
    expect(started).toHaveLength(1)
    const lost = { code: 'WORKER_CRASHED', message: expect.stringMatching(/state that it held is lost/) }
    // A message that it does not know ends the thread, as running out of memory would.
    started[0]!.postMessage({ kind: 'nonsense' })
    const calls = [session.step({ feeds: { by: one(1) } }), session.read(), session.write({ count: one(0) })]
    for (const call of calls) await expect(call).rejects.toMatchObject(lost)
    await expect(session.step({ feeds: { by: one(1) } })).rejects.toMatchObject(lost)
    const other = await open(counter(), counting)
    await other.write({ count: one(1) })
    await started[1]!.terminate()
    await expect(other.read()).rejects.toMatchObject(lost)
    await other.dispose()
    expect(started).toHaveLength(2)
  } finally {
    process.off('worker', note)
  }
})

it('State that the graph cannot keep is refused.', async () => {
  const wrong = (graph: Graph, options: StatefulOptions, code: string, message: RegExp) =>
    expect(compileStateful(graph, options)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  await wrong(counter(), { state: { total: 'count.next' } }, 'INPUT_INVALID', /neither an input/)
  await wrong(counter(), { state: { count: 'sum' } }, 'INPUT_INVALID', /no output "sum"/)
  const twice = { count: 'count.next', by: 'count.next' }
  await wrong(counter(), { state: twice }, 'OPTION_INVALID', /next value of two states/)
  await wrong(counter(), { ...counting, workers: 2 as 1 }, 'OPTION_INVALID', /0 or 1/)
  const builder = new Builder()
  const x = builder.input('x', 'float32', [2])
  builder.output('int', op.cast(x, 'int64'))
  builder.output('long', op.concat([x, x], 0))
  await wrong(builder.build(), { state: { x: 'int' } }, 'DTYPE_MISMATCH', /"int" is int64/)
  await wrong(builder.build(), { state: { x: 'long' } }, 'SHAPE_MISMATCH', /\[4\]; the state "x" has \[2\]/)
  const graph = counter()
  const nodes = graph.nodes.map((node) => ({ ...node, op: 'Frobnicate' }))
  await wrong({ ...graph, nodes }, counting, 'OPERATOR_UNSUPPORTED', /no operator Frobnicate/)
})

it('State that is its own next value stays as it was written.', async () => {
  for (const workers of [0, 1] as const) {
    const builder = new Builder()
    const data = builder.input('data', 'float32', ['rows', 2])
    const sum = builder.input('sum', 'float32', [2])
    builder.output('sum.next', op.add(sum, op.reduceSum(data, [0])))
    const session = await compileStateful(builder.build(), {
      state: { data: 'data', sum: 'sum.next' },
      workers,
    })
    await session.write({
      data: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      sum: { dtype: 'float32', shape: [2], data: Float32Array.of(0, 0) },
    })
    await session.step()
    await session.step({ keep: ['sum', 'data'] })
    const { data: given, sum: result } = await session.read()
    expect([...(given!.data as Float32Array)]).toEqual([1, 2, 3, 4])
    expect([...(result!.data as Float32Array)]).toEqual([8, 12])
    await session.undo()
    expect([...((await session.read(['sum'])).sum!.data as Float32Array)]).toEqual([4, 6])
    await session.dispose()
  }
})
