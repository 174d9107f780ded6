// Patterns of a `tokenizer.json`: Oniguruma's regular expressions (syntax of Ruby) in JavaScript.
import { PipiloError } from '../../../base/index.ts'
import { classOf, SPACE } from './classes.ts'
import { LATER } from './unicode.ts'

/** A stretch of a text, which the pattern matches or which lies between two matches. */
export interface Found {
  readonly start: number
  readonly end: number
  readonly matched: boolean
}

/** Longest pattern that is read, in UTF-16 units: the longest that is published has about 800. */
const LONGEST = 20_000
/** Groups within groups. */
const DEEPEST = 40
/** Most repetitions that a pattern may count. */
const MOST = 1000
/** Most ways in which a pattern may match at a place: those that are published have about 60. */
const MOST_WAYS = 4096

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

type Node =
  /** One character of a class. */
  | { readonly kind: 'set'; readonly source: string }
  /** A place: an anchor or a look around. */
  | { readonly kind: 'place'; readonly source: string; readonly inner?: Node }
  | { readonly kind: 'row'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly nodes: readonly Node[] }
  /** `(?>…)`, and what is possessive. */
  | { readonly kind: 'atomic'; readonly node: Node; readonly name: string }
  | {
      readonly kind: 'repeat'
      readonly node: Node
      readonly least: number
      readonly most: number
      readonly lazy: boolean
    }

const literal = (character: string): string => `\\u{${character.codePointAt(0)!.toString(16)}}`
const later = classOf(LATER)
/** Characters that the reference's Unicode does not know yet are in none of its classes. */
const known = (source: string): string => `[${source}--[${later}]]`

const WORD = known('[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]')
/** Outside of classes some numbers are letters too. */
const WORD_ALONE = `[${WORD}\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}]`
const DIGIT = known('\\p{Nd}')
const HEX = '[0-9A-Fa-f]'
/** U+0295 is no lower letter any more in Unicode 17. */
const LOWER = known('[\\p{Lowercase}\\u{295}]')
const ANY = '[^]'
const NO_NEWLINE = '[^\\n]'
const PLACES: Readonly<Record<string, string>> = {
  '^': '(?:(?<![^])|(?<=\\n)(?=[^]))',
  $: '(?=\\n|(?![^]))',
  A: '(?<![^])',
  z: '(?![^])',
  Z: '(?=\\n?(?![^]))',
  b: `(?:(?<=${WORD_ALONE})(?!${WORD_ALONE})|(?<!${WORD_ALONE})(?=${WORD_ALONE}))`,
  B: `(?:(?<=${WORD_ALONE})(?=${WORD_ALONE})|(?<!${WORD_ALONE})(?!${WORD_ALONE}))`,
}
const SETS: Readonly<Record<string, string>> = {
  s: SPACE,
  d: DIGIT,
  w: WORD,
  h: HEX,
  S: `[^${SPACE}]`,
  D: `[^${DIGIT}]`,
  W: `[^${WORD}]`,
  H: `[^${HEX}]`,
}
const CONTROLS: Readonly<Record<string, string>> = {
  t: '\t',
  n: '\n',
  r: '\r',
  f: '\f',
  v: '\v',
  a: '\x07',
  e: '\x1b',
}

