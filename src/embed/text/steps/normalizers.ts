// Normalizers: what is done to a text before it is cut.
import { byteLetters } from './byteLetters.ts'
import { classOf, SPACE } from './classes.ts'
import { checkGrowth, type Normalizer, zeroAfter } from './normalizer.ts'
import { Part } from './part.ts'
import { pattern, stretches } from './patterns.ts'
import { precompiled } from './precompiled.ts'
import { IDEOGRAPHS, MARKS, NONSPACING, REMOVED, UNSTABLE } from './unicode.ts'

/** Letters that a UTF-16 unit has as bytes. */
const BYTES = 3

/**
 * The normalizer of a `tokenizer.json`.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED`, `FORMAT_INVALID`
 */
export function normalizerOf(value: unknown): Normalizer {
  const list = value === null || value === undefined ? [] : flat(Part.of(value, 'normalizer'))
  const steps = list.map(step)
  checkGrowth(
    'normalizer',
    steps.map(({ growth = 1 }) => growth),
  )
  if (steps.length === 1) return steps[0]!
  return {
    apply: (text) => steps.reduce((current, normalizer) => normalizer.apply(current), text),
    zero: (text, zero) => {
      let current = text
      let count = zero
      for (const normalizer of steps) {
        count = zeroAfter(normalizer, current, count)
        current = normalizer.apply(current)
      }
      return count
    },
  }
}

function flat(part: Part): Part[] {
  if (part.type !== 'Sequence') return [part]
  part.only('normalizers')
  return part.parts('normalizers', 'normalizer').flatMap(flat)
}

function step(part: Part): Normalizer {
  switch (part.type) {
    case 'BertNormalizer':
      return bert(part)
    case 'Strip':
      return strip(part)
    case 'Replace':
      return replace(part)
    case 'Prepend':
      return prepend(part)
    case 'Precompiled':
      return precompiled(part)
    case 'Lowercase':
      // Ours: a sigma at a word's end as Python's `str.lower` has it.
      part.only('final_sigma')
      return { apply: part.flag('final_sigma', false) ? lowerWords : lower }
    default: {
      const make = PLAIN[part.type]
      if (!make) throw part.unknownType()
      part.only()
      return { apply: make(), ...(part.type === 'ByteLevel' && { growth: BYTES }) }
    }
  }
}

/** Steps without options. */
const PLAIN: Readonly<Record<string, () => (text: string) => string>> = {
  NFC: () => form('NFC'),
  NFD: () => form('NFD'),
  NFKC: () => form('NFKC'),
  NFKD: () => form('NFKD'),
  StripAccents: () => without(MARKS),
  Nmt: () => nmt,
  ByteLevel: () => byteLetters,
}

const ASCII = /^[\0-\x7f]*$/
const SIGMA = /Σ/g
const CASED = /\p{Cased}/u
const CASE_IGNORABLE = /\p{Case_Ignorable}/u

/** Lower case, letter by letter: a sigma at a word's end becomes σ, not ς. */
function lower(text: string): string {
  return text.replace(SIGMA, 'σ').toLowerCase()
}

function lowerWords(text: string): string {
  return lower(text.replace(SIGMA, (sigma, at: number) => (isFinal(text, at) ? 'ς' : sigma)))
}

/** True of a capital sigma at a word's end. Walked from each sigma: a pattern that looks behind does so from every character. */
function isFinal(text: string, at: number): boolean {
  let before = at
  let letter: string
  do {
    if (before === 0) return false
    // The code point that ends there: two units, where the last is the second half of a pair.
    const pair = before > 1 ? text.codePointAt(before - 2)! : 0
    before -= pair > 0xffff ? 2 : 1
    letter = String.fromCodePoint(text.codePointAt(before)!)
  } while (CASE_IGNORABLE.test(letter))
  if (!CASED.test(letter)) return false
  let after = at + 1
  while (after < text.length) {
    letter = String.fromCodePoint(text.codePointAt(after)!)
    if (!CASE_IGNORABLE.test(letter)) return !CASED.test(letter)
    after += letter.length
  }
  return true
}

/**
 * A normal form, with the characters left as they are that the reference does not know. Those are looked for, not the runs between them: a
 * pattern that takes millions of characters at once runs out of stack.
 */
