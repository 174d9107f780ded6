import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { type DataCollection, dc, FailedRow, type Progress, pipe } from './index.ts'
import { MAX_CHUNK } from './pace.ts'

const later = <T>(value: T, milliseconds = 0): Promise<T> =>
  new Promise((resolve) => setTimeout(() => resolve(value), milliseconds))

/** Windows as arrays would have them. */
function windows<T>(values: readonly T[], size: number, step: number, partial: boolean): T[][] {
  const list: T[][] = []
  for (let i = 0; i < values.length; i += step) {
    const window = values.slice(i, i + size)
    if (window.length === size || partial) list.push(window)
  }
  return list
}

interface Step {
  readonly name: string
  readonly stream: (values: DataCollection<number>) => DataCollection<number>
  readonly array: (values: number[]) => number[]
}

const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0)
const repeat = (x: number): number[] => Array.from({ length: Math.abs(x) % 4 }, (_, i) => x + i)

async function* slowly(values: readonly number[]): AsyncGenerator<number> {
  for (const value of values) yield value % 3 === 0 ? await later(value) : value
}

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom<Step>(
    { name: 'map', stream: (s) => s.map((x) => x + 1), array: (a) => a.map((x) => x + 1) },
    { name: 'async map', stream: (s) => s.map(async (x) => x * 2), array: (a) => a.map((x) => x * 2) },
    {
      name: 'uneven async map',
      stream: (s) => s.map((x) => (x % 3 === 0 ? x : later(x, Math.abs(x) % 2)), { concurrency: 3 }),
      array: (a) => a,
    },
    {
      name: 'filter',
      stream: (s) => s.filter((x) => x % 2 === 0),
      array: (a) => a.filter((x) => x % 2 === 0),
    },
    {
      name: 'async filter',
      stream: (s) => s.filter(async (x) => x % 3),
      array: (a) => a.filter((x) => x % 3),
    },
    { name: 'flatMap', stream: (s) => s.flatMap(repeat), array: (a) => a.flatMap(repeat) },
    {
      name: 'async flatMap',
      stream: (s) => s.flatMap((x) => slowly(repeat(x))),
      array: (a) => a.flatMap(repeat),
    },
  ),
  fc
    .record({
      size: fc.integer({ min: 1, max: 5 }),
      step: fc.integer({ min: 1, max: 7 }),
      partial: fc.boolean(),
    })
    .map(
      ({ size, step, partial }): Step => ({
        name: `window ${size} ${step} ${partial}`,
        stream: (s) => s.window(size, step, { partial }).map(sum),
        array: (a) => windows(a, size, step, partial).map(sum),
      }),
    ),
  fc.integer({ min: 0, max: 40 }).map(
    (count): Step => ({
      name: `take ${count}`,
      stream: (s) => s.take(count),
      array: (a) => a.slice(0, count),
    }),
  ),
)

