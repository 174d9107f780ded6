// SentencePiece's precompiled normalisation of texts.
import { decodeBase64 } from '../../../base/index.ts'
import type { Normalizer } from './normalizer.ts'
import type { Part } from './part.ts'

const encoder = new TextEncoder()
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Longest group of characters that is looked up as a whole, in bytes; the lookup takes those below. */
const LONGEST = 6

/**
 * The normalisation that a SentencePiece model carries, as Python's tokenizers apply it: a user-perceived character of less
 * than 6 bytes is looked up as a whole, others character by character, and what begins with an entry of the map becomes its
 * replacement.
 *
 * @param part its `precompiled_charsmap` is in base64: the length of a double array, the double array, replacements that end in a
 *   zero byte. Ours is `longest`: the longest entry at each place, as SentencePiece itself does it
 * @throws PipiloError `FORMAT_INVALID`
 * @see https://github.com/google/sentencepiece/blob/master/doc/normalization.md
 * @see Aoe, An efficient digital search algorithm by using a double-array structure, 1989
 */
export function precompiled(part: Part): Normalizer {
  part.only('precompiled_charsmap', 'longest')
  const bytes = decodeBase64(part.text('precompiled_charsmap'))
  const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const length = view && view.byteLength >= 8 ? view.getUint32(0, true) : 0
  if (!bytes || !view || length < 4 || length % 4 !== 0 || length > bytes.length - 4) {
    throw part.invalid('has no map of characters')
  }
  const units = new Uint32Array(length >> 2)
  for (let i = 0; i < units.length; i++) units[i] = view.getUint32(4 + 4 * i, true)
  const replacements = bytes.subarray(4 + length)
  const replacement = (start: number): string => {
    const end = replacements.indexOf(0, start)
    return utf8.decode(replacements.subarray(start, end < 0 ? undefined : end))
  }
  const growth = Math.max(1, longestRun(replacements))
  if (part.flag('longest', false)) {
    return { apply: (text) => replaceLongest(encoder.encode(text), units, replacement), growth }
  }
  const known = new Map<string, string | undefined>()
  const segments = new Intl.Segmenter('en', { granularity: 'grapheme' })

  const lookUp = (text: string): string | undefined => {
    if (known.has(text)) return known.get(text)
    const [match] = matches(units, encoder.encode(text), 0)
    const found = match && replacement(match.start)
    if (known.size < 65_536) known.set(text, found)
    return found
  }
  /** Hands on every part of a text, and what it becomes where that is another one. */
  const walk = (text: string, take: (old: string, found: string | undefined) => void): void => {
    for (const { segment } of segments.segment(text)) {
      // A UTF-16 unit is at most three bytes.
      if (segment.length * 3 < LONGEST || encoder.encode(segment).length < LONGEST) {
        const whole = lookUp(segment)
        if (whole !== undefined) {
          take(segment, whole)
          continue
        }
      }
      for (const character of segment) take(character, lookUp(character))
    }
  }
  return {
    apply: (text) => {
      let result = ''
      walk(text, (old, found) => {
        result += found ?? old
      })
      return result
    },
    zero: (text, zero) => zeroOf(text, zero, walk),
    growth,
  }
}

/** Bytes of the longest replacement. */
function longestRun(replacements: Uint8Array): number {
  let [longest, from] = [0, 0]
  while (from < replacements.length) {
    const zero = replacements.indexOf(0, from)
    const end = zero < 0 ? replacements.length : zero
    longest = Math.max(longest, end - from)
    from = end + 1
  }
  return longest
}

/**
 * The result's first UTF-16 units that count as coming from the text's first `zero`. The reference notes for each new character whether
 * it takes the place of an old one, and where there are fewer new ones, how many old ones the last of all has swallowed.
 */
function zeroOf(
  text: string,
  zero: number,
  walk: (text: string, take: (old: string, found: string | undefined) => void) => void,
): number {
  const changes: { character: string; change: number }[] = []
  let changed = false
  walk(text, (old, found) => {
    const now = Array.from(found ?? old)
    for (const character of now) changes.push({ character, change: 0 })
    if (found === undefined) return
    changed = true
    const more = now.length - Array.from(old).length
    if (more > 0) for (const item of changes.slice(-more)) item.change = 1
    else if (more < 0 && changes.length > 0) changes.at(-1)!.change += more
  })
  if (!changed) return zero
  const old = Array.from(text)
  let end = 0
  const ends = old.map((character) => (end += character.length))
  let taken = 0
  let count = 0
  for (const { character, change } of changes) {
    const from = change > 0 ? taken - 1 : taken
    if (from >= 0 && (ends[from] ?? Number.POSITIVE_INFINITY) > zero) break
    count += character.length
    if (change <= 0) taken += 1 - change
  }
  return count
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
