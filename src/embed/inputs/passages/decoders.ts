// Decoders of encodings, the same with every version of Node.

/** Turns bytes into text, piece by piece. */
export interface Decoder {
  readonly encoding: string
  /** @throws TypeError for bytes that are none of the encoding */
  decode(bytes?: Uint8Array, options?: { readonly stream?: boolean }): string
}

/** ISO 8859-1, as Python and IANA name it; the web takes these names for Windows-1252. */
const LATIN1 = /^(?:latin-?1|iso-?8859-1|iso88591|l1)$/i

/** Windows-1252 where it differs from ISO 8859-1, from 0x80 on; Node 20 decodes it as that. @see https://encoding.spec.whatwg.org/index-windows-1252.txt */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

/** The name of an encoding; undefined for one that is not known. */
export function knownEncoding(name: string): string | undefined {
  if (LATIN1.test(name)) return 'iso-8859-1'
  return webEncoding(name)
}

/** The name of an encoding as HTML means it. */
export function webEncoding(name: string): string | undefined {
  try {
    return new TextDecoder(name).encoding
  } catch {
    return undefined
  }
}

/** @param encoding as {@link knownEncoding} names it */
export function decoderOf(encoding: string): Decoder {
  if (encoding !== 'iso-8859-1' && encoding !== 'windows-1252')
    return new TextDecoder(encoding, { fatal: true })
  return {
    encoding,
    decode: (bytes = new Uint8Array()) => {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
      return encoding === 'iso-8859-1'
        ? text
        : text.replace(/[\x80-\x9f]/g, (control) => WINDOWS_1252[control.charCodeAt(0) - 0x80]!)
    },
  }
}

/** Bytes by which UTF-16 is told. */
const LEAST = 4

/**
 * UTF-16 without a mark (BOM), by its first bytes: in one half of the bytes there are zeros, in the other none, and as UTF-16 it is text.
 */
export function unmarkedUtf16(head: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const pairs = head.length >> 1
  if (head.length < LEAST) return undefined
  const zeros = [0, 0]
  for (let i = 0; i < 2 * pairs; i++) if (head[i] === 0) zeros[i & 1]!++
  const [even, odd] = zeros as [number, number]
  const encoding =
    even === 0 && odd > pairs / 2 ? 'utf-16le' : odd === 0 && even > pairs / 2 ? 'utf-16be' : undefined
  if (!encoding) return undefined
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(head.subarray(0, 2 * pairs), {
      stream: true,
    })
    return /(?![\t\n\r\f])\p{Cc}|[\ufffe\uffff]/u.test(text) ? undefined : encoding
  } catch {
    return undefined
  }
}
