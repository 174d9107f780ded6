import { describe, expect, it } from 'vitest'
import { meanOf, type Row } from './results.ts'

const row = (tokens: number, ...numbers: number[]): Row => {
  return { index: 0, input: 'a text', vector: Float32Array.from(numbers), truncated: false, tokens }
}

describe('the mean of chunks', () => {
  it('is weighted by their tokens', () => {
    expect([...(meanOf([row(3, 1, 0), row(1, 0, 1)], false).vector as Float32Array)]).toEqual([0.75, 0.25])
    const { vector, tokens } = meanOf([row(4, 3, 0), row(3, 0, 4)], true)
    expect([...(vector as Float32Array)]).toEqual([Math.SQRT1_2, Math.SQRT1_2].map(Math.fround))
    expect(tokens).toBe(7)
  })

  it('of a single chunk is that chunk, also without any token', () => {
    for (const tokens of [0, 1, 5]) {
      expect([...(meanOf([row(tokens, 0.5, 0.25)], false).vector as Float32Array)]).toEqual([0.5, 0.25])
    }
  })
})
