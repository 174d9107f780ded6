import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Queue } from './queue.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('queue', () => {
  it('hands on all that was put in, in order, and never holds twice what is wanted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
        async (want, sizes, limits) => {
          const queue = new Queue<string>(want)
          let count = 0
          let most = 0
          const writing = (async () => {
            for (const size of sizes) {
              await queue.room()
              const rows = Array.from({ length: Math.min(size, want) }, () => count++)
              queue.put({ items: rows.map(String), rows })
              most = Math.max(most, queue.size)
            }
            queue.end()
          })()
          const items: string[] = []
          const rows: number[] = []
          for (let i = 0; ; i++) {
            const limit = limits[i % limits.length]!
            const chunk = await queue.take(limit)
            if (!chunk) break
            expect(chunk.items.length).toBeGreaterThan(0)
            expect(chunk.items.length).toBeLessThanOrEqual(limit)
            items.push(...chunk.items)
            rows.push(...chunk.rows)
          }
          await writing
          expect(rows).toEqual(Array.from({ length: count }, (_, i) => i))
          expect(items).toEqual(rows.map(String))
          expect(most).toBeLessThan(Math.max(1, 2 * want))
        },
      ),
    )
  })

  it('joins small chunks up to what is asked for', async () => {
    const queue = new Queue<string>(10)
    for (const [i, item] of ['a', 'b', 'c'].entries()) queue.put({ items: [item], rows: [i] })
    expect(await queue.take(2)).toEqual({ items: ['a', 'b'], rows: [0, 1] })
    expect(await queue.take(2)).toEqual({ items: ['c'], rows: [2] })
  })

  it('wakes a writer whose reader has left, and drops what was inside', async () => {
    const queue = new Queue<number>(1)
    let stopped = 0
    queue.onStop = () => stopped++
    queue.put({ items: [1], rows: [0] })
    const room = queue.room()
    expect(room).toBeInstanceOf(Promise)
    queue.stop()
    queue.stop()
    await room
    queue.put({ items: [2], rows: [1] })
    expect([queue.size, queue.cutShort, stopped, queue.room()]).toEqual([0, true, 1, undefined])
    expect(await queue.take(1)).toBeUndefined()
  })

  it.each([0, 1, 2, 3, 4])('may be stopped while its reader wakes up: after %i microtasks', async (delay) => {
    const queue = new Queue<number>(1)
    const taking = queue.take(1)
    await turn()
    queue.put({ items: [1], rows: [0] })
    for (let i = 0; i < delay; i++) await undefined
    queue.stop()
    const taken = await taking
    if (taken) expect(taken).toEqual({ items: [1], rows: [0] })
    expect(queue.size).toBe(0)
  })

  it('tells whether anything comes, and passes a writer’s failure to the reader', async () => {
    const [empty, failing] = [new Queue<number>(4), new Queue<number>(4)]
    const begun = empty.begun()
    await turn()
    empty.end()
    expect(await begun).toBe(false)
    failing.put({ items: [1], rows: [0] })
    expect(await failing.begun()).toBe(true)
    failing.fail(new Error('the disk is full'))
    await expect(failing.take(1)).rejects.toThrow('the disk is full')
    const read = async () => {
      for await (const _ of failing);
    }
    await expect(read()).rejects.toThrow('the disk is full')
  })
})
