// SentencePiece's precompiled normalisation of texts.
import { decodeBase64 } from '../../base/index.ts'

/** A step of a `tokenizer.json` whose type is `Precompiled`. */
export interface PrecompiledConfig {
  /** In base64: the length of a double array, the double array, replacements that end in a zero byte. */
  readonly precompiled_charsmap?: string | null
  /** Ours: the longest entry at each place, as SentencePiece itself does it. */
  readonly longest?: boolean
}

const encoder = new TextEncoder()
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Longest group of characters that is looked up as a whole, in bytes; the lookup takes those below. */
const LONGEST = 6

/**
 * The normalisation that a SentencePiece model carries, as Python's tokenizers apply it: a user-perceived character of less
 * than 6 bytes is looked up as a whole, others character by character, and what begins with an entry of the map becomes its
 * replacement.
 *
 * @example
 * ```ts
 * const normalize = precompiled(step)
 * normalize('ﬁne')   // 'fine'
 * ```
 *
 * @see https://github.com/google/sentencepiece/blob/master/doc/normalization.md
 * @see Aoe, An efficient digital search algorithm by using a double-array structure, 1989
 */
export function precompiled({
  precompiled_charsmap: encoded,
  longest,
}: PrecompiledConfig): (text: string) => string {
  const bytes = decodeBase64(encoded ?? '')
  if (!bytes || bytes.length < 8) return (text) => text
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const length = view.getUint32(0, true)
  const units = new Uint32Array(length >> 2)
  for (let i = 0; i < units.length; i++) units[i] = view.getUint32(4 + 4 * i, true)
  const replacements = bytes.subarray(4 + length)
  const replacement = (start: number): string => {
    const end = replacements.indexOf(0, start)
    return utf8.decode(replacements.subarray(start, end < 0 ? undefined : end))
  }
  if (longest) return (text) => replaceLongest(encoder.encode(text), units, replacement)
  const known = new Map<string, string | undefined>()
  const segments = new Intl.Segmenter('en', { granularity: 'grapheme' })

  const lookUp = (part: string): string | undefined => {
    if (known.has(part)) return known.get(part)
    const [match] = matches(units, encoder.encode(part), 0)
    const found = match && replacement(match.start)
    if (known.size < 65_536) known.set(part, found)
    return found
  }
  const replace = (grapheme: string): string => {
    // A UTF-16 unit is at most three bytes.
    if (grapheme.length * 3 < LONGEST || encoder.encode(grapheme).length < LONGEST) {
      const whole = lookUp(grapheme)
      if (whole !== undefined) return whole
    }
    let result = ''
    for (const character of grapheme) result += lookUp(character) ?? character
    return result
  }
  return (text) => {
    let result = ''
    for (const { segment } of segments.segment(text)) result += replace(segment)
    return result
  }
}

function replaceLongest(
  text: Uint8Array,
  units: Uint32Array,
  replacement: (start: number) => string,
): string {
  const parts: string[] = []
  let kept = 0
  for (let at = 0; at < text.length; ) {
    const match = [...matches(units, text, at)].at(-1)
    if (match) {
      parts.push(utf8.decode(text.subarray(kept, at)), replacement(match.start))
      kept = match.end
    }
    at = match?.end ?? at + 1
    // On to the first byte of the next character.
    while ((text[at]! & 0xc0) === 0x80) at++
  }
  return parts.join('') + utf8.decode(text.subarray(kept))
}

interface Match {
  /** Place of the replacement. */
  readonly start: number
  /** End of the entry in the key. */
  readonly end: number
}

/** The entries that stand in the key from a place on, the shortest first. */
function* matches(units: Uint32Array, key: Uint8Array, from: number): Generator<Match> {
  let place = offset(units[0] ?? 0)
  for (let at = from; at < key.length; at++) {
    const byte = key[at]!
    if (byte === 0) return
    place ^= byte
    const unit = units[place]
    // Leaves have the highest bit set, so that no byte is their label.
    if (unit === undefined || (unit & 0x800000ff) !== byte) return
    place ^= offset(unit)
    if (((unit >>> 8) & 1) === 1) yield { start: (units[place] ?? 0) & 0x7fffffff, end: at + 1 }
  }
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6)
}
