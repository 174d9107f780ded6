// Parts of a `tokenizer.json` that several kinds of tokenizers share.
import { PipiloError } from '../../base/index.ts'
import { isObject } from '../files.ts'

/** A part of a `tokenizer.json`. */
export type Part = Readonly<Record<string, unknown>>

/** A `tokenizer.json`: https://huggingface.co/docs/tokenizers */
export interface TokenizerJson {
  readonly version: '1.0'
  readonly truncation: null
  readonly padding: Part | null
  readonly added_tokens: readonly AddedToken[]
  readonly normalizer: Part | null
  readonly pre_tokenizer: Part | null
  readonly post_processor: Part | null
  readonly decoder: Part | null
  readonly model: Part
}

export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly single_word: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
  readonly special: boolean
}

/** Settings in the files beside a vocabulary: `tokenizer_config.json`, `special_tokens_map.json`. */
export interface Settings {
  /** Class of transformers, without `Tokenizer` and `Fast`: `Bert`, `XLMRoberta`; `''` where it is not known. */
  readonly kind: string
  readonly config: Part
  /** The settings do not list the added tokens: those of older files and of the `tokenizer.json` are heard. */
  readonly legacy?: boolean
}

/** The name of a special token (`cls_token`), which may be text or an object with `content`. */
export function specialToken(settings: Settings, role: string, usual: string): string {
  const value = settings.config[role]
  if (typeof value === 'string') return value
  return isObject(value) && typeof value['content'] === 'string' ? value['content'] : usual
}

/** A setting that is true or false. */
export function flag(settings: Settings, name: string, usual: boolean): boolean {
  const value = settings.config[name]
  return typeof value === 'boolean' ? value : usual
}

/** Added tokens as the files state them (`added_tokens_decoder`), else the special tokens that the vocabulary holds. */
export function addedTokens(
  settings: Settings,
  special: readonly string[],
  idOf: (token: string) => number | undefined,
): AddedToken[] {
  const stated = settings.config['added_tokens_decoder']
  const tokens = new Map<number, AddedToken>()
  const mask = specialToken(settings, 'mask_token', '<mask>')
  for (const content of special) {
    const id = idOf(content)
    if (id === undefined) continue
    // The mask of RoBERTa and its kin takes the space before it.
    const lstrip = content === mask && content === '<mask>'
    tokens.set(id, {
      id,
      content,
      single_word: false,
      lstrip,
      rstrip: false,
      normalized: false,
      special: true,
    })
  }
  for (const [key, value] of isObject(stated) ? Object.entries(stated) : []) {
    if (!isObject(value) || typeof value['content'] !== 'string') continue
    const is = (name: string) => value[name] === true
    tokens.set(Number(key), {
      id: Number(key),
      content: value['content'],
      single_word: is('single_word'),
      lstrip: is('lstrip'),
      rstrip: is('rstrip'),
      normalized: is('normalized'),
      special: is('special'),
    })
  }
  return [...tokens.values()].sort((a, b) => a.id - b.id)
}

/** Puts tokens before and after a text; those that are undefined are left out. */
export function around(
  before: string | undefined,
  after: string | undefined,
  idOf: (token: string) => number | undefined,
): Part | null {
  const used = [before, after].filter((token): token is string => token !== undefined)
  if (used.length === 0) return null
  const special = (id: string | undefined, type_id: number) =>
    id === undefined ? [] : [{ SpecialToken: { id, type_id } }]
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } })
  return {
    type: 'TemplateProcessing',
    single: [...special(before, 0), sequence('A', 0), ...special(after, 0)],
    pair: [
      ...special(before, 0),
      sequence('A', 0),
      ...special(after, 0),
      sequence('B', 1),
      ...special(after, 1),
    ],
    special_tokens: Object.fromEntries(
      used.map((token) => [token, { id: token, ids: [idIn(idOf, token)], tokens: [token] }]),
    ),
  }
}

function idIn(idOf: (token: string) => number | undefined, token: string): number {
  const id = idOf(token)
  if (id !== undefined) return id
  throw new PipiloError(
    'FORMAT_INVALID',
    `The tokenizer puts '${token}' beside a text, and its vocabulary does not hold it.`,
    { input: token, hint: "Put the model's own vocabulary beside it." },
  )
}

/** A whole file from its parts. */
export function tokenizerJson(
  parts: Pick<TokenizerJson, 'added_tokens' | 'normalizer' | 'pre_tokenizer' | 'post_processor' | 'model'>,
): TokenizerJson {
  return { version: '1.0', truncation: null, padding: null, decoder: null, ...parts }
}
