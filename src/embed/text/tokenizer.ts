// Tokenizer of texts, as a `tokenizer.json` says.
import { PipiloError, turn } from '../../base/index.ts'
import type { TextPreprocessing } from '../../models/index.ts'
import { cutPoints, hasBeginnings, type TokenizerFile } from './cuts.ts'
import { Steps } from './steps/index.ts'

/** Token ids of a text, special tokens included. */
export interface Encoding {
  readonly ids: number[]
  /** The text was longer than the limit. */
  readonly truncated: boolean
}

export interface TokenizerOptions {
  /** Lower the text, but for added tokens, for models whose `sentence_bert_config.json` says so. */
  readonly lowercase?: boolean
  /** Clean the text first, see the card's `text.clean`. */
  readonly clean?: TextPreprocessing['clean']
  /** `false`: no special tokens around a text. Default `true`. */
  readonly specialTokens?: boolean
  /** Cut texts and leave out tokens of unknown words as model2vec does, see the card's `text.dropUnknown`. Default `false`. */
  readonly dropUnknown?: boolean
  /** Rows of the model's table of tokens: a text with a token beyond them is an error. */
  readonly rows?: number
}

/** UTF-16 units tokenised in one go where a text can be cut: at most a few milliseconds of work. */
const PIECE = 4096

/**
 * Turns texts into token ids as a `tokenizer.json` says; its own padding and truncation are left aside.
 *
 * @example
 * ```ts
 * const tokenizer = await loadTokenizer('model/tokenizer.json')
 * tokenizer.encode('football', 256)   // { ids: [101, 2374, 102], truncated: false }
 * ```
 */
export class TextTokenizer {
  /** Special tokens before and after a text. */
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
  readonly padId: number
  readonly #steps: Steps
  readonly #cuts: RegExp | undefined
  /** The text before a space has the same tokens without the rest. */
  readonly #hasBeginnings: boolean
  readonly #clean: (text: string) => string
  /** The token that is left out. */
  readonly #unknown: number | undefined
  /** Characters of a token, in the median, where texts are cut by them. */
  readonly #characters: number | undefined
  /** Rows of the model's table, where the tokenizer has more tokens. */
  readonly #rows: number | undefined

  /**
   * @param given what a `tokenizer.json` holds
   * @throws PipiloError `FORMAT_UNSUPPORTED`, `FORMAT_INVALID`
   */
  constructor(given: unknown, options: TokenizerOptions = {}) {
    const file = options.lowercase ? lowered(given as TokenizerFile) : given
    this.#steps = new Steps(file)
    this.#cuts = cutPoints(file as TokenizerFile)
    this.#hasBeginnings = hasBeginnings(file as TokenizerFile)
    this.#clean = cleaner(options)
    if (options.dropUnknown) {
      const { unk_token: token, unk_id: id } = (file as TokenizerFile).model ?? {}
      this.#unknown =
        typeof token === 'string' ? this.#steps.idOf(token) : typeof id === 'number' ? id : undefined
      this.#characters = medianLength(this.#steps.tokens())
    }
    const special = options.specialTokens !== false
    this.prefix = special ? this.#steps.prefix : []
    this.suffix = special ? this.#steps.suffix : []
    this.padId = this.#steps.padId
    const { rows = Number.POSITIVE_INFINITY } = options
    this.#rows = this.#steps.largestId >= rows ? rows : undefined
  }

  /** How many special tokens stand around a text. */
  get specials(): number {
    return this.prefix.length + this.suffix.length
  }

  /**
   * Ids of a text, special tokens at both ends, at most `maxLength` in all: what is too long loses its end, or its start.
   * Of a long text that loses its end only as much is looked at as the limit needs.
   *
   * @param cut default: what the file says, else `end`
   */
  encode(
    whole: string,
    maxLength = Number.POSITIVE_INFINITY,
    cut: 'start' | 'end' = this.#steps.cutsLeft ? 'start' : 'end',
  ): Encoding {
    if (cut === 'start') return this.#cutLeft(whole, maxLength)
    if (this.#characters !== undefined) return this.#encodeStatic(whole, maxLength, this.#characters)
    const ids = [...this.prefix]
    const limit = Math.max(this.prefix.length, maxLength - this.suffix.length)
    const text = this.#hasBeginnings && Number.isFinite(limit) ? this.#beginning(whole, limit) : whole
    let truncated = false
    for (let start = 0; start < text.length && !truncated; ) {
      const end = this.#cutAfter(text, start + PIECE)
      const content = this.content(text.slice(start, end))
      truncated = ids.length + content.length > limit
      for (const id of truncated ? content.slice(0, limit - ids.length) : content) ids.push(id)
      start = end
    }
    ids.push(...this.suffix)
    return { ids, truncated }
  }

  /** As model2vec: as many characters as the tokens have in the median, then as many tokens, unknown ones among them. */
  #encodeStatic(whole: string, maxLength: number, characters: number): Encoding {
    const text = Number.isFinite(maxLength) ? beginningOf(whole, maxLength * characters) : whole
    const ids = this.#ids(text)
    const kept = ids.length > maxLength ? ids.slice(0, maxLength) : ids
    const truncated = text.length < whole.length || kept.length < ids.length
    return { ids: [...this.prefix, ...this.#known(kept), ...this.suffix], truncated }
  }

  #cutLeft(text: string, maxLength: number): Encoding {
    const content: number[] = []
    for (let start = 0; start < text.length; ) {
      const end = this.#cutAfter(text, start + PIECE)
      for (const id of this.content(text.slice(start, end))) content.push(id)
      start = end
    }
    const limit = Math.max(0, maxLength - this.specials)
    const truncated = content.length > limit
    const kept = truncated ? content.slice(content.length - limit) : content
    return { ids: [...this.prefix, ...kept, ...this.suffix], truncated }
  }

  /** Ids of a text, or of a part between two {@link cuts}, without special tokens. */
  content(text: string): number[] {
    return this.#known(this.#ids(text))
  }

  #known(ids: number[]): number[] {
    return this.#unknown === undefined ? ids : ids.filter((id) => id !== this.#unknown)
  }

