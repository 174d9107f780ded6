// The steps of a `tokenizer.json`, from a text to ids, as Python's `tokenizers` 0.23 takes them.
import { PipiloError } from '../../../base/index.ts'
import { type AddedToken, addedTokensOf, type Finder, findersOf } from './addedTokens.ts'
import { modelOf } from './model.ts'
import { type Normalizer, zeroAfter } from './normalizer.ts'
import { normalizerOf } from './normalizers.ts'
import { Part } from './part.ts'
import { type Around, aroundOf } from './postProcessor.ts'
import { asksForPlaces, type PreTokenizer, preTokenizerOf } from './preTokenizers.ts'
import { isId, type Model } from './vocabulary.ts'

/**
 * The steps of a `tokenizer.json`.
 *
 * @example
 * ```ts
 * const steps = new Steps(JSON.parse(await readFile('tokenizer.json', 'utf8')))
 * steps.ids('football')   // [2374]
 * ```
 *
 * @remarks
 * Each step gives the ids of Python's, or is refused by its name. Its padding and truncation are left aside, but for the side
 * on which texts are cut.
 * @see https://huggingface.co/docs/tokenizers
 */
export class Steps implements Around {
  readonly prefix: readonly number[]
  readonly suffix: readonly number[]
  /** Id of the token that texts are padded with, as the file or a usual name says it; 0 where there is none. */
  readonly padId: number
  /** Texts that are too long lose their beginning, not their end. */
  readonly cutsLeft: boolean
  /** The largest id. */
  readonly largestId: number
  /** The largest id of the model's own vocabulary. */
  readonly largestWord: number
  readonly #added: ReadonlyMap<string, AddedToken>
  readonly #finders: { raw: Finder; normal: Finder }
  readonly #normalizer: Normalizer
  readonly #preTokenize: PreTokenizer
  readonly #model: Model
  readonly #asksForPlaces: boolean
  #tokens: ReadonlyMap<number, string> | undefined

  /** @throws PipiloError `FORMAT_UNSUPPORTED`, `FORMAT_INVALID` */
  constructor(value: unknown) {
    const file = Part.of(value, 'tokenizer')
    const model = file.part('model')
    file.only(
      'version',
      'truncation',
      'padding',
      'added_tokens',
      'normalizer',
      'pre_tokenizer',
      'post_processor',
      'decoder',
      'model',
      // Ours: special tokens are found in no text.
      'split_special_tokens',
    )
    const version = file.text('version', '1.0')
    if (version !== '1.0') throw file.unsupported(`has the version '${version}'`)
    this.#model = modelOf(model)
    this.#normalizer = normalizerOf(file.get('normalizer'))
    this.#preTokenize = preTokenizerOf(file.get('pre_tokenizer'))
    this.#asksForPlaces = asksForPlaces(file.get('pre_tokenizer'))
    const added = addedTokensOf(file.get('added_tokens'), this.#model)
    this.#added = new Map(added.map((token) => [token.content, token]))
    this.#finders = findersOf(added, this.#normalizer, file.flag('split_special_tokens', false))
    const { prefix, suffix } = aroundOf(file.get('post_processor'), (token) => this.idOf(token))
    this.prefix = prefix
    this.suffix = suffix
    this.padId = this.#padding(file)
    this.cutsLeft = cutsLeft(file)
    let largest = 0
    for (const id of this.#model.vocabulary.values()) if (id > largest) largest = id
    this.largestWord = largest
    this.largestId = added.reduce((most, { id }) => Math.max(most, id), largest)
  }

  /** Ids of a text, without special tokens. */
  ids(text: string): number[] {
    const ids: number[] = []
    const first = this.#asksForPlaces ? ((text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1) : 0
    for (const { start, end, id } of this.#finders.raw.find(text)) {
      if (id === undefined) this.#normalized(text.slice(start, end), start === 0 ? first : 0, ids)
      else ids.push(id)
    }
    return ids
  }

  #normalized(text: string, zero: number, ids: number[]): void {
    const normal = this.#normalizer.apply(text)
    const from = zeroAfter(this.#normalizer, text, zero)
    for (const { start, end, id } of this.#finders.normal.find(normal)) {
      if (id === undefined) {
        const part = { texts: [normal.slice(start, end)], zero: Math.max(0, Math.min(from, end) - start) }
        for (const word of this.#preTokenize(part).texts) this.#model.add(word, ids)
      } else {
        ids.push(id)
      }
    }
  }

  idOf(token: string): number | undefined {
    return this.#added.get(token)?.id ?? this.#model.vocabulary.get(token)
  }

  /** All tokens. */
  *tokens(): Generator<string> {
    yield* this.#model.vocabulary.keys()
    for (const token of this.#added.keys()) if (!this.#model.vocabulary.has(token)) yield token
  }

  tokenOf(id: number): string | undefined {
    if (!this.#tokens) {
      const tokens = new Map<number, string>()
      for (const [token, own] of this.#model.vocabulary) tokens.set(own, token)
      for (const { id: own, content } of this.#added.values()) tokens.set(own, content)
      this.#tokens = tokens
    }
    return this.#tokens.get(id)
  }

  #padding(file: Part): number {
    const padding = file.get('padding')
    if (padding === null || padding === undefined) {
      return this.idOf('[PAD]') ?? this.idOf('<pad>') ?? 0
    }
    const id = Part.of(padding, 'padding').get('pad_id')
    if (!isId(id)) throw new PipiloError('FORMAT_INVALID', 'The padding has no id.')
    return id
  }
}

function cutsLeft(file: Part): boolean {
  const truncation = file.get('truncation')
  if (truncation === null || truncation === undefined) return false
  return Part.of(truncation, 'truncation').oneOf('direction', ['Left', 'Right'], 'Right') === 'Left'
}
