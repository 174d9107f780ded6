import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sha256 } from './sha256.ts'

it('is what node:crypto says, for texts of all lengths around a block', () => {
  const expected = (text: string) => createHash('sha256').update(text).digest('hex')
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  for (let length = 0; length < 200; length++)
    expect(sha256('x'.repeat(length))).toBe(expected('x'.repeat(length)))
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => {
      expect(sha256(text)).toBe(expected(text))
    }),
  )
})