  #ids(text: string): number[] {
    // A lone surrogate is no character; Python's tokenizers refuse it, UTF-8 encoders write U+FFFD.
    const characters = /\p{Surrogate}/u.test(text) ? text.replace(/\p{Surrogate}/gu, '\ufffd') : text
    const ids = this.#steps.ids(this.#clean(characters))
    const beyond = this.#rows === undefined ? undefined : ids.find((id) => id >= this.#rows!)
    if (beyond !== undefined) {
      throw new PipiloError(
        'TEXT_INVALID',
        `The model has no row for the token '${this.token(beyond)}' (${beyond} of ${this.#rows}).`,
        { hint: "Leave the token out of the text, or put the model's own tokenizer beside it." },
      )
    }
    return ids
  }

  /** The id of the token that texts are padded with: the one of this name, else the tokenizer's own. */
  padding(token: string | undefined): number {
    return (token === undefined ? undefined : this.#steps.idOf(token)) ?? this.padId
  }

  /** A token as the vocabulary writes it: `bird`, `##hee`, `▁sings`; `''` for an id that it does not have. */
  token(id: number): string {
    return this.#steps.tokenOf(id) ?? ''
  }

  /** With `false` the tokens of a text's parts may differ from those of the whole, wherever it is cut. */
  get divisible(): boolean {
    return this.#cuts !== undefined
  }

  /** Ids from 0 to the largest. */
  get vocabulary(): number {
    return this.#steps.largestId + 1
  }

  /** Ids from 0 to the largest that any text may become, or that stands around it: without tokens that are only found as they are. */
  get usual(): number {
    return Math.max(this.#steps.largestWord, ...this.prefix, ...this.suffix) + 1
  }

  /** Places after 0 and before the end where a text may be cut, in order: about every word. */
  *cuts(text: string): Generator<number> {
    const pattern = this.#cuts ?? /(?<=\S)(?=\s)/gu
    for (const { index } of text.matchAll(pattern)) if (index > 0 && index < text.length) yield index
  }

  /** As much of a long text as has more tokens than the limit. */
  #beginning(text: string, limit: number): string {
    for (let length = PIECE; length < text.length; length *= 2) {
      const beginning = text.slice(0, Math.max(0, text.lastIndexOf(' ', length)))
      if (beginning !== '' && this.content(beginning).length > limit) return beginning
    }
    return text
  }

  #cutAfter(text: string, at: number): number {
    if (!this.#cuts || at >= text.length) return text.length
    this.#cuts.lastIndex = at
    return this.#cuts.exec(text)?.index ?? text.length
  }
}

/** The median of the tokens' lengths in characters, rounded down. */
function medianLength(tokens: Iterable<string>): number {
  const lengths = Float64Array.from(Array.from(tokens, (token) => Array.from(token).length)).sort()
  const middle = lengths.length / 2
  return Math.floor((lengths[Math.ceil(middle) - 1]! + lengths[Math.floor(middle)]!) / 2)
}

/** So many characters of a text. */
function beginningOf(text: string, count: number): string {
  if (text.length <= count) return text
  let end = 0
  for (let i = 0; i < count && end < text.length; i++) end += text.codePointAt(end)! > 0xffff ? 2 : 1
  return text.slice(0, end)
}

/** Python's `string.punctuation`. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g

/** A file that lowers a text before its other steps, unless one of them does, as sentence-transformers puts it. */
function lowered(file: TokenizerFile): TokenizerFile {
  const { normalizer } = file
  const steps =
    normalizer?.type === 'Sequence' ? (normalizer.normalizers ?? []) : normalizer ? [normalizer] : []
  if (steps.some(({ type }) => type === 'Lowercase')) return file
  return { ...file, normalizer: { type: 'Sequence', normalizers: [{ type: 'Lowercase' }, ...steps] } }
}

/** Cleaning of a text before the tokenizer sees it. */
function cleaner({ clean }: TokenizerOptions): (text: string) => string {
  if (clean) {
    const underscore = clean === 'canonicalize' ? ' ' : ''
    return (text) =>
      text.replaceAll('_', underscore).replace(PUNCTUATION, '').toLowerCase().replace(/\s+/g, ' ').trim()
  }
  return (text) => text
}

/**
 * A tokenizer of the text of a `tokenizer.json`.
 *
 * @param name what errors call it
 * @throws PipiloError `FORMAT_INVALID`, `FORMAT_UNSUPPORTED` for a step or an option that is not known
 */
export async function parseTokenizer(
  json: string,
  name: string,
  options: TokenizerOptions = {},
): Promise<TextTokenizer> {
  try {
    const file: unknown = JSON.parse(json.replace(/^\ufeff/, ''))
    // Parsing and building 30,000 entries are two stretches of work: the event loop turns between them.
    await turn()
    return new TextTokenizer(file, options)
  } catch (cause) {
    const known = cause instanceof PipiloError
    const sentence = `${name} is not a tokenizer that can be read: ${(cause as Error).message.replace(/\.$/, '')}.`
    throw new PipiloError(known ? cause.code : 'FORMAT_INVALID', sentence, { input: name, cause })
  }
}
