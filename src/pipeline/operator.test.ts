import { describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { dc, defineOperator, FailedRow, type Operators, ops, pipe } from './index.ts'

const events: string[] = []
const scale = defineOperator(
  'testing.scale',
  ({ by = 2, fails = -1 }: { by?: number; fails?: number } = {}) => ({
    batch: 4,
    async open() {
      events.push('open')
      return {
        async run(values: readonly number[]) {
          events.push(`run ${values.length}`)
          if (values.includes(fails)) throw new TypeError(`cannot scale ${fails}`)
          return values.map((value) => value * by)
        },
        close() {
          events.push('close')
        },
      }
    },
  }),
)
const increment = defineOperator('increment', () => (x: number) => x + 1)

declare module './index.ts' {
  interface Operators {
    increment: typeof increment
    testing: { scale: typeof scale }
  }
}

const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

describe('an operator of one’s own', () => {
  it('is found by its name', async () => {
    expect(ops.increment).toBe(increment)
    expect(await dc(numbers).increment().testing.scale({ by: 10 }).take(2).toList()).toEqual([20, 30])
    const row = pipe.input<{ x: number }>('x').map('x', 'y', ops.testing.scale()).output('y')
    expect(await row(4)).toEqual({ y: 8 })
    await row.dispose()
  })

  it('is opened at the start of a run, gets batches, and is closed at the end', async () => {
    events.length = 0
    expect(await dc(numbers).testing.scale().toList()).toEqual(numbers.map((x) => 2 * x))
    expect(events[0]).toBe('open')
    expect(events.at(-1)).toBe('close')
    const sizes = events.slice(1, -1).map((event) => Number(event.slice(4)))
    expect(Math.max(...sizes)).toBe(4)
    expect(sizes.reduce((a, b) => a + b)).toBe(10)
  })

  it('is closed after errors, aborts and breaks', async () => {
    events.length = 0
    await expect(dc(numbers).testing.scale({ fails: 3 }).toList()).rejects.toThrow('Row 2 failed in stage 1')
    await expect.poll(() => events.at(-1)).toBe('close')
    events.length = 0
    for await (const _ of dc(numbers).testing.scale()) break
    await expect.poll(() => events.at(-1)).toBe('close')
  })

  it('stays open between the calls of a pipe, until it is disposed', async () => {
    events.length = 0
    const row = pipe.input<{ x: number }>('x').map('x', 'y', scale()).output('y')
    expect(await Promise.all([row(1), row(2)])).toEqual([{ y: 2 }, { y: 4 }])
    expect(events).toEqual(['open', 'run 1', 'run 1'])
    await row.dispose()
    expect(events.at(-1)).toBe('close')
    expect(await row(3)).toEqual({ y: 6 })
    await row.dispose()
    expect(events.filter((event) => event === 'open')).toHaveLength(2)
  })

  it('fails only the bad rows of a batch', async () => {
    const kept = await dc(numbers).testing.scale({ fails: 6 }).toList({ onError: 'keep' })
    const expected = numbers.map((x) => (x === 6 ? 'failed' : 2 * x))
    expect(kept.map((row) => (row instanceof FailedRow ? 'failed' : row))).toEqual(expected)
    expect(kept[5]).toMatchObject({ row: 5, value: 6, error: { cause: new TypeError('cannot scale 6') } })
  })

  it('may give errors in the place of results, and must give one for each value', async () => {
    const strict = defineOperator('strict', (short: boolean) => ({
      open: () => ({
        run: (values: readonly number[]) =>
          short ? [] : values.map((x) => (x > 8 ? new PipiloError('INPUT_INVALID', `${x} is too much.`) : x)),
      }),
    }))
    expect(await dc(numbers).map(strict(false)).toList({ onError: 'skip' })).toHaveLength(8)
    await expect(dc(numbers).map(strict(false)).toList()).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      input: 8,
    })
    await expect(dc(numbers).map(strict(true)).toList()).rejects.toThrow('got 1 values and returned 0')
  })

  it('says when it did not open, whatever becomes of bad rows', async () => {
    let tries = 0
    const broken = defineOperator('broken', () => ({
      open() {
        tries++
        throw new PipiloError('OFFLINE', 'There is no network.')
      },
    }))
    const row = pipe.input('x').map('x', 'y', broken()).output('x')
    await expect(row.batch([1], { onError: 'skip' })).rejects.toMatchObject({ code: 'OFFLINE' })
    await expect(row(1)).rejects.toMatchObject({ code: 'OFFLINE' })
    expect(tries).toBe(2)
  })

  it('gets an array for several columns, where a function gets arguments', async () => {
    const add = defineOperator(
      'add',
      () =>
        ([a, b]: readonly [number, number]) =>
          a + b,
    )
    const both = pipe
      .input<{ a: number; b: number }, ['a', 'b']>('a', 'b')
      .map(['a', 'b'], 'sum', add())
      .map(['a', 'b'], ['difference', 'product'], (a, b) => [a - b, a * b])
      .output('sum', 'difference', 'product')
    expect(await both(5, 3)).toEqual({ sum: 8, difference: 2, product: 15 })
  })

  it('needs a name that is free', () => {
    for (const name of [
      'increment',
      'map',
      'toList',
      'testing',
      'increment.more',
      'textEmbedding',
      'not a name',
    ])
      expect(() => defineOperator(name, () => (x: number) => x)).toThrowError(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      )
  })
})

describe('an unknown operator', () => {
  const unknown = (use: () => unknown, hint: string) => {
    try {
      use()
    } catch (error) {
      expect(error).toMatchObject({ code: 'OPERATOR_UNKNOWN' })
      expect((error as PipiloError).hint).toContain(hint)
      return
    }
    expect.unreachable()
  }
  type Loose = Record<string, Record<string, unknown>>

  it('is named, with the closest names', () => {
    unknown(() => (dc(['a']) as unknown as Loose)['textEmbeding'], 'textEmbedding')
    unknown(() => (dc(['a']) as unknown as Loose)['textEmbedding']!['sentense'], 'textEmbedding.sentence')
    unknown(() => (dc(['a']) as unknown as Loose)['sentence'], 'textEmbedding.sentence')
    unknown(() => (ops as unknown as Loose)['imageDecoder'], 'imageDecode')
  })

  it('does not stand in the way of await, inspection and JSON', async () => {
    const collection = dc(['a'])
    expect(await collection).toBe(collection)
    expect(String(collection)).toBe('[object Object]')
    expect(JSON.stringify(collection)).toBe('{}')
    expect(collection).toEqual(collection)
    expect(await Promise.resolve<Operators>(ops)).toBe(ops)
  })
})
