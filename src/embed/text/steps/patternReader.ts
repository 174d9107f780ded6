// Reads Oniguruma's regular expressions (syntax of Ruby).
import { PipiloError } from '../../../base/index.ts'
import { MOST, whyEndless } from './patternBounds.ts'
import {
  ANY,
  BRACKETS,
  CONTROLS,
  FOLDED,
  LIGATURES,
  literal,
  NO_NEWLINE,
  PLACES,
  PROPERTIES,
  SETS,
  WORD_ALONE,
} from './patternClasses.ts'
import { type Node, sourceOf } from './patternNodes.ts'

/** Longest pattern that is read, in UTF-16 units: the longest that is published has about 800. */
const LONGEST = 20_000
/** Groups within groups. */
const DEEPEST = 40

/** Reads a pattern from left to right. */
export class Reader {
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
    const why = whyEndless(node)
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
