import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readInputs } from '../inputs.ts'
import { decoderOf, knownEncoding, unmarkedUtf16 } from './decoders.ts'

const bytes = Uint8Array.of(0x80, 0x93, 0xe9)

it('Latin-1 is ISO 8859-1, and Windows-1252 another encoding, with every version of Node', () => {
  for (const name of ['latin1', 'latin-1', 'ISO-8859-1', 'iso8859-1', 'l1'])
    expect(decoderOf(knownEncoding(name)!).decode(bytes)).toBe('\x80\x93é')
  expect(decoderOf(knownEncoding('windows-1252')!).decode(bytes)).toBe('€“é')
  expect(knownEncoding('latin-9000')).toBeUndefined()
})

it.each(['utf-16le', 'utf-16be'] as const)('%s is known without a mark', async (encoding) => {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
  try {
    const text = Buffer.from('A towhee sings — Ünïcode.\r\nAn owl hunts.\r\n', 'utf16le')
    if (encoding === 'utf-16be') text.swap16()
    expect(unmarkedUtf16(text)).toBe(encoding)
    writeFileSync(join(folder, 'a.txt'), text)
    for (const by of ['passage', 'line'] as const) {
      const texts: string[] = []
      for await (const { input, error } of readInputs('a.txt', { cwd: folder, by })) {
        expect(error).toBeUndefined()
        texts.push(input)
      }
      expect(texts.join('\n')).toBe('A towhee sings — Ünïcode.\nAn owl hunts.')
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('bytes with zeros are no UTF-16 by that', () => {
  for (const none of [[], [0, 0, 0, 0], [1, 0, 2, 0], [0x7f, 0x45, 0, 0], [0, 1, 2, 3]])
    expect(unmarkedUtf16(Uint8Array.from(none))).toBeUndefined()
})