function form(name: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): (text: string) => string {
  const unstable = new RegExp(`[${classOf(UNSTABLE)}]`, 'gu')
  return (text) => {
    if (ASCII.test(text)) return text
    let result = ''
    let from = 0
    for (const { 0: character, index } of text.matchAll(unstable)) {
      result += text.slice(from, index).normalize(name) + character
      from = index + character.length
    }
    return result + text.slice(from).normalize(name)
  }
}

function without(packed: string): (text: string) => string {
  const characters = new RegExp(`[${classOf(packed)}]{1,1000}`, 'gu')
  return (text) => (ASCII.test(text) ? text : text.replace(characters, ''))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what SentencePiece drops
const NMT_REMOVED = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g
const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g

/** White space and control characters as in the training of Google's neural machine translation. */
function nmt(text: string): string {
  return text.replace(NMT_REMOVED, '').replace(NMT_SPACES, ' ')
}

/** Characters that BERT leaves as they are, or lowers. */
const PLAIN_TEXT = /^[\t\n\r\x20-\x7e]*$/
const WHITE = new RegExp(`[${SPACE}]`, 'gu')

function bert(part: Part): Normalizer {
  part.only('clean_text', 'handle_chinese_chars', 'strip_accents', 'lowercase')
  const [clean, chinese] = [part.flag('clean_text'), part.flag('handle_chinese_chars')]
  const lowercase = part.flag('lowercase')
  const accents = part.get('strip_accents') == null ? lowercase : part.flag('strip_accents')
  const removed = new RegExp(`[${classOf(REMOVED)}]`, 'gu')
  const ideographs = new RegExp(`[${classOf(IDEOGRAPHS)}]`, 'gu')
  const decompose = form('NFD')
  const strip = without(NONSPACING)
  return {
    apply: (text) => {
      let result = text
      if (!PLAIN_TEXT.test(text)) {
        if (clean) result = result.replace(removed, '')
        if (chinese) result = result.replace(ideographs, ' $& ')
        if (accents) result = strip(decompose(result))
      }
      if (clean) result = result.replace(WHITE, ' ')
      return lowercase ? lower(result) : result
    },
  }
}

function strip(part: Part): Normalizer {
  part.only('strip_left', 'strip_right')
  const [left, right] = [part.flag('strip_left'), part.flag('strip_right')]
  const leading = new RegExp(`^[${SPACE}]+`, 'u')
  const white = new RegExp(`[${SPACE}]`, 'u')
  return {
    apply: (text) => {
      const rest = left ? text.replace(leading, '') : text
      let end = rest.length
      if (right) while (end > 0 && white.test(rest[end - 1]!)) end--
      return rest.slice(0, end)
    },
    zero: (text, zero) => {
      const gone = left ? (leading.exec(text)?.[0].length ?? 0) : 0
      return Math.max(0, zero - gone)
    },
  }
}

function replace(part: Part): Normalizer {
  part.only('pattern', 'content')
  const content = part.text('content')
  const { regex, shortest } = pattern(part.get('pattern'), part.place)
  // Characters that the reference puts before a text have no place in it, and the steps behind treat them otherwise.
  if (shortest === 0 && content !== '')
    throw part.unsupported('puts something where its pattern finds nothing')
  const rewrite = (text: string, from: number) => {
    let result = ''
    let zero = 0
    if (text === '') return { result, zero }
    for (const { start, end, matched } of stretches(regex, text)) {
      result += matched ? content : text.slice(start, end)
      // The replacement of a match stands where its last character stood.
      if (!matched) zero += Math.max(0, Math.min(end, from) - start)
      else if (end - 1 < from) zero += content.length
    }
    return { result, zero }
  }
  return {
    apply: (text) => rewrite(text, 0).result,
    zero: (text, zero) => rewrite(text, zero).zero,
    growth: Math.max(1, content.length / Math.max(1, shortest)),
  }
}

function prepend(part: Part): Normalizer {
  part.only('prepend')
  const words = part.text('prepend')
  // It makes the reference lose the place of the first character.
  if (words === '') throw part.unsupported('puts nothing before a text')
  return {
    apply: (text) => (text === '' ? text : words + text),
    zero: (text, zero) => (text === '' ? 0 : words.length + zero),
  }
}
