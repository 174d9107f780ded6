import { afterEach, describe, expect, it, vi } from 'vitest'
import { breathe, turn } from './breathe.ts'

/** Keeps the thread busy for so many milliseconds. */
const work = (milliseconds: number) => {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

describe('breathe', () => {
  it('counts the work of all since the event loop turned, and lets it turn when that was much', async () => {
    await turn()
    expect(breathe()).toBeUndefined()
    work(10)
    const [one, other] = [breathe(), breathe()]
    expect(one).toBeInstanceOf(Promise)
    expect(other).toBe(one)
    await one
    expect(breathe()).toBeUndefined()
  })
})

describe.each(['setImmediate', 'MessageChannel'])('turn by %s', (means) => {
  afterEach(() => void vi.unstubAllGlobals())
  it('resolves after what the event loop held before it', async () => {
    const immediate = setImmediate
    if (means === 'MessageChannel') vi.stubGlobal('setImmediate', undefined)
    const seen: string[] = []
    const first = turn().then(() => seen.push('turned'))
    expect(turn()).toBe(turn())
    await Promise.resolve().then(() => seen.push('microtask'))
    await first
    expect(seen).toEqual(['microtask', 'turned'])
    await new Promise((resolve) => immediate(resolve))
  })
})
