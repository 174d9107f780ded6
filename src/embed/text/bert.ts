// BERT's normalisation of texts and its splitting into words.
import { IDEOGRAPHS, MARKS, PUNCTUATION, REMOVED, UNDECOMPOSED } from './bertUnicode.ts'

/** `normalizer` of a `tokenizer.json` whose type is `BertNormalizer`. */
export interface BertNormalizerConfig {
  readonly clean_text?: boolean
  readonly handle_chinese_chars?: boolean
  readonly strip_accents?: boolean | null
  readonly lowercase?: boolean
}

const plain = /^[\t\n\r\x20-\x7e]*$/
const removed = new RegExp(`[${REMOVED}]`, 'gu')
const ideograph = new RegExp(`[${IDEOGRAPHS}]`, 'gu')
const marks = new RegExp(`[${MARKS}]`, 'gu')
const decomposed = new RegExp(`[^${UNDECOMPOSED}]+`, 'gu')
const words = new RegExp(`[${PUNCTUATION}]|[^\\s${PUNCTUATION}]+`, 'gu')

/** Normalises a text as BERT's tokenizer does before it looks for words. */
export function bertNormalize(text: string, config: BertNormalizerConfig): string {
  let result = text
  if (!plain.test(text)) {
    if (config.clean_text) result = result.replace(removed, '')
    if (config.handle_chinese_chars) result = result.replace(ideograph, ' $& ')
    if (config.strip_accents ?? config.lowercase) {
      result = result.replace(decomposed, (part) => part.normalize('NFD')).replace(marks, '')
    }
    // The reference lowers letter by letter: a sigma at a word's end becomes σ, not ς.
    if (config.lowercase) result = result.replaceAll('Σ', 'σ')
  }
  if (config.clean_text) result = result.replace(/\s/g, ' ')
  return config.lowercase ? result.toLowerCase() : result
}

/** Words and single punctuation marks. */
export function bertPreTokenize(text: string): string[] {
  return text.match(words) ?? []
}
