import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeBase64, decodeByTable, encodeBase64 } from './base64.ts'

it('Bytes become base64 and come back.', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = Buffer.from(bytes).toString('base64')
      expect(encodeBase64(bytes)).toBe(text)
      expect(decodeBase64(text)).toEqual(bytes)
      for (const decode of [decodeBase64, decodeByTable]) {
        expect(decode(Buffer.from(text))).toEqual(bytes)
        const inAddresses = text.replaceAll('+', '-').replaceAll('/', '_')
        expect(decode(Buffer.from(inAddresses))).toEqual(bytes)
      }
    }),
  )
})

it.each(['Zm9', 'Zm9!', 'Zm 9', 'Zm9\u0166', 'Z===', '====', 'Zg==Zg=='])('%s is no base64.', (text) => {
  expect(decodeBase64(text)).toBeUndefined()
  expect(decodeBase64(Buffer.from(text))).toBeUndefined()
  expect(decodeByTable(Buffer.from(text))).toBeUndefined()
})