/** Sets in double brackets (`[:alpha:]`). */
const BRACKETS: Readonly<Record<string, string>> = {
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
const PROPERTIES = new Map<string, string>([
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
const FOLDED: Readonly<Record<string, string>> = { s: 'sS\\u{17f}', k: 'kK\\u{212a}' }
/** Rows of letters that a single letter stands for where case does not count: `ß`, `ﬁ`, `ŉ`, … */
const LIGATURES = ['ss', 'ff', 'fi', 'fl', 'st']

/** Reads a pattern from left to right. */
class Reader {
  readonly #characters: readonly string[]
  readonly #place: string
  readonly #source: string
  #at = 0
  #depth = 0
  #foldCase = false
  #dotAll = false
  #atoms = 0
  #behind = false

  constructor(source: string, place: string) {
    this.#source = source
    this.#place = place
    this.#characters = Array.from(source)
  }

  read(): Node {
    if (this.#source.length > LONGEST) throw this.#refuse(`is longer than ${LONGEST} characters`)
    const node = this.#choice()
    if (this.#at < this.#characters.length) throw this.#refuse("has a ')' too many")
    const why = unbounded(node) ?? (waysOf(node) > MOST_WAYS ? 'it can match in too many ways' : undefined)
    if (why) throw this.#refuse(`may search without end: ${why}`)
    return node
  }

  #refuse(what: string): PipiloError {
    const source = this.#source.length > 80 ? `${this.#source.slice(0, 80)}…` : this.#source
    return new PipiloError('FORMAT_UNSUPPORTED', `The pattern '${source}' of the ${this.#place} ${what}.`)
  }

  #peek(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#characters[this.#at + i] !== text[i]) return false
    return true
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false
    this.#at += text.length
    return true
  }

  #next(): string {
    const character = this.#characters[this.#at++]
    if (character === undefined) throw this.#refuse('ends too early')
    return character
  }

  /** Alternatives, up to the end of the group. */
  #choice(): Node {
    if (++this.#depth > DEEPEST) throw this.#refuse(`has groups more than ${DEEPEST} deep`)
    const nodes = [this.#row()]
    while (this.#take('|')) nodes.push(this.#row())
    this.#depth--
    return nodes.length === 1 ? nodes[0]! : { kind: 'choice', nodes }
  }

  #row(): Node {
    const nodes: Node[] = []
    let letters = ''
    while (this.#at < this.#characters.length && !this.#peek('|') && !this.#peek(')')) {
      const from = this.#at
      const node = this.#quantified(this.#atom())
      nodes.push(node)
      if (!this.#foldCase) continue
      const taken = this.#at - from === 1 ? this.#characters[from]!.toLowerCase() : ' '
      letters = letters.slice(-1) + taken
      if (LIGATURES.includes(letters)) throw this.#refuse(`has '${letters}' without regard to case`)
    }
    return nodes.length === 1 ? nodes[0]! : { kind: 'row', nodes }
  }

  #atom(): Node {
    const character = this.#next()
    switch (character) {
      case '(':
        return this.#group()
      case '[':
        return { kind: 'set', source: this.#class() }
      case '.':
        return { kind: 'set', source: this.#dotAll ? ANY : NO_NEWLINE }
      case '^':
      case '$':
        return { kind: 'place', source: PLACES[character]! }
      case '*':
      case '+':
      case '?':
        throw this.#refuse(`has a '${character}' behind nothing`)
      case '\\':
        return this.#escape()
      default:
        return { kind: 'set', source: this.#letter(character) }
    }
  }

  /** A character that stands for itself. */
  #letter(character: string): string {
    if (!this.#foldCase) return literal(character)
    if (/[a-z]/i.test(character)) {
      const lower = character.toLowerCase()
      return `[${FOLDED[lower] ?? lower + lower.toUpperCase()}]`
    }
    if (character > '\x7f') throw this.#refuse(`has '${character}' without regard to case`)
    return literal(character)
  }

  #group(): Node {
    const [foldCase, dotAll] = [this.#foldCase, this.#dotAll]
    const close = (node: Node): Node => {
      if (!this.#take(')')) throw this.#refuse("has a '(' too many")
      this.#foldCase = foldCase
      this.#dotAll = dotAll
      return node
    }
    const around = (open: string): Node => {
      const behind = this.#behind
      this.#behind = behind || open.startsWith('<')
      const inner = close(this.#choice())
      this.#behind = behind
      return { kind: 'place', source: `(?${open}${sourceOf(inner)})`, inner }
    }
    if (!this.#take('?')) {
      if (this.#peek('*')) throw this.#refuse("has a group '(*', which is not known")
      return close(this.#choice())
    }
    for (const open of ['=', '!', '<=', '<!']) if (this.#take(open)) return around(open)
    if (this.#take(':')) return close(this.#choice())
    if (this.#take('>')) return this.#atomic(close(this.#choice()))
    if (this.#take('#')) {
      while (!this.#peek(')')) this.#next()
      return close({ kind: 'row', nodes: [] })
    }
    const name = /^<[A-Za-z_]\w*>/.exec(this.#characters.slice(this.#at, this.#at + 64).join(''))
    if (name) {
      this.#at += name[0].length
      return close(this.#choice())
    }
    return this.#options(close)
  }

  #atomic(node: Node): Node {
    if (this.#behind) throw this.#refuse('looks behind for what is possessive')
    return { kind: 'atomic', node, name: `a${this.#atoms++}` }
  }

  /** `(?i:…)`, or `(?i)` at the beginning of a group or of the pattern. */
  #options(close: (node: Node) => Node): Node {
    const first = this.#at === 2
    let on = true
    for (let option = this.#next(); option !== ':' && option !== ')'; option = this.#next()) {
      if (option === '-') on = false
      else if (option === 'i') this.#foldCase = on
      else if (option === 'm') this.#dotAll = on
      else throw this.#refuse(`has a group '(?${option}', which is not known`)
    }
    if (this.#characters[this.#at - 1] === ':') return close(this.#choice())
    if (!first) throw this.#refuse('changes its options inside')
    return this.#choice()
  }

  #escape(): Node {
    const character = this.#next()
    if (PLACES[character] && character !== '^' && character !== '$') {
      return { kind: 'place', source: PLACES[character] }
    }
    const set = this.#escapedSet(character)
    if (character === 'w') return { kind: 'set', source: WORD_ALONE }
    if (character === 'W') return { kind: 'set', source: `[^${WORD_ALONE}]` }
    return { kind: 'set', source: set ?? this.#letter(this.#escaped(character)) }
  }

  /** `\s`, `\p{L}`, …: what stands for a set, in a class or out of it. */
  #escapedSet(character: string): string | undefined {
    if (SETS[character]) {
      if (this.#foldCase && !'sSdDhH'.includes(character)) {
        throw this.#refuse(`has \\${character} without regard to case`)
      }
      return SETS[character]
    }
    if (character !== 'p' && character !== 'P') return undefined
    const end = this.#characters.indexOf('}', this.#at)
    if (!this.#peek('{') || end < 0) throw this.#refuse(`has a \\${character} without a name`)
    const written = this.#characters.slice(this.#at + 1, end).join('')
    this.#at = end + 1
    const name = written
      .replace(/^\^/, '')
      .replace(/[\s_-]/g, '')
      .toLowerCase()
    const source = PROPERTIES.get(name)
    if (!source) throw this.#refuse(`has \\${character}{${written}}, which is not known`)
    if (this.#foldCase && !/^\\p\{White_Space\}$|\\p\{(?:N|Nd|P|S|Z)\}/.test(source)) {
      throw this.#refuse(`has \\${character}{${written}} without regard to case`)
    }
    return written.startsWith('^') !== (character === 'P') ? `[^${source}]` : source
  }

  /** The one character that an escape stands for. */
  #escaped(character: string): string {
    if (CONTROLS[character]) return CONTROLS[character]
    if (character === 'x' || character === 'u') {
      const rest = this.#characters.slice(this.#at, this.#at + 10).join('')
      const digits =
        character === 'u'
          ? /^([0-9A-Fa-f]{4})/.exec(rest)
          : (/^\{([0-9A-Fa-f]{1,6})\}/.exec(rest) ?? /^([0-7][0-9A-Fa-f])/.exec(rest))
      const code = digits ? Number.parseInt(digits[1]!, 16) : Number.NaN
      if (!(code <= 0x10ffff) || (code >= 0xd800 && code < 0xe000))
        throw this.#refuse(`has a \\${character} of no character`)
      this.#at += digits![0].length
      return String.fromCodePoint(code)
    }
    if (/[0-9A-Za-z]/.test(character)) throw this.#refuse(`has \\${character}, which is not known`)
    return character
  }

  /** A class behind its `[`. */
  #class(): string {
    if (++this.#depth > DEEPEST) throw this.#refuse(`has groups more than ${DEEPEST} deep`)
    const negated = this.#take('^')
    if (negated && this.#foldCase) throw this.#refuse('has a negated class without regard to case')
    if (this.#peek(']')) throw this.#refuse("has a ']' at the beginning of a class")
    const sides: string[] = []
    let parts: string[] = []
    while (!this.#take(']')) {
      if (this.#take('&&')) {
        sides.push(`[${parts.join('')}]`)
        parts = []
      } else {
        parts.push(this.#classPart(parts.length === 0))
      }
    }
    if (parts.length === 0) throw this.#refuse('has an empty class')
    this.#depth--
    sides.push(`[${parts.join('')}]`)
    return `[${negated ? '^' : ''}${sides.join('&&')}]`
  }

  #classPart(first: boolean): string {
    if (this.#peek('[:')) {
      const name = /^\[:(\^?)([a-z]+):\]/.exec(this.#characters.slice(this.#at, this.#at + 16).join(''))
      const source = name && BRACKETS[name[2]!]
      if (!source || this.#foldCase) throw this.#refuse('has a set in [: :] that is not known')
      this.#at += name[0].length
      return name[1] === '^' ? `[^${source}]` : source
    }
    const character = this.#next()
    if (character === '[') return this.#class()
    const from = this.#single(character)
    if (typeof from !== 'string') {
      if (this.#peek('-') && this.#characters[this.#at + 1] !== ']') {
        throw this.#refuse("has a '-' behind a set")
      }
      return from.set
    }
    if (character === '-' && !first && !this.#peek(']')) throw this.#refuse("has a '-' inside a class")
    if (!this.#peek('-') || this.#characters[this.#at + 1] === ']') return this.#letter(from)
    this.#at++
    if (this.#peek('[')) throw this.#refuse("has a '-' before a set")
    const to = this.#single(this.#next())
    if (typeof to !== 'string' || to.codePointAt(0)! < from.codePointAt(0)!) {
      throw this.#refuse('has a range that ends before it begins')
    }
    return this.#range(from, to)
  }

  #single(character: string): string | { readonly set: string } {
    if (character !== '\\') return character
    const escaped = this.#next()
    if (escaped === 'b') return '\b'
    const set = this.#escapedSet(escaped)
    return set === undefined ? this.#escaped(escaped) : { set }
  }

  #range(from: string, to: string): string {
    if (!this.#foldCase) return `${literal(from)}-${literal(to)}`
    const codes = Array.from({ length: to.codePointAt(0)! - from.codePointAt(0)! + 1 }, (_, i) =>
      this.#letter(String.fromCodePoint(from.codePointAt(0)! + i)),
    )
    return codes.join('')
  }

  #quantified(node: Node): Node {
    const bounds = this.#bounds()
    if (!bounds) return node
    if (node.kind === 'place') throw this.#refuse('repeats a place')
    const { least, most, interval } = bounds
    // In the syntax of Ruby `{2}?` is an optional pair, and `{1,2}+` a repeated one.
    if (interval && this.#take('+')) {
      if (node.kind !== 'set' || least > 1) throw this.#refuse('repeats a repetition')
      return this.#checked({ kind: 'repeat', node, least, most: Number.POSITIVE_INFINITY, lazy: false })
    }
    const optional = interval && least === most && this.#take('?')
    const lazy = !optional && this.#take('?')
    const possessive = !interval && !lazy && this.#take('+')
    const repeat: Node = { kind: 'repeat', node, least, most, lazy }
    if (optional) return this.#checked({ kind: 'repeat', node: repeat, least: 0, most: 1, lazy: false })
    return this.#checked(possessive ? this.#atomic(repeat) : repeat)
  }

  #checked(node: Node): Node {
    if (/[*+?]/.test(this.#characters[this.#at] ?? '') || this.#isInterval()) {
      throw this.#refuse('repeats a repetition')
    }
    return node
  }

  #isInterval(): boolean {
    return /^\{(?:\d+(?:,\d*)?|,\d+)\}/.test(this.#characters.slice(this.#at, this.#at + 16).join(''))
  }

  #bounds(): { least: number; most: number; interval: boolean } | undefined {
    if (this.#take('*')) return { least: 0, most: Number.POSITIVE_INFINITY, interval: false }
    if (this.#take('+')) return { least: 1, most: Number.POSITIVE_INFINITY, interval: false }
    if (this.#take('?')) return { least: 0, most: 1, interval: false }
    if (!this.#isInterval()) return undefined
    const end = this.#characters.indexOf('}', this.#at)
    const [low, high] = this.#characters
      .slice(this.#at + 1, end)
      .join('')
      .split(',')
    this.#at = end + 1
    const least = low === '' ? 0 : Number(low)
    const most = high === undefined ? least : high === '' ? Number.POSITIVE_INFINITY : Number(high)
    if (least > most || least > MOST || (most > MOST && most !== Number.POSITIVE_INFINITY)) {
      throw this.#refuse(`repeats from ${least} to ${most} times`)
    }
    return { least, most, interval: true }
  }
}

function sourceOf(node: Node): string {
  switch (node.kind) {
    case 'set':
    case 'place':
      return node.source
    case 'row':
      return node.nodes
        .map((inner) => (inner.kind === 'choice' ? `(?:${sourceOf(inner)})` : sourceOf(inner)))
        .join('')
    case 'choice':
      return node.nodes.map(sourceOf).join('|')
    case 'atomic':
      // A look ahead keeps to the first way that it has found.
      return `(?=(?<${node.name}>${sourceOf(node.node)}))\\k<${node.name}>`
    case 'repeat': {
      const { least, most, lazy } = node
      const inner = node.node.kind === 'set' ? sourceOf(node.node) : `(?:${sourceOf(node.node)})`
      return `${inner}{${least},${most === Number.POSITIVE_INFINITY ? '' : most}}${lazy ? '?' : ''}`
    }
  }
}

/** UTF-16 units of the shortest match. */
function shortest(node: Node): number {
  switch (node.kind) {
    case 'set':
      return 1
    case 'place':
      return 0
    case 'row':
      return node.nodes.reduce((sum, part) => sum + shortest(part), 0)
    case 'choice':
      return Math.min(...node.nodes.map(shortest))
    case 'atomic':
      return shortest(node.node)
    case 'repeat':
      return node.least * shortest(node.node)
  }
}

/**
 * The reason for which a search may take a time that grows faster than the square of the text: a repetition within a repetition, or two
 * repetitions one behind the other of which both can give back what they took. Undefined for other patterns.
 */
function unbounded(node: Node): string | undefined {
  switch (node.kind) {
    case 'set':
      return undefined
    case 'place':
      return node.inner && unbounded(node.inner)
    case 'choice':
      return firstOf(node.nodes)
    case 'atomic':
      return unbounded(node.node)
    case 'repeat': {
      const several = node.most > 1
      if (several && node.node.kind !== 'set') {
        if (shortest(node.node) === 0) return 'it repeats what may be empty'
        if (!isPlain(node.node)) return 'it repeats a group whose length or beginning is open'
      }
      return unbounded(node.node)
    }
    case 'row': {
      // Repetitions that give back when what follows them is not found.
      let open = 0
      let pending = 0
      for (const part of node.nodes) {
        if (open + pending > 0 && canFail(part)) {
          open += pending
          pending = 0
        }
        if (open > 1) return 'two of its repetitions can share the same text'
        if (givesBack(part)) pending++
      }
      return firstOf(node.nodes)
    }
  }
}

const firstOf = (nodes: readonly Node[]): string | undefined => {
  for (const node of nodes) {
    const why = unbounded(node)
    if (why) return why
  }
  return undefined
}

const canFail = (node: Node): boolean => node.kind === 'place' || shortest(node) > 0

/** True if a part can end at many places. */
function givesBack(node: Node): boolean {
  switch (node.kind) {
    case 'set':
    case 'place':
    case 'atomic':
      return false
    case 'row':
    case 'choice':
      return node.nodes.some(givesBack)
    case 'repeat':
      return node.most > 8 || givesBack(node.node)
  }
}

/**
 * Ways in which a pattern may match at a place, at most: a search may try them all. Repetitions without a bound, of which {@link unbounded}
 * leaves one at a time, count as one.
 */
function waysOf(node: Node): number {
  switch (node.kind) {
    case 'set':
      return 1
    case 'place':
      return node.inner ? waysOf(node.inner) : 1
    case 'atomic':
      return waysOf(node.node)
    case 'row':
      return node.nodes.reduce((product, part) => product * waysOf(part), 1)
    case 'choice':
      return node.nodes.reduce((sum, part) => sum + waysOf(part), 0)
    case 'repeat': {
      const inner = waysOf(node.node)
      // Alternatives that begin with different characters and have a fixed length match in one way.
      if (isPlain(node.node)) return givesBack(node) ? 1 : node.most - node.least + 1
      let sum = 0
      for (let count = node.least; count <= Math.min(node.most, MOST); count++) sum += inner ** count
      return sum
    }
  }
}

/** True if a group matches in one way only: fixed lengths, and alternatives of single characters that differ. */
function isPlain(node: Node): boolean {
  switch (node.kind) {
    case 'set':
    case 'place':
      return true
    case 'row':
      return node.nodes.every(isPlain)
    case 'choice': {
      const heads = node.nodes.map(headOf)
      return (
        node.nodes.every(isPlain) &&
        heads.every((head) => head !== undefined && /^\\u\{[0-9a-f]+\}$/.test(head)) &&
        new Set(heads).size === heads.length
      )
    }
    case 'atomic':
      return isPlain(node.node)
    case 'repeat': {
      return node.least === node.most && isPlain(node.node)
    }
  }
}

/** The source of the single character that a group begins with. */
function headOf(node: Node): string | undefined {
  if (node.kind === 'set') return node.source
  if (node.kind === 'row') return node.nodes[0] && headOf(node.nodes[0])
  return undefined
}
