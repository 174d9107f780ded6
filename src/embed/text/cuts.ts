// Finds where a text can be cut without changing its tokens.
import { IDEOGRAPHS } from './bertUnicode.ts'

/** The parts of a `tokenizer.json` that Pipilo itself looks at. */
export interface TokenizerFile {
  readonly normalizer?: Step | null
  readonly pre_tokenizer?: Step | null
  readonly padding?: { readonly pad_id?: number } | null
  readonly model?: { readonly type?: string }
  readonly added_tokens?: readonly { readonly content: string; readonly rstrip?: boolean }[]
}

/** A normalizer or pre-tokenizer, or a `Sequence` of them. */
export interface Step {
  readonly type: string
  readonly normalizers?: readonly Step[]
  readonly pretokenizers?: readonly Step[]
  readonly handle_chinese_chars?: boolean
  readonly use_regex?: boolean
  readonly split?: boolean
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
export function steps(step: Step | null | undefined): readonly Step[] {
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
  const ideographs = normalizers.some((step) => step.handle_chinese_chars)
  const [first] = steps(file.pre_tokenizer)
  switch (first?.type) {
    case 'BertPreTokenizer':
    case 'Whitespace':
    case 'WhitespaceSplit': {
      const apart = ideographs ? `${SPACE}${IDEOGRAPHS}` : SPACE
      if (added.some(({ content }) => new RegExp(`[${apart}]`, 'u').test(content))) return undefined
      const between = `(?<=[^${SPACE}])(?=[${SPACE}])`
      return new RegExp(ideographs ? `${between}|(?<=[${IDEOGRAPHS}])|(?=[${IDEOGRAPHS}])` : between, 'gu')
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
