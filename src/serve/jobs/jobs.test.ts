import { afterEach, describe, expect, it, vi } from 'vitest'
import { jobEvents } from './events.ts'
import { Jobs } from './jobs.ts'

afterEach(() => void vi.useRealTimers())

/** A job that ends when it is told to. */
function started(jobs: Jobs) {
  let end = (_: unknown) => {}
  const progress = { done: 1, indexed: 1, unchanged: 0, skipped: 0 }
  const { id } = jobs.start('notes', ({ report }) => {
    report(progress)
    return new Promise((resolve) => {
      end = resolve
    })
  })
  return { id, end: () => end('all') }
}

const none = () => {}

describe('events of a job', () => {
  it('end once, also where the end falls together with a sign of life', async () => {
    vi.useFakeTimers()
    const jobs = new Jobs(2, none)
    const { id, end } = started(jobs)
    await vi.advanceTimersByTimeAsync(0)
    const text = jobEvents(jobs, id, new AbortController().signal).text()
    await vi.advanceTimersByTimeAsync(14_950)
    end()
    await vi.advanceTimersByTimeAsync(60_000)
    expect((await text).match(/^event: end$/gm)).toHaveLength(1)
  })

  it('stop when the client has gone', async () => {
    vi.useFakeTimers()
    const jobs = new Jobs(2, none)
    const { id, end } = started(jobs)
    await vi.advanceTimersByTimeAsync(0)
    const gone = new AbortController()
    const text = jobEvents(jobs, id, gone.signal).text()
    gone.abort()
    end()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await text).not.toContain('event: end')
  })
})

describe('jobs', () => {
  it('run one at a time, are bounded, and end when the server does', async () => {
    const jobs = new Jobs(2, none)
    const [first, second] = [started(jobs), started(jobs)]
    await vi.waitFor(() => expect(jobs.get(first.id).state).toBe('running'))
    expect(jobs.get(second.id).state).toBe('waiting')
    expect(() => jobs.start('notes', async () => {})).toThrow('no more are taken')
    expect(jobs.cancel(second.id).collection).toBe('notes')
    await vi.waitFor(() => expect(jobs.get(second.id).state).toBe('cancelled'))
    first.end()
    await jobs.close()
    expect(jobs.get(first.id)).toMatchObject({ state: 'done', report: 'all' })
    expect(() => jobs.start('notes', async () => {})).toThrow('being stopped')
  })
})
