// Finds where a text can be cut without changing its tokens.
import { classOf } from './steps/classes.ts'
import { IDEOGRAPHS } from './steps/unicode.ts'

/** The parts of a `tokenizer.json` that say where texts can be cut. */
export interface TokenizerFile {
  readonly normalizer?: Step | null
  readonly pre_tokenizer?: Step | null
  readonly model?: {
    readonly unk_token?: unknown
    readonly unk_id?: unknown
    readonly reserved?: number
    readonly vocab: readonly (readonly [string, number])[]
  }
  readonly added_tokens?: readonly Added[] | null
}

interface Added {
  readonly content: string
  readonly rstrip?: boolean
  readonly single_word?: boolean
  readonly normalized?: boolean
}

/** A normalizer or pre-tokenizer, or a `Sequence` of them. */
export interface Step {
  readonly type: string
  readonly normalizers?: readonly Step[]
  readonly pretokenizers?: readonly Step[]
  readonly handle_chinese_chars?: boolean
  readonly use_regex?: boolean
  readonly split?: boolean
  readonly prepend_scheme?: string
}

/** Normalizers that change each side of a space as if the other were not there. */
const LOCAL = new Set([
  'BertNormalizer',
  'NFC',
  'NFD',
  'NFKC',
  'NFKD',
  'Lowercase',
  'StripAccents',
  'Precompiled',
])

/** White space that BERT's normalizer keeps: it drops the other characters of `\s`, so words around them join. */
const SPACE = '\\t\\n\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'

/** A `Sequence` as its steps, anything else as itself. */
function steps(step: Step | null | undefined): readonly Step[] {
  if (!step) return []
  return (step.normalizers ?? step.pretokenizers)?.flatMap(steps) ?? [step]
}

/**
 * A pattern of the places where a text can be cut so that the tokens of its parts, joined, are the tokens of the whole;
 * undefined where that cannot be promised.
 *
 * With pre-tokenizers that drop white space, that is before a space, and on both sides of an ideograph that the
 * normalizer puts between spaces; with those that keep the space as the head of a word (byte-level, Metaspace), before a
 * single space in front of a letter or digit.
 */
export function cutPoints(file: TokenizerFile): RegExp | undefined {
  const normalizers = steps(file.normalizer)
  if (!normalizers.every((step) => LOCAL.has(step.type))) return undefined
  const added = file.added_tokens ?? []
  // The normalizer may make spaces of a token's characters.
  if (added.some(({ content, normalized }) => normalized && /[^!-~]/.test(content))) return undefined
  const ideographs = normalizers.some((step) => step.handle_chinese_chars)
  const [first, ...others] = steps(file.pre_tokenizer)
  // A word at the beginning of a text may be treated otherwise than at that of its parts.
  if ([first, ...others].some((step) => step?.prepend_scheme === 'first')) return undefined
  switch (first?.type) {
    case 'BertPreTokenizer':
    case 'Whitespace':
    case 'WhitespaceSplit': {
      const between = `(?<=[^${SPACE}])(?=[${SPACE}])`
      const alone = classOf(IDEOGRAPHS)
      const apart = ideographs ? `${SPACE}${alone}` : SPACE
      if (added.some(({ content }) => new RegExp(`[${apart}]`, 'u').test(content))) return undefined
      const words = added.some(({ single_word }) => single_word)
      return new RegExp(ideographs && !words ? `${between}|(?<=[${alone}])|(?=[${alone}])` : between, 'gu')
    }
    case 'ByteLevel':
    case 'Metaspace':
      if (first.use_regex === false || first.split === false) return undefined
      if (added.some(({ content, rstrip }) => rstrip || content.includes(' '))) return undefined
      return /(?<=\S)(?= [\p{L}\p{N}])/gu
    default:
      return undefined
  }
}

/**
 * True if the text before a space has the same tokens without the rest: where pieces are found from left to right, and none goes on
 * behind a space.
 */
export function hasBeginnings({ model }: TokenizerFile): boolean {
  return model?.reserved !== undefined && model.vocab.every(([piece]) => !piece.includes('▁', 1))
}
