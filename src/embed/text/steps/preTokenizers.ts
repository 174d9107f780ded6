// Pre-tokenizers: how a text is cut into words.
import { byteLetters } from './byteLetters.ts'
import { classOf, SPACE } from './classes.ts'
import { checkGrowth } from './normalizer.ts'
import { Part } from './part.ts'
import { type Found, pattern, stretches } from './patterns.ts'
import { LATER, PUNCTUATION, SCRIPTLESS } from './unicode.ts'

/** Words on their way through the steps. */
export interface Words {
  readonly texts: readonly string[]
  /** UTF-16 units of the words, joined, that come from the very first character of the whole text: `Metaspace` may ask. */
  readonly zero: number
}

export type PreTokenizer = (words: Words) => Words

/** Places from `start` to `end` in a word that become a word. */
interface Span {
  readonly start: number
  readonly end: number
}

/** Treatment of the places where a pattern matches. */
type Behavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous'
const BEHAVIORS: readonly Behavior[] = [
  'Removed',
  'Isolated',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
]

/**
 * The pre-tokenizer of a `tokenizer.json`.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED`, `FORMAT_INVALID`
 */
export function preTokenizerOf(value: unknown): PreTokenizer {
  const parts = value === null || value === undefined ? [] : flat(Part.of(value, 'pre_tokenizer'))
  const steps = parts.map(step)
  // They put something before every word, and bytes are more than characters.
  const growth = { ByteLevel: 4, Metaspace: 2 }
  checkGrowth(
    'pre_tokenizer',
    parts.map(({ type }) => growth[type as keyof typeof growth] ?? 1),
  )
  return (words) => steps.reduce((current, apply) => apply(current), words)
}

/** True if a step asks where in the whole text a word stands. */
export function asksForPlaces(value: unknown): boolean {
  if (value === null || value === undefined) return false
  return flat(Part.of(value, 'pre_tokenizer')).some(
    (part) => part.type === 'Metaspace' && part.get('prepend_scheme') === 'first',
  )
}

function flat(part: Part): Part[] {
  if (part.type !== 'Sequence') return [part]
  part.only('pretokenizers')
  return part.parts('pretokenizers', 'pre_tokenizer').flatMap(flat)
}

function step(part: Part): PreTokenizer {
  const without = (...keys: string[]) => part.only(...keys)
  switch (part.type) {
    case 'BertPreTokenizer': {
      without()
      const punctuation = classOf(PUNCTUATION)
      return matching(new RegExp(`[${punctuation}]|[^${SPACE}${punctuation}]+`, 'gu'))
    }
    case 'Whitespace': {
      without()
      const word = `[[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]--[${classOf(LATER)}]]`
      return matching(new RegExp(`${word}+|[^${word}${SPACE}]+`, 'gv'))
    }
    case 'WhitespaceSplit':
      without()
      return matching(new RegExp(`[^${SPACE}]+`, 'gu'))
    case 'Punctuation':
      without('behavior')
      return splitting(
        new RegExp(`[${classOf(PUNCTUATION)}]`, 'gu'),
        part.oneOf('behavior', BEHAVIORS, 'Isolated'),
        false,
      )
    case 'Digits':
      without('individual_digits')
      return splitting(/\p{N}/gu, part.flag('individual_digits') ? 'Isolated' : 'Contiguous', false)
    case 'CharDelimiterSplit':
      without('delimiter')
      return splitting(pattern({ String: part.character('delimiter') }, part.place).regex, 'Removed', false)
    case 'Split': {
      without('pattern', 'behavior', 'invert')
      const { regex } = pattern(part.get('pattern'), part.place)
      return splitting(regex, part.oneOf('behavior', BEHAVIORS), part.flag('invert'))
    }
    case 'ByteLevel':
      without('add_prefix_space', 'trim_offsets', 'use_regex')
      return byteLevel(part.flag('add_prefix_space'), part.flag('use_regex', true))
    case 'Metaspace':
      without('replacement', 'prepend_scheme', 'split', 'add_prefix_space', 'str_rep')
      return metaspace(part)
    case 'UnicodeScripts':
      without()
      return cutting(scriptSpans)
    case 'FixedLength': {
      without('length')
      const length = part.count('length', 5)
      if (length === 0) throw part.invalid('has words of length 0')
      return matching(new RegExp(`[^]{1,${length}}`, 'gu'))
    }
    default:
      throw part.unknownType()
  }
}

