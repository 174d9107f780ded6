// A letter for each byte of a text in UTF-8, as GPT-2 writes them.

/** The letter of each byte. */
export const LETTERS: readonly string[] = (() => {
  let further = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printed = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    return String.fromCharCode(printed ? byte : further++)
  })
})()

const encoder = new TextEncoder()
const plain = /^[!-~]*$/

/**
 * The bytes of a text as letters: printable ones as themselves, the others as those from U+0100 on.
 *
 * @example
 * ```ts
 * byteLetters(' é')   // 'ĠÃ©'
 * ```
 *
 * @see https://github.com/openai/gpt-2/blob/master/src/encoder.py
 */
export function byteLetters(text: string): string {
  if (plain.test(text)) return text
  let result = ''
  for (const byte of encoder.encode(text)) result += LETTERS[byte]!
  return result
}
