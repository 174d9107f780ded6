// Classes of characters in Oniguruma's regular expressions, as JavaScript writes them.
import { classOf, SPACE } from './classes.ts'
import { LATER } from './unicode.ts'

/** A character for itself, whatever it means in a pattern: `literal('.')` is `\u{2e}`. */
export const literal = (character: string): string => `\\u{${character.codePointAt(0)!.toString(16)}}`
const later = classOf(LATER)
/** Characters that the reference's Unicode does not know yet are in none of its classes. */
const known = (source: string): string => `[${source}--[${later}]]`

const WORD = known('[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]')
/** Outside of classes some numbers are letters too. */
export const WORD_ALONE = `[${WORD}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}]`
const DIGIT = known('\\p{Nd}')
const HEX = '[0-9A-Fa-f]'
/** U+0295 is no lower letter any more in Unicode 17. */
const LOWER = known('[\\p{Lowercase}\\u{295}]')
/** One character of any kind. */
export const ANY = '[^]'
/** One character on a line. */
export const NO_NEWLINE = '[^\\n]'
/** Anchors: `^`, `$`, and those of letters behind a backslash. */
export const PLACES: Readonly<Record<string, string>> = {
  '^': '(?:(?<![^])|(?<=\\n)(?=[^]))',
  $: '(?=\\n|(?![^]))',
  A: '(?<![^])',
  z: '(?![^])',
  Z: '(?=\\n?(?![^]))',
  b: `(?:(?<=${WORD_ALONE})(?!${WORD_ALONE})|(?<!${WORD_ALONE})(?=${WORD_ALONE}))`,
  B: `(?:(?<=${WORD_ALONE})(?=${WORD_ALONE})|(?<!${WORD_ALONE})(?!${WORD_ALONE}))`,
}
/** Sets by their letters behind a backslash. */
export const SETS: Readonly<Record<string, string>> = {
  s: SPACE,
  d: DIGIT,
  w: WORD,
  h: HEX,
  S: `[^${SPACE}]`,
  D: `[^${DIGIT}]`,
  W: `[^${WORD}]`,
  H: `[^${HEX}]`,
}
/** Characters by their letters behind a backslash. */
export const CONTROLS: Readonly<Record<string, string>> = {
  t: '\t',
  n: '\n',
  r: '\r',
  f: '\f',
  v: '\v',
  a: '\x07',
  e: '\x1b',
}

/** Sets in double brackets (`[:alpha:]`). */
export const BRACKETS: Readonly<Record<string, string>> = {
  alpha: known('\\p{Alphabetic}'),
  digit: DIGIT,
  alnum: known('[\\p{Alphabetic}\\p{Nd}]'),
  space: SPACE,
  blank: '[\\p{Zs}\\t]',
  upper: known('\\p{Uppercase}'),
  lower: LOWER,
  cntrl: '\\p{Cc}',
  punct: known('[\\p{P}\\p{S}]'),
  xdigit: HEX,
  word: WORD,
  ascii: '[\\u{0}-\\u{7f}]',
}

const CATEGORIES =
  'L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp Cc Cf Co'.split(' ')
const LONG_CATEGORIES: Readonly<Record<string, string>> = {
  letter: 'L',
  uppercaseletter: 'Lu',
  lowercaseletter: 'Ll',
  mark: 'M',
  number: 'N',
  decimalnumber: 'Nd',
  punctuation: 'P',
  symbol: 'S',
  separator: 'Z',
}
const SCRIPTS =
  'Han Hiragana Katakana Hangul Latin Greek Cyrillic Arabic Hebrew Thai Devanagari Bengali Tamil Telugu Kannada Malayalam Gujarati Gurmukhi Oriya Sinhala Lao Khmer Myanmar Tibetan Georgian Armenian Ethiopic Mongolian Bopomofo Common Inherited Cherokee Yi Thaana Syriac'.split(
    ' ',
  )
/** U+0295 became Lo in Unicode 17. */
const MOVED: Readonly<Record<string, string>> = {
  ll: '[\\p{Ll}\\u{295}]',
  lo: '[\\p{Lo}--[\\u{295}]]',
}

/** The set of `\p{name}`, whatever the case of its letters. */
export const PROPERTIES = new Map<string, string>([
  ...CATEGORIES.map((name): [string, string] => [name.toLowerCase(), known(`\\p{${name}}`)]),
  ...Object.entries(LONG_CATEGORIES).map(([name, short]): [string, string] => [name, known(`\\p{${short}}`)]),
  ...SCRIPTS.map((name): [string, string] => [name.toLowerCase(), known(`\\p{Script=${name}}`)]),
  ...Object.entries(MOVED).map(([name, source]): [string, string] => [name, known(source)]),
  ['lowercaseletter', known(MOVED['ll']!)],
  ...Object.entries(BRACKETS).filter(([name]) => name !== 'punct' && name !== 'word'),
  ['alphabetic', known('\\p{Alphabetic}')],
  ['uppercase', known('\\p{Uppercase}')],
  ['lowercase', LOWER],
  ['c', `[\\p{C}${later}]`],
  ['other', `[\\p{C}${later}]`],
  ['any', ANY],
  ['emoji', known('\\p{Emoji}')],
  ['emojipresentation', known('\\p{Emoji_Presentation}')],
  ['emojimodifier', '\\p{Emoji_Modifier}'],
  ['ideographic', known('\\p{Ideographic}')],
  ['math', known('\\p{Math}')],
  ['hexdigit', '\\p{Hex_Digit}'],
  ['canadianaboriginal', known('\\p{Script=Canadian_Aboriginal}')],
  ['whitespace', SPACE],
])

/** Letters that are the same whatever their case; others than ASCII's are refused. */
export const FOLDED: Readonly<Record<string, string>> = { s: 'sS\\u{17f}', k: 'kK\\u{212a}' }
/** Rows of letters that a single letter stands for where case does not count: `ß`, `ﬁ`, `ŉ`, … */
export const LIGATURES = ['ss', 'ff', 'fi', 'fl', 'st']
