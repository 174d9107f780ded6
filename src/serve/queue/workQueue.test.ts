import { describe, expect, it } from 'vitest'
import { WorkQueue } from './workQueue.ts'

const lane = {}
const bound = { tokens: 8192, pixels: 8192 * 392 }
const text = { tokens: 512, pixels: 0 }
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Tasks that end when they are told to, and the order in which they began. */
function tasks(queue: WorkQueue) {
  const begun: string[] = []
  const end: (() => void)[] = []
  const start = (
    name: string,
    client: string,
    work = text,
    signal = new AbortController().signal,
    patient = false,
  ) => {
    const promise = queue.run(lane, work, { client, signal, patient }, () => {
      begun.push(name)
      return new Promise<string>((resolve) => end.push(() => resolve(name)))
    })
    promise.catch(() => {})
    return promise
  }
  const next = async () => {
    end.shift()?.()
    await turn()
  }
  return { begun, start, next, end }
}

describe('the queue', () => {
  it('lets as much run as fills a model, and takes no more than its bound', async () => {
    const queue = new WorkQueue(bound)
    const { begun, start, next } = tasks(queue)
    for (let i = 0; i < 8 + 16; i++) start(`${i}`, 'a')
    await turn()
    expect([begun.length, queue.count, queue.share]).toEqual([8, 16, 1])
    await next()
    expect(begun.length).toBeGreaterThan(8)
  })

  it('refuses what has no room with 429 and when to come again, and takes anything when it is empty', async () => {
    const queue = new WorkQueue(bound)
    const { start, begun } = tasks(queue)
    for (let i = 0; i < 24; i++) start(`${i}`, 'a')
    await turn()
    await expect(start('more', 'a')).rejects.toMatchObject({ status: 429, retryAfter: expect.any(Number) })
    expect(() => queue.check({ tokens: 1, pixels: 0 }, 'a')).toThrow('Ask again later')
    // Of a client of whom nothing waits some is taken still.
    queue.check({ tokens: 1, pixels: 0 }, 'b')
    // Work of the server itself waits as long as it takes.
    start('patient', 'job', text, undefined, true)
    await turn()
    expect(begun).toContain('patient')
    const empty = new WorkQueue(bound)
    await expect(
      empty.run(
        lane,
        { tokens: 10 ** 6, pixels: 0 },
        { client: 'a', signal: new AbortController().signal },
        async () => 1,
      ),
    ).resolves.toBe(1)
  })

  it('gives clients their turns, however much one of them brings', async () => {
    const queue = new WorkQueue({ tokens: 10 ** 6, pixels: 10 ** 9 })
    const { begun, start, next } = tasks(queue)
    for (let i = 0; i < 40; i++) start(`a${i}`, 'a')
    await turn()
    for (let i = 0; i < 4; i++) start(`b${i}`, 'b')
    await turn()
    // The newcomer begins beside those that run already.
    expect(begun.at(-1)).toBe('b0')
    for (let i = 0; i < 12; i++) await next()
    const from = begun.indexOf('b0')
    expect(begun.slice(from, from + 8).filter((name) => name.startsWith('b')).length).toBeGreaterThanOrEqual(
      3,
    )
  })

  it('begins a search beside a job whose calls are large', async () => {
    const queue = new WorkQueue(bound)
    const { begun, start } = tasks(queue)
    for (let i = 0; i < 3; i++) start(`job${i}`, 'job', { tokens: 60_000, pixels: 0 }, undefined, true)
    await turn()
    start('search', 'user', { tokens: 12, pixels: 0 })
    await turn()
    expect(begun).toContain('search')
  })

  it('frees the place of who has gone', async () => {
    const queue = new WorkQueue(bound)
    const { start } = tasks(queue)
    for (let i = 0; i < 8; i++) start(`${i}`, 'a')
    const gone = new AbortController()
    const waiting = Array.from({ length: 16 }, (_, i) => start(`w${i}`, 'b', text, gone.signal))
    await turn()
    const before = queue.count
    gone.abort()
    const ended = await Promise.allSettled(waiting.slice(8))
    expect(ended.every(({ status }) => status === 'rejected')).toBe(true)
    expect([before > 0, queue.count, queue.share]).toEqual([true, 0, 0])
  })
})
