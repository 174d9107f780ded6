// Tokenizer of texts, over the library's, corrected where Python's gives other tokens.
import type { Tokenizer } from '@huggingface/tokenizers'
import { PipiloError, turn } from '../../base/index.ts'
import type { TextPreprocessing } from '../../models/index.ts'
import { type BertNormalizerConfig, bertNormalize, bertPreTokenize } from './bert.ts'
import { cutPoints, type Step, type TokenizerFile } from './cuts.ts'
import { type PrecompiledConfig, precompiled } from './precompiled.ts'
import { isLattice, keepsWords, unigramLattice } from './unigram.ts'

/** Token ids of a text, special tokens included. */
export interface Encoding {
  readonly ids: number[]
  /** The text was longer than the limit. */
  readonly truncated: boolean
}

export interface TokenizerOptions {
  /** Lower the text first, for models whose `sentence_bert_config.json` says so. */
  readonly lowercase?: boolean
  /** Clean the text first, see the card's `text.clean`. */
  readonly clean?: TextPreprocessing['clean']
  /** `false`: no special tokens around a text. Default `true`. */
  readonly specialTokens?: boolean
  /** Leave out tokens of unknown words. Default `false`. */
  readonly dropUnknown?: boolean
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
  readonly #tokenizer: Tokenizer
  readonly #cuts: RegExp | undefined
  /** The text before a space has the same tokens without the rest. */
  readonly #hasBeginnings: boolean
  readonly #clean: (text: string) => string
  /** The token that is left out. */
  readonly #unknown: number | undefined

  /** @internal Made by {@link parseTokenizer}: users of the package need no types of the library. */
  constructor(tokenizer: Tokenizer, file: TokenizerFile, options: TokenizerOptions = {}) {
    correctSteps(tokenizer, file)
    this.#tokenizer = tokenizer
    this.#cuts = cutPoints(file)
    this.#hasBeginnings = isLattice(file.model) && keepsWords(file.model)
    this.#clean = cleaner(options)
    const { unk_token: unknown } = file.model as { unk_token?: unknown }
    this.#unknown =
      options.dropUnknown && typeof unknown === 'string' ? tokenizer.token_to_id(unknown) : undefined
    const text = 'text'
    const around =
      options.specialTokens === false
        ? [text]
        : (tokenizer.post_processor?.post_process([text]).tokens ?? [text])
    const id = (token: string) => tokenizer.token_to_id(token) ?? 0
    this.prefix = around.slice(0, around.indexOf(text)).map(id)
    this.suffix = around.slice(around.indexOf(text) + 1).map(id)
    this.padId = file.padding?.pad_id ?? tokenizer.token_to_id('[PAD]') ?? tokenizer.token_to_id('<pad>') ?? 0
  }

  /** How many special tokens stand around a text. */
  get specials(): number {
    return this.prefix.length + this.suffix.length
  }

