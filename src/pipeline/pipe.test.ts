import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { PipiloError } from '../base/index.ts'
import { pipe } from './index.ts'

const words = pipe.input<{ text: string }>('text')

describe('pipe', () => {
  it('runs one row, a stream and a batch', async () => {
    const index = words
      .map('text', 'length', async (text) => text.length)
      .map(['text', 'length'], 'row', (text, length) => ({ id: text, length }))
      .output('text', 'row')
    expect(await index('towhee')).toEqual({ text: 'towhee', row: { id: 'towhee', length: 6 } })
    const rows = await index.batch(['a', 'bc'])
    expect(rows.map(({ row }) => row.length)).toEqual([1, 2])
    const streamed: string[] = []
    for await (const { text } of index.stream(new Set(['x', 'y']))) streamed.push(text)
    expect(streamed).toEqual(['x', 'y'])
  })

  it('gives undefined where a filter took the row out, and a list where there may be several', async () => {
    const long = words.filter('text', (text) => text.length > 2).output('text')
    expect(await long('ab')).toBeUndefined()
    expect(await long('abc')).toEqual({ text: 'abc' })
    const letters = words
      .flatMap('text', ['place', 'letter'], (text) => [...text].entries())
      .output('place', 'letter')
    expect(await letters('ab')).toEqual([
      { place: 0, letter: 'a' },
      { place: 1, letter: 'b' },
    ])
    expect(await letters('')).toEqual([])
  })

  it('repeats the other columns of a list, without sharing rows', async () => {
    const parts = words
      .flatMap('text', 'part', (text) => text.split(' '))
      .map(['text', 'part'], 'part', (text, part) => `${part} of ${text}`)
      .output('part')
    expect(await parts.batch(['a b', 'c'])).toEqual([
      { part: 'a of a b' },
      { part: 'b of a b' },
      { part: 'c of c' },
    ])
  })

  it('makes arrays of all columns in windows', async () => {
    const moving = pipe
      .input<{ day: number; degrees: number }, ['day', 'degrees']>('day', 'degrees')
      .window(2, 1, { partial: false })
      .map(['day', 'degrees'], ['from', 'mean'], (day, degrees) => [day[0]!, (degrees[0]! + degrees[1]!) / 2])
      .output('from', 'mean')
    const rows = [
      [1, 10],
      [2, 20],
      [3, 40],
    ] as const
    expect(await moving.batch(rows)).toEqual([
      { from: 1, mean: 15 },
      { from: 2, mean: 30 },
    ])
  })

  it('replaces columns, and keeps an input that is wanted at the end', async () => {
    const pipe1 = words
      .map('text', 'copy', (text) => text)
      .map('copy', 'copy', (copy) => copy.length)
      .output('text', 'copy')
    expect(await pipe1('ab')).toEqual({ text: 'ab', copy: 2 })
  })

  it('lets go of columns that nobody wants any more', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    let image: WeakRef<object> | undefined
    const index = words
      .map('text', 'image', () => {
        const pixels = { data: new Float32Array(1000) }
        image = new WeakRef(pixels)
        return pixels
      })
      .map('image', 'size', (pixels) => pixels.data.length)
      .map('size', 'gone', async () => {
        for (let i = 0; i < 20 && image!.deref(); i++) {
          await new Promise((resolve) => setTimeout(resolve, 1))
          collect()
        }
        return image!.deref() === undefined
      })
      .output('gone')
    expect(await index('x')).toEqual({ gone: true })
  })

  it('keeps rows that fail with their error', async () => {
    const index = words
      .map('text', 'length', (text) => {
        if (text === 'bad') throw new RangeError('no good')
        return text.length
      })
      .output('text', 'length')
    const [good, bad] = await index.batch(['good', 'bad'], { onError: 'keep' })
    expect(good).toEqual({ text: 'good', length: 4 })
    expect(bad).toMatchObject({ text: 'bad', length: undefined })
    expect(bad!.error).toBeInstanceOf(PipiloError)
    expect(bad!.error!.message).toContain('Row 1 failed in stage 2 (map): no good')
    await expect(index('bad')).rejects.toMatchObject({ code: 'OPERATOR_FAILED' })
  })

  it('names columns and rows that are wrong, also to those who do not compile', async () => {
    expect(() => words.map('txet' as 'text', 'n', (text) => text)).toThrow(/no column 'txet'.*Closest: text/)
    expect(() => words.output('vector' as 'text')).toThrow(/no column 'vector'/)
    expect(() => pipe.input('a', 'a')).toThrow(/different names/)
    const two = pipe.input('a', 'b').output('a')
    const kept = await two.batch([[1, 2], 3 as unknown as number[], [4, 5]] as [number, number][], {
      onError: 'keep',
    })
    expect(kept[1]).toMatchObject({ error: { code: 'INPUT_INVALID', input: 1 } })
    const pair = words.map('text', ['a', 'b'], () => ['a'] as unknown as [string, string]).output('a')
    await expect(pair('x')).rejects.toThrow(/must give an array of 2/)
  })

  it('takes the first rows of a stream', async () => {
    expect(await words.take(1).output('text').batch(['a', 'b'])).toEqual([{ text: 'a' }])
  })
})