/** Keeps what a pattern finds: each match a word. */
function matching(regex: RegExp): PreTokenizer {
  return cutting(
    (text) =>
      Array.from(text.matchAll(regex), ({ 0: { length }, index }) => ({ start: index, end: index + length })),
    (text) => text.match(regex) ?? [],
  )
}

function splitting(regex: RegExp, behavior: Behavior, invert: boolean): PreTokenizer {
  const spans = (text: string) =>
    spansOf(
      stretches(regex, text).map((found) => (invert ? { ...found, matched: !found.matched } : found)),
      behavior,
    )
  return cutting(spans, behavior === 'Isolated' ? (text) => isolated(regex, text) : undefined)
}

/** All stretches, as texts. */
function isolated(regex: RegExp, text: string): string[] {
  const texts: string[] = []
  let before = 0
  regex.lastIndex = 0
  for (let match = regex.exec(text); match; match = regex.exec(text)) {
    const [found] = match
    // Empty matches cut and are skipped, which only the slower way does.
    if (found === '') return stretches(regex, text).map(({ start, end }) => text.slice(start, end))
    if (match.index > before) texts.push(text.slice(before, match.index))
    texts.push(found)
    before = match.index + found.length
  }
  if (before < text.length) texts.push(text.slice(before))
  return texts
}

/**
 * Cuts each word at places.
 *
 * @param texts the same as `spans`, as texts, where that is faster
 */
function cutting(
  spans: (text: string) => readonly Span[],
  texts?: (text: string) => readonly string[],
): PreTokenizer {
  const cut = texts ?? ((text: string) => spans(text).map(({ start, end }) => text.slice(start, end)))
  return ({ texts: words, zero }) => {
    if (zero === 0) {
      const result: string[] = []
      for (const word of words) for (const part of cut(word)) if (part !== '') result.push(part)
      return { texts: result, zero }
    }
    const result: string[] = []
    let [before, count] = [0, 0]
    for (const word of words) {
      for (const { start, end } of spans(word)) {
        if (start === end) continue
        result.push(word.slice(start, end))
        count += Math.max(0, Math.min(before + end, zero) - before - start)
      }
      before += word.length
    }
    return { texts: result, zero: count }
  }
}

/** Words between and of the matches. */
function spansOf(found: readonly Found[], behavior: Behavior): readonly Span[] {
  switch (behavior) {
    case 'Removed':
      return found.filter(({ matched }) => !matched)
    case 'Isolated':
      return found
    case 'Contiguous':
      return joined(found, (matched, before) => matched === before)
    case 'MergedWithPrevious':
      return joined(found, (matched, before) => matched && !before)
    case 'MergedWithNext':
      return joined([...found].reverse(), (matched, before) => matched && !before).reverse()
  }
}

/** Joins each stretch to the word before it that `joins` says, going through them in the order given. */
function joined(found: readonly Found[], joins: (matched: boolean, before: boolean) => boolean): Span[] {
  const spans: Span[] = []
  let before = false
  for (const { start, end, matched } of found) {
    const last = spans.at(-1)
    if (last && joins(matched, before)) {
      spans[spans.length - 1] = { start: Math.min(last.start, start), end: Math.max(last.end, end) }
    } else {
      spans.push({ start, end })
    }
    before = matched
  }
  return spans
}