  /**
   * Ids of a text, special tokens at both ends, at most `maxLength` in all: what is too long loses its end. Of a long
   * text only as much is looked at as the limit needs.
   */
  encode(whole: string, maxLength = Number.POSITIVE_INFINITY): Encoding {
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

  /** Ids of a text, or of a part between two {@link cuts}, without special tokens. */
  content(text: string): number[] {
    // A lone surrogate is no character; Python's tokenizers refuse it, UTF-8 encoders write U+FFFD.
    const characters = /\p{Surrogate}/u.test(text) ? text.replace(/\p{Surrogate}/gu, '\ufffd') : text
    const cleaned = this.#clean(characters)
    const { ids }: { ids: number[] } = this.#tokenizer.encode(cleaned, { add_special_tokens: false })
    return this.#unknown === undefined ? ids : ids.filter((id) => id !== this.#unknown)
  }

  /** The id of the token that texts are padded with: the one of this name, else the tokenizer's own. */
  padding(token: string | undefined): number {
    return (token === undefined ? undefined : this.#tokenizer.token_to_id(token)) ?? this.padId
  }

  /** A token as the vocabulary writes it: `bird`, `##hee`, `▁sings`; `''` for an id that it does not have. */
  token(id: number): string {
    return this.#tokenizer.id_to_token(id) ?? ''
  }

  /** With `false` the tokens of a text's parts may differ from those of the whole, wherever it is cut. */
  get divisible(): boolean {
    return this.#cuts !== undefined
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

/** Python's `string.punctuation`. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g

/** Cleaning of a text before the tokenizer sees it. */
function cleaner({ lowercase, clean }: TokenizerOptions): (text: string) => string {
  if (clean) {
    const underscore = clean === 'canonicalize' ? ' ' : ''
    return (text) =>
      text.replaceAll('_', underscore).replace(PUNCTUATION, '').toLowerCase().replace(/\s+/g, ' ').trim()
  }
  return lowercase ? (text) => text.toLowerCase() : (text) => text
}

/**
 * A tokenizer of the text of a `tokenizer.json`.
 *
 * @param name what errors call it
 * @throws PipiloError `FORMAT_INVALID`
 */
export async function parseTokenizer(
  json: string,
  name: string,
  options: TokenizerOptions = {},
): Promise<TextTokenizer> {
  const { Tokenizer } = await import('@huggingface/tokenizers')
  try {
    const file = JSON.parse(json) as TokenizerFile
    // Parsing and building 30,000 entries are two stretches of work: the event loop turns between them.
    await turn()
    const tokenizer = new Tokenizer(file, {})
    await turn()
    return new TextTokenizer(tokenizer, file, options)
  } catch (cause) {
    throw new PipiloError(
      'FORMAT_INVALID',
      `${name} is not a tokenizer that can be read: ${(cause as Error).message}.`,
      { input: name, cause },
    )
  }
}

/**
 * Puts our own steps in place of the library's. Its BERT takes a surrogate for a character (ideographs beyond U+FFFF) and sorts
 * characters by the Unicode version of the running V8; it lowers a sigma at a word's end by Greek spelling; of SentencePiece's
 * normalisation it knows an approximation; it does not know how TensorFlow.js chooses among pieces.
 */
function correctSteps(tokenizer: Tokenizer, file: TokenizerFile): void {
  const visit = (part: unknown, step: Step | null | undefined): void => {
    if (!part || !step) return
    if (step.type === 'BertNormalizer') {
      const normalizer = part as NonNullable<Tokenizer['normalizer']>
      normalizer.normalize = (text: string) => bertNormalize(text, step as BertNormalizerConfig)
    } else if (step.type === 'Precompiled') {
      const normalizer = part as NonNullable<Tokenizer['normalizer']>
      normalizer.normalize = precompiled(step as PrecompiledConfig)
    } else if (step.type === 'Lowercase') {
      const normalizer = part as NonNullable<Tokenizer['normalizer']>
      // Python's lowers character by character, whatever stands at a word's end.
      normalizer.normalize = (text: string) => text.replaceAll('Σ', 'σ').toLowerCase()
    } else if (step.type === 'BertPreTokenizer') {
      const preTokenizer = part as NonNullable<Tokenizer['pre_tokenizer']>
      preTokenizer.pre_tokenize_text = (text: string) => bertPreTokenize(text)
    } else if (step.type === 'Sequence') {
      const { normalizers, tokenizers } = part as { normalizers?: unknown[]; tokenizers?: unknown[] }
      step.normalizers?.forEach((child, index) => void visit(normalizers?.[index], child))
      step.pretokenizers?.forEach((child, index) => void visit(tokenizers?.[index], child))
    }
  }
  visit(tokenizer.normalizer, file.normalizer)
  visit(tokenizer.pre_tokenizer, file.pre_tokenizer)
  if (isLattice(file.model)) {
    const lattice = unigramLattice(file.model)
    tokenizer.model.encode = (words: string[]) => words.flatMap(lattice)
  }
}
