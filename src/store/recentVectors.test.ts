import { expect, it } from 'vitest'
import { RecentVectors } from './recentVectors.ts'

it('Vectors that were used least recently go first', () => {
  const vectors = new RecentVectors(1, 2)
  const made = (value: number) => ({ vector: Float32Array.of(value), isTruncated: false })
  vectors.keep('a', made(1))
  vectors.keep('b', made(2))
  expect(vectors.get('a')).toEqual(made(1))
  vectors.keep('c', made(3))
  expect(['a', 'b', 'c'].map((key) => vectors.get(key)?.vector[0])).toEqual([1, undefined, 3])
})
