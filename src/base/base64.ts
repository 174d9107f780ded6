// Bytes as text of 64 letters, in every JavaScript engine.
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** The value of each letter's code; 64 for what is none. */
const values = new Uint8Array(256).fill(64)
for (let i = 0; i < letters.length; i++) values[letters.charCodeAt(i)] = i
// As they are written in addresses.
for (const [i, letter] of ['-', '_'].entries()) values[letter.charCodeAt(0)] = 62 + i

/** Node's own is several times as fast: it counts for weights that come as text. */
const native = (globalThis as { Buffer?: BufferConstructor }).Buffer

/**
 * The bytes that base64 stands for.
 *
 * @example
 * ```ts
 * decodeBase64('Zm9v') // [0x66, 0x6f, 0x6f]
 * ```
 *
 * @param text the letters, or their codes
 * @returns undefined for what is no base64: other letters, or a length that is no multiple of 4
 * @see https://datatracker.ietf.org/doc/html/rfc4648#section-4
 */
export function decodeBase64(text: string | Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const codes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  return native ? decodeNatively(native, codes) : decodeByTable(codes)
}

function decodeNatively({ from }: BufferConstructor, text: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const bytes = from(from(text.buffer, text.byteOffset, text.length).toString('latin1'), 'base64')
  const padding = text.at(-1) !== PADDING ? 0 : text.at(-2) !== PADDING ? 1 : 2
  // It skips what is no base64, which shows in the length.
  const whole = text.length % 4 === 0 && bytes.length === (text.length / 4) * 3 - padding
  return whole ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : undefined
}

/** {@link decodeBase64} without help. */
export function decodeByTable(codes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const { length } = codes
  if (length % 4 !== 0) return undefined
  const padding = codes[length - 1] !== PADDING ? 0 : codes[length - 2] !== PADDING ? 1 : 2
  const bytes = new Uint8Array((length / 4) * 3 - padding)
  let strange = 0
  let to = 0
  for (let at = 0; at < length; at += 4) {
    const left = at + 4 === length ? padding : 0
    const a = values[codes[at]!]!
    const b = values[codes[at + 1]!]!
    const c = left > 1 ? 0 : values[codes[at + 2]!]!
    const d = left > 0 ? 0 : values[codes[at + 3]!]!
    strange |= a | b | c | d
    bytes[to] = (a << 2) | (b >> 4)
    bytes[to + 1] = (b << 4) | (c >> 2)
    bytes[to + 2] = (c << 6) | d
    to += 3
  }
  return strange < 64 ? bytes : undefined
}

const PADDING = 0x3d

/** {@link decodeBase64} the other way. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at
    const word = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    text += letters[word >> 18]! + letters[(word >> 12) & 63]!
    text += (left > 1 ? letters[(word >> 6) & 63]! : '=') + (left > 2 ? letters[word & 63]! : '=')
  }
  return text
}