/** Changes each word as if it stood alone; `zero` says how much of a changed word's beginning counts as the word's beginning. */
function rewriting(
  change: (word: string, isStart: boolean) => { text: string; zero(count: number): number },
): PreTokenizer {
  return ({ texts, zero }) => {
    let [before, count] = [0, 0]
    const result = texts.map((word) => {
      const own = Math.max(0, Math.min(zero - before, word.length))
      const changed = change(word, own > 0)
      before += word.length
      if (own > 0) count += changed.zero(own)
      return changed.text
    })
    return { texts: result, zero: count }
  }
}

/** How GPT-2 cuts a text into words. */
const GPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`

function byteLevel(prefixed: boolean, split: boolean): PreTokenizer {
  const prefix = rewriting((word) => {
    const space = word.startsWith(' ') ? '' : ' '
    return { text: space + word, zero: (count) => count + space.length }
  })
  const words = split ? splitting(pattern({ Regex: GPT2 }, 'ByteLevel').regex, 'Isolated', false) : undefined
  const letters = rewriting((word) => ({
    text: byteLetters(word),
    zero: (count) => byteLetters(word.slice(0, count)).length,
  }))
  return (given) => {
    const started = prefixed ? prefix(given) : given
    return letters(words ? words(started) : started)
  }
}

function metaspace(part: Part): PreTokenizer {
  const replacement = part.character('replacement')
  const added = part.get('add_prefix_space') ?? undefined
  const stated = part.oneOf('prepend_scheme', ['always', 'first', 'never'], 'always')
  if (added === false && stated !== 'never') {
    throw part.invalid('contradicts itself on its space before a text')
  }
  const rewrite = rewriting((word, isStart) => {
    const spaced = word.replaceAll(' ', replacement)
    const wanted = stated === 'always' || (stated === 'first' && isStart)
    const before = wanted && !spaced.startsWith(replacement) ? replacement : ''
    return {
      text: before + spaced,
      zero: (count) => before.length + word.slice(0, count).replaceAll(' ', replacement).length,
    }
  })
  if (part.get('split') === false) return rewrite
  const words = splitting(pattern({ String: replacement }, part.place).regex, 'MergedWithNext', false)
  return (given) => words(rewrite(given))
}

/** Scripts that a text may change between; the others are left to the words beside them. */
const SCRIPTS =
  'Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Duployan Egyptian_Hieroglyphs Elbasan Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kayah_Li Kharoshthi Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Malayalam Mandaic Manichaean Marchen Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean New_Tai_Lue Newa Nko Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_South_Arabian Old_Turkic Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sora_Sompeng Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Ugaritic Vai Warang_Citi Yi'.split(
    ' ',
  )
/** Scripts of characters that have another one since. */
const OLDER: Readonly<Record<string, string>> = {
  ' ': '',
  '\u0589': 'Common',
  '\u061c': 'Common',
  '\u0953': 'Devanagari',
  '\u0954': 'Devanagari',
  '\u30fc': 'Han',
}
let scriptless: RegExp | undefined
const scripts = new Map<string, string>()
const tests = new Map<string, RegExp>()

/** The script of a character, `''` for none; hiragana and katakana count as Han. */
function scriptOf(character: string): string {
  const known = scripts.get(character)
  if (known !== undefined) return known
  scriptless ??= new RegExp(`[${classOf(SCRIPTLESS)}]`, 'u')
  let script = OLDER[character]
  if (script === undefined && scriptless.test(character)) script = ''
  script ??= SCRIPTS.find((name) => {
    if (!tests.has(name)) tests.set(name, new RegExp(`\\p{Script=${name}}`, 'u'))
    return tests.get(name)!.test(character)
  })
  if (script === 'Hiragana' || script === 'Katakana') script = 'Han'
  scripts.set(character, script ?? '')
  return script ?? ''
}

/** Words of one script each. What stands before the first character that has a script is dropped. */
function scriptSpans(text: string): Span[] {
  const starts: number[] = []
  let last: string | undefined
  let at = 0
  for (const character of text) {
    const script = scriptOf(character)
    if (script !== '' && script !== last) {
      starts.push(at)
      last = script
    }
    at += character.length
  }
  return starts.map((start, i) => ({ start, end: starts[i + 1] ?? text.length }))
}
