// The model of a tokenizer: from words to ids.
import { bpe } from './bpe.ts'
import { Part } from './part.ts'
import { lattice, unigram } from './unigram.ts'
import { wordLevel, wordPiece } from './wordPiece.ts'

/** Turns words into ids of a vocabulary. */
export interface Model {
  readonly vocabulary: ReadonlyMap<string, number>
  /** Entries of the vocabulary: added tokens go on counting from it. */
  readonly size: number
  /**
   * Adds a word's ids to `ids`.
   * @throws PipiloError `TEXT_INVALID` for what the vocabulary has no word for, not even an unknown one
   */
  add(word: string, ids: number[]): void
}

/**
 * The model of a `tokenizer.json`.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED`, `FORMAT_INVALID`
 */
export function modelOf(value: unknown): Model {
  const part = Part.of(value, 'model')
  switch (part.type) {
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
