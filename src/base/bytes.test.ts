import { expect, it } from 'vitest'
import { readUpTo } from './bytes.ts'

it('reads as many bytes as may come, and leaves a stream that brings more', async () => {
  let given = 0
  let left = false
  async function* stream() {
    try {
      for (;;) {
        given++
        yield new Uint8Array([given, given])
        if (given === 3) return
      }
    } finally {
      left = true
    }
  }
  const heard: number[] = []
  const tooMany = () => new Error('too many')
  expect([...(await readUpTo(stream(), 6, tooMany, () => heard.push(given)))]).toEqual([1, 1, 2, 2, 3, 3])
  expect(heard).toEqual([1, 2, 3])
  given = 0
  left = false
  await expect(readUpTo(stream(), 3, tooMany)).rejects.toThrow('too many')
  expect([given, left]).toEqual([2, true])
})
