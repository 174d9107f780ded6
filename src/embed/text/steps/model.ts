// The model of a tokenizer: from words to ids.
import { bpe } from './bpe.ts'
import type { Part } from './part.ts'
import { lattice, unigram } from './unigram.ts'
import type { Model } from './vocabulary.ts'
import { wordLevel, wordPiece } from './wordPiece.ts'

/**
 * The model of a `tokenizer.json`.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED`, `FORMAT_INVALID`
 */
export function modelOf(part: Part): Model {
  switch (part.type || untyped(part)) {
    case 'WordPiece':
      return wordPiece(part)
    case 'WordLevel':
      return wordLevel(part)
    case 'BPE':
      return bpe(part)
    case 'Unigram':
      return part.get('reserved') === undefined ? unigram(part) : lattice(part)
    default:
      throw part.unknownType()
  }
}

/** The type of a model in older files, which do not say it. */
function untyped(part: Part): string {
  if (part.get('type') !== undefined) return ''
  if (part.get('merges') !== undefined) return 'BPE'
  if (part.get('continuing_subword_prefix') !== undefined) return 'WordPiece'
  return Array.isArray(part.get('vocab')) ? 'Unigram' : 'WordLevel'
}
