// Patterns of a `tokenizer.json`: Oniguruma's regular expressions (syntax of Ruby) in JavaScript.
import { PipiloError } from '../../../base/index.ts'
import { literal } from './patternClasses.ts'
import { shortest, sourceOf } from './patternNodes.ts'
import { Reader } from './patternReader.ts'

/** A stretch of a text, which the pattern matches or which lies between two matches. */
export interface Found {
  readonly start: number
  readonly end: number
  readonly matched: boolean
}

/**
 * Stretches of a text, in order and without gaps.
 *
 * @example
 * ```ts
 * stretches(pattern({ String: ' ' }, 'Split'), 'a b')   // 'a', the match ' ', 'b'
 * ```
 *
 * @remarks An empty match counts, but not right behind another match.
 */
export function stretches(regex: RegExp, text: string): Found[] {
  const found: Found[] = []
  let before = 0
  let last = -1
  for (let at = 0; at <= text.length; ) {
    regex.lastIndex = at
    const match = regex.exec(text)
    if (!match) break
    const { index } = match
    const end = index + match[0].length
    // V8 finds places between the halves of a character, too.
    if (end === index && (end === last || isInside(text, end))) {
      at = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1)
      continue
    }
    if (before !== index) found.push({ start: before, end: index, matched: false })
    found.push({ start: index, end, matched: true })
    before = end
    last = end
    at = end
  }
  if (before !== text.length) found.push({ start: before, end: text.length, matched: false })
  return found
}

/** True between the halves of a surrogate pair. */
export function isInside(text: string, at: number): boolean {
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit < 0xe000
}

/** A pattern in the way of a `tokenizer.json`: `{ String: '…' }` or `{ Regex: '…' }`. */
export interface Pattern {
  readonly regex: RegExp
  /** UTF-16 units that a match has at least. */
  readonly shortest: number
}

/**
 * A pattern as a regular expression that finds the same.
 *
 * @param place what errors call the step that it belongs to
 * @throws PipiloError `FORMAT_INVALID`, `FORMAT_UNSUPPORTED` for what JavaScript finds otherwise or not at all, and for patterns that
 *   could search without end
 */
export function pattern(value: unknown, place: string): Pattern {
  const { String: words, Regex: source, ...rest } = (value ?? {}) as Record<string, unknown>
  if (Object.keys(rest).length === 0) {
    if (typeof words === 'string' && source === undefined) {
      return { regex: new RegExp([...words].map(literal).join(''), 'gv'), shortest: words.length }
    }
    if (typeof source === 'string' && words === undefined) {
      const node = new Reader(source, place).read()
      return { regex: new RegExp(sourceOf(node), 'gv'), shortest: shortest(node) }
    }
  }
  throw new PipiloError('FORMAT_INVALID', `The ${place} has a pattern that is neither a String nor a Regex.`)
}
