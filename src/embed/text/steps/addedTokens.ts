// Added tokens: what is found in a text before it is cut into words.
import { PipiloError } from '../../../base/index.ts'
import { classOf, SPACE } from './classes.ts'
import type { Normalizer } from './normalizer.ts'
import { Part } from './part.ts'
import { Trie } from './trie.ts'
import { LATER } from './unicode.ts'
import type { Model } from './vocabulary.ts'

/** An entry of `added_tokens`. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly single: boolean
  readonly left: boolean
  readonly right: boolean
  readonly normalized: boolean
  readonly special: boolean
}

/** A stretch of a text: an added token, or what lies between. */
export interface Stretch {
  readonly start: number
  readonly end: number
  readonly id?: number
}

/**
 * The added tokens of a `tokenizer.json`.
 *
 * @throws PipiloError `FORMAT_INVALID` for a token whose id is not the one that the reference would give it
 */
export function addedTokensOf(value: unknown, { vocabulary, size }: Model): AddedToken[] {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) throw new PipiloError('FORMAT_INVALID', 'The added_tokens are no list.')
  const tokens = new Map<string, AddedToken>()
  let next = size
  for (const entry of value as unknown[]) {
    const part = Part.of(entry, 'added token')
    part.only('id', 'content', 'single_word', 'lstrip', 'rstrip', 'normalized', 'special')
    const content = part.text('content')
    if (content === '') continue
    const stated = part.count('id')
    const id = vocabulary.get(content) ?? tokens.get(content)?.id ?? next++
    if (stated !== id) {
      throw new PipiloError(
        'FORMAT_INVALID',
        `The added token '${content}' has the id ${stated}, and ${id} by its place in the vocabulary.`,
      )
    }
    tokens.set(content, {
      id,
      content,
      single: part.flag('single_word', false),
      left: part.flag('lstrip', false),
      right: part.flag('rstrip', false),
      normalized: part.flag('normalized', !part.flag('special', false)),
      special: part.flag('special', false),
    })
  }
  return [...tokens.values()]
}

const word = `[[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]--[${classOf(LATER)}]]`

/** Finds some of the added tokens. */
export class Finder {
  readonly #trie: Trie
  readonly #tokens: readonly AddedToken[]
  readonly #heads: RegExp | undefined
  readonly #splits: boolean
  readonly #endsWithWord = new RegExp(`${word}$`, 'v')
  readonly #startsWithWord = new RegExp(`^${word}`, 'v')
  readonly #space = new RegExp(`[${SPACE}]`, 'u')

  /**
   * @param textOf what of a token is looked for
   * @param splits special tokens are text as any other
   * @throws PipiloError `FORMAT_INVALID` for a token of which nothing is left, and two that become the same
   */
  constructor(tokens: readonly AddedToken[], textOf: (token: AddedToken) => string, splits: boolean) {
    this.#splits = splits
    const texts = tokens.map(textOf)
    this.#tokens = tokens
    this.#trie = new Trie(texts.reduce((sum, text) => sum + text.length, 0))
    const seen = new Set<string>()
    for (const [i, text] of texts.entries()) {
      const { content } = tokens[i]!
      if (text === '') throw invalid(`Of the added token '${content}' the normalizer leaves nothing.`)
      if (seen.has(text)) throw invalid(`The added token '${content}' becomes the same as another.`)
      seen.add(text)
      this.#trie.add(text, i)
    }
    const heads = new Set(texts.map((text) => text.charCodeAt(0)))
    const units = Array.from(heads, (unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    this.#heads = texts.length ? new RegExp(`[${units.join('')}]`, 'g') : undefined
  }

  /** Stretches of a text in order; they overlap where a token takes white space that the next one begins with. */
  find(text: string): Stretch[] {
    const found: Stretch[] = []
    let before = 0
    if (this.#heads) {
      this.#heads.lastIndex = 0
      for (let head = this.#heads.exec(text); head; head = this.#heads.exec(text)) {
        const start = head.index
        const [end, token] = this.#longest(text, start)
        if (!token) continue
        this.#heads.lastIndex = end
        if (this.#splits && token.special) continue
        if (token.single && (this.#isWord(text, start, true) || this.#isWord(text, end, false))) continue
        const from = token.left ? Math.max(this.#spacesBefore(text, start), before) : start
        const to = token.right ? this.#spacesAfter(text, end) : end
        if (before < from) found.push({ start: before, end: from })
        // Another token may have taken it as its white space.
        if (from > to) {
          throw new PipiloError(
            'TEXT_INVALID',
            `The added token '${token.content}' begins in white space that the one before it takes.`,
          )
        }
        if (from < to) found.push({ start: from, end: to, id: token.id })
        before = to
      }
    }
    if (before !== text.length) found.push({ start: before, end: text.length })
    return found
  }

  #longest(text: string, start: number): [end: number, token: AddedToken | undefined] {
    let [longest, value] = [start, -1]
    for (let node = 0, end = start; end < text.length; ) {
      node = this.#trie.child(node, text.charCodeAt(end++))
      if (node === 0) break
      if (this.#trie.value(node) >= 0) [longest, value] = [end, this.#trie.value(node)]
    }
    return [longest, this.#tokens[value]]
  }

  #isWord(text: string, at: number, before: boolean): boolean {
    // A character is at most two UTF-16 units.
    return before
      ? this.#endsWithWord.test(text.slice(Math.max(0, at - 2), at))
      : this.#startsWithWord.test(text.slice(at, at + 2))
  }

  #spacesBefore(text: string, at: number): number {
    let start = at
    while (start > 0 && this.#space.test(text[start - 1]!)) start--
    return start
  }

  #spacesAfter(text: string, at: number): number {
    let end = at
    while (end < text.length && this.#space.test(text[end]!)) end++
    return end
  }
}

/** Added tokens as they stand in a text, and those that the normalizer changes, as it changes them. */
export function findersOf(
  tokens: readonly AddedToken[],
  normalizer: Normalizer,
  splits: boolean,
): { raw: Finder; normal: Finder } {
  return {
    raw: new Finder(
      tokens.filter(({ normalized }) => !normalized),
      ({ content }) => content,
      splits,
    ),
    normal: new Finder(
      tokens.filter(({ normalized }) => normalized),
      ({ content }) => normalizer.apply(content),
      splits,
    ),
  }
}

function invalid(sentence: string): PipiloError {
  return new PipiloError('FORMAT_INVALID', sentence)
}