describe('a run', () => {
  it('gives what arrays would give, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 200 }),
        fc.array(steps, { maxLength: 5 }),
        fc.boolean(),
        async (values, chain, slow) => {
          const source = slow ? slowly(values.slice(0, 20)) : values
          const collection = chain.reduce((s, step) => step.stream(s), dc<number>(source))
          const expected = chain.reduce((a, step) => step.array(a), slow ? values.slice(0, 20) : values)
          expect(await collection.toList()).toEqual(expected)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('reads no further ahead than its queues hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 4 }), fc.boolean(), async (maps, asynchronous) => {
        let read = 0
        function* count(): Generator<number> {
          for (;;) yield read++
        }
        async function* countLater(): AsyncGenerator<number> {
          yield* count()
        }
        let collection = dc(asynchronous ? countLater() : count())
        for (let i = 0; i < maps; i++) collection = collection.map((x) => x)
        let taken = 0
        for await (const _ of collection) {
          taken++
          expect(read - taken).toBeLessThanOrEqual((maps + 1) * 3 * MAX_CHUNK + MAX_CHUNK)
          if (taken === 2_000) break
        }
      }),
      { numRuns: 10 },
    )
  })

  it('does not run ahead of a slow reader', async () => {
    let read = 0
    function* count(): Generator<number> {
      for (;;) yield read++
    }
    const rows = dc(count())
      .map((x) => x)
      .stream()
    for (let taken = 1; taken <= 20; taken++) {
      await rows.next()
      await later(undefined, 6)
      // Ten rows tell the stages how slow their reader is.
      if (taken > 10) expect(read - taken).toBeLessThanOrEqual(24)
    }
    await rows.return()
  })

  it('hands on each row of a slow source at once', async () => {
    const gate: (() => void)[] = []
    async function* source(): AsyncGenerator<number> {
      for (let i = 0; i < 3; i++) {
        yield i
        await new Promise<void>((resolve) => gate.push(resolve))
      }
    }
    const rows = dc(source())
      .map(async (x) => x)
      .batch(1)
      .stream()
    for (let i = 0; i < 3; i++) {
      expect((await rows.next()).value).toEqual([i])
      while (gate.length === 0) await later(undefined)
      gate.pop()!()
    }
    expect((await rows.next()).done).toBe(true)
  })

  it('runs stages at the same time, and promises several at a time', async () => {
    let running = 0
    let most = 0
    const work = async (x: number): Promise<number> => {
      most = Math.max(most, ++running)
      await later(undefined, 2)
      running--
      return x
    }
    await dc(Array.from({ length: 40 }, (_, i) => i))
      .map(work, { concurrency: 3 })
      .toList()
    expect(most).toBe(3)
  })

  it('refuses numbers that make no sense', () => {
    const wrong = [
      () => dc([1]).map((x) => x, { concurrency: 0 }),
      () => dc([1]).window(0),
      () => dc([1]).batch(1.5),
      () => dc([1]).take(-1),
      () => dc(['a']).textEmbedding.sentence({ batch: 0 }),
    ]
    for (const make of wrong) expect(make).toThrowError(expect.objectContaining({ code: 'OPTION_INVALID' }))
    expect(() => dc('text')).toThrowError(expect.objectContaining({ code: 'INPUT_INVALID' }))
  })

  it('lets the event loop turn while cheap functions run', async () => {
    function* endless(): Generator<number> {
      for (;;) yield 1
    }
    const nothing = dc(endless()).filter(() => false)
    await expect(nothing.toList({ signal: AbortSignal.timeout(30) })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    const lists = dc([1])
      .flatMap(endless)
      .filter(() => false)
    await expect(lists.toList({ signal: AbortSignal.timeout(30) })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('a row that fails', () => {
  const failing = (x: number): number => {
    if (x % 3 === 2) throw new RangeError(`bad ${x}`)
    return x
  }
  const numbers = [0, 1, 2, 3, 4, 5]

  it.each([
    ['at once', failing] as const,
    ['later', async (x: number) => failing(await later(x))] as const,
  ])('is thrown, skipped or kept: %s', async (_, fn) => {
    const collection = dc(numbers).map(fn)
    const error = await collection.toList().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(PipiloError)
    expect(error).toMatchObject({ code: 'OPERATOR_FAILED', input: 2, cause: new RangeError('bad 2') })
    expect((error as PipiloError).message).toMatch(/^Row 2 failed in stage 1 \(map.*\): bad 2/)

    expect(await collection.toList({ onError: 'skip' })).toEqual([0, 1, 3, 4])

    const kept = await collection.map((x) => x + 10).toList({ onError: 'keep' })
    expect(kept.map((row) => (row instanceof FailedRow ? row.value : row))).toEqual([10, 11, 2, 13, 14, 5])
    expect(kept[5]).toMatchObject({ row: 5, error: { code: 'OPERATOR_FAILED' } })
  })

  it('comes after the rows before it', async () => {
    const seen: number[] = []
    const run = async (): Promise<void> => {
      for await (const x of dc(numbers).map(failing).batch(1)) seen.push(...x)
    }
    await expect(run()).rejects.toThrow('Row 2')
    expect(seen).toEqual([0, 1])
    expect(await dc(numbers).map(failing).take(2).toList()).toEqual([0, 1])
  })

  it('is named by the row of the source, behind filters and lists', async () => {
    const run = dc(['a', 'b', 'c,d'])
      .filter((text) => text !== 'a')
      .flatMap((text) => text.split(','))
      .map((text) => (text === 'd' ? JSON.parse(text) : text))
    await expect(run.toList()).rejects.toThrow(/^Row 2 failed in stage 4/)
    await expect(
      dc([1])
        .flatMap(() => 1 as unknown as number[])
        .toList(),
    ).rejects.toThrow('not a list')
  })

  it('does not hide a source that fails', async () => {
    function* source(): Generator<number> {
      yield 1
      throw new Error('the disk is gone')
    }
    async function* sourceLater(): AsyncGenerator<number> {
      yield* source()
    }
    for (const make of [source, sourceLater]) {
      const seen: number[] = []
      const run = async (): Promise<void> => {
        for await (const row of dc(make()).stream({ onError: 'skip' })) seen.push(row)
      }
      await expect(run()).rejects.toThrow('The source failed at row 1: the disk is gone')
      expect(seen).toEqual([1])
    }
  })
})

describe('an end before the end', () => {
  function watched(asynchronous: boolean) {
    const state = { returned: false }
    function* numbers(): Generator<number> {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        state.returned = true
      }
    }
    async function* numbersLater(): AsyncGenerator<number> {
      try {
        for (let i = 0; ; i++) yield await later(i)
      } finally {
        state.returned = true
      }
    }
    return { state, source: asynchronous ? numbersLater() : numbers() }
  }

  it.each([true, false])('calls the source’s return (asynchronous: %s)', async (asynchronous) => {
    const left = watched(asynchronous)
    for await (const x of dc(left.source).map((x) => x)) if (x === 10) break
    await expect.poll(() => left.state.returned).toBe(true)

    const taken = watched(asynchronous)
    expect(await dc(taken.source).take(3).toList()).toEqual([0, 1, 2])
    await expect.poll(() => taken.state.returned).toBe(true)

    const aborted = watched(asynchronous)
    const controller = new AbortController()
    const run = dc(aborted.source)
      .map((x) => {
        if (x === 20) controller.abort(new Error('enough'))
        return x
      })
      .toList({ signal: controller.signal })
    await expect(run).rejects.toMatchObject({ code: 'ABORTED', cause: new Error('enough') })
    await expect.poll(() => aborted.state.returned).toBe(true)

    const failed = watched(asynchronous)
    await expect(
      dc(failed.source)
        .map((x) => {
          if (x === 7) throw new Error('no')
          return x
        })
        .toList(),
    ).rejects.toThrow('Row 7')
    await expect.poll(() => failed.state.returned).toBe(true)
  })

  it('does not wait for functions and sources that never answer', async () => {
    const never = new Promise<never>(() => {})
    await expect(
      dc([1])
        .map(() => never)
        .toList({ signal: AbortSignal.timeout(10) }),
    ).rejects.toMatchObject({ code: 'ABORTED' })
    async function* stuck(): AsyncGenerator<number> {
      yield 1
      await never
    }
    expect(await dc(stuck()).take(1).toList()).toEqual([1])
    for await (const _ of dc(stuck())) break
  })

  it('refuses a signal that is aborted already, without reading', async () => {
    let read = false
    function* source(): Generator<number> {
      read = true
      yield 1
    }
    await expect(dc(source()).toList({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    expect(read).toBe(false)
  })

  it('stops handing out rows at once', async () => {
    const controller = new AbortController()
    const seen: number[] = []
    const run = async (): Promise<void> => {
      for await (const x of dc(Array(500).keys()).stream({ signal: controller.signal })) {
        seen.push(x)
        if (x === 100) controller.abort()
      }
    }
    await expect(run()).rejects.toMatchObject({ code: 'ABORTED' })
    expect(seen.at(-1)).toBe(100)
  })
})

describe('progress', () => {
  it('counts rows and errors by stage, and ends', async () => {
    const events: Progress[] = []
    const heard: Progress[] = []
    await dc([1, 2, 3, 4])
      .map((x) => {
        if (x === 3) throw new Error('no')
        return x
      })
      .filter((x) => x > 1)
      .on('progress', (event) => heard.push(event))
      .toList({ onError: 'skip', onProgress: (event) => events.push(event) })
    expect(events.at(-1)).toEqual({
      read: 4,
      done: 2,
      errors: 1,
      stages: [
        { name: 'map', in: 4, out: 3, errors: 1 },
        { name: 'filter', in: 3, out: 2, errors: 0 },
      ],
      finished: true,
    })
    expect(heard).toEqual(events)
    expect(events.filter((event) => event.finished)).toHaveLength(1)
  })

  it('is told while a long run goes on', async () => {
    let events = 0
    const index = pipe
      .input<{ x: number }>('x')
      .map('x', 'y', (x) => later(x, 3))
      .output('y')
      .on('progress', () => events++)
    await index.batch(Array(400).keys())
    expect(events).toBeGreaterThan(2)
  })
})
